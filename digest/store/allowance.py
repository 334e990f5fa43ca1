"""How many messages all senders together have handed over on a day: what a warm-up is measured by.

Counted as they are settled: to count the rows anew takes longer with each day, and is done once a
day. Used by digest/deliver/ while a warm-up lasts.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, func, select

from digest.model import OutboxState
from digest.store import facts
from digest.store.schema import OPEN, outbox

_SENT = "sent_on"
#: what is that long overdue has been given up, see deliver/verdict.py
_GIVEN_UP = timedelta(days=3)


def handed_over(tx: Connection, day: date) -> int:
    """How many messages have left on that UTC day, or may be leaving now."""
    known = facts.get_fact(tx, _SENT)
    if known is None or known["day"] != day.isoformat():
        facts.change_alone(tx, _SENT)
        known = _begin(tx, day)
    leaving = select(func.count()).where(OPEN, outbox.c.state == OutboxState.SENDING)
    sent: int = known["count"]
    return sent + tx.execute(leaving).scalar_one()


def add_handed_over(tx: Connection, day: date, count: int) -> None:
    """Count messages that were settled as sent, in the transaction that settles them."""
    facts.change_alone(tx, _SENT)
    known = facts.get_fact(tx, _SENT)
    if known is None or known["day"] != day.isoformat():
        # finds those as well
        _begin(tx, day)
    else:
        facts.put_fact(tx, _SENT, known | {"count": known["count"] + count})


def _begin(tx: Connection, day: date) -> dict[str, object]:
    """Count what was sent on that day so far: the warm-up may have been turned on just now."""
    since = datetime.combine(day, time(), UTC)
    sent = select(func.count()).where(
        # the due day only narrows the search
        outbox.c.due_at > since - _GIVEN_UP,
        outbox.c.state == OutboxState.SENT,
        outbox.c.settled_at >= since,
    )
    value = {"day": day.isoformat(), "count": tx.execute(sent).scalar_one()}
    facts.put_fact(tx, _SENT, value)
    return value
