"""When bounces add up to an address that takes no mail.

Source: Mailman's bounce processing: a hard bounce counts 1, a soft one ½, at most one a day counts,
and a score is forgotten after quiet days. Beyond Mailman, what is older than two months is
forgotten too, so that a mailbox that is full now and then stays on the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from digest.model import BounceKind, Mark

#: at this score an address is suppressed
THRESHOLD = 5.0
#: that many days without a bounce, and all before them is forgotten; a week must fit in
QUIET_DAYS = 14
#: what is older counts no more, in days
WINDOW_DAYS = 60
#: complaints count here only when nothing proves that they are about our message
_WEIGHTS = {BounceKind.HARD: 1.0, BounceKind.COMPLAINT: 1.0, BounceKind.SOFT: 0.5}


def score(marks: Iterable[Mark], now: datetime) -> float:
    """What a person's bounces add up to at `now`: 0 without any that count."""
    total = 0.0
    last = now.date()
    for day, weight in sorted(_days(marks, now).items(), reverse=True):
        if (last - day).days > QUIET_DAYS:
            break
        total += weight
        last = day
    return total


def is_too_much(marks: Iterable[Mark], now: datetime) -> bool:
    """Whether the address is to be suppressed."""
    return score(marks, now) >= THRESHOLD


def _days(marks: Iterable[Mark], now: datetime) -> dict[date, float]:
    """The gravest bounce of each day that still counts."""
    days: dict[date, float] = {}
    for mark in marks:
        if now - mark.at <= timedelta(days=WINDOW_DAYS) and mark.at <= now:
            weight = _WEIGHTS.get(mark.kind, 0.0)
            if weight:
                days[mark.at.date()] = max(days.get(mark.at.date(), 0.0), weight)
    return days
