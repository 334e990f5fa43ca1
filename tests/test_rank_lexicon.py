"""What words weigh: digest.rank.lexicon."""

from __future__ import annotations

import numpy as np
import pytest

from digest.rank.lexicon import WordVector, strongest


@pytest.mark.parametrize(
    ("count", "kept"),
    [(1, [40]), (2, [20, 40]), (3, [20, 30, 40]), (4, [10, 20, 30, 40]), (9, [10, 20, 30, 40, 50])],
)
def test_of_equally_heavy_words_the_first_are_kept_and_no_more(count: int, kept: list[int]) -> None:
    weights = np.array([1, 2, 2, 3, 1], np.float32)
    vector = WordVector(ids=np.array([10, 20, 30, 40, 50]), weights=weights / np.sqrt(19))

    heaviest = strongest(vector, count)

    assert heaviest.ids.tolist() == kept
    assert np.isclose(heaviest.weights @ heaviest.weights, 1.0)
