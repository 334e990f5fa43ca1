"""From scores to a list: the order, no doubles, no five papers on one thing.

Maximal marginal relevance on the scores: at every place the item with the best score after what
the picks so far take from it. Pure arrays in, choices with the rule that cut each other item out.
Used by Pool. Source: J. Carbonell, J. Goldstein, "The use of MMR", SIGIR 1998.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
Rows = NDArray[np.int64]

#: below this likeness two papers are not on one thing, and take nothing from each other
LIKENESS_FLOOR = 0.25
#: how many of the best are looked at for every place of the list
DEPTH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The chosen rows in order, and for passed-over ones the row that took their place."""

    rows: tuple[int, ...]
    #: row → the picked row most like it, when that is what cost it its place
    rivals: dict[int, int]


def select(
    order: Rows,
    scores: Scores,
    *,
    limit: int,
    diversity: float,
    likeness: Callable[[Rows], NDArray[np.float32]],
) -> Selection:
    """Choose up to `limit` rows of `order` (best first).

    `likeness` gives rows × rows in 0…1 for the few that are looked at.
    """
    if diversity <= 0 or len(order) <= 1:
        return Selection(rows=tuple(int(r) for r in order[:limit]), rivals={})
    pool = order[: max(limit * DEPTH, limit + 8)]
    likenesses = np.clip((likeness(pool) - LIKENESS_FLOOR) / (1 - LIKENESS_FLOOR), 0.0, 1.0)
    taken = np.zeros(len(pool))
    nearest = np.full(len(pool), -1)
    is_open = np.ones(len(pool), bool)
    chosen: list[int] = []
    while len(chosen) < limit and is_open.any():
        worth = np.where(is_open, scores[pool] * (1.0 - diversity * taken), -np.inf)
        best = int(np.argmax(worth))
        chosen.append(best)
        is_open[best] = False
        closer = likenesses[best] > taken
        taken = np.where(closer, likenesses[best], taken)
        nearest = np.where(closer, best, nearest)
    rivals = {int(pool[i]): int(pool[nearest[i]]) for i in np.flatnonzero(is_open & (nearest >= 0))}
    return Selection(rows=tuple(int(pool[i]) for i in chosen), rivals=rivals)
