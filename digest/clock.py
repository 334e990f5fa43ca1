"""The clock, and every rule about wall-clock time. The only module that reads the time.

Inside, every moment is aware and UTC; zones are used here and where dates are shown.
"""

from __future__ import annotations

import time as _time
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from digest.errors import BadInput
from digest.model import Cadence

#: what a person may mean by a time; farther out, a day more or less is no date any more
_YEARS = (1970, 2999)


class Clock(Protocol):
    """The passing of time, as the edge hands it to the stages."""

    def now(self) -> datetime: ...
    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            _time.sleep(seconds)


class FixedClock(SystemClock):
    """Always the same moment (`--at`); sleeping is real, politeness has no time machine."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


#: goes on while the machine sleeps, where there is such a clock
_UPTIME = getattr(_time, "CLOCK_BOOTTIME", _time.CLOCK_MONOTONIC)


def uptime_s() -> float:
    """Seconds since some start, never set back or forth; only differences mean anything."""
    return _time.clock_gettime(_UPTIME)


def parse_moment(text: str) -> datetime:
    """Read `2026-03-11T07:00:00Z`; a date alone is its midnight in UTC.

    Raises BadInput for anything else, and for a time without a zone: guessing one would be wrong
    half of the year.
    """
    text = text.strip()
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"{text!r} is not a time; write it like 2026-03-11T07:00:00Z") from error
    if not _YEARS[0] <= moment.year <= _YEARS[1]:
        raise BadInput(f"{text!r} is not of our time; years go from {_YEARS[0]} to {_YEARS[1]}")
    if moment.tzinfo is None:
        if not _is_date(text):
            raise BadInput(f"{text!r} has no zone; end it in Z for UTC, or in +02:00")
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def parse_date(text: str) -> date:
    """Read `2026-03-11`. Raises BadInput for anything else."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError as error:
        raise BadInput(f"{text!r} is not a date; write it like 2026-03-11") from error
    if not _YEARS[0] <= day.year <= _YEARS[1]:
        raise BadInput(f"{text!r} is not of our time; years go from {_YEARS[0]} to {_YEARS[1]}")
    return day


def parse_send_at(text: str) -> time:
    """Read an hour of the day, `07:30` or `7:30`. Raises BadInput for anything else."""
    hour, colon, minute = text.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(minute) == 2):
        raise BadInput(f"{text!r} is not an hour of the day; write it like 07:30")
    try:
        return time(int(hour), int(minute))
    except ValueError as error:
        raise BadInput(f"{text!r} is not an hour of the day; 00:00 to 23:59") from error


def find_zone(name: str) -> ZoneInfo:
    """The zone of that IANA name. Raises BadInput when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadInput(
            f"{name!r} is not a time zone; use a name like Europe/Berlin, America/New_York or UTC"
        ) from error


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The half-open UTC day: [midnight, next midnight)."""
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)


def local_date(moment: datetime, zone: str) -> date:
    """The date on the wall of that zone at that moment."""
    return moment.astimezone(find_zone(zone)).date()


def is_send_day(day: date, cadence: Cadence) -> bool:
    """Whether an edition is due on that local date."""
    match cadence:
        case Cadence.DAILY:
            return True
        case Cadence.WEEKDAYS:
            return day.weekday() < 5
        case Cadence.WEEKLY:
            return day.weekday() == 0


def slot_on(day: date, send_at: time, zone: ZoneInfo) -> datetime | None:
    """The moment at which that local date's edition is due; None when the date does not exist.

    An hour that the spring change skips falls as much later as the clock jumped (02:30 → 03:30),
    or as much earlier where later would be the next day (23:30 in Nuuk); an hour that the autumn
    change repeats means its first passing. A date that a zone skipped altogether (Pacific/Apia,
    2011-12-30) has no slot.
    """
    # in a gap, fold 0 reckons with the offset before it and fold 1 with the one after it
    for fold in (0, 1):
        slot = datetime.combine(day, send_at, zone).replace(fold=fold).astimezone(UTC)
        if slot.astimezone(zone).date() == day:
            return slot
    return None


def slots_after(
    moment: datetime, *, zone: str, send_at: time, cadence: Cadence
) -> Iterator[datetime]:
    """All moments strictly after `moment` when an edition is due: one per local date, rising."""
    where = find_zone(zone)
    day = moment.astimezone(where).date() - timedelta(days=1)
    while True:
        slot = slot_on(day, send_at, where) if is_send_day(day, cadence) else None
        if slot is not None and slot > moment:
            yield slot
        day += timedelta(days=1)


def next_slot(moment: datetime, *, zone: str, send_at: time, cadence: Cadence) -> datetime:
    """The first moment strictly after `moment` at which an edition is due."""
    return next(slots_after(moment, zone=zone, send_at=send_at, cadence=cadence))


def moment_text(moment: datetime) -> str:
    """`2026-03-11T07:00:00Z`."""
    return moment.isoformat().replace("+00:00", "Z")
