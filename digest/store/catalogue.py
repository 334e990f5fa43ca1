"""Reading the collected items: what may be picked, and what is usual in the archive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from digest.model import Candidate, Count, Standing
from digest.store.items import batches, item_from
from digest.store.schema import item, sighting, standing


def candidates(tx: Connection, *, since: datetime, until: datetime) -> tuple[Candidate, ...]:
    """Items that may be picked: on some source's list since then, not withdrawn, not mere
    replacements, by id. Numbers seen after `until` are left out, so the past can be asked again.
    """
    started = select(standing.c.item_id).where(
        standing.c.first_seen_at >= since, standing.c.first_seen_at <= until
    )
    rows = tx.execute(
        select(item)
        .where(item.c.id.in_(started), ~item.c.withdrawn, item.c.offered)
        .where(item.c.first_seen_at <= until)
        .order_by(item.c.id)
    ).all()
    return _with_standings(tx, rows, until)


def candidates_by_id(
    tx: Connection, ids: Iterable[int], *, until: datetime
) -> tuple[Candidate, ...]:
    """Those items with their standings, whether they may be picked or not, by id."""
    rows: list[Row[Any]] = []
    for batch in batches(sorted(set(ids))):
        rows += tx.execute(select(item).where(item.c.id.in_(batch)).order_by(item.c.id)).all()
    return _with_standings(tx, rows, until)


def _with_standings(
    tx: Connection, rows: Sequence[Row[Any]], until: datetime
) -> tuple[Candidate, ...]:
    counts: dict[tuple[int, str], list[Count]] = defaultdict(list)
    standings: dict[int, list[Standing]] = defaultdict(list)
    for batch in batches([row.id for row in rows]):
        seen = (sighting.c.item_id.in_(batch), sighting.c.seen_at <= until)
        for s in tx.execute(select(sighting).where(*seen).order_by(sighting.c.seen_at)):
            counts[s.item_id, s.source].append(
                Count(at=s.seen_at, votes=s.votes, comments=s.comments, stars=s.stars)
            )
        stands = select(standing).where(standing.c.item_id.in_(batch)).order_by(standing.c.source)
        for s in tx.execute(stands):
            if (s.item_id, s.source) in counts:
                standings[s.item_id].append(
                    Standing(
                        source=s.source,
                        kind=s.kind,
                        first_seen_at=s.first_seen_at,
                        last_seen_at=min(s.last_seen_at, until),
                        listed_at=s.listed_at,
                        position=s.position,
                        counts=tuple(counts[s.item_id, s.source]),
                    )
                )
    return tuple(
        Candidate(
            item_id=row.id,
            wording=item_from(row).wording(),
            first_seen_at=row.first_seen_at,
            standings=tuple(standings[row.id]),
        )
        for row in rows
    )


def background(tx: Connection, *, until: datetime, limit: int) -> tuple[tuple[str, str], ...]:
    """Titles and abstracts of the most recent items up to then: what is usual in this archive."""
    rows = tx.execute(
        select(item.c.title, item.c.abstract)
        .where(item.c.first_seen_at <= until)
        .order_by(item.c.first_seen_at.desc(), item.c.id.desc())
        .limit(limit)
    )
    return tuple((row.title, row.abstract) for row in rows)


def archive_state(tx: Connection, *, until: datetime) -> tuple[Any, ...]:
    """Something that differs whenever background() would; found without counting the archive."""
    ends = (
        select(func.max(item.c.id)),
        select(func.max(item.c.changed_at)),
        select(func.max(item.c.first_seen_at)).where(item.c.first_seen_at <= until),
    )
    return tuple(tx.execute(end).scalar() for end in ends)
