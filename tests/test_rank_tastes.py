"""A taste's score is what its formula says, whatever is left out of it where it cannot count."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from digest.rank.archive import Archive, Corpus, Gist
from digest.rank.lexicon import NOTHING, Lexicon, WordVector, count_many
from digest.rank.space import Space
from digest.rank.tastes import Tastes, Told, _narrowness

Floats = NDArray[np.float32]
DIMENSION = 12


def words_of(chance: np.random.Generator, count: int) -> list[WordVector]:
    """Word vectors of made-up titles; some have no word."""
    texts = [
        (" ".join(f"word{n}" for n in chance.integers(0, 40, chance.integers(0, 6))), "")
        for _ in range(count)
    ]
    lexicon = Lexicon()
    lexicon.add(count_many(texts))
    return lexicon.weigh_many(count_many(texts))


def in_full(tastes: Tastes, corpus: Corpus) -> tuple[Floats, Floats]:
    """What all parts together claim, and what the nearest example alone does."""
    direction, near, words, nearest = tastes._parts(corpus)
    scales = tastes._scales
    together = scales[0] * direction + scales[1] * near + scales[2] * words + tastes._offset
    return together, tastes._alone * nearest + tastes._alone_offset


@pytest.mark.parametrize(
    ("dimension", "parts"),
    [(0, (0.0, 0.0, 1.0)), (DIMENSION, (1.0, 1.0, 0.3)), (DIMENSION, (0.5, 0.5, 1.2))],
)
@pytest.mark.parametrize("seed", range(8))
def test_what_cannot_count_changes_no_score(
    seed: int, dimension: int, parts: tuple[float, ...]
) -> None:
    chance = np.random.default_rng(seed)
    rows = chance.standard_normal((300, dimension)).astype(np.float32)
    rows *= np.linspace(4, 0.2, dimension, dtype=np.float32)
    space = Space(rows)
    archive = Archive(words_of(chance, 300), space.centre(rows), space, np.array(parts))
    known = space.centre(rows[:80])
    gists = [Gist(words=w, meaning=m) for w, m in zip(words_of(chance, 80), known, strict=True)]
    gists.append(Gist(words=NOTHING, meaning=np.zeros(dimension, np.float32)))
    told = [
        Told(gists=tuple(gists[n] for n in members), weights=(1.0,) * len(members))
        for members in (*([n] for n in range(60)), [60, 61], range(61, 69), [80])
    ]
    # papers of all kinds, and the very papers that people told of
    corpus = archive.corpus(words_of(chance, 80), known)
    tastes = Tastes(told, archive)

    scores = tastes.score(corpus)

    together, alone = in_full(tastes, corpus)
    assert scores == pytest.approx(np.maximum(together, alone), abs=1e-4)
    linear = tastes._rows @ corpus.meanings.T + tastes._offset
    far = tastes._may_stand_alone(linear)
    if not dimension:
        assert len(far) == 61
    elif parts[2] < 1:
        assert len(far) == 0
    else:
        assert 0 < len(far) < 61
        assert (alone[far] > together[far] + 0.1).any()


def test_examples_that_are_all_alike_claim_less_and_one_alone_claims_what_it_did() -> None:
    means = np.zeros((4, DIMENSION), np.float32)
    means[:3, 0] = 1.0, 0.95, 0.3

    one, alike, apart, unknown = _narrowness(means, np.array([1, 10, 10, 0], np.float32))[:, 0]

    assert one == 0 and unknown == 0
    assert alike > 2 > 0 > apart > -1.2
