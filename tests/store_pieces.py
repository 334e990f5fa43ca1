"""Papers, people and rows that tests put into a store, and short questions to ask it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.sql.schema import Table

from digest.addresses import parse_address
from digest.model import Cadence, Item, PaperData, Status
from digest.store import Store, people
from digest.store.items import Merged, find_item, merge_listing

NOW = datetime(2026, 3, 11, 7, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def paper(arxiv_id: str | None = "2603.00001", *, position: int = 1, **told: object) -> PaperData:
    """An entry of a listing; what is not told is plausible."""
    values: dict[str, object] = {
        "title": f"Paper {arxiv_id or 'without id'}",
        "url": f"https://arxiv.org/abs/{arxiv_id}" if arxiv_id else "https://example.org/p",
        "abstract": "We study what was not studied before.",
        "authors": ("Ann Example",),
        "arxiv_id": arxiv_id,
        "position": position,
    }
    return PaperData(**values | told)  # type: ignore[arg-type]  # by name


def merge(
    store: Store,
    *entries: PaperData,
    source: str = "hf",
    kind: str = "huggingface",
    now: datetime = NOW,
) -> Merged:
    """One listing, merged in a transaction of its own."""
    with store.write() as tx:
        return merge_listing(tx, entries, source=source, kind=kind, now=now)


def item_of(store: Store, key: str) -> Item:
    """The item known by that key."""
    with store.read() as tx:
        found = find_item(tx, key)
    assert found is not None, f"no item {key}"
    return found


def count(store: Store, table: Table) -> int:
    """How many rows a table has."""
    with store.read() as tx:
        return tx.execute(select(func.count()).select_from(table)).scalar_one()


def person_columns(
    email: str,
    *,
    status: Status = Status.CONFIRMED,
    next_edition_at: datetime | None = NOW,
    zone: str = "UTC",
    send_at: time = time(7, 0),
    cadence: Cadence = Cadence.DAILY,
    **columns: object,
) -> dict[str, object]:
    """The row of a subscriber who joined a day ago."""
    row: dict[str, object] = {
        "email": email,
        "address_key": parse_address(email).key,
        "status": status,
        "zone": zone,
        "send_at": send_at.strftime("%H:%M"),
        "cadence": cadence,
        "max_items": 12,
        "rising": True,
        "created_at": NOW - DAY,
        "confirmed_at": NOW - DAY if status is Status.CONFIRMED else None,
        "next_edition_at": next_edition_at,
    }
    return row | columns


def add_person(
    store: Store,
    email: str = "ann@example.org",
    *,
    wishes: Sequence[people.Wish] = (),
    **columns: Any,
) -> int:
    """A subscriber with these columns of `person_columns`; returns the id."""
    with store.write() as tx:
        (subscriber_id,) = people.add_subscribers(tx, [person_columns(email, **columns)]).values()
        people.add_wishes(tx, [(subscriber_id, wish) for wish in wishes], now=NOW - DAY)
    return subscriber_id
