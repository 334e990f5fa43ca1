"""Freezing editions: what was picked is written down as the reader will see it.

The other side of frozen.py. An edition is stored with its picks; what an item said (its wording)
is stored once for all editions, and what many picks share is encoded once.
Source: benchmarks/rank_speed.py; writing editions took longer than ranking them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select

from digest.model import Edition, Entry, Reason, Wording
from digest.store.bulk import insert_tuples
from digest.store.engine import json_text
from digest.store.items import batches
from digest.store.schema import edition, pick, wording
from digest.store.upsert import insert_new

#: fingerprints and reasons that are kept at most, of each
_CACHED_MAX = 20_000
_EDITION_NAMES = (
    "subscriber_id", "local_on", "due_at", "made_at", "zone", "considered", "interests", "note",
)  # fmt: skip
_PICK_NAMES = (
    "edition_id", "section", "position", "subscriber_id", "item_id", "wording_id", "score",
    "match", "trend", "freshness", "shown",
)  # fmt: skip
_PICK_COLUMNS = tuple(pick.c[name] for name in _PICK_NAMES)
# built once: building a statement costs more than running it
_ADD_EDITIONS = insert(edition).returning(edition.c.id, sort_by_parameter_order=True)
_KNOWN_PRINTS = select(wording.c.fingerprint, wording.c.id).where(
    wording.c.fingerprint.in_(bindparam("prints", expanding=True))
)


class EditionWriter:
    """Stores editions.

    One for a process that makes many; not to be shared by threads. It remembers texts, not what
    is in the database: a transaction that is rolled back leaves nothing wrong behind.
    """

    def __init__(self) -> None:
        self._prints: dict[Wording, str] = {}
        self._reasons: dict[Reason, str] = {}

    def add(self, tx: Connection, made: Sequence[Edition]) -> list[int]:
        """Store editions with their picks and wordings; returns their ids in order."""
        if not made:
            return []
        rows = [{name: getattr(e, name) for name in _EDITION_NAMES} for e in made]
        ids: list[int] = list(tx.execute(_ADD_EDITIONS, rows).scalars())
        wording_ids = self._wording_ids(
            tx, {entry.wording for e in made for entry in (*e.entries, *e.rising)}
        )
        insert_tuples(
            tx,
            _PICK_COLUMNS,
            [
                self._pick_row(edition_id, e.subscriber_id, entry, wording_ids)
                for edition_id, e in zip(ids, made, strict=True)
                for entry in (*e.entries, *e.rising)
            ],
        )
        return ids

    def _pick_row(
        self, edition_id: int, subscriber_id: int, entry: Entry, wording_ids: dict[Wording, int]
    ) -> tuple[Any, ...]:
        chosen = entry.pick
        parts = chosen.parts
        return (
            edition_id,
            chosen.section.value,
            chosen.position,
            subscriber_id,
            chosen.item_id,
            wording_ids[entry.wording],
            chosen.score,
            parts.match,
            parts.trend,
            parts.freshness,
            self._shown(entry),
        )

    def _shown(self, entry: Entry) -> str:
        """Reasons and numbers, the same text for all readers who saw the same."""
        reasons = ",".join([self._reason(reason) for reason in entry.pick.reasons])
        return (
            f"[[{reasons}],{_number(entry.votes)},{_number(entry.comments)},{_number(entry.stars)}]"
        )

    def _reason(self, reason: Reason) -> str:
        known = self._reasons.get(reason)
        if known is None:
            if len(self._reasons) > _CACHED_MAX:
                self._reasons.clear()
            known = json_text([reason.kind, reason.lead, reason.subject])
            self._reasons[reason] = known
        return known

    def _wording_ids(self, tx: Connection, wordings: Collection[Wording]) -> dict[Wording, int]:
        """The stored id of each wording; the same words are stored once for all editions."""
        prints = {self._print(record): record for record in wordings}
        known = _known_prints(tx, prints)
        new = sorted(prints.keys() - known.keys())
        if new:
            rows = [{"fingerprint": p, "data": _wording_data(prints[p])} for p in new]
            insert_new(tx, wording, rows)
            known |= _known_prints(tx, new)
        return {record: known[p] for p, record in prints.items()}

    def _print(self, record: Wording) -> str:
        known = self._prints.get(record)
        if known is None:
            if len(self._prints) > _CACHED_MAX:
                self._prints.clear()
            known = self._prints[record] = _fingerprint(record)
        return known


def _number(number: int | None) -> str:
    return "null" if number is None else str(number)


def _known_prints(tx: Connection, prints: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for batch in batches(sorted(prints)):
        rows = tx.execute(_KNOWN_PRINTS, {"prints": list(batch)})
        found.update((fingerprint, wording_id) for fingerprint, wording_id in rows)
    return found


def _fingerprint(record: Wording) -> str:
    text = json.dumps(_wording_data(record), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _wording_data(record: Wording) -> dict[str, Any]:
    values = {name: value for name, value in asdict(record).items() if value is not None}
    if record.published_on is not None:
        values["published_on"] = record.published_on.isoformat()
    return values
