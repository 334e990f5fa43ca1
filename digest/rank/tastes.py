"""Things that people want, each from all that was said of it: told by words and by examples.

Tastes are compiled against the archive many at once: they are rows of a few arrays, and a score is
a number of deviations above what the archive usually has for that taste: it means the same for all
people and on all days. Used by match.py; docs/ranking.md has the formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from digest.rank.archive import Archive, Corpus, Gist
from digest.rank.lexicon import Floats, blended_length
from digest.rank.words import Ids

#: how sharply the nearest example stands out from the others
SHARPNESS = 10.0
#: examples from which on they are compared in softened space
SOFTENED_FROM = 6
#: what the parts count: by meaning …
DIRECTION, NEARNESS = 1.0, 1.0
#: … with words beside it, where the archive has titles only and where it has abstracts
WORDS_OF_TITLES, WORDS_OF_ABSTRACTS = 0.3, 1.6
#: … and by words alone
WORDS_ALONE = 1.0
#: one example by itself must stand out that much more than all together
ALONE, ALONE_WORDS = 2.0, 4.0
#: by meaning: deviations that a taste claims less for all its examples being the same, and how
#: alike examples usually are (mean cosine of two). All of a narrow field is far above the archive,
#: also what somebody who likes some of it does not like
COHESION, USUAL_COHESION = 6.0, 0.2
#: mean and deviation of each part, and of the nearest example alone, that are assumed of any taste;
#: how many texts they weigh while the archive is small, and how much of a deviation is theirs
#: whatever the archive has: what it has nothing of must not take noise for a match
PRIOR_TEXTS = 50.0
PRIOR_MEANS = (0.0, 0.0, 0.015, 0.0)
PRIOR_DEVIATIONS = (0.1, 1.2, 0.03, 0.12)
PRIOR_DEVIATIONS_WORDS = (0.1, 1.2, 0.025, 0.03)
ASSUMED = 0.5
#: by how much two ways of reckoning a claim may differ, and far more
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was said of one thing: its texts, and how much each counts (above 0)."""

    gists: tuple[Gist, ...]
    weights: tuple[float, ...]


class Tastes:
    """Compiled tastes. The score of each on a text is the greater of

    direction·meaning + nearness·near + words·(words·words) + offset   and
    alone·nearest + alone_offset

    where nearest is the likeness to the nearest example and near = log Σ share·exp(sharp·likeness).
    """

    def __init__(self, told: Sequence[Told], archive: Archive) -> None:
        self._members, self._gists = _distinct(told)
        self._first = np.array([members[0] for members in self._members], np.int64)
        self._many = [at for at, members in enumerate(self._members) if len(members) > 1]
        self._shares = {at: _shares(told[at].weights) for at in self._many}
        self._lengths = {at: self._length(at) for at in self._many}
        self._anchors = np.stack([gist.meaning for gist in self._gists])
        has_soft = any(len(self._members[at]) >= SOFTENED_FROM for at in self._many)
        self._softened = archive.space.soften(self._anchors) if has_soft else None
        self._has_model = archive.space.dimension > 0
        means, examples = self._means()
        self._directions = archive.space.toward(means, examples)
        self._measure(archive, _narrowness(means, examples))
        self._prepare()

    def score(self, corpus: Corpus) -> Floats:
        """Deviations above the usual (tastes × texts).

        Where many people are scored every pass over the array counts: what is linear is one
        product, and the rest is done in place.
        """
        cosines = self._cosines(corpus)
        words = self._words(cosines)
        claims = np.asarray(self._rows @ corpus.meanings.T)
        claims += self._offset
        far = self._may_stand_alone(claims)
        if self._has_model:
            alone = self._lone_rows[far] @ corpus.meanings.T
        else:
            alone = words[far] * self._alone[far]
        alone += self._alone_offset[far]
        words *= self._words_scale
        claims += words
        claims[far] = np.maximum(claims[far], alone)
        for at, near, nearest in self._of_many(corpus, cosines):
            claims[at] += self._scales[1, at] * near
            own = self._alone[at] * nearest + self._alone_offset[at]
            np.maximum(claims[at], own, out=claims[at])
        return claims

    def _prepare(self) -> None:
        """What is the same for all texts: an example by itself is near as it is like, so that its
        nearness goes together with the direction.
        """
        lone = np.ones((len(self._members), 1), np.float32)
        lone[self._many] = 0.0
        anchors = self._anchors[self._first]
        nearness = lone * self._scales[1] * np.float32(SHARPNESS)
        self._rows = self._scales[0] * self._directions + nearness * anchors
        self._lone_rows = self._alone * anchors
        self._words_scale = self._scales[2]
        # what a lone row has of the row, and the length of what is left
        squares = np.einsum("ij,ij->i", self._rows, self._rows)[:, np.newaxis]
        both = np.einsum("ij,ij->i", self._rows, self._lone_rows)[:, np.newaxis]
        self._along = both / np.where(squares > 0, squares, np.float32(1.0))
        left = self._lone_rows - self._along * self._rows
        self._apart = np.sqrt(np.einsum("ij,ij->i", left, left))[:, np.newaxis]

    def _may_stand_alone(self, claims: Floats) -> Ids:
        """The tastes of whose lone examples one may claim more than all parts together do.

        `claims` are without words, which only add to them. Texts have length 1 at most: for a claim
        of that much, what an example alone can claim has a bound, and it is highest at an end.
        """
        # there may be no text at all
        ends = claims.min(axis=1, initial=0.0), claims.max(axis=1, initial=0.0)
        at_ends = np.stack(ends, axis=1)
        bound = self._along * (at_ends - self._offset) + self._apart + self._alone_offset
        may = (bound > at_ends - np.float32(_ROUNDING)).any(axis=1)
        # by words alone there is nothing to be saved
        may |= not self._has_model
        may[self._many] = False
        return np.flatnonzero(may)

    def _measure(self, archive: Archive, narrowness: Floats) -> None:
        """The scales that make a score deviations above the archive's usual; columns of tastes."""
        assumed = PRIOR_DEVIATIONS if self._has_model else PRIOR_DEVIATIONS_WORDS
        parts = self._parts(archive.sample)
        usual = [_usual(*told) for told in zip(parts, PRIOR_MEANS, assumed, strict=True)]
        means, deviations = (np.array(told) for told in zip(*usual, strict=True))
        weights = archive.part_weights
        scales = (weights[:, None, None] / deviations[:3]).astype(np.float32)
        total = scales[0] * parts[0] + scales[1] * parts[1] + scales[2] * parts[2]
        total -= np.sum(scales * means[:3], axis=0)
        middle, spread = _usual(total, 0.0, float(weights.sum()))
        self._scales = (scales / spread).astype(np.float32)
        offset = -np.sum(self._scales * means[:3], axis=0) - middle / spread
        self._offset = (offset - narrowness).astype(np.float32)
        self._alone = (1.0 / deviations[3]).astype(np.float32)
        alone = ALONE if self._has_model else ALONE_WORDS
        self._alone_offset = (-self._alone * means[3] - alone).astype(np.float32)

    def _parts(self, corpus: Corpus) -> tuple[Floats, Floats, Floats, Floats]:
        """What a score is made of, before scaling: likeness to the direction, to the examples
        together, by words, and to the nearest example (each tastes × texts).
        """
        cosines = self._cosines(corpus)
        words = self._words(cosines)
        direction = np.asarray(self._directions @ corpus.meanings.T)
        if self._has_model:
            nearest = np.asarray(self._anchors[self._first] @ corpus.meanings.T)
        else:
            nearest = cosines[self._first]
        near = nearest * np.float32(SHARPNESS)
        for at, own_near, own_nearest in self._of_many(corpus, cosines):
            near[at], nearest[at] = own_near, own_nearest
        return direction, near, words, nearest

    def _cosines(self, corpus: Corpus) -> Floats:
        """By words, of each text that tastes are told by (gists × texts)."""
        return corpus.cosines([gist.words for gist in self._gists])

    def _words(self, cosines: Floats) -> Floats:
        """By words, of each taste's texts together (tastes × texts)."""
        words = np.asarray(cosines[self._first])
        for at in self._many:
            words[at] = self._shares[at] @ cosines[self._members[at]] / self._lengths[at]
        return words

    def _of_many(self, corpus: Corpus, cosines: Floats) -> Iterator[tuple[int, Floats, Floats]]:
        """Each taste of several examples: nearness to all of them, and likeness to the nearest."""
        for at in self._many:
            members = self._members[at]
            if not self._has_model:
                own = cosines[members]
            elif self._softened is not None and len(members) >= SOFTENED_FROM:
                own = np.asarray(self._softened[members] @ corpus.softened.T)
            else:
                own = np.asarray(self._anchors[members] @ corpus.meanings.T)
            near = np.zeros(own.shape[1], np.float32)
            if self._has_model:
                near = np.log(self._shares[at] @ np.exp(own * np.float32(SHARPNESS)))
            yield at, near, own.max(axis=0)

    def _means(self) -> tuple[Floats, Floats]:
        """Each taste's mean meaning, and how many equal examples its weights amount to."""
        means = self._anchors[self._first]
        examples = np.asarray(means.any(axis=1), np.float32)
        for at in self._many:
            own = self._anchors[self._members[at]]
            told = self._shares[at] * own.any(axis=1)
            sum_ = told.sum()
            means[at] = told @ own / sum_ if sum_ > 0 else 0.0
            examples[at] = sum_**2 / (told @ told) if sum_ > 0 else 0.0
        return means, examples

    def _length(self, at: int) -> np.float32:
        """By what the blend of a taste's words is too long; 1 when it has none."""
        vectors = [self._gists[member].words for member in self._members[at]]
        return np.float32(blended_length(vectors, self._shares[at]) or 1.0)


def _distinct(told: Sequence[Told]) -> tuple[list[list[int]], list[Gist]]:
    """The places of each taste's gists in a list without doubles, and that list."""
    places: dict[int, int] = {}
    gists: list[Gist] = []
    members = []
    for taste in told:
        for gist in taste.gists:
            if places.setdefault(id(gist), len(gists)) == len(gists):
                gists.append(gist)
        members.append([places[id(gist)] for gist in taste.gists])
    return members, gists


def _shares(weights: Sequence[float]) -> Floats:
    told = np.array(weights, np.float32)
    return np.asarray(told / told.sum(), np.float32)


def _narrowness(means: Floats, examples: Floats) -> Floats:
    """The deviations by which each taste would claim too much (tastes × 1): its examples are more
    alike than usual. Below 0 where they are less alike; 0 for one example, and without a model.

    A mean's square is the mean cosine of all pairs of examples; of these the share `itself` are an
    example with itself, which tells nothing.
    """
    itself = 1.0 / np.maximum(examples, np.float32(1.0))
    alike = np.maximum(np.einsum("ij,ij->i", means, means) - itself, 0.0)
    narrowness = COHESION * (alike - USUAL_COHESION * (1.0 - itself))
    return np.asarray(narrowness, np.float32)[:, np.newaxis]


def _usual(part: Floats, mean: float, deviation: float) -> tuple[Floats, Floats]:
    """Means and deviations of rows, drawn to the assumed ones while there are few texts.

    As columns (tastes × 1).
    """
    count = part.shape[1]
    known = np.float32(count / (count + PRIOR_TEXTS))
    seen = part.mean(axis=1, keepdims=True) if count else np.zeros((len(part), 1), np.float32)
    varied = part.var(axis=1, keepdims=True) if count else np.zeros((len(part), 1), np.float32)
    drawn = known * seen + (1 - known) * np.float32(mean)
    known = known * np.float32(1 - ASSUMED)
    variance = known * varied + (1 - known) * np.float32(deviation**2)
    return drawn, np.sqrt(variance)
