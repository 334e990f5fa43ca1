"""The account of a day: what was due and where each message of it stands.

Counts only, and what was due apart from what became of it, so that a lost message would show.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, func, select

from digest.clock import day_bounds
from digest.model import OutboxState
from digest.store.schema import outbox

#: what a report shows for a state: on the wire is still queued, the sender is alive
_SHOWN_AS = {OutboxState.SENDING: OutboxState.QUEUED}
LEDGER_STATES = tuple(state for state in OutboxState if state not in _SHOWN_AS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was due on one UTC day and where every message of it stands."""

    day: date
    due: int
    states: Mapping[OutboxState, int]
    #: state → reason → how many
    reasons: Mapping[OutboxState, Mapping[str, int]]

    @property
    def adds_up(self) -> bool:
        return self.due == sum(self.states.values())


def ledger(tx: Connection, day: date) -> Ledger:
    """The account of a day. What was due and what became of it are counted separately."""
    start, end = day_bounds(day)
    of_day = (outbox.c.due_at >= start, outbox.c.due_at < end)
    due = tx.execute(select(func.count()).select_from(outbox).where(*of_day)).scalar_one()
    rows = tx.execute(
        select(outbox.c.state, outbox.c.reason, func.count().label("n"))
        .where(*of_day)
        .group_by(outbox.c.state, outbox.c.reason)
        .order_by(outbox.c.state, outbox.c.reason)
    )
    states = dict.fromkeys(LEDGER_STATES, 0)
    reasons: dict[OutboxState, dict[str, int]] = defaultdict(dict)
    for row in rows:
        state = OutboxState(row.state)
        state = _SHOWN_AS.get(state, state)
        states[state] += row.n
        if row.reason:
            reasons[state][row.reason] = reasons[state].get(row.reason, 0) + row.n
    return Ledger(day=day, due=due, states=states, reasons=reasons)
