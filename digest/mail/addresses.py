"""What may stand between the angle brackets of MAIL FROM and RCPT TO.

An address that could break out of its command, or of a header made from it, never leaves.
"""

from __future__ import annotations

import re

from digest.model import Envelope, Fate, Outcome

_ATOM = r"[^\x00-\x20\x7f\ud800-\udfff<>()\[\]\\,;:@\"]+"
_QUOTED = r'"(?:[^\x00-\x1f\x7f\ud800-\udfff"\\]|\\[\x20-\x7e])*"'
_DOMAIN = r"(?:[^\x00-\x20\x7f\ud800-\udfff<>()\[\]\\,;:@\"]+|\[[A-Za-z0-9.:-]+\])"
_ADDRESS = re.compile(rf"(?:{_ATOM}|{_QUOTED})@{_DOMAIN}")

#: RFC 5321 §4.5.3.1.3: a path has at most 256 octets, brackets included
_OCTETS_MAX = 254


def is_sendable(address: str) -> bool:
    """Whether the address can stand in an SMTP command; says nothing about its existence."""
    return _ADDRESS.fullmatch(address) is not None and len(address.encode()) <= _OCTETS_MAX


def refuse_addresses(envelope: Envelope) -> Outcome | None:
    """PERMANENT when an address of the envelope cannot be sent to or from; None when all is well.

    Source: RFC 3463 §3.2: x.1.3 is a bad destination address, x.1.7 a bad sender's.
    """
    if not is_sendable(envelope.envelope_to):
        return refuse_recipient(envelope.outbox_id, _what_is_wrong(envelope.envelope_to))
    if not is_sendable(envelope.envelope_from):
        said = f"the envelope sender: {_what_is_wrong(envelope.envelope_from)}"
        return _refusal(envelope.outbox_id, "5.1.7", said)
    return None


def refuse_recipient(outbox_id: int, why: str) -> Outcome:
    """PERMANENT: no message can be sent to such an address."""
    said = f"the recipient's address cannot be sent to: {why}; the relay was not asked"
    return _refusal(outbox_id, "5.1.3", said)


def _what_is_wrong(address: str) -> str:
    if len(address.encode("utf-8", "replace")) > _OCTETS_MAX:
        return f"it has more than {_OCTETS_MAX} octets"
    return "it is not name@domain"


def _refusal(outbox_id: int, status: str, text: str) -> Outcome:
    return Outcome(outbox_id=outbox_id, fate=Fate.PERMANENT, status=status, text=text)
