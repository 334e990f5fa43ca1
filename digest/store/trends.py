"""The last weeks day by day, for the operator's charts: sends, readers, bounces, what sources gave.

Days are UTC days. Counted in the database, one row for a day and a kind.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, func, select, type_coerce

from digest.clock import day_bounds
from digest.store.schema import bounce, consent, outbox, reading

#: day → kind → how many
Days = Mapping[date, Mapping[str, int]]


def _day(tx: Connection, moment: Any) -> ColumnElement[str]:  # Any: a column of moments
    """The UTC day of a moment, as text."""
    if tx.dialect.name == "sqlite":
        return func.substr(type_coerce(moment, Text), 1, 10, type_=Text)
    return func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD", type_=Text)


def _bounds(last: date, days: int) -> tuple[datetime, datetime]:
    return day_bounds(last - timedelta(days=days - 1))[0], day_bounds(last)[1]


def _grouped(tx: Connection, moment: Any, kind: Any, number: Any, last: date, days: int) -> Days:
    start, end = _bounds(last, days)
    day = _day(tx, moment).label("day")
    rows = tx.execute(
        select(day, kind.label("kind"), number.label("n"))
        .where(moment >= start, moment < end)
        .group_by(day, kind)
    )
    found: dict[date, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[date.fromisoformat(row.day)][row.kind] = int(row.n or 0)
    return found


def messages_by_day(tx: Connection, last: date, days: int) -> Days:
    """Messages by the day they were due and the state they are in."""
    return _grouped(tx, outbox.c.due_at, outbox.c.state, func.count(), last, days)


def consents_by_day(tx: Connection, last: date, days: int) -> Days:
    """What people agreed to and took back: asked, confirmed, vouched, ended, changed."""
    return _grouped(tx, consent.c.at, consent.c.action, func.count(), last, days)


def bounces_by_day(tx: Connection, last: date, days: int) -> Days:
    """What came back, by kind."""
    return _grouped(tx, bounce.c.at, bounce.c.kind, func.count(), last, days)


def yield_by_day(tx: Connection, last: date, days: int) -> Days:
    """New items by the source that brought them."""
    number = func.sum(reading.c.new)
    return _grouped(tx, reading.c.read_at, reading.c.source, number, last, days)
