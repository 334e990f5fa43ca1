"""From scores to lists, for many people at once: the best, no doubles, no five on one thing.

Maximal marginal relevance on the scores: at every place the item with the best score after what
the picks so far take from it. Arrays of people × candidates in, chosen rows out. Candidates stand
in the order that decides between equal scores. Used by Pool; one person is a block of one.
Source: J. Carbonell, J. Goldstein, "The use of MMR", SIGIR 1998.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Rows = NDArray[np.int64]

#: below this likeness two papers are not on one thing, and take nothing from each other
LIKENESS_FLOOR = 0.25
#: how many of the best are looked at for every place of the list
DEPTH = 4
#: likeness is kept in so many steps: a byte for a pair, so that a week's pairs fit into memory
_STEPS = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen for each of some people."""

    #: people × places: the chosen rows in order; -1 behind the last one
    picks: Rows
    #: people × depth: the rows that were looked at, best first; -1 behind the last one
    looked_at: Rows
    #: people × depth: the picked row most like that one; -1 when none is like it, or it is a pick
    rivals: Rows


class Likeness:
    """How like each other the candidates are, worked out for the rows that are asked for."""

    def __init__(self, size: int, row_of: Callable[[int], NDArray[np.float32]]) -> None:
        """`row_of` gives a candidate's likeness 0…1 with every candidate."""
        self._row_of = row_of
        self._known = np.zeros(size, bool)
        self._steps = np.zeros((size, size), np.uint8)

    def of(self, rows: Rows, others: Rows) -> NDArray[np.uint8]:
        """What a pick of each of `rows` takes from its line of `others`, in steps up to 255."""
        for row in np.unique(rows[~self._known[rows]]):
            excess = (self._row_of(int(row)) - LIKENESS_FLOOR) / (1 - LIKENESS_FLOOR)
            self._steps[row] = np.rint(np.clip(np.nan_to_num(excess), 0.0, 1.0) * _STEPS)
            self._known[row] = True
        places = rows[:, np.newaxis] * len(self._known) + others
        return self._steps.ravel().take(places)


def keep_first_of_title(scores: Scores, titles: Rows) -> None:
    """Of the candidates with one title leave only the best in, the first of equals; in place."""
    distinct, counts = np.unique(titles, return_counts=True)
    for title in distinct[counts > 1]:
        rows = np.flatnonzero(titles == title)
        own = scores[:, rows]
        kept = np.argmax(own, axis=1)[:, np.newaxis] == np.arange(rows.size)
        scores[:, rows] = np.where(kept, own, -np.inf)


def choose(scores: Scores, *, limit: int, diversity: float, likeness: Likeness) -> Chosen:
    """Choose up to `limit` candidates for each person; what must not be chosen scores -inf."""
    best = _best(scores, min(max(limit * DEPTH, limit + 8), scores.shape[1]))
    worth = np.take_along_axis(scores, best, axis=1)
    best[worth == -np.inf] = -1
    if limit <= 0 or diversity <= 0 or best.shape[1] <= 1:
        nothing = np.full_like(best, -1)
        return Chosen(picks=best[:, : max(limit, 0)], looked_at=best, rivals=nothing)
    return _spread(best, worth, limit=limit, diversity=diversity, likeness=likeness)


def _best(scores: Scores, count: int) -> Rows:
    """The `count` best rows of each person, best first, the first of equals before the others."""
    size = scores.shape[1]
    if count >= size:
        return np.argsort(-scores, axis=1, kind="stable")
    found = np.argpartition(scores, size - count, axis=1)[:, size - count :]
    found.sort(axis=1)
    values = np.take_along_axis(scores, found, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    found = np.take_along_axis(found, order, axis=1)
    # where equals stand on both sides of the border, the partition took any of them
    last = np.take_along_axis(scores, found[:, -1:], axis=1)
    torn = np.flatnonzero((last[:, 0] > -np.inf) & ((scores >= last).sum(axis=1) > count))
    for person in torn:
        found[person] = np.argsort(-scores[person], kind="stable")[:count]
    return found


def _spread(
    best: Rows, scores: Scores, *, limit: int, diversity: float, likeness: Likeness
) -> Chosen:
    """Maximal marginal relevance among the best of each person."""
    people = np.arange(len(best))
    places = np.maximum(best, 0)
    still = scores.copy()
    taken = np.zeros(best.shape, np.uint8)
    rivals = np.full_like(best, -1)
    picks = np.full((len(best), min(limit, best.shape[1])), -1)
    cost = np.float32(diversity / _STEPS)
    for place in range(picks.shape[1]):
        # never 0: among what is taken whole, scores decide
        left = np.maximum(np.float32(1.0) - cost * taken, np.float32(1e-6))
        at = np.argmax(still * left, axis=1)
        is_left = still[people, at] > -np.inf
        picks[:, place] = np.where(is_left, best[people, at], -1)
        still[people, at] = -np.inf
        row = places[people, at]
        near = likeness.of(row, places)
        np.copyto(rivals, row[:, np.newaxis], where=near > taken)
        np.maximum(taken, near, out=taken)
    rivals[still == -np.inf] = -1
    return Chosen(picks=picks, looked_at=best, rivals=rivals)
