"""Editions: who is due, what was picked for whom, and the edition as it was frozen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, and_, bindparam, select, update

from digest.model import Edition, Entry, Section, Status, Subscriber
from digest.store.frozen import EditionReader
from digest.store.items import batches
from digest.store.people import subscriber_from
from digest.store.schema import edition, outbox, pick, subscriber
from digest.store.shelving import EditionWriter

#: so many of the oldest candidates may be items of long ago
_OLD_MAX = 16
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_SEEN = select(pick.c.subscriber_id, pick.c.item_id).where(
    pick.c.subscriber_id.in_(_IDS), pick.c.item_id >= bindparam("first")
)
# the outer join makes SQLite go by person: by item it would read what everybody was sent
_SEEN_OLD = (
    select(subscriber.c.id, pick.c.item_id)
    .join_from(
        subscriber,
        pick,
        and_(
            pick.c.subscriber_id == subscriber.c.id,
            pick.c.item_id.in_(bindparam("old", expanding=True)),
        ),
        isouter=True,
    )
    .where(subscriber.c.id.in_(_IDS))
)


def due_subscribers(tx: Connection, *, now: datetime, limit: int) -> tuple[Subscriber, ...]:
    """Confirmed subscribers whose next edition is due, the longest due first."""
    rows = tx.execute(
        select(subscriber)
        .where(subscriber.c.next_edition_at <= now, subscriber.c.status == Status.CONFIRMED)
        .order_by(subscriber.c.next_edition_at, subscriber.c.id)
        .limit(limit)
    )
    return tuple(map(subscriber_from, rows))


def hold_due(tx: Connection, expected: Mapping[int, datetime]) -> set[int]:
    """Lock those subscribers and say which are still as expected: confirmed, and due just then.

    Whoever unsubscribed meanwhile, or was served by another process, is not among them.
    """
    held: set[int] = set()
    for batch in batches(sorted(expected)):
        rows = tx.execute(
            select(subscriber.c.id, subscriber.c.next_edition_at)
            .where(subscriber.c.id.in_(batch), subscriber.c.status == Status.CONFIRMED)
            .with_for_update(skip_locked=True)
        )
        held |= {row.id for row in rows if row.next_edition_at == expected[row.id]}
    return held


def set_next_due(tx: Connection, next_due: Mapping[int, datetime | None]) -> None:
    """Write when each subscriber's next edition is due."""
    together: dict[datetime | None, list[int]] = defaultdict(list)
    for subscriber_id, due in sorted(next_due.items()):
        together[due].append(subscriber_id)
    for due, ids in together.items():
        for batch in batches(ids):
            mine = subscriber.c.id.in_(batch)
            tx.execute(update(subscriber).where(mine).values(next_edition_at=due))


def seen_items(
    tx: Connection, subscriber_ids: Sequence[int], *, among: Collection[int] | None = None
) -> dict[int, set[int]]:
    """The items that each of them was ever sent; with `among`, of those items only.

    People who have read for years had thousands, but hardly any that is a candidate today: ids
    rise with time, so what lies before the candidates is not read at all. A few old items that are
    listed anew do not spoil that: they are asked for by name.
    """
    found: dict[int, set[int]] = defaultdict(set)
    ids = sorted(among) if among is not None else [0]
    if not ids:
        return found
    wanted: Collection[int] = among if among is not None else ()
    old = ids[: min(_OLD_MAX, len(ids) // 2)]
    for batch in batches(subscriber_ids):
        asked = {"ids": list(batch), "first": ids[len(old)], "old": old}
        for subscriber_id, item_id in tx.execute(_SEEN, asked):
            if among is None or item_id in wanted:
                found[subscriber_id].add(item_id)
        for subscriber_id, item_id in tx.execute(_SEEN_OLD, asked) if old else ():
            if item_id is not None:
                found[subscriber_id].add(item_id)
    return found


def add_editions(tx: Connection, made: Sequence[Edition]) -> list[int]:
    """Store editions with their picks and wordings; returns their ids in order."""
    return EditionWriter().add(tx, made)


def load_editions(tx: Connection, ids: Sequence[int]) -> dict[int, Edition]:
    """Editions as they were frozen, by id in the order asked; those that are gone are left out."""
    return EditionReader().editions(tx, ids)


def edition_ids(tx: Connection, subscriber_id: int) -> list[int]:
    """Ids of all editions that were made for a person, oldest first."""
    mine = select(edition.c.id).where(edition.c.subscriber_id == subscriber_id)
    return list(tx.execute(mine.order_by(edition.c.due_at)).scalars())


def forget_picks(tx: Connection, *, outbox_ids: Sequence[int]) -> None:
    """Let the items of editions that never arrived be picked again; the editions stay as told."""
    for batch in batches(outbox_ids):
        lost = select(outbox.c.edition_id).where(outbox.c.id.in_(batch))
        tx.execute(update(pick).where(pick.c.edition_id.in_(lost)).values(item_id=None))


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPick:
    """That an item was sent to a person, when, and with which words and reasons."""

    edition_id: int
    local_on: date
    entry: Entry


def past_pick(tx: Connection, subscriber_id: int, item_id: int) -> PastPick | None:
    """When that item was sent to that person; None when it never was."""
    row = tx.execute(
        select(pick.c.edition_id, pick.c.section, pick.c.position, edition.c.local_on)
        .join(edition, edition.c.id == pick.c.edition_id)
        .where(pick.c.subscriber_id == subscriber_id, pick.c.item_id == item_id)
    ).first()
    if row is None:
        return None
    sent = load_editions(tx, [row.edition_id])[row.edition_id]
    entries = sent.entries if row.section == Section.PICK else sent.rising
    (entry,) = (e for e in entries if e.pick.position == row.position)
    return PastPick(edition_id=row.edition_id, local_on=row.local_on, entry=entry)
