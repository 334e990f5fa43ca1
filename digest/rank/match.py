"""How well each candidate matches each wish of one person, 0…1, and all wishes together.

A taste's score is in deviations above what the archive usually has, so that a match of 0.5 means
the same for every person and on every day. Used by Pool; the constants are told in docs/ranking.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from digest.model import ReasonKind, Wording
from digest.rank.archive import Corpus
from digest.rank.interests import Interest, Wish, Wishes
from digest.rank.rules import ItemText, first_excluded, has_category, same_author

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

Matches = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """One person's matches on a pool (wishes × candidates, and candidates)."""

    by_wish: Matches
    total: Matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What is matched: the candidates as written and as read."""

    wordings: Sequence[Wording]
    texts: Sequence[ItemText]
    corpus: Corpus


def match_wishes(wishes: Wishes, field: Field) -> Matched:
    """Match a compiled profile against a field; an item is as good as its nearest wish."""
    size = len(field.wordings)
    rows = [_claim(wish, field) for wish in wishes.wanted]
    claims = np.array(rows) if rows else np.zeros((0, size))
    total = squeeze(_nearest(claims)) if rows else np.zeros(size)
    for disliked in wishes.disliked:
        total = total * (1.0 - DISLIKE * squeeze(_claim(disliked, field)))
    return Matched(by_wish=squeeze(claims), total=total)


def squeeze(deviations: Matches) -> Matches:
    """Deviations above the usual as a match in 0…1; minus infinity is no match at all."""
    # far below, exp would overflow: there it is nothing either way
    return np.asarray(1.0 / (1.0 + np.exp(np.minimum((EVEN - deviations) / WIDTH, 700.0))))


def _stretch(match: float) -> float:
    """The deviations that are a match of that much."""
    return EVEN + WIDTH * log(match / (1.0 - match))


def _nearest(claims: Matches) -> Matches:
    ordered = np.sort(claims, axis=0)
    best = ordered[-1]
    if len(ordered) < 2:
        return np.asarray(best)
    return np.asarray(best + SUPPORT * np.maximum(ordered[-2] - UNUSUAL, 0.0))


def _claim(wish: Wish, field: Field) -> Matches:
    """A wish's claim on every candidate, in deviations above the usual."""
    claims = np.full(len(field.wordings), -np.inf)
    if wish.taste is not None:
        claims = wish.taste.score(field.corpus)
    elif len(wish.interests) == 1 and wish.interests[0].gist is None:
        return _rule_claim(wish.interests[0], field)
    phrases = [phrase for interest in wish.interests for phrase in interest.phrases]
    for row, text in enumerate(field.texts):
        if any(text.has(phrase) for phrase in phrases):
            claims[row] = max(claims[row] + PHRASE_BONUS, 0.0)
        if wish.excluded and first_excluded(text, wish.excluded):
            claims[row] = -np.inf
    return claims


def _rule_claim(interest: Interest, field: Field) -> Matches:
    if interest.kind is ReasonKind.AUTHOR:
        is_met = [any(same_author(interest.subject, a) for a in w.authors) for w in field.wordings]
        match = AUTHOR_MATCH
    elif interest.kind is ReasonKind.CATEGORY:
        is_met = [has_category(w.categories, interest.subject) for w in field.wordings]
        match = CATEGORY_MATCH
    else:
        is_met = [text.has(interest.subject) for text in field.texts]
        match = PHRASE_MATCH
    return np.where(np.array(is_met, bool), _stretch(match), -np.inf)
