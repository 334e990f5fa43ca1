"""How well each candidate matches each wish of one person, 0…1, and all wishes together.

Likeness is turned into a match by how it stands out against the archive, so that 0.5 means the
same for every person and on every day. Used by Pool; the constants are told in docs/ranking.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.model import ReasonKind, Wording
from digest.rank.interests import Interest, Wishes
from digest.rank.lexicon import Floats, Postings
from digest.rank.rules import ItemText, first_excluded, has_category, same_author

#: a likeness that many deviations above the archive's mean is an even match
EVEN = 3.5
#: deviations from an even match to a match of 0.73
WIDTH = 1.2
#: mean and deviation assumed of an archive that is not there, and how many texts they weigh
PRIOR_MEAN, PRIOR_DEVIATION, PRIOR_TEXTS = 0.01, 0.03, 50.0
PHRASE_MATCH, AUTHOR_MATCH, CATEGORY_MATCH = 0.75, 0.9, 0.55
#: a wish that half of the archive is about must not be lost in its own spread
MEAN_MAX, DEVIATION_MAX = 0.08, 0.05
#: what further interests that match too can add to the nearest one
SUPPORT = 0.25
#: how much of a match a disliked double takes away
DISLIKE = 0.8

Matches = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """One person's matches on a pool (interests × candidates, and candidates)."""

    by_interest: Matches
    total: Matches


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """What the matches are measured on: candidates, and the archive they must stand out from."""

    wordings: Sequence[Wording]
    texts: Sequence[ItemText]
    candidates: Postings
    background: Postings


def match_wishes(wishes: Wishes, field: Field) -> Matched:
    """Match a compiled profile against a field; an item is as good as its nearest interest."""
    size = len(field.wordings)
    rows = [_match_one(interest, field) for interest in wishes.interests]
    by_interest = np.array(rows) if rows else np.zeros((0, size))
    total = _nearest(by_interest, size)
    for disliked in wishes.disliked:
        total = total * (1.0 - DISLIKE * _match_one(disliked, field))
    return Matched(by_interest=by_interest, total=np.clip(np.nan_to_num(total), 0.0, 1.0))


def _nearest(by_interest: Matches, size: int) -> Matches:
    if not len(by_interest):
        return np.zeros(size)
    top = by_interest.argmax(axis=0)
    columns = np.arange(size)
    best = by_interest[top, columns]
    others = by_interest.copy()
    others[top, columns] = 0.0
    second = others.max(axis=0)
    return np.asarray(best + (1.0 - best) * SUPPORT * second)


def _match_one(interest: Interest, field: Field) -> Matches:
    if interest.kind is ReasonKind.AUTHOR:
        found = [any(same_author(interest.subject, a) for a in w.authors) for w in field.wordings]
        return np.where(found, AUTHOR_MATCH, 0.0) if found else np.zeros(0)
    if interest.kind is ReasonKind.CATEGORY:
        found = [has_category(w.categories, interest.subject) for w in field.wordings]
        return np.where(found, CATEGORY_MATCH, 0.0) if found else np.zeros(0)
    matches = _stand_out(interest, field) * interest.weight
    for row, text in enumerate(field.texts):
        if interest.phrases and any(text.has(p) for p in interest.phrases):
            matches[row] = max(matches[row], PHRASE_MATCH)
        if matches[row] > 0 and interest.excluded and first_excluded(text, interest.excluded):
            matches[row] = 0.0
    return matches


def _stand_out(interest: Interest, field: Field) -> Matches:
    """Likeness as deviations above what the archive has for this interest, squeezed into 0…1."""
    if interest.vector.is_empty:
        return np.zeros(len(field.wordings))
    usual = field.background.cosines(interest.vector)
    mean, deviation = _calibrate(usual)
    cosines = field.candidates.cosines(interest.vector).astype(np.float64)
    matches = 1.0 / (1.0 + np.exp(-((cosines - mean) / deviation - EVEN) / WIDTH))
    return np.where(cosines > 0, matches, 0.0)


def _calibrate(usual: Floats) -> tuple[float, float]:
    """Mean and deviation over the archive, drawn to the assumed ones while it is small."""
    known = usual.size / (usual.size + PRIOR_TEXTS)
    mean = known * float(usual.mean() if usual.size else 0.0) + (1 - known) * PRIOR_MEAN
    variance = known * float(usual.var() if usual.size else 0.0) + (1 - known) * PRIOR_DEVIATION**2
    return min(mean, MEAN_MAX), min(max(variance**0.5, 1e-3), DEVIATION_MAX)
