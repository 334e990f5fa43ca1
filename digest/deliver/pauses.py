"""Pauses of sending: when the relay takes nothing, it is left alone for growing times.

Kept in the database, so that all processes pause and a restart does not forget.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from digest.errors import RelayBusy, TransportError
from digest.store import Store, facts

log = logging.getLogger(__name__)

_PAUSED = "sending_paused"
_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(minutes=30)
#: when the relay itself asks for a while
_BREATH_FIRST, _BREATH_LONGEST = timedelta(seconds=15), timedelta(minutes=5)


def paused_until(store: Store, now: datetime) -> datetime | None:
    """When sending goes on after trouble with the relay; None when it is not paused.

    A pause that would last longer than any was begun before the clock was set back, and is over.
    """
    with store.read() as tx:
        pause = facts.get_fact(tx, _PAUSED)
    until = datetime.fromisoformat(pause["until"]) if pause else None
    return until if until is not None and now < until <= now + _LONGEST else None


def begin_pause(store: Store, error: TransportError, now: datetime, *, has_sent: bool) -> None:
    """Pause, twice as long as the last time when nothing has gone since.

    A relay that takes mail and refuses us now and then, for what one domain thinks of us, must not
    make everybody else wait for longer and longer. One that is only busy gets a short pause, and
    the two kinds are counted apart: a relay that was busy all morning and is gone now is asked
    again after a minute like any other.
    """
    is_busy = isinstance(error, RelayBusy)
    first, longest = (_BREATH_FIRST, _BREATH_LONGEST) if is_busy else (_FIRST, _LONGEST)
    with store.write() as tx:
        before = (None if has_sent else facts.get_fact(tx, _PAUSED)) or {}
        kind = "busy_times" if is_busy else "times"
        times = before.get(kind, 0)
        pause = min(first * 2 ** min(times, 10), longest)
        value = before | {
            kind: times + 1,
            "since": before.get("since", now.isoformat()),
            "until": (now + pause).isoformat(),
            "reason": str(error),
        }
        facts.put_fact(tx, _PAUSED, value)
    log.error("sending is paused for %d s: %s", pause.total_seconds(), error)


def end_pause(store: Store) -> None:
    """The relay works: forget that there was trouble."""
    with store.read() as tx:
        was_paused = facts.get_fact(tx, _PAUSED) is not None
    if was_paused:
        with store.write() as tx:
            facts.drop_fact(tx, _PAUSED)
