"""Which of the candidates have a phrase in them: looked up by its words, then read to be sure.

A phrase's words stand in a text as they are or it is not there, so only texts that have them all
are searched. The same phrase is asked for by many people. Used by match.py and Pool.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Sequence

import numpy as np

from digest.rank.rules import ItemText, phrase_words
from digest.rank.words import Ids

_REMEMBERED = 50_000
_NOWHERE = np.zeros(0, np.int64)


class Phrases:
    """The rows that phrases stand in."""

    def __init__(self, texts: Sequence[ItemText]) -> None:
        self._texts = texts
        self._by_word: dict[str, set[int]] | None = None
        self._known: OrderedDict[str, Ids] = OrderedDict()

    def rows(self, phrase: str) -> Ids:
        """The rows, rising, whose title, abstract or categories have the phrase."""
        found = self._known.get(phrase)
        if found is None:
            near = self._near(phrase)
            found = np.array([row for row in near if self._texts[row].has(phrase)], np.int64)
            self._known[phrase] = found
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def rows_of_any(self, phrases: Sequence[str]) -> Ids:
        """The rows that have one of the phrases; with a row as often as it has one."""
        return np.concatenate([self.rows(phrase) for phrase in phrases]) if phrases else _NOWHERE

    def _near(self, phrase: str) -> Sequence[int]:
        words = phrase_words(phrase)
        if not words:
            return range(len(self._texts))
        if self._by_word is None:
            self._by_word = defaultdict(set)
            for row, text in enumerate(self._texts):
                for word in text.words():
                    self._by_word[word].add(row)
        nowhere: set[int] = set()
        found = [self._by_word.get(word, nowhere) for word in words]
        return sorted(found[0].intersection(*found[1:]))
