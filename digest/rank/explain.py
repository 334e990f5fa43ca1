"""What the ranker can say of one item and one person: for `digest why` and the pages.

A record only; Pool.explain fills it from the same numbers that made the ranking.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from digest.model import Parts, Reason


class Verdict(StrEnum):
    """What became of an item, and by which rule."""

    PICKED = "picked"
    RISING = "rising"  #: not for this person, but shown among the rising
    ABSENT = "absent"  #: not a candidate: unknown, too old, or withdrawn
    SEEN = "seen"  #: this person had it before, or its double
    EXCLUDED = "excluded"  #: it has a word that this person excluded
    LOW_SCORE = "low score"  #: below min_score
    DOUBLE = "double"  #: another candidate has the same title and stands higher
    RIVAL = "rival"  #: pushed down by a pick that is about the same thing
    OVER_LIMIT = "over limit"  #: good enough, but others were better


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One interest's own claim on the item."""

    reason: Reason
    #: 0…1, before the interests were put together
    match: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why an item was picked for a person, or why not."""

    item_id: int
    verdict: Verdict
    #: the rule in one sentence, for people
    text: str
    #: None when the item is no candidate
    score: float | None = None
    parts: Parts | None = None
    #: the why-line it has, or would have had
    reasons: tuple[Reason, ...] = ()
    #: each interest's claim, strongest first; those of nothing left out
    evidence: tuple[Evidence, ...] = ()
    #: place in its section, from 1; None when it is in none
    position: int | None = None
    #: the score it would have needed, when a bar cut it
    needed: float | None = None
    #: the item that cut it, when one did
    rival_id: int | None = None

    @property
    def is_shown(self) -> bool:
        return self.verdict in (Verdict.PICKED, Verdict.RISING)
