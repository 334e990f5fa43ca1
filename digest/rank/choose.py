"""From scores to lists, for many people at once: the best, no doubles, no five on one thing.

Maximal marginal relevance on the scores: at every place the item with the best score after what
the picks so far take from it. Arrays of people × candidates in, chosen rows out. Candidates stand
in the order that decides between equal scores. Used by Pool; one person is a block of one.
Source: J. Carbonell, J. Goldstein, "The use of MMR", SIGIR 1998.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
_NO_BARS = np.full((1, 1), np.finfo(np.float32).min)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen for each of some people."""

    #: people × places: the chosen rows in order; -1 behind the last one
    picks: Rows
    #: people × depth: the rows that were looked at, best first; -1 behind the last one
    looked_at: Rows


class Likeness:
    """How like each other the candidates are, worked out for the rows that are asked for."""

    def __init__(self, size: int, row_of: Callable[[int], NDArray[np.float32]]) -> None:
        """`row_of` gives a candidate's likeness 0…1 with every candidate."""
        self.size = size
        self._row_of = row_of
        self._known = np.zeros(size, bool)
        self._steps = np.zeros((size, size), np.uint8)

    def of(self, rows: Rows) -> NDArray[np.uint8]:
        """What a pick of each of `rows` takes from every candidate, in steps up to 255."""
        unknown = rows[~self._known[rows]]
        for row in np.unique(unknown) if unknown.size else ():
            excess = (self._row_of(int(row)) - LIKENESS_FLOOR) / (1 - LIKENESS_FLOOR)
            self._steps[row] = np.rint(np.clip(np.nan_to_num(excess), 0.0, 1.0) * _STEPS)
            self._known[row] = True
        # whole lines are faster to fetch than single cells of them
        return self._steps.take(rows, axis=0)

    def rival(self, row: int, picks: Rows) -> int | None:
        """The pick that takes most from a row, the first of equals; None when none takes any."""
        near = self.of(picks)[:, row]
        return int(picks[near.argmax()]) if near.any() else None


def keep_first_of_title(scores: Scores, titles: Sequence[Rows]) -> None:
    """Of the candidates with one title leave only the best in, the first of equals; in place.

    `titles` are the rows of each title that several have.
    """
    for rows in titles:
        own = scores[:, rows]
        kept = np.argmax(own, axis=1)[:, np.newaxis] == np.arange(rows.size)
        scores[:, rows] = np.where(kept, own, -np.inf)


def choose(
    scores: Scores,
    *,
    limit: int,
    diversity: float,
    likeness: Likeness,
    bars: Scores = _NO_BARS,
) -> Chosen:
    """Choose up to `limit` candidates for each person; what must not be chosen scores -inf.

    `bars` are the least that each person's picks must score (people × 1).
    """
    best, worth = _best(scores, min(max(limit * DEPTH, limit + 8), scores.shape[1]), bars)
    if limit <= 0 or diversity <= 0 or best.shape[1] <= 1:
        return Chosen(picks=best[:, : max(limit, 0)], looked_at=best)
    picks = _spread(best, worth, limit=limit, diversity=diversity, likeness=likeness)
    return Chosen(picks=picks, looked_at=best)


def _best(scores: Scores, count: int, bars: Scores) -> tuple[Rows, Scores]:
    """The `count` best rows of each person, best first, the first of equals before the others.

    With their scores; rows are -1 behind the last that may be chosen.
    """
    people, size = scores.shape
    firsts = np.arange(people) * size
    is_open = scores >= bars
    at = np.flatnonzero(is_open)
    counts = np.diff(np.searchsorted(at, firsts), append=at.size)
    crowded = counts > count
    if crowded.any():
        # NumPy sorts a whole line faster than it parts one that has many equals
        last = np.sort(scores[crowded], axis=1)[:, size - count, np.newaxis]
        is_open[crowded] &= scores[crowded] >= last
        at = np.flatnonzero(is_open)
        counts = np.diff(np.searchsorted(at, firsts), append=at.size)
    # their columns in lines of equal length: where equals stand at the border, all of them at first
    width = int(counts.max(initial=0))
    lines = np.arange(people) * width
    cells = np.arange(at.size) + np.repeat(lines - (counts.cumsum() - counts), counts)
    found, values = np.full((people, width), -1), np.full((people, width), -np.inf, np.float32)
    found.ravel()[cells] = at - np.repeat(firsts, counts)
    values.ravel()[cells] = scores.ravel().take(at)
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    order += lines[:, np.newaxis]
    return found.take(order), values.take(order)


def _spread(
    best: Rows, scores: Scores, *, limit: int, diversity: float, likeness: Likeness
) -> Rows:
    """Maximal marginal relevance among the best of each person: what is picked, in order."""
    lines = np.arange(len(best)) * best.shape[1]
    rows, open_, still = np.maximum(best, 0), best.copy(), scores.copy()
    cells = np.arange(len(best))[:, np.newaxis] * likeness.size + rows
    taken = np.zeros(best.shape, np.uint8)
    picks = np.full((len(best), min(limit, best.shape[1])), -1)
    # never 0: among what is taken whole, scores decide
    steps = np.arange(_STEPS + 1, dtype=np.float32)
    left = np.maximum(np.float32(1.0) - np.float32(diversity / _STEPS) * steps, np.float32(1e-6))
    for place in range(picks.shape[1]):
        at = np.argmax(still * left.take(taken), axis=1) + lines
        picks[:, place] = open_.take(at)
        open_.ravel()[at] = -1
        still.ravel()[at] = -np.inf
        if place + 1 < picks.shape[1]:
            np.maximum(taken, likeness.of(rows.take(at)).take(cells), out=taken)
    return picks
