"""Editions as they were frozen, read back quickly: each is read once for every message sent.

A message's records are made here without their classes' own constructors, which take three times
as long; what many editions share (wordings, reasons) is decoded once.
Source: benchmarks/deliver.py; half of a message's time went into reading its edition.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Connection, Row, Select, Text, bindparam, cast, select

from digest.model import Edition, Entry, Parts, Pick, Reason, ReasonKind, Section, Wording
from digest.store.items import batches
from digest.store.schema import edition, pick, subscriber, wording

R = TypeVar("R")

#: wordings, reasons and the like that are kept at most, of each
_CACHED_MAX = 20_000
_SECTIONS = {section.value: section for section in Section}
_KINDS = {kind.value: kind for kind in ReasonKind}
#: reasons, votes, comments, stars
Shown = tuple[tuple[Reason, ...], int | None, int | None, int | None]

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
        # as text: equal texts are decoded once
        cast(pick.c.shown, Text),
    )
    .where(pick.c.edition_id.in_(_IDS))
    .order_by(pick.c.edition_id, pick.c.section, pick.c.position)
)
_WORDINGS: Select[Any] = select(wording.c.id, wording.c.data).where(wording.c.id.in_(_IDS))


def _quick(kind: type[R], *names: str) -> Callable[..., R]:
    """A constructor that takes the fields by position, in this order, and checks nothing."""
    assert names == tuple(field.name for field in fields(kind)), f"{kind} has other fields"  # type: ignore[arg-type]  # a dataclass
    setters = [f"set_{name}(made, {name})" for name in names]
    code = f"def make({', '.join(names)}):\n made = new(kind)\n " + "\n ".join(setters)
    known: dict[str, Any] = {f"set_{name}": getattr(kind, name).__set__ for name in names}
    known |= {"new": object.__new__, "kind": kind}
    exec(f"{code}\n return made", known)  # how dataclasses make theirs
    make: Callable[..., R] = known["make"]
    return make


_make_parts = _quick(Parts, "match", "trend", "freshness")
_make_pick = _quick(Pick, "item_id", "section", "position", "score", "parts", "reasons")
_make_entry = _quick(Entry, "pick", "wording", "votes", "comments", "stars")


class EditionReader:
    """Reads frozen editions.

    One for a process that reads many, e.g. to deliver them; not to be shared by threads.
    """

    def __init__(self) -> None:
        self._wordings: dict[int, Wording] = {}
        self._shown: dict[str, Shown] = {}
        self._reasons: dict[tuple[str, str, str], Reason] = {}

    def load(self, tx: Connection, ids: Sequence[int]) -> dict[int, Edition]:
        """Editions by id; those that are gone are left out."""
        heads: dict[int, Row[Any]] = {}
        entries: dict[int, list[Entry]] = {}
        for batch in batches(ids):
            asked = {"ids": list(batch)}
            heads |= {row.id: row for row in tx.execute(_HEADS, asked)}
            picked = tx.execute(_PICKED, asked).all()
            self._learn_wordings(tx, {row[4] for row in picked})
            self._learn_shown({row[9] for row in picked})
            self._sort_in(entries, picked)
        return {i: _edition_from(heads[i], entries.get(i, ())) for i in ids if i in heads}

    def _sort_in(self, entries: dict[int, list[Entry]], picked: Iterable[Sequence[Any]]) -> None:
        """Each pick as an entry, with the others of its edition."""
        wordings, shown = self._wordings, self._shown
        for edition_id, section, position, item_id, wording_id, *score, told in picked:
            reasons, votes, comments, stars = shown[told]
            own = entries.get(edition_id)
            if own is None:
                own = entries[edition_id] = []
            parts = _make_parts(score[1], score[2], score[3])
            chosen = _make_pick(
                item_id or 0, _SECTIONS[section], position, score[0], parts, reasons
            )
            own.append(_make_entry(chosen, wordings[wording_id], votes, comments, stars))

    def _learn_wordings(self, tx: Connection, ids: set[int]) -> None:
        """Have these wordings at hand."""
        new = sorted(ids - self._wordings.keys())
        if new and len(self._wordings) > _CACHED_MAX:
            self._wordings.clear()
            new = sorted(ids)
        for batch in batches(new):
            rows = tx.execute(_WORDINGS, {"ids": list(batch)})
            self._wordings |= {row.id: wording_from(row.data) for row in rows}

    def _learn_shown(self, texts: set[str]) -> None:
        """Have what these texts say at hand."""
        if len(self._shown) > _CACHED_MAX:
            self._shown.clear()
        if len(self._reasons) > _CACHED_MAX:
            self._reasons.clear()
        new = [text for text in texts if text not in self._shown]
        # all at once: a call costs more than what it reads
        for text, told in zip(new, json.loads(f"[{','.join(new)}]"), strict=True):
            reasons, votes, comments, stars = told
            known = tuple([self._reason(*reason) for reason in reasons])
            self._shown[text] = known, votes, comments, stars

    def _reason(self, kind: str, lead: str, subject: str) -> Reason:
        key = kind, lead, subject
        known = self._reasons.get(key)
        if known is None:
            known = Reason(kind=_KINDS[kind], lead=lead, subject=subject)
            self._reasons[key] = known
        return known


def wording_from(data: Mapping[str, Any]) -> Wording:
    """A wording as it was stored, see editions.wording_data."""
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
