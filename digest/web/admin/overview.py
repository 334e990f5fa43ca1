"""The operator's first page: is everything all right today? Then the day's account and the weeks.

What is decided from the numbers is in digest/vitals.py; the charts are weeks.py's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from digest.clock import parse_date
from digest.errors import BadInput
from digest.model import OutboxState, ReadingState, Status
from digest.report import day_report
from digest.store.collecting import SourceState, source_states
from digest.store.operating import count_suppressions
from digest.store.people import count_subscribers
from digest.store.vitals import read_vitals
from digest.vitals import Grade, Health, span
from digest.web.admin.session import Session, page
from digest.web.desk import Desk
from digest.web.health import look

_SHOWN_STATES = (
    OutboxState.SENT,
    OutboxState.QUEUED,
    OutboxState.DEFERRED,
    OutboxState.UNCERTAIN,
    OutboxState.SKIPPED,
    OutboxState.CANCELLED,
    OutboxState.SUPPRESSED,
    OutboxState.FAILED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """A source against its own usual."""

    state: SourceState
    #: new items of today
    new_today: int
    #: entries read last, in percent of the usual; None when there is no usual yet
    share: int | None
    #: when it is asked next, in words
    next_in: str


def overview(desk: Desk, request: Request, session: Session) -> Response:
    """Everything at a glance."""
    now = desk.app.now()
    day = _day(request, now.date())
    report = day_report(desk.store, day, desk.app.source_names)
    with desk.store.read() as tx:
        states = source_states(tx, desk.app.source_names)
        people, suppressed = count_subscribers(tx), count_suppressions(tx)
        beats = read_vitals(tx).heartbeats
    new = {line.name: line.new for line in report.sources}
    health = look(desk)
    return page(
        desk,
        session,
        "overview.html",
        "Today",
        nav="overview",
        headline=headline(health),
        health=health,
        day=day,
        before=day - timedelta(days=1),
        after=day + timedelta(days=1) if day < now.date() else None,
        report=report,
        states=[(state, report.ledger.states.get(state, 0)) for state in _SHOWN_STATES],
        sources=[source_line(s, new.get(s.name, 0), now) for s in states],
        people={status: people.get(status, 0) for status in Status},
        suppressed=suppressed,
        beats={stage: span(now - at) for stage, at in sorted(beats.items())},
        charts=desk.weeks.charts(now.date()),
    )


def _day(request: Request, today: date) -> date:
    try:
        return parse_date(request.query_params.get("day", "") or today.isoformat())
    except BadInput:
        return today


def headline(health: Health) -> str:
    """One line for somebody with one second."""
    bad = [check for check in health.troubles if check.grade is Grade.BAD]
    if bad:
        return f"Not well: {', '.join(check.name for check in bad)}."
    if health.troubles:
        return "All promises are kept; something is worth a look."
    return "Everything is all right."


def source_line(state: SourceState, new_today: int, now: datetime) -> SourceLine:
    """How a source's last list compares with its usual."""
    last = state.last_reading
    is_whole = last is not None and last.state in (ReadingState.OK, ReadingState.SHORT)
    share = round(100 * last.entries / state.usual) if last and is_whole and state.usual else None
    due = state.next_fetch_at
    if due is None or due <= now:
        next_in = "now"
    else:
        next_in = f"in {span(due - now)}"
    return SourceLine(state=state, new_today=new_today, share=share, next_in=next_in)
