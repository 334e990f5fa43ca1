"""Vectors of texts, by what the text says and which model made them.

An item, a liked paper, a topic and a person's own words are one case: a text. Vectors of one model
are never handed out for another. What the bytes mean is digest/embed/'s business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    select,
    text,
    tuple_,
)

from digest.store import facts
from digest.store.engine import Store, db_now
from digest.store.items import batches
from digest.store.schema import embedding, item
from digest.store.upsert import insert_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Lacking:
    """An item's text that has no vector yet."""

    item_id: int
    title: str
    abstract: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemVector:
    """Where an item lies."""

    item_id: int
    changed_at: datetime
    #: None when there is none yet
    vector: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A model that a process compares by."""

    model: str
    #: the process that said so last
    owner: str
    #: by the database's clock
    at: datetime


#: facts of this name say when a model was last used, and by whom
_USE = "model.used."
# any number will do, as long as every process uses the same
_ADVISORY_LOCK = 7031933

_MINE = embedding.c.text_key == item.c.text_key
_IS_ITEMS = exists().where(item.c.text_key == embedding.c.text_key)


@contextmanager
def making_alone(store: Store) -> Iterator[bool]:
    """Whether this process may make vectors of the archive: of several, one at a time does.

    The others would compute the very same. Lasts as long as the block, however the process ends.
    """
    if store.is_sqlite:
        # only one daemon works on a file
        yield True
        return
    with store.read() as tx:
        mine = text("SELECT pg_try_advisory_xact_lock(:number)")
        yield bool(tx.execute(mine, {"number": _ADVISORY_LOCK}).scalar())


def vectors_of(tx: Connection, model: str, keys: Iterable[str]) -> dict[str, bytes]:
    """The vectors of those texts; texts without one are left out."""
    found: dict[str, bytes] = {}
    for batch in batches(sorted(set(keys))):
        rows = tx.execute(
            select(embedding.c.text_key, embedding.c.vector).where(
                embedding.c.text_key.in_(batch), embedding.c.model == model
            )
        )
        found |= {row.text_key: row.vector for row in rows}
    return found


def known_keys(tx: Connection, model: str, keys: Iterable[str]) -> set[str]:
    """Those of the texts that have a vector."""
    found: set[str] = set()
    for batch in batches(sorted(set(keys))):
        rows = tx.execute(
            select(embedding.c.text_key).where(
                embedding.c.text_key.in_(batch), embedding.c.model == model
            )
        )
        found |= set(rows.scalars())
    return found


def put_vectors(tx: Connection, model: str, vectors: Mapping[str, bytes], *, now: datetime) -> None:
    """Keep the vectors of texts; one that is there already stays."""
    rows = [
        {"text_key": key, "model": model, "vector": vector, "made_at": now}
        for key, vector in sorted(vectors.items())
    ]
    insert_new(tx, embedding, rows)


def lacking(
    tx: Connection, model: str, *, since: datetime | None = None, limit: int
) -> tuple[Lacking, ...]:
    """Items that have no vector of this model, the newest first, told since then or ever."""
    wanted = select(item.c.id).where(_has_none(model)).order_by(item.c.changed_at.desc())
    if since is not None:
        wanted = wanted.where(item.c.changed_at >= since)
    ids = tx.execute(wanted.limit(limit)).scalars().all()
    found: dict[int, Lacking] = {}
    for batch in batches(ids):
        rows = tx.execute(
            select(item.c.id, item.c.title, item.c.abstract).where(item.c.id.in_(batch))
        )
        found |= {r.id: Lacking(item_id=r.id, title=r.title, abstract=r.abstract) for r in rows}
    return tuple(found[i] for i in ids)


def count_lacking(tx: Connection, model: str) -> int:
    """How many items have no vector of this model."""
    return tx.execute(select(func.count()).select_from(item).where(_has_none(model))).scalar_one()


def item_vectors(
    tx: Connection, model: str, *, since: datetime | None = None
) -> Iterator[ItemVector]:
    """Every item told since then, or ever, with its vector where there is one."""
    rows = _with_vectors(model)
    if since is not None:
        rows = rows.where(item.c.changed_at >= since)
    yield from map(_item_vector, tx.execute(rows.execution_options(yield_per=2000)))


def vectors_of_items(tx: Connection, model: str, item_ids: Collection[int]) -> Iterator[ItemVector]:
    """Those items with their vectors; who is gone is left out."""
    for batch in batches(sorted(item_ids)):
        yield from map(_item_vector, tx.execute(_with_vectors(model).where(item.c.id.in_(batch))))


def forget_texts(tx: Connection, keys: Iterable[str]) -> None:
    """Delete all vectors of those texts, but for texts that an item has too."""
    for batch in batches(sorted(set(keys))):
        tx.execute(delete(embedding).where(embedding.c.text_key.in_(batch), ~_IS_ITEMS))


def forget_unused(tx: Connection, before: datetime) -> int:
    """Delete vectors made before then of texts that no item has; returns how many.

    Words that are still somebody's are simply computed again.
    """
    gone = delete(embedding).where(embedding.c.made_at < before, ~_IS_ITEMS)
    return tx.execute(gone).rowcount


def note_use(tx: Connection, model: str, *, owner: str) -> datetime:
    """Say that `owner` compares by that model now; to be said again while it does.

    Returns what time it is by the database's clock.
    """
    now = db_now(tx)
    facts.put_fact(tx, _USE + model, {"owner": owner, "at": now.isoformat()})
    return now


def models_in_use(tx: Connection, *, within: timedelta) -> tuple[Use, ...]:
    """Models that somebody said to use within that time, by name."""
    since = db_now(tx) - within
    return tuple(use for use in _uses(tx) if use.at > since)


def forget_other_models(tx: Connection, model: str, *, unused_for: timedelta, limit: int) -> int:
    """Delete up to `limit` vectors by other models, that nobody has said to use for that long.

    Returns how many went.
    """
    used = {model, *(use.model for use in models_in_use(tx, within=unused_for))}
    for use in _uses(tx):
        if use.model not in used:
            facts.drop_fact(tx, _USE + use.model)
    others = (
        select(embedding.c.text_key, embedding.c.model)
        .where(embedding.c.model.not_in(used))
        .limit(limit)
    )
    gone = tuple_(embedding.c.text_key, embedding.c.model).in_(others)
    return tx.execute(delete(embedding).where(gone)).rowcount


def _uses(tx: Connection) -> list[Use]:
    return [
        Use(
            model=name.removeprefix(_USE),
            owner=told["owner"],
            at=datetime.fromisoformat(told["at"]),
        )
        for name, told in facts.facts_like(tx, _USE)
    ]


def _has_none(model: str) -> ColumnElement[bool]:
    has_one = exists().where(_MINE, embedding.c.model == model)
    return and_(item.c.text_key != "", ~has_one)


def _with_vectors(model: str) -> Select[Any]:
    own = and_(_MINE, embedding.c.model == model)
    return select(item.c.id, item.c.changed_at, embedding.c.vector).select_from(
        item.outerjoin(embedding, own)
    )


def _item_vector(row: Row[Any]) -> ItemVector:
    return ItemVector(item_id=row.id, changed_at=row.changed_at, vector=row.vector)
