"""Which of a person's due moments have passed, and what follows from that.

Pure: the rhythm and `now` in, slots out. Used by digest/edition.py for everybody who is due; most
of them share a rhythm with many, so an answer is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import lru_cache
from itertools import takewhile

from digest.clock import local_date, next_slot, slots_after
from digest.model import Cadence, Subscriber

#: missed slots that are written down one by one; a daemon off for years need not list them all
_MISSED_MAX = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Which of a person's due moments have passed, and what follows from that."""

    #: passed too long ago to be made up for
    missed: tuple[datetime, ...]
    #: the one to serve now; None when the last one is too long ago too
    due: datetime | None
    next_at: datetime

    @property
    def passed(self) -> tuple[datetime, ...]:
        return self.missed + ((self.due,) if self.due else ())


def plan_slots(subscriber: Subscriber, now: datetime, catch_up: timedelta) -> Slots:
    """Sort out the slots from the one that is due until now: at most one is served.

    A daemon that was down serves the last slot if it is not longer ago than `catch_up`; the ones
    before it are missed, never sent in a burst.
    """
    first = subscriber.next_edition_at
    assert first is not None
    return _plan(first, subscriber.zone, subscriber.send_at, subscriber.cadence, now, catch_up)


@lru_cache(maxsize=10_000)
def _plan(
    first: datetime,
    zone: str,
    send_at: time,
    cadence: Cadence,
    now: datetime,
    catch_up: timedelta,
) -> Slots:
    later = slots_after(first, zone=zone, send_at=send_at, cadence=cadence)
    # one for each local date: when a zone changes its rules, the slot that was planned by the old
    # ones and the new slot of that date are the same edition
    of_date = {
        local_date(slot, zone): slot
        for slot in (first, *takewhile(lambda slot: slot <= now, later))
    }
    passed = tuple(of_date.values())
    in_time = now - passed[-1] <= catch_up
    return Slots(
        missed=(passed[:-1] if in_time else passed)[-_MISSED_MAX:],
        due=passed[-1] if in_time else None,
        next_at=next_slot(now, zone=zone, send_at=send_at, cadence=cadence),
    )
