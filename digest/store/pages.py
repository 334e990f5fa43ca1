"""What the public pages show: a day's list, one item with its history, what the archive spans.

Reads only. Searching is in searching.py, what the operator sees in admin.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, func, select

from digest.clock import day_bounds
from digest.model import Candidate, Item
from digest.store.catalogue import candidates_by_id
from digest.store.items import batches, item_from
from digest.store.schema import item, reading, source, standing, topic

#: a source's list may be read that much later than the day it is for (the look-back, a pause)
_READ_WITHIN = timedelta(days=16)
#: how far back the last list before an empty day is looked for
_LOOK_BACK = timedelta(days=60)

_SINCE = func.coalesce(standing.c.listed_at, standing.c.first_seen_at)


def day_items(tx: Connection, day: date, *, until: datetime) -> tuple[Candidate, ...]:
    """What some source listed on that UTC day, with its numbers as seen up to then, by id."""
    start, end = day_bounds(day)
    rows = tx.execute(
        select(standing.c.item_id)
        .join(item, item.c.id == standing.c.item_id)
        .where(standing.c.first_seen_at >= start, standing.c.first_seen_at < end + _READ_WITHIN)
        .where(_SINCE < end, standing.c.first_seen_at <= until)
        .where(~item.c.withdrawn, item.c.offered)
        .distinct()
    )
    found = candidates_by_id(tx, rows.scalars(), until=until)
    return tuple(c for c in found if any(start <= s.since < end for s in c.standings))


def list_days(tx: Connection, day: date) -> tuple[date | None, date | None]:
    """The last day before `day` on which something was listed, and the first one after it."""
    start, end = day_bounds(day)
    before = tx.execute(
        select(func.max(_SINCE)).where(
            standing.c.first_seen_at >= start - _LOOK_BACK,
            standing.c.first_seen_at < end + _READ_WITHIN,
            _SINCE < start,
        )
    ).scalar()
    after = tx.execute(
        select(func.min(_SINCE)).where(standing.c.first_seen_at >= end, _SINCE >= end)
    ).scalar()
    return (before.date() if before else None, after.date() if after else None)


def archive_begin(tx: Connection) -> datetime | None:
    """When the first item was first seen; None for an empty archive."""
    return tx.execute(select(func.min(item.c.first_seen_at))).scalar()


def content_version(tx: Connection) -> str:
    """Something that differs whenever a public page could: cheap enough to ask every second."""
    last = tx.execute(select(func.max(reading.c.id))).scalar() or 0
    digest = hashlib.sha256()
    for row in tx.execute(select(topic).order_by(topic.c.position, topic.c.slug)):
        digest.update(repr(tuple(row)).encode())
    return f"{last}-{digest.hexdigest()[:16]}"


def source_names(tx: Connection) -> tuple[str, ...]:
    """The sources that are read now, by name."""
    return tuple(tx.execute(select(source.c.name).order_by(source.c.name)).scalars())


def newest_id(tx: Connection) -> int:
    """The id of the item that came last: grows with the archive, and costs nothing to ask."""
    return tx.execute(select(func.max(item.c.id))).scalar() or 0


def items_by_id(tx: Connection, ids: Iterable[int]) -> dict[int, Item]:
    """Those items; who is gone is left out."""
    found: dict[int, Item] = {}
    for batch in batches(sorted(set(ids))):
        rows = tx.execute(select(item).where(item.c.id.in_(batch)))
        found |= {row.id: item_from(row) for row in rows}
    return found
