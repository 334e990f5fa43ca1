"""The last weeks as charts: readers, sends, what came back, what each source brought.

They read a month of rows, so they are kept for some minutes; one request makes them, others wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time

from digest.model import OutboxState, Status
from digest.store import Store
from digest.store.people import count_subscribers
from digest.store.trends import (
    Days,
    bounces_by_day,
    consents_by_day,
    messages_by_day,
    yield_by_day,
)
from digest.web.charts import Chart, day_bars, growth_chart

DAYS = 30
_KEPT_S = 300.0
#: from the bottom of a bar upwards
_SENDS = (
    OutboxState.SENT,
    OutboxState.QUEUED,
    OutboxState.DEFERRED,
    OutboxState.UNCERTAIN,
    OutboxState.SKIPPED,
    OutboxState.CANCELLED,
    OutboxState.SUPPRESSED,
    OutboxState.FAILED,
)
_JOINED = ("confirmed", "vouched")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The last weeks."""

    #: None while there is one day only
    readers: Chart | None
    sends: Chart
    bounces: Chart
    #: source → new items a day
    sources: Mapping[str, Chart]


class Weeks:
    """The charts of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._making = threading.Lock()
        self._kept: tuple[date, float, Charts] | None = None

    def charts(self, today: date) -> Charts:
        """The charts of the weeks that end today."""
        with self._making:
            kept = self._kept
            if kept is None or kept[0] != today or time.monotonic() - kept[1] > _KEPT_S:
                kept = self._kept = today, time.monotonic(), self._make(today)
            return kept[2]

    def _make(self, today: date) -> Charts:
        days = [today - timedelta(days=DAYS - 1 - at) for at in range(DAYS)]
        with self._store.read() as tx:
            messages = messages_by_day(tx, today, DAYS)
            consents = consents_by_day(tx, today, DAYS)
            returned = bounces_by_day(tx, today, DAYS)
            brought = yield_by_day(tx, today, DAYS)
            confirmed = count_subscribers(tx).get(Status.CONFIRMED, 0)
        kinds = sorted({kind for day in returned.values() for kind in day})
        names = sorted({name for day in brought.values() for name in day})
        return Charts(
            readers=_readers(days, consents, confirmed),
            sends=_bars(days, messages, [s.value for s in _SENDS], "Messages by the day due"),
            bounces=_bars(days, returned, kinds, "Bounces and complaints by day"),
            sources={n: _bars(days, brought, [n], f"New items from {n} by day") for n in names},
        )


def _bars(days: Sequence[date], found: Days, kinds: Sequence[str], label: str) -> Chart:
    stacks = [[(kind, found.get(day, {}).get(kind, 0)) for kind in kinds] for day in days]
    total = sum(number for stack in stacks for _, number in stack)
    return day_bars(days, stacks, label=f"{label}: {total:,} in {len(days)} days")


def _readers(days: Sequence[date], consents: Days, now: int) -> Chart | None:
    numbers = readers_by_day(days, consents, now)
    moments = [datetime.combine(day, clock_time(), UTC) for day in days]
    label = f"Confirmed readers: {numbers[0]:,} on the first day, {now:,} now"
    return growth_chart(list(zip(moments, numbers, strict=True)), label=label, height=160)


def readers_by_day(days: Sequence[date], consents: Days, now: int) -> list[int]:
    """How many confirmed readers there were at the end of each day, going back from now."""
    numbers: list[int] = []
    count = now
    for day in reversed(days):
        numbers.append(max(count, 0))
        told = consents.get(day, {})
        count -= sum(told.get(action, 0) for action in _JOINED) - told.get("ended", 0)
    return numbers[::-1]
