"""Editions as they were frozen, read back: whole, or quickly as far as their mails need them.

What many editions share (wordings, reasons) is decoded once: each is read for every message sent.
Source: benchmarks/deliver.py; half of a message's time went into reading its edition.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import chain, count
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, select
from sqlalchemy.exc import OperationalError

from digest.errors import StoreDamaged
from digest.model import (
    Edition,
    Entry,
    Line,
    Parts,
    Pick,
    Reason,
    ReasonKind,
    Section,
    Seen,
    Sheet,
    Why,
    Wording,
)
from digest.store.items import batches
from digest.store.schema import edition, pick, subscriber, wording

#: wordings, and items as they were seen, that are kept at most
_CACHED_MAX = 20_000
#: readers' own reasons: a few of each reader, and those of topics
_WHYS_MAX = 4_000
_KINDS = {kind.value: kind for kind in ReasonKind}
#: between the lines of what is picked and of what is rising; JSON has no line's end in it
_PART = "\n\n"

#: what reading raises when something stored is no JSON, lacks a part, or is no date
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError)
#: SQLite's words when a text is none
_NO_TEXT = "could not decode"

# built once: building a statement costs more than running it
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_SCORES: Select[Any] = (
    select(
        pick.c.edition_id,
        pick.c.section,
        pick.c.item_id,
        pick.c.score,
        pick.c.match,
        pick.c.trend,
        pick.c.freshness,
    )
    .where(pick.c.edition_id.in_(_IDS))
    .order_by(pick.c.edition_id, pick.c.section, pick.c.position)
)
_SHEETS: Select[Any] = (
    select(
        edition.c.id,
        edition.c.subscriber_id,
        subscriber.c.email,
        edition.c.made_at,
        edition.c.local_on,
        edition.c.considered,
        edition.c.interests,
        edition.c.note,
        edition.c.reasons,
        edition.c.shown,
    )
    .join(subscriber, subscriber.c.id == edition.c.subscriber_id)
    .where(edition.c.id.in_(_IDS))
)
_HEADS: Select[Any] = select(edition.c.id, edition.c.zone, edition.c.due_at).where(
    edition.c.id.in_(_IDS)
)
_WORDINGS: Select[Any] = select(wording.c.id, wording.c.data).where(wording.c.id.in_(_IDS))


def join_lists(picks: Iterable[str], rising: Sequence[str]) -> str:
    """The lines of both lists as one text."""
    lists = ["\n".join(picks)]
    if rising:
        lists.append("\n".join(rising))
    return _PART.join(lists)


def _part_lists(text: str) -> tuple[list[str], list[str]]:
    """The other way round."""
    picks, _, rising = text.partition(_PART)
    return picks.split("\n") if picks else [], rising.split("\n") if rising else []


class EditionReader:
    """Reads frozen editions.

    One for a process that reads many, e.g. to deliver them; not to be shared by threads.
    """

    def __init__(self) -> None:
        self._wordings: dict[int, Wording] = {}
        self._whys: dict[str, Why] = {}
        self._seen: dict[str, Seen] = {}

    def sheets(self, tx: Connection, ids: Sequence[int]) -> dict[int, Sheet]:
        """What the mails of editions are made from, by id; those that are gone are left out."""
        found: dict[int, Sheet] = {}
        for batch in batches(ids):
            rows = tx.execute(_SHEETS, {"ids": list(batch)}).all()
            own = [_part_lists(row[-2]) for row in rows]
            shown = [_part_lists(row[-1]) for row in rows]
            self._learn_whys(set().union(*chain.from_iterable(own)))
            self._learn_seen(tx, set().union(*chain.from_iterable(shown)))
            for row, (own_picks, own_rising), (picks, rising) in zip(rows, own, shown, strict=True):
                id_, subscriber_id, email, made_at, on, considered, interests, note, *_ = row
                found[id_] = Sheet(
                    id=id_,
                    subscriber_id=subscriber_id,
                    email=email,
                    made_at=made_at,
                    local_on=on,
                    items=self._lines(own_picks, picks),
                    rising=self._lines(own_rising, rising),
                    considered=considered,
                    interests=interests,
                    note=note,
                )
        return found

    def each(self, tx: Connection, ids: Sequence[int]) -> Mapping[int, Sheet | StoreDamaged]:
        """The same, and in the place of one that cannot be read back what is wrong with it."""
        try:
            return self.sheets(tx, ids)
        except (*_DAMAGE, OperationalError) as error:
            if isinstance(error, OperationalError) and _NO_TEXT not in str(error.orig).lower():
                raise
            if len(ids) == 1:
                damaged = StoreDamaged("its edition cannot be read back")
                damaged.__cause__ = error
                return {ids[0]: damaged}
        # which one it is shows when each is read alone
        return {id_: found for one in ids for id_, found in self.each(tx, [one]).items()}

    def editions(self, tx: Connection, ids: Sequence[int]) -> dict[int, Edition]:
        """Whole editions, by id in the order asked; those that are gone are left out."""
        sheets = self.sheets(tx, ids)
        heads: dict[int, Row[Any]] = {}
        scores: dict[tuple[int, str], list[Row[Any]]] = defaultdict(list)
        for batch in batches(ids):
            asked = {"ids": list(batch)}
            heads |= {row.id: row for row in tx.execute(_HEADS, asked)}
            for row in tx.execute(_SCORES, asked):
                scores[row.edition_id, row.section].append(row)
        return {
            i: _edition_from(heads[i], sheets[i], {s: scores[i, s.value] for s in Section})
            for i in ids
            if i in heads and i in sheets
        }

    def _lines(self, own: list[str], shown: list[str]) -> tuple[Line, ...]:
        """A list's items, whose texts have been learned."""
        if len(own) != len(shown):
            raise ValueError(f"{len(own)} lines of reasons for {len(shown)} items")
        why_of, seen_of = self._whys.__getitem__, self._seen.__getitem__
        return tuple(map(Line, count(1), map(why_of, own), map(seen_of, shown)))

    def _learn_whys(self, texts: set[str]) -> None:
        """Have these reasons at hand."""
        new = texts - self._whys.keys()
        if len(self._whys) > _WHYS_MAX:
            self._whys.clear()
            new = texts
        for text in new:
            reasons = json.loads(text)
            self._whys[text] = Why(reasons=tuple(_reason_from(*reason) for reason in reasons))

    def _learn_seen(self, tx: Connection, texts: set[str]) -> None:
        """Have these items at hand."""
        new = texts - self._seen.keys()
        if len(self._seen) > _CACHED_MAX:
            self._seen.clear()
            new = texts
        decoded = {text: json.loads(text) for text in new}
        self._learn_wordings(tx, {wording_id for wording_id, *_ in decoded.values()})
        for text, (wording_id, trend, votes, comments, stars) in decoded.items():
            self._seen[text] = Seen(
                wording=self._wordings[wording_id],
                trend=_reason_from(*trend) if trend is not None else None,
                votes=votes,
                comments=comments,
                stars=stars,
            )

    def _learn_wordings(self, tx: Connection, ids: set[int]) -> None:
        """Have these wordings at hand."""
        new = ids - self._wordings.keys()
        if len(self._wordings) > _CACHED_MAX:
            self._wordings.clear()
            new = ids
        for batch in batches(sorted(new)):
            rows = tx.execute(_WORDINGS, {"ids": list(batch)})
            self._wordings |= {row.id: wording_from(row.data) for row in rows}


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


def _edition_from(
    head: Row[Any], sheet: Sheet, scores: Mapping[Section, Sequence[Row[Any]]]
) -> Edition:
    def entries(section: Section, lines: Sequence[Line]) -> tuple[Entry, ...]:
        together = zip(lines, scores[section], strict=True)
        return tuple(_entry_from(section, line, score) for line, score in together)

    return Edition(
        id=sheet.id,
        subscriber_id=sheet.subscriber_id,
        email=sheet.email,
        zone=head.zone,
        due_at=head.due_at,
        made_at=sheet.made_at,
        local_on=sheet.local_on,
        entries=entries(Section.PICK, sheet.items),
        rising=entries(Section.RISING, sheet.rising),
        considered=sheet.considered,
        interests=sheet.interests,
        note=sheet.note,
    )


def _entry_from(section: Section, line: Line, score: Row[Any]) -> Entry:
    seen = line.seen
    chosen = Pick(
        item_id=score.item_id or 0,
        section=section,
        position=line.position,
        score=score.score,
        parts=Parts(match=score.match, trend=score.trend, freshness=score.freshness),
        reasons=line.reasons,
    )
    return Entry(
        pick=chosen,
        wording=seen.wording,
        votes=seen.votes,
        comments=seen.comments,
        stars=seen.stars,
    )
