"""Freezing editions: what was picked is written down as the reader will see it.

The other side of frozen.py. An edition is stored with its picks, and with what its mail tells of
them as lines of text; what an item said (its wording) is stored once for all editions.
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

from digest.model import Edition, Entry, Reason, Section, Wording, part_trend
from digest.store.bulk import insert_tuples
from digest.store.engine import json_text
from digest.store.frozen import join_lists
from digest.store.items import batches
from digest.store.schema import edition, pick, wording
from digest.store.upsert import insert_new

#: fingerprints and reasons that are kept at most, of each
_CACHED_MAX = 20_000
_EDITION_NAMES = (
    "subscriber_id", "local_on", "due_at", "made_at", "zone", "considered", "interests", "note",
)  # fmt: skip
_PICK_NAMES = (
    "edition_id", "section", "position", "subscriber_id", "item_id", "score", "match", "trend",
    "freshness",
)  # fmt: skip
_EDITION_COLUMNS = tuple(edition.c[name] for name in (*_EDITION_NAMES, "reasons", "shown"))
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
        # by identity: most records are shared, and hashing one costs more than its row
        entries = [entry for e in made for entry in (*e.entries, *e.rising)]
        wordings = {id(entry.wording): entry.wording for entry in entries}
        wording_ids = self._wording_ids(tx, set(wordings.values()))
        known = {at: wording_ids[record] for at, record in wordings.items()}
        reasons = {id(reason): reason for entry in entries for reason in entry.pick.reasons}
        encoded = {at: self._reason(reason) for at, reason in reasons.items()}
        ids = _add_editions(tx, made, [_told(e, known, encoded) for e in made])
        picks = [
            row
            for edition_id, e in zip(ids, made, strict=True)
            for section, entries in ((Section.PICK, e.entries), (Section.RISING, e.rising))
            for row in _pick_rows(edition_id, e.subscriber_id, section.value, entries)
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


def _add_editions(
    tx: Connection, made: Sequence[Edition], told: Sequence[tuple[str, str]]
) -> list[int]:
    """The rows of editions alone; their ids in order."""
    new = [(*_edition_values(e), *texts) for e, texts in zip(made, told, strict=True)]
    insert_tuples(tx, _EDITION_COLUMNS, new)
    # asked for afterwards: rows that return something are inserted one by one
    ids: dict[tuple[int, date], int] = {}
    days = list({e.local_on for e in made})
    for batch in batches([e.subscriber_id for e in made]):
        rows = tx.execute(_NEW_EDITIONS, {"ids": list(batch), "days": days})
        ids.update(((person, day), edition_id) for person, day, edition_id in rows)
    return [ids[e.subscriber_id, e.local_on] for e in made]


def _told(e: Edition, known: Mapping[int, int], encoded: Mapping[int, str]) -> tuple[str, str]:
    """What the mail of an edition tells of its items, see the columns reasons and shown.

    `known` has the ids of wordings, `encoded` the texts of reasons, both by identity.
    """
    both = [list(_lines(entries, known, encoded)) for entries in (e.entries, e.rising)]
    own, seen = ([[line[which] for line in lines] for lines in both] for which in (0, 1))
    return join_lists(*own), join_lists(*seen)


def _lines(
    entries: Iterable[Entry], known: Mapping[int, int], encoded: Mapping[int, str]
) -> Iterator[tuple[str, str]]:
    """The two lines of each item: the reader's own reasons, and the item as all saw it."""
    for place, entry in enumerate(entries, 1):
        chosen = entry.pick
        assert chosen.position == place, "the place of an item is that of its line"
        own, trend = part_trend(chosen.reasons)
        votes, comments, stars = entry.votes, entry.comments, entry.stars
        shown = (
            f"[{known[id(entry.wording)]},{'null' if trend is None else encoded[id(trend)]},"
            f"{'null' if votes is None else votes},"
            f"{'null' if comments is None else comments},{'null' if stars is None else stars}]"
        )
        yield f"[{','.join([encoded[id(reason)] for reason in own])}]", shown


def _pick_rows(
    edition_id: int, subscriber_id: int, section: str, entries: Iterable[Entry]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a section."""
    for entry in entries:
        chosen = entry.pick
        parts = chosen.parts
        yield (
            edition_id,
            section,
            chosen.position,
            subscriber_id,
            chosen.item_id,
            chosen.score,
            parts.match,
            parts.trend,
            parts.freshness,
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
