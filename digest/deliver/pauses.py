"""Pauses of sending: when the relay takes nothing, it is left alone for growing times.

Kept in the database, so that all processes pause and a restart does not forget.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from digest.store import Store, facts

log = logging.getLogger(__name__)

_PAUSED = "sending_paused"
_FIRST = timedelta(minutes=1)
_LONGEST = timedelta(minutes=30)


def paused_until(store: Store, now: datetime) -> datetime | None:
    """When sending goes on after trouble with the relay; None when it is not paused.

    A pause that would last longer than any was begun before the clock was set back, and is over.
    """
    with store.read() as tx:
        pause = facts.get_fact(tx, _PAUSED)
    until = datetime.fromisoformat(pause["until"]) if pause else None
    return until if until is not None and now < until <= now + _LONGEST else None


def begin_pause(store: Store, reason: str, now: datetime, *, has_sent: bool) -> None:
    """Pause, twice as long as the last time when nothing has gone since.

    A relay that takes mail and refuses us now and then, for what one domain thinks of us, must not
    make everybody else wait for longer and longer.
    """
    with store.write() as tx:
        known = None if has_sent else facts.get_fact(tx, _PAUSED)
        before = known or {"times": 0, "since": now.isoformat()}
        pause = min(_FIRST * 2 ** min(before["times"], 10), _LONGEST)
        value = {
            "times": before["times"] + 1,
            "since": before["since"],
            "until": (now + pause).isoformat(),
            "reason": reason,
        }
        facts.put_fact(tx, _PAUSED, value)
    log.error("sending is paused for %d s: %s", pause.total_seconds(), reason)


def end_pause(store: Store) -> None:
    """The relay works: forget that there was trouble."""
    with store.read() as tx:
        was_paused = facts.get_fact(tx, _PAUSED) is not None
    if was_paused:
        with store.write() as tx:
            facts.drop_fact(tx, _PAUSED)
