"""How like two texts are, by words and by meaning together: for variety, similar items, reasons.

Unlike a taste's score it is about two texts only, and asks nothing of the archive. Used by Pool.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from digest.rank.archive import Gist
from digest.rank.lexicon import Floats, Remembering


class Gists:
    """The gists of some texts, in order, and how like other texts they are."""

    def __init__(self, gists: Sequence[Gist], dimension: int) -> None:
        self._gists = gists
        self.words = [gist.words for gist in gists]
        #: n × d
        self.meanings = np.zeros((len(gists), dimension), np.float32)
        for row, gist in enumerate(gists):
            self.meanings[row] = gist.meaning
        self._postings = Remembering(self.words)

    def __getitem__(self, row: int) -> Gist:
        return self._gists[row]

    def likeness(self, gist: Gist) -> Floats:
        """How like each text is to that one, 0…1 (n,)."""
        return np.asarray(self.likeness_many([gist])[0])

    def likeness_many(self, gists: Sequence[Gist]) -> Floats:
        """How like each text is to each of those, 0…1 (gists × n)."""
        words = self._postings.cosines_many([gist.words for gist in gists])
        if not gists or not self.meanings.shape[1]:
            return words
        meanings = np.stack([gist.meaning for gist in gists]) @ self.meanings.T
        return np.asarray((words + np.maximum(meanings, 0.0)) / 2, np.float32)
