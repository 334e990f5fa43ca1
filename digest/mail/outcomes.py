"""What a reply, or the lack of one, means for one message. Pure functions.

Temporary or permanent is read from the code (RFC 5321 §4.2.1). One thing is not: a 5.7.x, or a
demand to log in, refuses us as a sender and says nothing against the recipient, so the message
waits and the sending stops (`is_operators_problem`).
"""

from __future__ import annotations

from digest.mail.replies import Reply
from digest.model import Envelope, Fate, Outcome

#: RFC 4954 §6: log in first, mechanism too weak, credentials wrong, encryption needed
_LOGIN_CODES = frozenset({530, 534, 535, 538})
NOT_OURS = "another process sends it by now"


def judge(envelope: Envelope, reply: Reply) -> Outcome:
    """The outcome that a reply to one of the message's commands, or to its content, means."""
    outcome = Outcome(
        outbox_id=envelope.outbox_id,
        fate=_fate(reply.code),
        code=reply.code,
        status=reply.status,
        text=reply.text,
    )
    if is_operators_problem(outcome):
        return not_sent(envelope, reply.text, reply)
    return outcome


def not_sent(envelope: Envelope, reason: str, reply: Reply | None = None) -> Outcome:
    """The message did not leave; trying again doubles nothing."""
    return Outcome(
        outbox_id=envelope.outbox_id,
        fate=Fate.TEMPORARY,
        code=reply.code if reply else None,
        status=reply.status if reply else None,
        text=reply.text if reply else reason,
    )


def in_doubt(envelope: Envelope, reason: str) -> Outcome:
    """The message left whole, and nobody said what became of it."""
    return Outcome(
        outbox_id=envelope.outbox_id,
        fate=Fate.UNKNOWN,
        text=f"{reason}, after the message was handed over",
    )


def is_operators_problem(outcome: Outcome) -> bool:
    """Whether the relay refuses us as a sender, rather than this message or its recipient."""
    if outcome.code is None or outcome.code < 500:
        return False
    return outcome.code in _LOGIN_CODES or (outcome.status or "").startswith("5.7.")


def _fate(code: int) -> Fate:
    if 200 <= code < 300:
        return Fate.ACCEPTED
    return Fate.PERMANENT if code >= 500 else Fate.TEMPORARY
