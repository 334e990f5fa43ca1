"""Items and their sightings: merging listings in, and reading what may be picked or shown.

Which account wins is decided in digest/merging.py; here it is looked up and written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from digest.merging import absorb, best_key, first_account
from digest.model import Item, PaperData
from digest.papers import keys_of
from digest.store.schema import item, item_key, sighting, standing
from digest.store.uniting import queue_up, unite_rows
from digest.text import text_key

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
    queue_up(tx)
    listed = [(entry, keys_of(entry)) for entry in entries]
    known_ids = _ids_by_key(tx, {key for _, keys in listed for key in keys})
    papers = _gather(listed, known_ids)
    known = _items_by_id(tx, {i for paper in papers for i in paper.ids})
    fresh = [paper for paper in papers if not paper.ids]
    changed: list[Item] = []
    placed: dict[int, PaperData] = {}
    for paper in papers:
        if not paper.ids:
            continue
        before, *losers = (known[i] for i in paper.ids)
        after = before
        for loser in losers:
            after = unite_rows(tx, after, loser)
        after = _told(after, paper, kind)
        if losers or after != before:
            changed.append(after)
        placed[before.id] = paper.seen
    _update_items(tx, changed, now)
    _insert_keys(
        tx, {key: p.ids[0] for p in papers if p.ids for key in p.keys if key not in known_ids}
    )
    for paper, new_id in zip(fresh, _insert_items(tx, fresh, kind, now), strict=True):
        placed[new_id] = paper.seen
    _see(tx, placed, source=source, kind=kind, now=now)
    return Merged(new=len(fresh), merged=len(papers) - len(fresh))


@dataclass(slots=True, kw_only=True)
class _Paper:
    """All that one listing tells about one paper: arXiv repeats cross-lists in every category."""

    entries: list[PaperData]
    #: every key the listing knows it by, without doubles
    keys: list[str]
    #: the items it is, lowest first; several when it shows that they are one
    ids: list[int]

    @property
    def seen(self) -> PaperData:
        """The entry that says how it stands: the first, before mere replacements."""
        return min(self.entries, key=lambda entry: entry.announce.is_replacement)


def _gather(
    listed: Sequence[tuple[PaperData, tuple[str, ...]]], known_ids: Mapping[str, int]
) -> list[_Paper]:
    """What shares a key, or is the same item, is one paper; in the listing's order."""
    leader = list(range(len(listed)))

    def first_of(at: int) -> int:
        while leader[at] != at:
            at = leader[at]
        return at

    holder: dict[str | int, int] = {}
    for at, (_, keys) in enumerate(listed):
        names: list[str | int] = [*keys, *(known_ids[key] for key in keys if key in known_ids)]
        for name in names:
            one, other = sorted((first_of(at), first_of(holder.setdefault(name, at))))
            leader[other] = one
    groups: dict[int, list[int]] = defaultdict(list)
    for at in range(len(listed)):
        groups[first_of(at)].append(at)
    papers = []
    for members in groups.values():
        told = list(dict.fromkeys(key for at in members for key in listed[at][1]))
        ids = sorted({known_ids[key] for key in told if key in known_ids})
        papers.append(_Paper(entries=[listed[at][0] for at in members], keys=told, ids=ids))
    return papers


def _told(item: Item, paper: _Paper, kind: str) -> Item:
    """The item after everything that the listing tells about it."""
    for entry in paper.entries:
        item = absorb(item, entry, kind=kind)
    return replace(item, key=best_key((item.key, *paper.keys)))


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
    values["text_key"] = text_key(record.title, record.abstract)
    return values


def _insert_items(tx: Connection, fresh: Sequence[_Paper], kind: str, now: datetime) -> list[int]:
    if not fresh:
        return []
    rows = []
    for paper in fresh:
        first = first_account(paper.entries[0], kind=kind, key=best_key(paper.keys))
        row = _row_of(_told(first, paper, kind)) | {"first_seen_at": now, "changed_at": now}
        del row["id"]
        rows.append(row)
    ids = tx.execute(insert(item).returning(item.c.id, sort_by_parameter_order=True), rows)
    new_ids = [row.id for row in ids]
    _insert_keys(
        tx, {key: i for paper, i in zip(fresh, new_ids, strict=True) for key in paper.keys}
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


def _see(
    tx: Connection, placed: dict[int, PaperData], *, source: str, kind: str, now: datetime
) -> None:
    """Note where each item stands with this source now, and a sighting where its numbers moved.

    A replacement alone gives no standing: a new version of something old is not on the list.
    """
    rows: dict[int, Row[Any]] = {}
    for batch in batches(sorted(placed)):
        found = tx.execute(
            select(standing).where(standing.c.source == source, standing.c.item_id.in_(batch))
        )
        rows |= {row.item_id: row for row in found}
    added, moved, seen = [], [], []
    for item_id, entry in placed.items():
        before = rows.get(item_id)
        if before is None and entry.announce.is_replacement:
            continue
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
