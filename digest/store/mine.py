"""What one subscriber may see of its own: its editions in short, its messages, its profile to be.

Reads only; used by the pages that a signed link opens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from digest.model import Example, InterestKind, Profile, Section
from digest.store.items import items_by_key
from digest.store.people import Wish
from digest.store.schema import edition, outbox, pick
from digest.store.topics import topics_by_slug


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEdition:
    """An edition that was made, in short."""

    id: int
    local_on: date
    papers: int


def past_editions(tx: Connection, subscriber_id: int, *, limit: int) -> tuple[PastEdition, ...]:
    """A subscriber's editions, newest first."""
    count = (
        select(func.count())
        .select_from(pick)
        .where(pick.c.edition_id == edition.c.id, pick.c.section == Section.PICK)
        .scalar_subquery()
    )
    rows = tx.execute(
        select(edition.c.id, edition.c.local_on, count.label("papers"))
        .where(edition.c.subscriber_id == subscriber_id)
        .order_by(edition.c.local_on.desc(), edition.c.id.desc())
        .limit(limit)
    )
    return tuple(PastEdition(id=r.id, local_on=r.local_on, papers=r.papers) for r in rows)


def messages_of(tx: Connection, subscriber_id: int) -> list[dict[str, Any]]:
    """What became of every message to a subscriber, oldest first."""
    columns = [outbox.c[n] for n in ("kind", "state", "reason", "due_at", "settled_at")]
    rows = tx.execute(
        select(*columns).where(outbox.c.subscriber_id == subscriber_id).order_by(outbox.c.id)
    )
    return [dict(row) for row in rows.mappings()]


def profile_of(tx: Connection, wishes: Sequence[Wish], *, now: datetime) -> Profile:
    """What somebody with these interests wants, who need not be a subscriber.

    A topic or paper that is not there is left out.
    """
    topics = topics_by_slug(tx)

    def values(kind: InterestKind) -> tuple[str, ...]:
        return tuple(wish.value for wish in wishes if wish.kind is kind)

    likes = values(InterestKind.LIKE)
    papers = items_by_key(tx, likes)
    return Profile(
        topics=tuple(topics[slug] for slug in values(InterestKind.TOPIC) if slug in topics),
        texts=values(InterestKind.TEXT),
        keywords=values(InterestKind.KEYWORD),
        excluded=values(InterestKind.EXCLUDE),
        authors=values(InterestKind.AUTHOR),
        categories=values(InterestKind.CATEGORY),
        liked=tuple(
            Example(key=key, title=papers[key].title, abstract=papers[key].abstract, at=now)
            for key in likes
            if key in papers
        ),
    )
