"""Two items that turn out to be one paper: everything that hangs on one moves to the other.

How their accounts become one is decided in digest/merging.py; called by digest/store/items.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from digest.merging import best_key, unite
from digest.model import Item
from digest.store.schema import item, item_key, pick, sighting, standing

# any number will do, as long as every process uses the same
_ADVISORY_LOCK = 7031932


def queue_up(tx: Connection) -> None:
    """Let no other process bring in items until this transaction ends.

    Two that find the same new paper at once would both add it. SQLite has one writer anyway.
    """
    if tx.dialect.name != "sqlite":
        tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})


def unite_rows(tx: Connection, winner: Item, loser: Item) -> Item:
    """Move all that hangs on the loser to the winner and delete the loser's row.

    Returns what the winner says now; the caller writes it.
    """
    _move_sightings(tx, winner.id, loser.id)
    _unite_standings(tx, winner.id, loser.id)
    _move_picks(tx, winner.id, loser.id)
    tx.execute(update(item_key).where(item_key.c.item_id == loser.id).values(item_id=winner.id))
    first = select(func.min(item.c.first_seen_at)).where(item.c.id.in_([winner.id, loser.id]))
    tx.execute(
        update(item).where(item.c.id == winner.id).values(first_seen_at=first.scalar_subquery())
    )
    tx.execute(delete(item).where(item.c.id == loser.id))
    return replace(unite(winner, loser), key=best_key((winner.key, loser.key)))


def _move_sightings(tx: Connection, winner_id: int, loser_id: int) -> None:
    have = {
        (row.source, row.seen_at)
        for row in tx.execute(select(sighting).where(sighting.c.item_id == winner_id))
    }
    rows = tx.execute(select(sighting).where(sighting.c.item_id == loser_id)).all()
    moved = [
        row._asdict() | {"item_id": winner_id}
        for row in rows
        if (row.source, row.seen_at) not in have
    ]
    tx.execute(delete(sighting).where(sighting.c.item_id == loser_id))
    if moved:
        tx.execute(insert(sighting), moved)


def _unite_standings(tx: Connection, winner_id: int, loser_id: int) -> None:
    """Where one source listed both, it listed one paper: since the earlier, as seen the later."""
    both = (winner_id, loser_id)
    rows = tx.execute(
        select(standing).where(standing.c.item_id.in_(both)).order_by(standing.c.item_id)
    ).all()
    by_source: dict[str, list[Row[Any]]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    tx.execute(delete(standing).where(standing.c.item_id.in_(both)))
    united = [
        max(same, key=lambda row: row.last_seen_at)._asdict()
        | {
            "item_id": winner_id,
            "first_seen_at": min(row.first_seen_at for row in same),
            "listed_at": _earliest(row.listed_at for row in same),
        }
        for same in by_source.values()
    ]
    if united:
        tx.execute(insert(standing), united)


def _earliest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _move_picks(tx: Connection, winner_id: int, loser_id: int) -> None:
    """Who got both keeps the winner as the pick; the other stays as history without an item."""
    got_winner = select(pick.c.subscriber_id).where(pick.c.item_id == winner_id)
    of_loser = pick.c.item_id == loser_id
    tx.execute(
        update(pick).where(of_loser, pick.c.subscriber_id.in_(got_winner)).values(item_id=None)
    )
    tx.execute(update(pick).where(of_loser).values(item_id=winner_id))
