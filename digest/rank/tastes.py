"""One thing that a person wants, from all that they said of it: told by words and by examples.

A taste is compiled against the archive once; then it is a few arrays, and its score on any text is
a number of deviations above what the archive usually has for it. That makes scores comparable
between people and between days. Used by match.py; docs/ranking.md has the formula.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from digest.rank.archive import Archive, Corpus, Gist
from digest.rank.lexicon import Floats, WordVector, blend

#: how sharply the nearest example stands out from the others; by words likeness runs lower
SHARPNESS, SHARPNESS_WORDS = 10.0, 20.0
#: examples from which on they are compared in softened space
SOFTENED_FROM = 6
#: what the parts count: by meaning …
DIRECTION, NEARNESS = 1.0, 1.0
#: … with words beside it, where the archive has titles only and where it has abstracts
WORDS_OF_TITLES, WORDS_OF_ABSTRACTS = 0.3, 1.2
#: … and by words alone
NEARNESS_WORDS, WORDS_ALONE = 0.3, 1.0
#: one example by itself must stand out that much more than all together
ALONE, ALONE_WORDS = 2.0, 3.0
#: mean and deviation of each part, and of the nearest example alone, that are assumed of any taste;
#: how many texts they weigh while the archive is small, and how much of a deviation is theirs
#: whatever the archive has: what it has nothing of must not take noise for a match
PRIOR_TEXTS = 50.0
PRIOR_MEANS = np.array([0.0, 0.0, 0.015, 0.0])
PRIOR_DEVIATIONS = np.array([0.1, 1.2, 0.03, 0.12])
PRIOR_DEVIATIONS_WORDS = np.array([0.1, 0.5, 0.03, 0.03])
ASSUMED = 0.5

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taste:
    """A compiled taste. Its score on a text is the greater of

    direction·meaning + nearness·near + word_scale·(words·words) + offset   and
    alone·nearest + alone_offset

    where nearest is the likeness to the nearest example and near = log Σ share·exp(sharp·likeness).
    """

    #: (d,), its length is its scale; no columns without a model
    direction: Floats
    #: examples × d, softened when is_soft
    anchors: Floats
    is_soft: bool
    #: the examples' words; likeness is theirs without a model
    examples: tuple[WordVector, ...]
    #: how much each example counts, 1 together
    shares: Floats
    words: WordVector
    nearness: float = 1.0
    word_scale: float = 1.0
    offset: float = 0.0
    alone: float = 1.0
    alone_offset: float = 0.0

    def score(self, corpus: Corpus) -> Scores:
        """Deviations above the usual, for every text."""
        direction, near, words, nearest = self.parts(corpus)
        together = direction + self.nearness * near + self.word_scale * words + self.offset
        return np.asarray(np.maximum(together, self.alone * nearest + self.alone_offset))

    def parts(self, corpus: Corpus) -> Scores:
        """What the score is made of, before scaling (4 × n texts)."""
        words = corpus.words.cosines(self.words)
        likeness = self._likeness(corpus, words)
        sharpness = SHARPNESS if self.anchors.shape[1] else SHARPNESS_WORDS
        near = np.log(np.exp(sharpness * likeness) @ self.shares)
        direction = corpus.meanings @ self.direction
        return np.array([direction, near, words, likeness.max(axis=1)], np.float64)

    def _likeness(self, corpus: Corpus, words: Floats) -> Floats:
        """Of every text to every example (n × examples); `words` is that to all of them."""
        if self.anchors.shape[1]:
            texts = corpus.softened if self.is_soft else corpus.meanings
            return np.asarray(texts @ self.anchors.T)
        if len(self.examples) == 1:
            return words[:, None]
        return np.array([corpus.words.cosines(example) for example in self.examples]).T


def compile_taste(gists: Sequence[Gist], weights: Sequence[float], archive: Archive) -> Taste:
    """One taste from what its words and examples are about, each with a weight above 0."""
    weighted = np.array(weights, np.float32)
    meanings = np.stack([gist.meaning for gist in gists])
    is_soft = len(gists) >= SOFTENED_FROM
    taste = Taste(
        direction=archive.space.toward(meanings, weighted),
        anchors=archive.space.soften(meanings) if is_soft else meanings,
        is_soft=is_soft,
        examples=tuple(gist.words for gist in gists),
        shares=weighted / weighted.sum(),
        words=blend([gist.words for gist in gists], weighted),
    )
    return _measured(taste, archive)


def _measured(taste: Taste, archive: Archive) -> Taste:
    """The taste with the scales that make its score deviations above the archive's usual."""
    has_model = archive.space.dimension > 0
    assumed = PRIOR_DEVIATIONS if has_model else PRIOR_DEVIATIONS_WORDS
    parts = taste.parts(archive.sample)
    means, deviations = _usual(parts, PRIOR_MEANS, assumed)
    scales = archive.part_weights / deviations[:3]
    total = scales @ (parts[:3] - means[:3, None])
    (middle,), (spread,) = _usual(total[None], np.zeros(1), archive.part_weights.sum(keepdims=True))
    scales = scales / spread
    alone = 1.0 / deviations[3]
    return replace(
        taste,
        direction=(scales[0] * taste.direction).astype(np.float32),
        nearness=float(scales[1]),
        word_scale=float(scales[2]),
        offset=float(-(scales @ means[:3]) - middle / spread),
        alone=float(alone),
        alone_offset=float(-alone * means[3] - (ALONE if has_model else ALONE_WORDS)),
    )


def _usual(parts: Scores, means: Scores, deviations: Scores) -> tuple[Scores, Scores]:
    """Each part's mean and deviation, drawn to the assumed ones while there are few texts."""
    count = parts.shape[1]
    known = count / (count + PRIOR_TEXTS)
    mean = known * (parts.mean(axis=1) if count else 0.0) + (1 - known) * means
    known = known * (1 - ASSUMED)
    variance = known * (parts.var(axis=1) if count else 0.0) + (1 - known) * deviations**2
    return mean, np.sqrt(variance)
