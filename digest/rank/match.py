"""How well each candidate matches each wish of some people, 0…1, and each person's together.

A taste's score is in deviations above what the archive usually has, so that a match of 0.5 means
the same for every person and on every day. People are matched a block at a time, one is a block
too. Used by Pool; the constants are told in docs/ranking.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from digest.model import ReasonKind, Wording
from digest.rank.archive import Archive, Corpus
from digest.rank.interests import Interest, Wish, Wishes
from digest.rank.lexicon import Floats
from digest.rank.names import Names
from digest.rank.phrases import Phrases
from digest.rank.tastes import Tastes
from digest.rank.words import Ids

#: deviations above the archive's usual that are an even match
EVEN = 2.6
#: deviations from an even match to a match of 0.73
WIDTH = 0.9
PHRASE_MATCH, AUTHOR_MATCH, CATEGORY_MATCH = 0.75, 0.9, 0.55
#: deviations that a phrase of a wish adds where it stands as written
PHRASE_BONUS = 1.0
#: what a further wish that matches too adds to the nearest one, from UNUSUAL deviations on
SUPPORT, UNUSUAL = 0.3, 1.0
#: how much of a match a disliked double takes away
DISLIKE = 0.8
#: claims kept of wishes that many share: topics, followed names and categories
_KEPT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What some people's wishes claim."""

    #: wishes of all people behind each other × candidates, in deviations above the usual
    claims: Floats
    #: where each person's wishes begin, and where the last one's end
    starts: Sequence[int]
    #: people × candidates, 0…1
    total: Floats

    def of(self, person: int) -> Floats:
        """One person's wishes × candidates."""
        return self.claims[self.starts[person] : self.starts[person + 1]]


class Matcher:
    """Holds the candidates, as written and as read, against wishes."""

    def __init__(
        self, wordings: Sequence[Wording], phrases: Phrases, corpus: Corpus, archive: Archive
    ) -> None:
        self._size = len(wordings)
        self._phrases = phrases
        self._names = Names(wordings)
        self._corpus = corpus
        self._archive = archive
        self._kept: OrderedDict[int, tuple[Wish, Floats]] = OrderedDict()

    def match(self, people: Sequence[Wishes]) -> Matched:
        """Match compiled profiles; an item is as good as the nearest of a person's wishes."""
        wanted = [wish for wishes in people for wish in wishes.wanted]
        matched = put_together(self._claims(wanted), [len(wishes.wanted) for wishes in people])
        disliked = [wish for wishes in people for wish in wishes.disliked]
        owners = [at for at, wishes in enumerate(people) for _ in wishes.disliked]
        for owner, claim in zip(owners, self._claims(disliked), strict=True):
            matched.total[owner] *= 1.0 - np.float32(DISLIKE) * squeeze(claim)
        return matched

    def _claims(self, wishes: Sequence[Wish]) -> Floats:
        """Each wish's claim on every candidate, in deviations above the usual."""
        claims = np.full((len(wishes), self._size), -np.inf, np.float32)
        told = [at for at, w in enumerate(wishes) if w.told is not None and id(w) not in self._kept]
        if told:
            tastes = Tastes([t for at in told if (t := wishes[at].told)], self._archive)
            claims[told] = tastes.score(self._corpus)
        for at, wish in enumerate(wishes):
            known = self._kept.get(id(wish))
            if known is not None:
                claims[at] = known[1]
                continue
            self._apply_rules(wish, claims[at])
            if wish.is_shared:
                self._kept[id(wish)] = wish, claims[at].copy()
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return claims

    def _apply_rules(self, wish: Wish, claim: Floats) -> None:
        """What is yes or no about a wish: phrases, names, words that end it; in place."""
        if wish.told is None and len(wish.interests) == 1 and wish.interests[0].gist is None:
            met, match = self._rule(wish.interests[0])
            claim[met] = _stretch(match)
            return
        phrases = [phrase for interest in wish.interests for phrase in interest.phrases]
        if phrases:
            rows = self._phrases.rows_of_any(phrases)
            claim[rows] = np.maximum(claim[rows] + np.float32(PHRASE_BONUS), 0.0)
        if wish.excluded:
            claim[self._phrases.rows_of_any(wish.excluded)] = -np.inf

    def _rule(self, interest: Interest) -> tuple[Ids, float]:
        """The rows that an exact rule is met by, and how well they match then."""
        if interest.kind is ReasonKind.AUTHOR:
            return self._names.by_author(interest.subject), AUTHOR_MATCH
        if interest.kind is ReasonKind.CATEGORY:
            return self._names.in_category(interest.subject), CATEGORY_MATCH
        return self._phrases.rows(interest.subject), PHRASE_MATCH


def put_together(claims: Floats, counts: Sequence[int]) -> Matched:
    """The matches of people who have so many of the claims each, behind each other."""
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    return Matched(claims=claims, starts=starts.tolist(), total=squeeze(_nearest(claims, starts)))


def squeeze(deviations: Floats) -> Floats:
    """Deviations above the usual as a match in 0…1; minus infinity is no match at all."""
    powers = np.subtract(np.float32(EVEN), deviations, dtype=np.float32)
    powers /= np.float32(WIDTH)
    # far below, exp overflows to infinity, and the match is nothing
    with np.errstate(over="ignore"):
        np.exp(powers, out=powers)
    powers += np.float32(1.0)
    return np.reciprocal(powers, out=powers)


def _stretch(match: float) -> float:
    """The deviations that are a match of that much."""
    return EVEN + WIDTH * log(match / (1.0 - match))


def _nearest(claims: Floats, starts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Each person's best claim on every candidate, and a part of the second best."""
    counts = np.diff(starts)
    if len(claims) == len(counts) and counts.all():
        # one each: there is nothing to compare
        return claims
    # who has most wishes first: then those who have one more are always the first so many
    order = np.argsort(-counts, kind="stable")
    best = np.full((len(counts), claims.shape[1]), -np.inf, np.float32)
    second = best.copy() if counts.max(initial=0) > 1 else None
    for place in range(int(counts.max(initial=0))):
        people = order[: np.count_nonzero(counts > place)]
        claim = claims[starts[people] + place]
        mine = best[: people.size]
        if second is not None:
            further = second[: people.size]
            np.maximum(further, np.minimum(mine, claim), out=further)
        np.maximum(mine, claim, out=mine)
    if second is not None:
        second -= np.float32(UNUSUAL)
        np.maximum(second, np.float32(0.0), out=second)
        second *= np.float32(SUPPORT)
        best += second
    return np.asarray(best[np.argsort(order)])
