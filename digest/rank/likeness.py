"""How like two texts are, by words and by meaning together: for variety, similar items, reasons.

Unlike a taste's score it is about two texts only, and asks nothing of the archive. Used by Pool.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from digest.rank.archive import Gist
from digest.rank.lexicon import Floats, Postings, cosine
from digest.rank.words import Ids


def like(one: Gist, other: Gist) -> float:
    """How like two texts are, 0…1."""
    words = cosine(one.words, other.words)
    if not one.meaning.size:
        return words
    return (words + max(float(one.meaning @ other.meaning), 0.0)) / 2


class Gists:
    """The gists of some texts, in order, and their likeness to a text and among each other."""

    def __init__(self, gists: Sequence[Gist], dimension: int) -> None:
        self._gists = gists
        self.words = [gist.words for gist in gists]
        #: n × d
        self.meanings = np.zeros((len(gists), dimension), np.float32)
        for row, gist in enumerate(gists):
            self.meanings[row] = gist.meaning
        self._postings = Postings(self.words)

    def __getitem__(self, row: int) -> Gist:
        return self._gists[row]

    def likeness(self, gist: Gist) -> Floats:
        """How like each text is to that one (n,), as by `like`."""
        return _together(self._postings.cosines(gist.words), self.meanings, gist)

    def among(self, rows: Ids) -> Floats:
        """How like some of the texts are to each other (rows × rows)."""
        few = Postings([self.words[row] for row in rows])
        meanings = self.meanings[rows]
        likeness = [
            _together(few.cosines(self.words[row]), meanings, self._gists[row]) for row in rows
        ]
        return np.array(likeness, np.float32)


def _together(words: Floats, meanings: Floats, gist: Gist) -> Floats:
    if not gist.meaning.size:
        return words
    return np.asarray((words + np.maximum(meanings @ gist.meaning, 0.0)) / 2, np.float32)
