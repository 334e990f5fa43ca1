"""Subscribers, what they want, and the addresses that must never be mailed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from digest.clock import parse_send_at
from digest.model import (
    Cadence,
    InterestKind,
    MessageKind,
    Status,
    Subscriber,
)
from digest.store.items import batches
from digest.store.schema import (
    consent,
    interest,
    outbox,
    subscriber,
    suppression,
)
from digest.store.upsert import insert_new


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One line of a person's interests."""

    kind: InterestKind
    value: str


def add_subscribers(tx: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Store new subscribers, given as the columns of their table; returns ids by address key.

    An address that another process has put on the list meanwhile is left out.
    """
    added = insert_new(tx, subscriber, rows, subscriber.c.address_key, subscriber.c.id)
    return {row.address_key: row.id for row in added}


def find_subscriber(tx: Connection, address_key: str) -> Subscriber | None:
    """The subscriber with that address, whatever its status."""
    row = tx.execute(select(subscriber).where(subscriber.c.address_key == address_key)).first()
    return subscriber_from(row) if row else None


def get_subscriber(tx: Connection, subscriber_id: int, *, hold: bool = False) -> Subscriber | None:
    """The subscriber with that id, whatever its status.

    With `hold` nobody else changes it until the transaction ends: for what depends on its status.
    """
    found = select(subscriber).where(subscriber.c.id == subscriber_id)
    row = tx.execute(found.with_for_update() if hold else found).first()
    return subscriber_from(row) if row else None


def subscribers_by_id(tx: Connection, ids: Sequence[int]) -> dict[int, Subscriber]:
    """Those subscribers, whatever their status; who is gone is left out."""
    found: dict[int, Subscriber] = {}
    for batch in batches(ids):
        rows = tx.execute(select(subscriber).where(subscriber.c.id.in_(batch)))
        found |= {row.id: subscriber_from(row) for row in rows}
    return found


def pending_since(tx: Connection, before: datetime) -> list[int]:
    """Ids of pending subscribers that were not asked to confirm after that moment."""
    asked = select(outbox.c.subscriber_id).where(
        outbox.c.kind == MessageKind.CONFIRMATION,
        outbox.c.created_at > before,
        outbox.c.subscriber_id.is_not(None),
    )
    rows = tx.execute(
        select(subscriber.c.id)
        .where(subscriber.c.status == Status.PENDING, subscriber.c.created_at <= before)
        .where(subscriber.c.id.not_in(asked))
    )
    return list(rows.scalars())


def known_addresses(tx: Connection, address_keys: Sequence[str]) -> dict[str, Subscriber]:
    """Those of the addresses that are subscribers already."""
    found: dict[str, Subscriber] = {}
    for batch in batches(address_keys):
        rows = tx.execute(select(subscriber).where(subscriber.c.address_key.in_(batch)))
        found |= {row.address_key: subscriber_from(row) for row in rows}
    return found


def all_subscribers(
    tx: Connection, *, status: Status | None = None, size: int = 1000
) -> Iterator[Subscriber]:
    """All subscribers by id, read in pages so that a million of them fit."""
    last = 0
    while True:
        page = select(subscriber).where(subscriber.c.id > last).order_by(subscriber.c.id)
        if status is not None:
            page = page.where(subscriber.c.status == status)
        rows = tx.execute(page.limit(size)).all()
        yield from map(subscriber_from, rows)
        if len(rows) < size:
            return
        last = rows[-1].id


def count_subscribers(tx: Connection) -> dict[Status, int]:
    """How many there are of each status."""
    rows = tx.execute(
        select(subscriber.c.status, func.count().label("n")).group_by(subscriber.c.status)
    )
    return {Status(row.status): row.n for row in rows}


def change_subscriber(tx: Connection, subscriber_id: int, **values: Any) -> None:
    """Set columns of one subscriber."""
    if values:
        tx.execute(update(subscriber).where(subscriber.c.id == subscriber_id).values(**values))


def delete_subscriber(tx: Connection, subscriber_id: int) -> None:
    """Forget a person and all that hangs on it; a suppression stays, as a hash."""
    tx.execute(delete(subscriber).where(subscriber.c.id == subscriber_id))


def subscriber_from(row: Row[Any]) -> Subscriber:
    """The record of a row of subscribers."""
    return Subscriber(
        id=row.id,
        email=row.email,
        status=Status(row.status),
        zone=row.zone,
        send_at=parse_send_at(row.send_at),
        cadence=Cadence(row.cadence),
        max_items=row.max_items,
        rising=row.rising,
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
        paused_until=row.paused_until,
        next_edition_at=row.next_edition_at,
    )


# --- interests


def add_wishes(tx: Connection, wishes: Iterable[tuple[int, Wish]], *, now: datetime) -> None:
    """Add interests to subscribers; those that are there already stay as they are."""
    asked = list(dict.fromkeys(wishes))
    have: set[tuple[int, str, str]] = set()
    for batch in batches(sorted({i for i, _ in asked})):
        rows = tx.execute(select(interest).where(interest.c.subscriber_id.in_(batch)))
        have |= {(row.subscriber_id, row.kind, row.value) for row in rows}
    new = [
        {"subscriber_id": i, "kind": wish.kind, "value": wish.value, "created_at": now}
        for i, wish in asked
        if (i, wish.kind, wish.value) not in have
    ]
    if new:
        tx.execute(insert(interest), new)


def remove_wishes(
    tx: Connection, subscriber_id: int, kind: InterestKind, value: str | None = None
) -> None:
    """Take back one interest of a subscriber, or all of a kind."""
    mine = (interest.c.subscriber_id == subscriber_id) & (interest.c.kind == kind)
    if value is not None:
        mine &= interest.c.value == value
    tx.execute(delete(interest).where(mine))


def wishes_of(
    tx: Connection, subscriber_ids: Sequence[int]
) -> dict[int, list[tuple[Wish, datetime]]]:
    """Each subscriber's interests with the moment they were named, oldest first."""
    found: dict[int, list[tuple[Wish, datetime]]] = defaultdict(list)
    for batch in batches(subscriber_ids):
        rows = tx.execute(
            select(interest).where(interest.c.subscriber_id.in_(batch)).order_by(interest.c.id)
        )
        for row in rows:
            wish = Wish(kind=InterestKind(row.kind), value=row.value)
            found[row.subscriber_id].append((wish, row.created_at))
    return found


# --- consent and suppression


def note_consent(
    tx: Connection,
    subscriber_ids: Iterable[int],
    action: str,
    *,
    now: datetime,
    source: str,
    detail: str | None = None,
) -> None:
    """Write down who agreed to what, when, and by which door."""
    rows = [
        {"subscriber_id": i, "action": action, "at": now, "source": source, "detail": detail}
        for i in subscriber_ids
    ]
    if rows:
        tx.execute(insert(consent), rows)


def consents_of(tx: Connection, subscriber_id: int) -> list[dict[str, Any]]:
    """What a subscriber agreed to and took back, oldest first."""
    rows = tx.execute(
        select(consent.c.action, consent.c.at, consent.c.source, consent.c.detail)
        .where(consent.c.subscriber_id == subscriber_id)
        .order_by(consent.c.id)
    )
    return [dict(row) for row in rows.mappings()]


def suppress(tx: Connection, address_key: str, *, reason: str, now: datetime) -> None:
    """Never mail that address again; the first reason stays."""
    insert_new(tx, suppression, [{"address_key": address_key, "reason": reason, "at": now}])


def suppress_subscriber(tx: Connection, subscriber_id: int, *, reason: str, now: datetime) -> None:
    """Never mail that subscriber's address again, and plan no more editions for it."""
    mine = subscriber.c.id == subscriber_id
    address_key = tx.execute(select(subscriber.c.address_key).where(mine)).scalar()
    if address_key is None:
        return
    suppress(tx, address_key, reason=reason, now=now)
    ended = {"status": Status.SUPPRESSED, "ended_at": now, "next_edition_at": None}
    tx.execute(update(subscriber).where(mine).values(**ended))


def lift_suppression(tx: Connection, address_key: str) -> None:
    """Allow mail to that address again."""
    tx.execute(delete(suppression).where(suppression.c.address_key == address_key))


def suppression_of(tx: Connection, address_key: str) -> str | None:
    """Why that address must not be mailed; None when it may be."""
    return tx.execute(
        select(suppression.c.reason).where(suppression.c.address_key == address_key)
    ).scalar()


def suppressed_among(tx: Connection, address_keys: Sequence[str]) -> dict[str, str]:
    """Those of the addresses that must not be mailed, with the reason."""
    found: dict[str, str] = {}
    for batch in batches(address_keys):
        rows = tx.execute(select(suppression).where(suppression.c.address_key.in_(batch)))
        found |= {row.address_key: row.reason for row in rows}
    return found
