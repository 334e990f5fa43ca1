"""How much each word says: TF-IDF over stems and stem pairs, counted from the archive.

Lexicon counts in how many texts a word number occurred (constant memory, constant cost per text);
a WordVector is one text's weights; Postings finds, for a vector, its cosine with many texts.
Pure NumPy; used by Ranker and Pool only.
Source: sublinear TF and smoothed IDF, Manning, Raghavan, Schütze, "Introduction to Information
Retrieval", 2008, chapter 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.rank.words import BUCKETS, Ids, pair_ids, word_ids

Floats = NDArray[np.float32]

#: what a word that every text has still weighs
LEAST = 0.1
#: a word that the archive never had is mostly a chance pair of words: it must not outweigh the rest
UNHEARD = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class WordCounts:
    """The distinct word numbers of one text, rising, and how often each occurs."""

    ids: Ids
    counts: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class WordVector:
    """A text's weights by word number; ids rise, the weights' length is 1 (or no ids at all)."""

    ids: Ids
    weights: Floats

    @property
    def is_empty(self) -> bool:
        return self.ids.size == 0


NOTHING = WordVector(ids=np.zeros(0, np.int64), weights=np.zeros(0, np.float32))


def count_words(title: str, abstract: str = "") -> WordCounts:
    """Count the stems and stem pairs of a text; the title's count twice where both are there."""
    parts = [word_ids(title), word_ids(abstract)]
    numbers = [ids for part in parts for ids in (part[part >= 0], pair_ids(part))]
    if abstract:
        numbers += numbers[:2]
    ids, counts = np.unique(np.concatenate(numbers), return_counts=True)
    return WordCounts(ids=ids, counts=counts.astype(np.float32))


def cosine(one: WordVector, other: WordVector) -> float:
    """The cosine of two texts' weights, 0…1."""
    _, mine, theirs = np.intersect1d(one.ids, other.ids, assume_unique=True, return_indices=True)
    return min(float(one.weights[mine] @ other.weights[theirs]), 1.0)


def blend(vectors: Sequence[WordVector], weights: Sequence[float] | Floats) -> WordVector:
    """The weighted sum of vectors, brought back to length 1."""
    if not vectors:
        return NOTHING
    ids = np.concatenate([v.ids for v in vectors])
    values = np.concatenate([v.weights * w for v, w in zip(vectors, weights, strict=True)])
    distinct, place = np.unique(ids, return_inverse=True)
    summed = np.bincount(place, values, minlength=distinct.size).astype(np.float32)
    return _normalise(distinct, summed)


def strongest(vector: WordVector, count: int) -> WordVector:
    """A vector without all but its `count` heaviest words, brought back to length 1."""
    if vector.ids.size <= count:
        return vector
    kept = np.sort(np.argsort(-vector.weights, kind="stable")[:count])
    return _normalise(vector.ids[kept], vector.weights[kept])


def _normalise(ids: Ids, weights: Floats) -> WordVector:
    length = float(np.sqrt(weights @ weights))
    if not length > 0:
        return NOTHING
    return WordVector(ids=ids, weights=(weights / length).astype(np.float32))


class Lexicon:
    """Document frequencies of a growing archive."""

    def __init__(self) -> None:
        self._texts = 0
        self._frequency = np.zeros(BUCKETS, np.int32)

    @property
    def texts(self) -> int:
        """How many texts were counted."""
        return self._texts

    def add(self, counted: Iterable[WordCounts]) -> None:
        """Count further texts; the cost does not depend on how many are known."""
        for words in counted:
            self._texts += 1
            self._frequency[words.ids] += 1

    def weigh(self, words: WordCounts) -> WordVector:
        """A text's TF-IDF weights, length 1; the empty vector for a text without words."""
        frequency = self._frequency[words.ids]
        idf = np.maximum(np.log((self._texts + 1.0) / (frequency + 0.5)), LEAST)
        idf = np.where(frequency == 0, idf * UNHEARD, idf)
        weights = (1.0 + np.log(words.counts)) * idf
        return _normalise(words.ids, weights.astype(np.float32))


class Postings:
    """Many texts' vectors, turned around: for each word number, the texts that have it."""

    def __init__(self, vectors: Sequence[WordVector]) -> None:
        self.size = len(vectors)
        sizes = [v.ids.size for v in vectors]
        ids = np.concatenate([v.ids for v in vectors]) if vectors else np.zeros(0, np.int64)
        weights = [v.weights for v in vectors] or [np.zeros(0, np.float32)]
        order = np.argsort(ids, kind="stable")
        self._texts = np.repeat(np.arange(self.size), sizes)[order]
        self._weights = np.concatenate(weights)[order]
        self._ids, starts = np.unique(ids[order], return_index=True)
        self._starts = np.append(starts, ids.size)

    def cosines(self, vector: WordVector) -> Floats:
        """The cosine of a vector with every text (n texts, each 0…1 for non-negative weights)."""
        if vector.is_empty or self._ids.size == 0:
            return np.zeros(self.size, np.float32)
        place = np.minimum(np.searchsorted(self._ids, vector.ids), self._ids.size - 1)
        known = self._ids[place] == vector.ids
        starts, ends = self._starts[place[known]], self._starts[place[known] + 1]
        lengths = ends - starts
        # the postings of all words behind each other: starts repeated plus a running offset
        offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        rows = np.repeat(starts, lengths) + offsets
        values = self._weights[rows] * np.repeat(vector.weights[known], lengths)
        return np.bincount(self._texts[rows], values, minlength=self.size).astype(np.float32)
