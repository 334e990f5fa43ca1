"""The topics that the operator offers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update

from digest.model import InterestKind, Topic
from digest.store.engine import Store
from digest.store.facts import get_fact, put_fact
from digest.store.schema import interest, topic
from digest.store.upsert import insert_new

_SEEDED = "topics_seeded"


def topics_by_slug(tx: Connection) -> dict[str, Topic]:
    """All topics in the operator's order."""
    rows = tx.execute(select(topic).order_by(topic.c.position, topic.c.slug))
    return {row.slug: _topic_from(row) for row in rows}


def seed_topics(store: Store, topics: Iterable[Topic]) -> None:
    """Take over the configured topics that were never taken over before.

    A topic is seeded once: what the operator changed or removed since is not undone.
    """
    topics = tuple(topics)
    with store.read() as tx:
        if {t.slug for t in topics} <= set(get_fact(tx, _SEEDED) or []):
            return
    with store.write() as tx:
        seeded = set(get_fact(tx, _SEEDED) or [])
        known = topics_by_slug(tx)
        for record in topics:
            if record.slug not in seeded and record.slug not in known:
                put_topic(tx, record)
        put_fact(tx, _SEEDED, sorted(seeded | {t.slug for t in topics}))


def put_topic(tx: Connection, record: Topic) -> None:
    """Store a topic, new or changed."""
    values: dict[str, Any] = {
        "name": record.name,
        "description": record.description,
        "text": record.text,
        "keywords": list(record.keywords),
        "exclude": list(record.exclude),
    }
    last = tx.execute(select(func.max(topic.c.position))).scalar() or 0
    insert_new(tx, topic, [{"slug": record.slug, "position": last + 1} | values])
    tx.execute(update(topic).where(topic.c.slug == record.slug).values(**values))


def remove_topic(tx: Connection, slug: str) -> bool:
    """Stop offering a topic; False when there was none. Who chose it loses that interest."""
    tx.execute(
        delete(interest).where(interest.c.kind == InterestKind.TOPIC, interest.c.value == slug)
    )
    return tx.execute(delete(topic).where(topic.c.slug == slug)).rowcount == 1


def followers(tx: Connection) -> dict[str, int]:
    """How many subscribers chose each topic."""
    rows = tx.execute(
        select(interest.c.value, func.count().label("n"))
        .where(interest.c.kind == InterestKind.TOPIC)
        .group_by(interest.c.value)
    )
    return {row.value: row.n for row in rows}


def _topic_from(row: Row[Any]) -> Topic:
    return Topic(
        slug=row.slug,
        name=row.name,
        description=row.description,
        text=row.text,
        keywords=tuple(row.keywords),
        exclude=tuple(row.exclude),
    )
