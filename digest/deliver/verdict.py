"""What becomes of one message, by the relay's answer and the time it has taken. Pure.

Called by run.py for every answer, and for rows before they leave.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from traceback import walk_tb
from typing import NamedTuple

from digest.bounce import is_telling, is_vague, judge, names_no_address
from digest.deliver.pace import GIVE_UP_AFTER, too_late_at
from digest.errors import BadInput, StoreDamaged, TemplateError
from digest.model import BounceKind, Failure, Fate, OutboxState, Outcome
from digest.store.claims import Claimed, Settlement

_RETRY_FIRST = timedelta(minutes=5)
_RETRY_MAX = timedelta(hours=3)
_LATE = "too late: not handed over within 20 h"
_LATE_IN_WARM_UP = "too late: not handed over by the end of the next day"
_GAVE_UP = "gave up: no success within 20 h"
_LOST = "the relay's answer was lost"

#: 5.1.x that speak of our own address, not of the reader's (RFC 3463)
_OUR_OWN = ("5.1.7", "5.1.8")
#: the subjects of status codes that speak of a reader: address, mailbox, and the way there
_READER_SUBJECTS = "124"


class Answer(NamedTuple):
    """What became of a message, to be written down."""

    row: Claimed
    settlement: Settlement
    #: what a refusal says of the reader; None: nothing
    failure: Failure | None = None


def answer_of(outcome: Outcome, row: Claimed, now: datetime, *, resend: bool) -> Answer:
    """What becomes of a message, and is held against its reader, by what was said to it."""
    settlement = decide(outcome, row, now, resend=resend)
    return Answer(row=row, settlement=settlement, failure=failure_of(outcome, settlement))


def decide(outcome: Outcome, row: Claimed, now: datetime, *, resend: bool) -> Settlement:
    """What a relay's answer means for a row. Pure.

    Temporary is not permanent: 4xx and lost connections wait, longer each time, for 20 hours.
    5.7.x is the operator's trouble and waits too.
    """
    answer = words_of(outcome)
    match outcome.fate:
        case Fate.ACCEPTED:
            return Settlement(id=row.id, state=OutboxState.SENT, answer=answer)
        case Fate.UNKNOWN if resend:
            return later(row, now, reason=_LOST, answer=answer)
        case Fate.UNKNOWN:
            state = OutboxState.UNCERTAIN
            return Settlement(id=row.id, state=state, reason=_LOST, answer=answer)
        case Fate.PERMANENT if not _is_ours(outcome):
            reason = f"refused: {outcome.status or outcome.code or 'by us'}"
            return Settlement(id=row.id, state=OutboxState.FAILED, reason=reason, answer=answer)
    reason = f"temporary: {outcome.status or outcome.code or 'connection'}"
    return later(row, now, reason=reason, answer=answer)


def words_of(outcome: Outcome) -> str:
    """An answer as the relay gave it, on one line."""
    # what comes over SMTP begins with its status already
    said = outcome.text.removeprefix(outcome.status or "").lstrip()
    return " ".join(str(part) for part in (outcome.code, outcome.status, said) if part)


def later(row: Claimed, now: datetime, *, reason: str, answer: str | None = None) -> Settlement:
    """Try again after a pause that grows, until it has been tried for long enough."""
    if now - row.first_tried_at >= GIVE_UP_AFTER:
        return Settlement(id=row.id, state=OutboxState.FAILED, reason=_GAVE_UP, answer=answer)
    pause = min(_RETRY_FIRST * 2 ** min(row.attempts - 1, 10), _RETRY_MAX)
    return Settlement(
        id=row.id,
        state=OutboxState.DEFERRED,
        reason=reason,
        answer=answer,
        not_before=now + pause,
    )


def why_spoilt(error: Exception) -> str:
    """Why a message could not be made, in words that are the same for all that fail likewise."""
    match error:
        case TemplateError():
            return f"template: {error}"
        case StoreDamaged():
            return f"damaged: {error}"
    # the innermost place of ours; what templates are compiled to has no name
    frames = [(str(f.f_globals.get("__name__")), n) for f, n in walk_tb(error.__traceback__)]
    module, line = [place for place in frames if place[0].startswith("digest.")][-1]
    return f"mistake: {type(error).__name__} at {module}:{line}"


def refuse_late(row: Claimed, now: datetime, *, warm_up_from: date | None) -> None:
    """Raise BadInput for what nobody wants any more: a daemon that was off delivers no old news."""
    limit = too_late_at(row.created_at, warm_up_from)
    if now <= limit:
        return
    if row.attempts == 1:
        raise BadInput(_LATE if limit == too_late_at(row.created_at, None) else _LATE_IN_WARM_UP)
    if now - row.first_tried_at > GIVE_UP_AFTER + _RETRY_MAX:
        raise BadInput(_GAVE_UP)


def failure_of(outcome: Outcome, verdict: Settlement) -> Failure | None:
    """What an answer says of the reader, as a returned mail would have said it; None: nothing.

    A refusal counts when it ends the message; so does being put off for 20 hours for a reason that
    lies with the address or the mailbox (4.1.x, 4.2.x). What is wrong with the relay, the message
    or us, and what gives no reason, is nothing against the reader. Of what no relay was asked,
    only an address that none can be asked for (5.1.3) is.
    """
    if verdict.state is not OutboxState.FAILED:
        return None
    if outcome.code is None and not names_no_address(outcome.status):
        return None
    status, said = outcome.status or "", outcome.text
    kind = judge(outcome.status, said, code=outcome.code)
    is_exact = bool(status) and not is_vague(status)
    if outcome.fate is Fate.TEMPORARY:
        is_theirs = is_exact and status.startswith(("4.1.", "4.2."))
    else:
        is_theirs = status[2] in _READER_SUBJECTS if is_exact else is_telling(said)
    is_ours = is_exact and kind is BounceKind.POLICY
    if is_ours or not (is_theirs or kind is BounceKind.HARD):
        return None
    return Failure(
        kind=kind,
        status=outcome.status,
        diagnostic=said,
        is_certain=kind is BounceKind.HARD and names_no_address(outcome.status),
    )


def _is_ours(outcome: Outcome) -> bool:
    """Whether a refusal speaks of us and not of the reader: policy, or our own address."""
    status = outcome.status or ""
    return status.startswith("5.7.") or status in _OUR_OWN
