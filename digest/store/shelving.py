"""Freezing editions: what was picked is written down as the reader will see it.

The other side of frozen.py. An edition is stored with its picks; what an item said (its wording)
is stored once for all editions, and what many picks share is encoded once.
Source: benchmarks/rank_speed.py; writing editions took longer than ranking them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, bindparam, select

from digest.model import Edition, Entry, Reason, Section, Wording
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
_EDITION_COLUMNS = tuple(edition.c[name] for name in _EDITION_NAMES)
_edition_values = attrgetter(*_EDITION_NAMES)
_PICK_COLUMNS = tuple(pick.c[name] for name in _PICK_NAMES)
# built once: building a statement costs more than running it
_NEW_EDITIONS = select(edition.c.subscriber_id, edition.c.local_on, edition.c.id).where(
    edition.c.subscriber_id.in_(bindparam("ids", expanding=True)),
    edition.c.local_on.in_(bindparam("days", expanding=True)),
)
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
        ids = _add_editions(tx, made)
        # by identity: most records are shared, and hashing one costs more than its row
        entries = [entry for e in made for entry in (*e.entries, *e.rising)]
        wordings = {id(entry.wording): entry.wording for entry in entries}
        wording_ids = self._wording_ids(tx, set(wordings.values()))
        known = {at: wording_ids[record] for at, record in wordings.items()}
        reasons = {id(reason): reason for entry in entries for reason in entry.pick.reasons}
        told = {at: self._reason(reason) for at, reason in reasons.items()}
        picks = [
            row
            for edition_id, e in zip(ids, made, strict=True)
            for section, entries in ((Section.PICK, e.entries), (Section.RISING, e.rising))
            for row in _pick_rows(edition_id, e.subscriber_id, section.value, entries, known, told)
        ]
        insert_tuples(tx, _PICK_COLUMNS, picks)
        return ids

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


def _add_editions(tx: Connection, made: Sequence[Edition]) -> list[int]:
    """The rows of editions alone; their ids in order."""
    insert_tuples(tx, _EDITION_COLUMNS, [_edition_values(e) for e in made])
    # asked for afterwards: rows that return something are inserted one by one
    ids: dict[tuple[int, date], int] = {}
    days = list({e.local_on for e in made})
    for batch in batches([e.subscriber_id for e in made]):
        rows = tx.execute(_NEW_EDITIONS, {"ids": list(batch), "days": days})
        ids.update(((person, day), edition_id) for person, day, edition_id in rows)
    return [ids[e.subscriber_id, e.local_on] for e in made]


def _pick_rows(
    edition_id: int,
    subscriber_id: int,
    section: str,
    entries: Iterable[Entry],
    known: Mapping[int, int],
    told: Mapping[int, str],
) -> Iterator[tuple[Any, ...]]:
    """The rows of a section, from the ids of wordings and the texts of reasons by identity."""
    for entry in entries:
        chosen = entry.pick
        parts = chosen.parts
        votes, comments, stars = entry.votes, entry.comments, entry.stars
        # reasons and numbers, the same text for all readers who saw the same
        shown = (
            f"[[{','.join([told[id(reason)] for reason in chosen.reasons])}],"
            f"{'null' if votes is None else votes},"
            f"{'null' if comments is None else comments},{'null' if stars is None else stars}]"
        )
        yield (
            edition_id,
            section,
            chosen.position,
            subscriber_id,
            chosen.item_id,
            known[id(entry.wording)],
            chosen.score,
            parts.match,
            parts.trend,
            parts.freshness,
            shown,
        )


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
