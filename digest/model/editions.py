"""What is chosen for a person and why, and the edition made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from digest.model.papers import Wording


class ReasonKind(StrEnum):
    """What kind of evidence a reason is."""

    TOPIC = "topic"
    TEXT = "interest"
    KEYWORD = "keyword"
    AUTHOR = "author"
    CATEGORY = "category"
    LIKED = "liked"
    TREND = "trend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One part of the why-line. `subject` is the person's own words, set apart when shown."""

    kind: ReasonKind
    #: "your interest", "84 votes in 9 h, 5× usual"
    lead: str
    #: "sparse attention"; empty when the lead says all
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.lead} {self.subject}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The factors of a score, each 0…1: score = match × trend × freshness after their weights."""

    match: float
    trend: float
    freshness: float


class Section(StrEnum):
    """Which list of an edition an item stands in."""

    PICK = "pick"  #: matches the person's interests
    RISING = "rising"  #: outside them, but rising: one line each


@dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """An item chosen for one person."""

    item_id: int
    section: Section = Section.PICK
    #: place in its section, from 1
    position: int
    score: float
    parts: Parts
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What the ranker chose for one person out of `considered` candidates."""

    picks: tuple[Pick, ...]
    rising: tuple[Pick, ...] = ()
    considered: int
    #: when there are no picks: why, in words for the ledger ("nothing matched")
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A pick together with what the item said when it was picked."""

    pick: Pick
    wording: Wording
    #: latest numbers over all sources when picked; None where no source shows them
    votes: int | None = None
    comments: int | None = None
    stars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Why:
    """A reader's own reasons, which several picks share; compared by identity, which is quick."""

    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """An item as all saw it who got it at that moment; compared by identity, which is quick."""

    wording: Wording
    #: how it trends: the same for everybody
    trend: Reason | None
    votes: int | None
    comments: int | None
    stars: int | None


class Line(NamedTuple):
    """An entry as far as a mail tells it; a tuple, for twenty are made for each message."""

    #: place in its section, from 1
    position: int
    why: Why
    seen: Seen

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The whole why-line."""
        own, trend = self.why.reasons, self.seen.trend
        return own if trend is None else (*own, trend)


class Sheet(NamedTuple):
    """An edition as far as its mail tells it, see Edition for the fields: without scores, quick to
    read back.
    """

    id: int
    subscriber_id: int
    email: str
    made_at: datetime
    local_on: date
    items: tuple[Line, ...]
    rising: tuple[Line, ...]
    considered: int
    interests: int
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """What one subscriber gets for one period; frozen when made, so its bytes can be made again."""

    id: int
    subscriber_id: int
    #: to whom, and the zone that its dates are told in
    email: str
    zone: str
    due_at: datetime
    made_at: datetime
    #: the subscriber's local date that it is for
    local_on: date
    entries: tuple[Entry, ...]
    rising: tuple[Entry, ...] = ()
    considered: int
    #: how many interests the person had named
    interests: int
    #: how the picks came about when there was nothing to match ("you named no interests yet …")
    note: str | None = None

    def sheet(self) -> Sheet:
        """What its mail is made from."""
        return Sheet(
            id=self.id,
            subscriber_id=self.subscriber_id,
            email=self.email,
            made_at=self.made_at,
            local_on=self.local_on,
            items=_lines(self.entries),
            rising=_lines(self.rising),
            considered=self.considered,
            interests=self.interests,
            note=self.note,
        )


def part_trend(reasons: tuple[Reason, ...]) -> tuple[tuple[Reason, ...], Reason | None]:
    """A reader's own reasons, and how the item trends, which stands last if it does."""
    if reasons and reasons[-1].kind is ReasonKind.TREND:
        return reasons[:-1], reasons[-1]
    return reasons, None


def _lines(entries: Sequence[Entry]) -> tuple[Line, ...]:
    """The entries of a list; equal reasons are told once."""
    whys: dict[tuple[Reason, ...], Why] = {}
    lines = []
    for entry in entries:
        own, trend = part_trend(entry.pick.reasons)
        why = whys.get(own)
        if why is None:
            why = whys[own] = Why(reasons=own)
        seen = Seen(
            wording=entry.wording,
            trend=trend,
            votes=entry.votes,
            comments=entry.comments,
            stars=entry.stars,
        )
        lines.append(Line(entry.pick.position, why, seen))
    return tuple(lines)
