"""Editions: who is due, what was picked for whom, and the edition as it was frozen."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from digest.model import Edition, Entry, Section, Status, Subscriber, Wording
from digest.store.frozen import EditionReader
from digest.store.items import batches
from digest.store.people import subscriber_from
from digest.store.schema import edition, outbox, pick, subscriber, wording
from digest.store.upsert import insert_new


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
    rows = [{"row_id": i, "due": due} for i, due in sorted(next_due.items())]
    if rows:
        mine = subscriber.c.id == bindparam("row_id")
        tx.execute(update(subscriber).where(mine).values(next_edition_at=bindparam("due")), rows)


def seen_items(tx: Connection, subscriber_ids: Sequence[int]) -> dict[int, set[int]]:
    """The items that each of them was ever sent."""
    found: dict[int, set[int]] = defaultdict(set)
    for batch in batches(subscriber_ids):
        rows = tx.execute(
            select(pick.c.subscriber_id, pick.c.item_id).where(
                pick.c.subscriber_id.in_(batch), pick.c.item_id.is_not(None)
            )
        )
        for row in rows:
            found[row.subscriber_id].add(row.item_id)
    return found


def add_editions(tx: Connection, made: Sequence[Edition]) -> list[int]:
    """Store editions with their picks and wordings; returns their ids in order."""
    if not made:
        return []
    ids = tx.execute(
        insert(edition).returning(edition.c.id, sort_by_parameter_order=True),
        [
            {
                "subscriber_id": e.subscriber_id,
                "local_on": e.local_on,
                "due_at": e.due_at,
                "made_at": e.made_at,
                "zone": e.zone,
                "considered": e.considered,
                "interests": e.interests,
                "note": e.note,
            }
            for e in made
        ],
    )
    edition_ids = [row.id for row in ids]
    entries = [
        (edition_id, e.subscriber_id, entry)
        for edition_id, e in zip(edition_ids, made, strict=True)
        for entry in (*e.entries, *e.rising)
    ]
    wording_ids = _wording_ids(tx, [entry.wording for _, _, entry in entries])
    rows = [
        {
            "edition_id": edition_id,
            "subscriber_id": subscriber_id,
            "section": entry.pick.section,
            "position": entry.pick.position,
            "item_id": entry.pick.item_id,
            "wording_id": wording_ids[entry.wording],
            "score": entry.pick.score,
            "match": entry.pick.parts.match,
            "trend": entry.pick.parts.trend,
            "freshness": entry.pick.parts.freshness,
            "shown": _shown(entry),
        }
        for edition_id, subscriber_id, entry in entries
    ]
    if rows:
        tx.execute(insert(pick), rows)
    return edition_ids


def _wording_ids(tx: Connection, wordings: Iterable[Wording]) -> dict[Wording, int]:
    """The stored id of each wording; the same words are stored once for all editions."""
    prints = {_fingerprint(w): w for w in set(wordings)}
    known = _known_prints(tx, prints)
    new = sorted(prints.keys() - known.keys())
    if new:
        rows = [{"fingerprint": p, "data": _wording_data(prints[p])} for p in new]
        insert_new(tx, wording, rows)
        known |= _known_prints(tx, new)
    return {w: known[p] for p, w in prints.items()}


def _known_prints(tx: Connection, prints: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in batches(sorted(prints)):
        rows = tx.execute(
            select(wording.c.fingerprint, wording.c.id).where(wording.c.fingerprint.in_(batch))
        )
        found |= {row.fingerprint: row.id for row in rows}
    return found


def _fingerprint(record: Wording) -> str:
    text = json.dumps(_wording_data(record), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _wording_data(record: Wording) -> dict[str, Any]:
    values = {name: value for name, value in asdict(record).items() if value is not None}
    if record.published_on is not None:
        values["published_on"] = record.published_on.isoformat()
    return values


def _shown(entry: Entry) -> list[Any]:
    """Reasons and numbers, the same text for all readers who saw the same."""
    reasons = [[r.kind, r.lead, r.subject] for r in entry.pick.reasons]
    return [reasons, entry.votes, entry.comments, entry.stars]


def load_editions(tx: Connection, ids: Sequence[int]) -> dict[int, Edition]:
    """Editions as they were frozen, by id in the order asked; those that are gone are left out."""
    return EditionReader().load(tx, ids)


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
