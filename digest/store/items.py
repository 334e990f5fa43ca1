"""Items and their sightings: merging listings in, and reading what may be picked or shown.

Which account wins is decided in digest/merging.py; here it is looked up and written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from digest.merging import absorb, best_key, first_account, unite
from digest.model import Item, PaperData
from digest.papers import keys_of
from digest.store.schema import item, item_key, pick, sighting, standing

_ITEM_COLUMNS = [item.c[name] for name in Item.__dataclass_fields__]
_COUNTS = ("votes", "comments", "stars")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a listing changed: items never seen before, and items that learnt something."""

    new: int
    merged: int


def merge_listing(
    tx: Connection, entries: Sequence[PaperData], *, source: str, kind: str, now: datetime
) -> Merged:
    """Bring a listing's entries into the items: new ones added, known ones updated, none doubled.

    Every entry becomes a sighting when its numbers differ from the last ones seen.
    """
    listed = [(entry, keys_of(entry)) for entry in entries]
    known_ids = _ids_by_key(tx, {key for _, keys in listed for key in keys})
    known = _items_by_id(tx, set(known_ids.values()))
    placed: dict[int, PaperData] = {}
    fresh: dict[str, _Fresh] = {}
    changed: dict[int, Item] = {}
    learnt: dict[str, int] = {}
    for entry, keys in listed:
        ids = sorted({known_ids[key] for key in keys if key in known_ids})
        if not ids:
            _add_fresh(fresh, entry, keys, kind)
            continue
        for loser in ids[1:]:
            known[ids[0]] = changed[ids[0]] = _unite_rows(tx, known[ids[0]], known.pop(loser))
            known_ids = {key: ids[0] if i == loser else i for key, i in known_ids.items()}
            changed.pop(loser, None)
        after = absorb(known[ids[0]], entry, kind=kind)
        after = replace(after, key=best_key((after.key, *keys)))
        if after != known[ids[0]]:
            known[ids[0]] = changed[ids[0]] = after
        learnt |= {key: ids[0] for key in keys if key not in known_ids}
        known_ids |= dict.fromkeys(keys, ids[0])
        placed.setdefault(ids[0], entry)
    _update_items(tx, changed.values(), now)
    _insert_keys(tx, learnt)
    firsts = _unique(fresh)
    for first, new_id in zip(firsts, _insert_items(tx, firsts, now), strict=True):
        placed[new_id] = first.entry
    _see(tx, placed, source=source, kind=kind, now=now)
    return Merged(new=len(firsts), merged=len(placed) - len(firsts))


@dataclass(slots=True, kw_only=True)
class _Fresh:
    """An item not stored yet, with every key that this listing knows it by."""

    item: Item
    entry: PaperData
    keys: set[str]


def _add_fresh(
    fresh: dict[str, _Fresh], entry: PaperData, keys: tuple[str, ...], kind: str
) -> None:
    known = next((fresh[key] for key in keys if key in fresh), None)
    if known is None:
        known = _Fresh(item=first_account(entry, kind=kind, key=keys[0]), entry=entry, keys=set())
    else:
        # the same paper twice in one listing: arXiv repeats cross-lists under every category
        known.item = absorb(known.item, entry, kind=kind)
    known.keys |= set(keys)
    known.item = replace(known.item, key=best_key(known.keys))
    fresh |= dict.fromkeys(known.keys, known)


def _unique(fresh: dict[str, _Fresh]) -> list[_Fresh]:
    return list({id(f): f for f in fresh.values()}.values())


def _ids_by_key(tx: Connection, keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in batches(sorted(keys)):
        rows = tx.execute(
            select(item_key.c.key, item_key.c.item_id).where(item_key.c.key.in_(batch))
        )
        found |= {row.key: row.item_id for row in rows}
    return found


def _items_by_id(tx: Connection, ids: Iterable[int]) -> dict[int, Item]:
    found: dict[int, Item] = {}
    for batch in batches(sorted(ids)):
        rows = tx.execute(select(*_ITEM_COLUMNS).where(item.c.id.in_(batch)))
        found |= {row.id: item_from(row) for row in rows}
    return found


def item_from(row: Row[Any]) -> Item:
    """The record of a row that has the item's columns."""
    values = {name: getattr(row, name) for name in Item.__dataclass_fields__}
    values["authors"] = tuple(values["authors"])
    values["categories"] = tuple(values["categories"])
    return Item(**values)


def _row_of(record: Item) -> dict[str, Any]:
    values = asdict(record)
    values["authors"] = list(record.authors)
    values["categories"] = list(record.categories)
    return values


def _insert_items(tx: Connection, firsts: Sequence[_Fresh], now: datetime) -> list[int]:
    if not firsts:
        return []
    rows = []
    for first in firsts:
        row = _row_of(first.item) | {"first_seen_at": now, "changed_at": now}
        del row["id"]
        rows.append(row)
    ids = tx.execute(insert(item).returning(item.c.id, sort_by_parameter_order=True), rows)
    new_ids = [row.id for row in ids]
    _insert_keys(
        tx, {key: i for first, i in zip(firsts, new_ids, strict=True) for key in first.keys}
    )
    return new_ids


def _insert_keys(tx: Connection, ids_by_key: dict[str, int]) -> None:
    if ids_by_key:
        rows = [{"key": key, "item_id": i} for key, i in sorted(ids_by_key.items())]
        tx.execute(insert(item_key), rows)


def _update_items(tx: Connection, items: Iterable[Item], now: datetime) -> None:
    rows = []
    for record in items:
        row = _row_of(record)
        rows.append({"row_id": row.pop("id"), "changed_at": now} | row)
    if rows:
        values: dict[str, Any] = {name: bindparam(name) for name in rows[0] if name != "row_id"}
        tx.execute(update(item).where(item.c.id == bindparam("row_id")).values(values), rows)


def _unite_rows(tx: Connection, winner: Item, loser: Item) -> Item:
    """Move all that hangs on the loser to the winner and delete the loser's row."""
    for table in (sighting, standing):
        key = [c for c in table.primary_key.columns if c.name != "item_id"]
        taken = select(*key).where(table.c.item_id == winner.id)
        rows = tx.execute(select(table).where(table.c.item_id == loser.id)).mappings().all()
        have = {tuple(row) for row in tx.execute(taken)}
        moved = [
            dict(row) | {"item_id": winner.id}
            for row in rows
            if tuple(row[c.name] for c in key) not in have
        ]
        tx.execute(delete(table).where(table.c.item_id == loser.id))
        if moved:
            tx.execute(insert(table), moved)
    # who got both keeps the winner as the pick; the other pick stays as history without an item
    got_winner = select(pick.c.subscriber_id).where(pick.c.item_id == winner.id)
    of_loser = pick.c.item_id == loser.id
    tx.execute(
        update(pick).where(of_loser, pick.c.subscriber_id.in_(got_winner)).values(item_id=None)
    )
    tx.execute(update(pick).where(of_loser).values(item_id=winner.id))
    tx.execute(update(item_key).where(item_key.c.item_id == loser.id).values(item_id=winner.id))
    tx.execute(
        update(item)
        .where(item.c.id == winner.id)
        .values(
            first_seen_at=select(func.min(item.c.first_seen_at))
            .where(item.c.id.in_([winner.id, loser.id]))
            .scalar_subquery()
        )
    )
    tx.execute(delete(item).where(item.c.id == loser.id))
    united = unite(winner, loser)
    return replace(united, key=best_key((winner.key, loser.key)))


def _see(
    tx: Connection, placed: dict[int, PaperData], *, source: str, kind: str, now: datetime
) -> None:
    """Note where each item stands with this source now, and a sighting where its numbers moved."""
    rows: dict[int, Row[Any]] = {}
    for batch in batches(sorted(placed)):
        found = tx.execute(
            select(standing).where(standing.c.source == source, standing.c.item_id.in_(batch))
        )
        rows |= {row.item_id: row for row in found}
    added, moved, seen = [], [], []
    for item_id, entry in placed.items():
        before = rows.get(item_id)
        counts = {name: getattr(entry, name) for name in _COUNTS}
        if before is not None:
            counts = {n: getattr(before, n) if v is None else v for n, v in counts.items()}
        now_here = {"last_seen_at": now, "position": entry.position, **counts}
        if before is None:
            added.append(
                {"item_id": item_id, "source": source, "kind": kind, "first_seen_at": now}
                | {"listed_at": entry.listed_at}
                | now_here
            )
        else:
            moved.append(
                {"row_item": item_id, "listed_at": before.listed_at or entry.listed_at} | now_here
            )
        if before is None or any(counts[n] != getattr(before, n) for n in _COUNTS):
            seen.append(
                {"item_id": item_id, "source": source, "seen_at": now}
                | {"position": entry.position}
                | counts
            )
    if added:
        tx.execute(insert(standing), added)
    if moved:
        values: dict[str, Any] = {name: bindparam(name) for name in moved[0] if name != "row_item"}
        mine = (standing.c.source == source) & (standing.c.item_id == bindparam("row_item"))
        tx.execute(update(standing).where(mine).values(values), moved)
    if seen:
        tx.execute(
            delete(sighting).where(
                sighting.c.source == source,
                sighting.c.seen_at == now,
                sighting.c.item_id.in_([s["item_id"] for s in seen]),
            )
        )
        tx.execute(insert(sighting), seen)


def find_item(tx: Connection, key: str) -> Item | None:
    """The item known by that key, whatever its best key is today."""
    ids = _ids_by_key(tx, [key])
    return next(iter(_items_by_id(tx, ids.values()).values()), None)


def items_by_key(tx: Connection, keys: Iterable[str]) -> dict[str, Item]:
    """The items known by those keys; unknown keys are left out."""
    ids = _ids_by_key(tx, set(keys))
    found = _items_by_id(tx, set(ids.values()))
    return {key: found[i] for key, i in ids.items()}


def batches(values: Sequence[Any], size: int = 500) -> Iterable[Sequence[Any]]:
    """Slices small enough for a list of bound parameters."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
