"""Choosing for many at once gives each what choosing for one by one gives, told in plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digest.rank.choose import DEPTH, LIKENESS_FLOOR, Likeness, choose, keep_first_of_title

Floats = NDArray[np.float32]


def likeness(size: int, seed: int = 0) -> tuple[Floats, Likeness]:
    """A table of likenesses, and the same as the chooser takes it."""
    vectors = np.abs(np.random.default_rng(seed).standard_normal((size, 3)))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    table = (vectors @ vectors.T).astype(np.float32)
    return table, Likeness(size, lambda row: table[row])


def in_plain_loops(scores: Floats, table: Floats, limit: int, diversity: float) -> list[int]:
    """One person's picks by the book."""
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    order = [i for i in order if scores[i] > -np.inf][: max(limit * DEPTH, limit + 8)]
    taken = dict.fromkeys(order, 0)
    picks: list[int] = []
    while order and len(picks) < limit:

        def worth(i: int) -> np.float32:
            left = np.float32(1) - np.float32(diversity / 255) * np.float32(taken[i])
            return np.float32(scores[i]) * max(left, np.float32(1e-6))

        best = max(order, key=lambda i: (worth(i), -order.index(i)))
        picks.append(best)
        order.remove(best)
        for i in order:
            excess = np.clip((table[best][i] - LIKENESS_FLOOR) / (1 - LIKENESS_FLOOR), 0, 1)
            taken[i] = max(taken[i], int(np.rint(excess * 255)))
    return picks


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    people=st.integers(1, 7),
    size=st.integers(1, 90),
    limit=st.integers(0, 15),
    diversity=st.sampled_from([0.0, 0.3, 1.0]),
    levels=st.sampled_from([2, 9, 10**6]),
)
def test_many_are_chosen_for_as_one_by_one(
    seed: int, people: int, size: int, limit: int, diversity: float, levels: int
) -> None:
    """Few levels make many equals, in the middle and at the end of what is looked at."""
    chance = np.random.default_rng(seed)
    scores = ((chance.integers(0, levels, (people, size)) + 1) / levels).astype(np.float32)
    scores[chance.random((people, size)) < 0.2] = -np.inf
    table, given_likeness = likeness(size, seed)

    chosen = choose(scores, limit=limit, diversity=diversity, likeness=given_likeness)

    told = [[int(row) for row in line if row >= 0] for line in chosen.picks]
    assert told == [in_plain_loops(line, table, limit, diversity) for line in scores]


@pytest.mark.parametrize("bar", [0.0, 0.5, 0.9, 2.0])
def test_what_is_below_a_persons_bar_is_as_if_it_were_not_there(bar: float) -> None:
    """Some have more above their bar than is looked at, some fewer, some nothing."""
    scores = np.random.default_rng(5).random((9, 80)).astype(np.float32)
    bars = np.linspace(bar, bar / 2, 9, dtype=np.float32)[:, np.newaxis]
    _, pairs = likeness(80, 5)

    chosen = choose(scores, limit=5, diversity=0.3, likeness=pairs, bars=bars)

    there = np.where(scores >= bars, scores, -np.inf).astype(np.float32)
    expected = choose(there, limit=5, diversity=0.3, likeness=pairs)
    assert chosen.picks.tolist() == expected.picks.tolist()
    width = chosen.looked_at.shape[1]
    assert chosen.looked_at.tolist() == expected.looked_at[:, :width].tolist()


def test_what_was_passed_over_knows_its_rival() -> None:
    table = np.eye(3, dtype=np.float32)
    table[0, 1] = table[1, 0] = 1.0
    scores = np.array([[0.9, 0.8, 0.5]], np.float32)

    pairs = Likeness(3, lambda row: table[row])
    chosen = choose(scores, limit=2, diversity=0.9, likeness=pairs)

    assert chosen.picks.tolist() == [[0, 2]]
    assert chosen.looked_at.tolist() == [[0, 1, 2]]
    assert pairs.rival(1, chosen.picks[0]) == 0
    assert pairs.rival(2, np.array([0, 1])) is None


def test_only_rows_that_were_picked_are_compared() -> None:
    asked: list[int] = []

    def row_of(row: int) -> Floats:
        asked.append(row)
        return np.zeros(50, np.float32)

    scores = np.linspace(1, 0.5, 50, dtype=np.float32)[np.newaxis].repeat(4, axis=0)
    pairs = Likeness(50, row_of)
    for _ in range(2):
        choose(scores, limit=3, diversity=0.5, likeness=pairs)

    # the last one takes nothing from anything any more
    assert sorted(asked) == [0, 1]


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 7.0])
def test_a_likeness_that_is_none_takes_all_or_nothing(broken: float) -> None:
    pairs = Likeness(20, lambda row: np.full(20, broken, np.float32))
    scores = np.linspace(1, 0.5, 20, dtype=np.float32)[np.newaxis]

    chosen = choose(scores, limit=5, diversity=1.0, likeness=pairs)

    assert chosen.picks.tolist() == [[0, 1, 2, 3, 4]]


def test_of_one_title_the_best_stays_and_of_equals_the_first() -> None:
    scores = np.array([[0.1, 0.5, 0.9, 0.5], [0.3, 0.2, 0.1, 0.3], [-np.inf, 0.1, 0, 0.2]])
    scores = scores.astype(np.float32)

    keep_first_of_title(scores, [np.array([0, 3])])

    left = [np.flatnonzero(line > -np.inf).tolist() for line in scores]
    assert left == [[1, 2, 3], [0, 1, 2], [1, 2, 3]]
