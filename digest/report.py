"""The day's account: what was due and where it stands, and what each source gave.

Read by `digest report`, the demo and the admin page. Every number is counted in the database.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from digest.clock import day_bounds
from digest.store import Store
from digest.store.collecting import SourceDay, source_days
from digest.store.ledger import Ledger, ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class DayReport:
    """One UTC day."""

    ledger: Ledger
    sources: tuple[SourceDay, ...]

    def as_json(self) -> dict[str, Any]:
        """What `digest report --json` prints; a state without messages stands in it with 0."""
        return {
            "date": self.ledger.day.isoformat(),
            "ledger": {"due": self.ledger.due}
            | {state.value: count for state, count in self.ledger.states.items()},
            "reasons": {
                state.value: dict(reasons) for state, reasons in self.ledger.reasons.items()
            },
            "sources": [asdict(source) for source in self.sources],
        }


def day_report(store: Store, day: date, source_names: Iterable[str]) -> DayReport:
    """The account of a UTC day; sources that were not read that day stand in it with 0."""
    with store.read() as tx:
        return DayReport(
            ledger=ledger(tx, day), sources=source_days(tx, source_names, *day_bounds(day))
        )
