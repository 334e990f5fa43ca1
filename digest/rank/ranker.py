"""The ranker: what the archive says about words, and pools made from it.

One Ranker serves every command; make it once a day from recent archive texts. It keeps no clock,
no store and no person. Used by digest/edition.py, the pages and the commands.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from digest.model import Candidate
from digest.rank.lexicon import Lexicon, Postings, WordVector, count_words
from digest.rank.pool import Pool
from digest.rank.settings import RankSettings

#: texts whose vectors are kept at hand: a few days' candidates and everyone's likes
REMEMBERED = 20_000
#: archive texts that a match must stand out from; more change nothing in the second digit
CALIBRATION_TEXTS = 1_500

Text = tuple[str, str]


class Ranker:
    """Ranks candidates for profiles; made by `lexical`, which needs no weights on disk."""

    def __init__(
        self, lexicon: Lexicon, background: Sequence[WordVector], settings: RankSettings
    ) -> None:
        self.settings = settings
        self._lexicon = lexicon
        self._background = Postings(background)
        self._remembered: OrderedDict[Text, WordVector] = OrderedDict()

    @classmethod
    def lexical(cls, background: Sequence[Text], settings: RankSettings | None = None) -> Ranker:
        """A ranker by words alone.

        `background` is (title, abstract) of recent archive items, in any number: they say which
        words are common and which scores stand out. Day one may have none.
        """
        counted = [count_words(title, abstract) for title, abstract in background]
        lexicon = Lexicon()
        lexicon.add(counted)
        # evenly spread, so that the sample does not depend on how the archive is sorted
        step = max(len(counted) // CALIBRATION_TEXTS, 1)
        sample = [lexicon.weigh(words) for words in counted[::step]]
        return cls(lexicon, sample, settings or RankSettings())

    def pool(self, candidates: Sequence[Candidate], *, now: datetime) -> Pool:
        """Prepare a day's candidates; the pool then serves every person."""
        return Pool(
            candidates,
            now=now,
            settings=self.settings,
            vectorise=self.vectorise,
            background=self._background,
        )

    def vectorise(self, title: str, abstract: str) -> WordVector:
        """A text's word vector; recent ones are remembered."""
        known = self._remembered.get((title, abstract))
        if known is not None:
            return known
        vector = self._lexicon.weigh(count_words(title, abstract))
        self._remembered[title, abstract] = vector
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return vector

    def similar(
        self, query: Text, texts: Sequence[Text], limit: int = 10
    ) -> tuple[tuple[int, float], ...]:
        """The texts most like a query: (place in `texts`, likeness 0…1), best first."""
        found = Postings([self.vectorise(*text) for text in texts])
        likeness = found.cosines(self.vectorise(*query))
        best = sorted(range(len(texts)), key=lambda i: (-likeness[i], i))[:limit]
        return tuple((i, min(float(likeness[i]), 1.0)) for i in best if likeness[i] > 0)
