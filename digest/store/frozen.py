"""Editions as they were frozen, read back quickly: each is read once for every message sent.

What many editions share (wordings, reasons) is decoded once.
Source: benchmarks/deliver.py; half of a message's time went into reading its edition.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, Text, bindparam, cast, select

from digest.model import Edition, Entry, Reason, ReasonKind, Section, Wording
from digest.model.quick import make_entry, make_parts, make_pick
from digest.store.items import batches
from digest.store.schema import edition, pick, subscriber, wording

#: wordings, reasons and the like that are kept at most, of each
_CACHED_MAX = 20_000
_SECTIONS = {section.value: section for section in Section}
_KINDS = {kind.value: kind for kind in ReasonKind}
#: the last reason, votes, comments, stars
Told = tuple[tuple[Reason, ...], int | None, int | None, int | None]
#: what stands between two reasons of a pick, see shelving._pick_rows, and nowhere within one, where
#: quotes are escaped. What others show too is read once: the last reason and the numbers, which
#: most readers of an item share, and the reasons before it, which most picks of a reader do
_BETWEEN = '"],["'

# built once: building a statement costs more than running it
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_HEADS: Select[Any] = (
    select(edition, subscriber.c.email)
    .join(subscriber, subscriber.c.id == edition.c.subscriber_id)
    .where(edition.c.id.in_(_IDS))
)
_PICKED: Select[Any] = (
    select(
        pick.c.edition_id,
        pick.c.section,
        pick.c.position,
        pick.c.item_id,
        pick.c.wording_id,
        pick.c.score,
        pick.c.match,
        pick.c.trend,
        pick.c.freshness,
        # as text, see _BETWEEN
        cast(pick.c.shown, Text),
    )
    .where(pick.c.edition_id.in_(_IDS))
    .order_by(pick.c.edition_id, pick.c.section, pick.c.position)
)
_WORDINGS: Select[Any] = select(wording.c.id, wording.c.data).where(wording.c.id.in_(_IDS))


class EditionReader:
    """Reads frozen editions.

    One for a process that reads many, e.g. to deliver them; not to be shared by threads.
    """

    def __init__(self) -> None:
        self._wordings: dict[int, Wording] = {}
        self._reasons: dict[str, tuple[Reason, ...]] = {}
        self._told: dict[str, Told] = {}

    def load(self, tx: Connection, ids: Sequence[int]) -> dict[int, Edition]:
        """Editions by id; those that are gone are left out."""
        heads: dict[int, Row[Any]] = {}
        entries: dict[int, list[Entry]] = {}
        for batch in batches(ids):
            asked = {"ids": list(batch)}
            heads |= {row.id: row for row in tx.execute(_HEADS, asked)}
            picked = tx.execute(_PICKED, asked).all()
            self._learn_wordings(tx, {row[4] for row in picked})
            self._sort_in(entries, picked)
        return {i: _edition_from(heads[i], entries.get(i, ())) for i in ids if i in heads}

    def _sort_in(self, entries: dict[int, list[Entry]], picked: Iterable[Sequence[Any]]) -> None:
        """Each pick as an entry, with the others of its edition."""
        wordings, told, learn = self._wordings, self._told, self._learn_told
        reasons_of, learn_reasons = self._reasons, self._learn_reasons
        for edition_id, section, position, item_id, wording_id, *score, shown in picked:
            first, _, last = shown.rpartition(_BETWEEN)
            reasons, votes, comments, stars = told.get(last) or learn(last)
            if first:
                reasons = (reasons_of.get(first) or learn_reasons(first)) + reasons
            own = entries.get(edition_id)
            if own is None:
                own = entries[edition_id] = []
            parts = make_parts(score[1], score[2], score[3])
            chosen = make_pick(item_id or 0, _SECTIONS[section], position, score[0], parts, reasons)
            own.append(make_entry(chosen, wordings[wording_id], votes, comments, stars))

    def _learn_wordings(self, tx: Connection, ids: set[int]) -> None:
        """Have these wordings at hand."""
        new = sorted(ids - self._wordings.keys())
        if new and len(self._wordings) > _CACHED_MAX:
            self._wordings.clear()
            new = sorted(ids)
        for batch in batches(new):
            rows = tx.execute(_WORDINGS, {"ids": list(batch)})
            self._wordings |= {row.id: wording_from(row.data) for row in rows}

    def _learn_reasons(self, text: str) -> tuple[Reason, ...]:
        """The reasons that another follows."""
        if len(self._reasons) > _CACHED_MAX:
            self._reasons.clear()
        (found,) = json.loads(f'{text}"]]]')
        reasons = self._reasons[text] = tuple(_reason_from(*reason) for reason in found)
        return reasons

    def _learn_told(self, text: str) -> Told:
        """The end of what a pick shows: its last reason, if it has any, and the numbers."""
        if len(self._told) > _CACHED_MAX:
            self._told.clear()
        reasons, *numbers = json.loads(text if text.startswith("[") else f'[[["{text}')
        told = self._told[text] = tuple(_reason_from(*r) for r in reasons), *numbers
        return told


def _reason_from(kind: str, lead: str, subject: str) -> Reason:
    return Reason(kind=_KINDS[kind], lead=lead, subject=subject)


def wording_from(data: Mapping[str, Any]) -> Wording:
    """A wording as it was stored, see shelving._wording_data."""
    values = dict(data)
    values["authors"] = tuple(values["authors"])
    values["categories"] = tuple(values["categories"])
    if "published_on" in values:
        values["published_on"] = date.fromisoformat(values["published_on"])
    return Wording(**values)


def _edition_from(head: Row[Any], entries: Sequence[Entry]) -> Edition:
    # picks come first in their order, see _PICKED: "pick" < "rising"
    count = sum([entry.pick.section is Section.PICK for entry in entries])
    return Edition(
        id=head.id,
        subscriber_id=head.subscriber_id,
        email=head.email,
        zone=head.zone,
        due_at=head.due_at,
        made_at=head.made_at,
        local_on=head.local_on,
        entries=tuple(entries[:count]),
        rising=tuple(entries[count:]),
        considered=head.considered,
        interests=head.interests,
        note=head.note,
    )
