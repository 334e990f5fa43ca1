"""The archive as ranking needs it: texts near a text, and a sample that scores must stand out from.

A short text is read together with the archive's texts most like it, so that it can be found by
words it does not have itself. Knows nothing of people; made once a day by Ranker.
Source: smoothing documents by their neighbours, Tao, Wang, Mei, Zhai, "Language Model Information
Retrieval with Document Expansion", NAACL 2006.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from digest.rank.lexicon import Floats, Postings, Remembering, WordVector, blend, strongest
from digest.rank.space import Space, unit_rows
from digest.rank.words import Ids

#: archive texts that a score must stand out from; more change nothing that is seen
SAMPLE_TEXTS = 600
#: neighbours by words and by meaning, and how much they count beside the text itself
WORD_NEIGHBOURS, WORD_SHARE = 20, 0.7
MEANING_NEIGHBOURS, MEANING_SHARE = 10, 0.5
#: words that a text takes from its neighbours at most: what many light words say counts too
BORROWED_WORDS = 1_000
#: what is more like than this is the text itself
ITSELF = 0.999
_BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Gist:
    """What a text is about, as written."""

    words: WordVector
    #: (d,), centred, length 1; zeros when the model says nothing, no columns without a model
    meaning: Floats


class Corpus:
    """Many texts, each read together with its neighbours, ready to be scored."""

    def __init__(self, words: Sequence[WordVector], meanings: Floats, space: Space) -> None:
        self._words = Remembering(words)
        #: n × d, column by column: so a product reads them
        self.meanings = np.asfortranarray(meanings)
        #: the same, softened
        self.softened = np.asfortranarray(space.soften(meanings))

    def __len__(self) -> int:
        return len(self.meanings)

    def cosines(self, vectors: Sequence[WordVector]) -> Floats:
        """The cosine of some texts' words with those of every text here (vectors × n)."""
        return self._words.cosines_many(vectors)


class Archive:
    """Archive texts by words and by meaning; `meanings` are centred rows (n × d).

    `part_weights` say what direction, nearness and words count in a taste's score.
    """

    def __init__(
        self,
        words: Sequence[WordVector],
        meanings: Floats,
        space: Space,
        part_weights: NDArray[np.float64],
    ) -> None:
        self.space = space
        self.part_weights = part_weights
        self._words = words
        self._postings = Postings(words)
        self._meanings = meanings
        # evenly spread, so that the sample does not depend on how the archive is sorted
        rows = range(0, len(words), max(len(words) // SAMPLE_TEXTS, 1))
        self.sample = self.corpus([words[row] for row in rows], meanings[list(rows)])

    def corpus(self, words: Sequence[WordVector], meanings: Floats) -> Corpus:
        """Texts read together with the archive's texts most like each."""
        return Corpus([self._widen(v) for v in words], self._draw(meanings), self.space)

    def _widen(self, vector: WordVector) -> WordVector:
        """A text's words with those that texts like it have."""
        rows, likeness = _nearest(self._postings.cosines(vector), WORD_NEIGHBOURS)
        if not rows.size:
            return vector
        near = strongest(blend([self._words[row] for row in rows], likeness), BORROWED_WORDS)
        return blend([vector, near], [1.0, WORD_SHARE])

    def _draw(self, meanings: Floats) -> Floats:
        """Meanings drawn towards the mean of those like each."""
        drawn = meanings.copy()
        for at, likeness in self._meaning_likeness(meanings):
            rows, weights = _nearest(likeness, MEANING_NEIGHBOURS)
            if rows.size:
                near = unit_rows((weights @ self._meanings[rows])[None])[0]
                drawn[at] += np.float32(MEANING_SHARE) * near
        return unit_rows(drawn)

    def _meaning_likeness(self, meanings: Floats) -> Iterator[tuple[int, Floats]]:
        if not meanings.shape[1]:
            return
        for start in range(0, len(meanings), _BLOCK):
            block = meanings[start : start + _BLOCK] @ self._meanings.T
            yield from enumerate(block, start)


def _nearest(likeness: Floats, count: int) -> tuple[Ids, Floats]:
    """The rows most like something, itself left out, and how like they are."""
    near = np.where(likeness > ITSELF, 0.0, likeness)
    rows = np.argpartition(-near, count)[:count] if len(near) > count else np.arange(len(near))
    rows = np.sort(rows[near[rows] > 0])
    return rows, near[rows].astype(np.float32)
