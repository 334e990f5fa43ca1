"""How much each word says: TF-IDF over stems and stem pairs, counted from the archive.

Lexicon counts in how many texts a word number occurred (constant memory, constant cost per text);
a WordVector is one text's weights; Postings finds, for a vector, its cosine with many texts.
Pure NumPy; used by Ranker and Pool only.
Source: TF that saturates as in BM25 and smoothed IDF, Manning, Raghavan, Schütze, "Introduction to
Information Retrieval", 2008, chapters 6 and 11.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from digest.rank.words import BUCKETS, Ids, pair_ids, split_words, word_id

Floats = NDArray[np.float32]

#: what a word that every text has still weighs
LEAST = 0.1
#: a word that occurs so often weighs half of what it can: repeating says ever less
SATURATION = 2.0
#: a word that the archive never had is mostly a chance pair of words: it must not outweigh the rest
UNHEARD = 0.3
#: texts whose words are kept, some 3 KB each: an archive's sample and the candidates
_COUNTED_MAX = 6_000
#: vectors that are looked up together: more would fill the caches with their postings
_VECTORS = 128
#: a text that has a word, and what it weighs there: read together, they are fetched once
_ENTRY = np.dtype([("text", np.int32), ("weight", np.float32)])
#: words of a text that is worth remembering, and so many texts are
_LONG, _KNOWN_MAX = 40, 4_000


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


@lru_cache(maxsize=_COUNTED_MAX)
def count_words(title: str, abstract: str = "") -> WordCounts:
    """Count the stems and stem pairs of a text; the title's count twice where both are there.

    Remembered: an archive that has grown by a day is counted anew, and is mostly the same.
    """
    return count_many([(title, abstract)])[0]


def count_many(texts: Sequence[tuple[str, str]]) -> list[WordCounts]:
    """The same for many texts at once, and nothing is remembered."""
    ids: list[int] = []
    sizes = []
    for title, abstract in texts:
        before = len(ids)
        for piece in (title, title, abstract) if abstract else (title,):
            ids += map(word_id, split_words(piece))
            # no pair goes from one piece to the next
            ids.append(-1)
        sizes.append(len(ids) - before)
    told = np.array(ids, np.int64)
    owners = np.repeat(np.arange(len(texts)) * BUCKETS, sizes)
    known = told >= 0
    pairs = np.flatnonzero(known[:-1] & known[1:])
    paired = owners[pairs] + pair_ids(told[pairs], told[pairs + 1])
    numbers = np.concatenate([(owners + told)[known], paired])
    numbers.sort()
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    counts = np.diff(starts, append=numbers.size).astype(np.float32)
    numbers = numbers[starts]
    ends = np.searchsorted(numbers, np.arange(1, len(texts) + 1) * BUCKETS).tolist()
    numbers %= BUCKETS
    return [
        WordCounts(ids=numbers[start:end], counts=counts[start:end])
        for start, end in pairwise([0, *ends])
    ]


def blended_length(vectors: Sequence[WordVector], weights: Floats) -> float:
    """The length that `blend` takes away."""
    ids = np.concatenate([v.ids for v in vectors])
    values = np.concatenate([v.weights * w for v, w in zip(vectors, weights, strict=True)])
    _, place = np.unique(ids, return_inverse=True)
    summed = np.bincount(place, values)
    return float(np.sqrt(summed @ summed))


def blend(vectors: Sequence[WordVector], weights: Sequence[float] | Floats) -> WordVector:
    """The weighted sum of vectors, brought back to length 1."""
    if not vectors:
        return NOTHING
    ids = np.concatenate([v.ids for v in vectors])
    values = np.concatenate([v.weights * w for v, w in zip(vectors, weights, strict=True)])
    distinct, place = np.unique(ids, return_inverse=True)
    summed = np.bincount(place, values, minlength=distinct.size).astype(np.float32)
    return _normalise(distinct, summed)


def cosines(vector: WordVector, others: Sequence[WordVector]) -> Floats:
    """The cosine of one vector with each of some others, asked once; see Postings for more."""
    found = np.zeros(len(others), np.float32)
    if vector.ids.size and others:
        ids = np.concatenate([other.ids for other in others])
        weights = np.concatenate([other.weights for other in others])
        owners = np.repeat(np.arange(len(others)), [other.ids.size for other in others])
        place = np.minimum(np.searchsorted(vector.ids, ids), vector.ids.size - 1)
        shared = vector.ids[place] == ids
        np.add.at(found, owners, np.where(shared, weights * vector.weights[place], 0.0))
    return found


def strongest(vector: WordVector, count: int) -> WordVector:
    """A vector without all but its `count` heaviest words, brought back to length 1."""
    if vector.ids.size <= count:
        return vector
    bar = np.partition(vector.weights, -count)[-count]
    is_kept = vector.weights > bar
    equals = np.flatnonzero(vector.weights == bar)
    is_kept[equals[: count - np.count_nonzero(is_kept)]] = True
    return _normalise(vector.ids[is_kept], vector.weights[is_kept])


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
        return self.weigh_many([words])[0]

    def weigh_many(self, texts: Sequence[WordCounts]) -> list[WordVector]:
        """The weights of several texts."""
        if not texts:
            return []
        ids = np.concatenate([words.ids for words in texts])
        counts = np.concatenate([words.counts for words in texts])
        frequency = self._frequency[ids]
        idf = np.maximum(np.log((self._texts + 1.0) / (frequency + 0.5)), LEAST)
        idf[frequency == 0] *= UNHEARD
        weights = counts / (counts + SATURATION) * idf
        sizes = [words.ids.size for words in texts]
        owners = np.repeat(np.arange(len(texts)), sizes)
        lengths = np.sqrt(np.bincount(owners, weights * weights, minlength=len(texts)))
        shares = (weights / lengths[owners]).astype(np.float32)
        ends = np.cumsum(sizes).tolist()
        return [
            WordVector(ids=words.ids, weights=shares[start:end])
            for words, (start, end) in zip(texts, pairwise([0, *ends]), strict=True)
        ]


class Postings:
    """Many texts' vectors, turned around: for each word number, the texts that have it."""

    def __init__(self, vectors: Sequence[WordVector]) -> None:
        self.size = len(vectors)
        sizes = [v.ids.size for v in vectors]
        ids = np.concatenate([NOTHING.ids, *(v.ids for v in vectors)])
        weights = np.concatenate([NOTHING.weights, *(v.weights for v in vectors)])
        order = np.argsort(ids, kind="stable")
        self._entries = np.empty(ids.size, _ENTRY)
        self._entries["text"] = np.repeat(np.arange(self.size), sizes)[order]
        self._entries["weight"] = weights[order]
        # where each word number's entries begin: a search would cost more than finding them
        self._starts = np.zeros(BUCKETS + 1, np.int32)
        np.cumsum(np.bincount(ids, minlength=BUCKETS), out=self._starts[1:], dtype=np.int32)

    def cosines(self, vector: WordVector) -> Floats:
        """The cosine of a vector with every text (n texts, each 0…1 for non-negative weights)."""
        return np.asarray(self.cosines_many([vector])[0])

    def cosines_many(self, vectors: Sequence[WordVector]) -> Floats:
        """The cosines of vectors with every text (vectors × texts)."""
        found = np.zeros((len(vectors), self.size), np.float32)
        for start in range(0, len(vectors), _VECTORS):
            self._add(vectors[start : start + _VECTORS], found[start : start + _VECTORS])
        return found

    def _add(self, vectors: Sequence[WordVector], found: Floats) -> None:
        """Add the cosines of vectors to lines of zeros."""
        ids = np.concatenate([v.ids for v in vectors])
        weights = np.concatenate([v.weights for v in vectors])
        lines = np.repeat(np.arange(len(vectors)) * self.size, [v.ids.size for v in vectors])
        starts = self._starts[ids]
        lengths = self._starts[ids + 1] - starts
        # the entries of all words behind each other: starts repeated plus a running offset
        ends = np.cumsum(lengths)
        places = np.repeat(starts - (ends - lengths), lengths)
        places += np.arange(places.size)
        entries = self._entries.take(places)
        cells = np.repeat(lines, lengths)
        cells += entries["text"]
        np.add.at(found.ravel(), cells, entries["weight"] * np.repeat(weights, lengths))


class Remembering(Postings):
    """Postings that remember what long texts came to: they are papers that many people liked."""

    def __init__(self, vectors: Sequence[WordVector]) -> None:
        super().__init__(vectors)
        #: (its words, its row)
        self._known: OrderedDict[int, tuple[WordVector, Floats]] = OrderedDict()

    def cosines_many(self, vectors: Sequence[WordVector]) -> Floats:
        """The cosines of vectors with every text (vectors × texts)."""
        # looked up once: another thread may forget it meanwhile
        known = {
            at: self._known.get(id(vector))
            for at, vector in enumerate(vectors)
            if vector.ids.size > _LONG
        }
        asked = [NOTHING if known.get(at) else vector for at, vector in enumerate(vectors)]
        found = super().cosines_many(asked)
        for at, had in known.items():
            if had is not None:
                found[at] = had[1]
            else:
                self._known[id(vectors[at])] = vectors[at], found[at].copy()
        while len(self._known) > _KNOWN_MAX:
            self._known.popitem(last=False)
        return found
