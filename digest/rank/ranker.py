"""The ranker: what the archive says about words and meanings, and pools made from it.

One Ranker serves every command; make it once a day from recent archive texts. It keeps no clock,
no store and no person. Used by digest/edition.py, the pages and the commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from digest.model import Candidate
from digest.rank.archive import Archive
from digest.rank.lexicon import Lexicon, cosines, count_words
from digest.rank.pool import Pool
from digest.rank.reader import Embed, Reader, Text, embed_nothing, embed_rows
from digest.rank.settings import RankSettings
from digest.rank.space import Space
from digest.rank.tastes import (
    DIRECTION,
    NEARNESS,
    WORDS_ALONE,
    WORDS_OF_ABSTRACTS,
    WORDS_OF_TITLES,
)


class Ranker:
    """Ranks candidates for profiles; made by `lexical`, or by `semantic` with a model."""

    def __init__(
        self, background: Sequence[Text], embed: Embed, settings: RankSettings | None
    ) -> None:
        self.settings = settings or RankSettings()
        counted = [count_words(title, abstract) for title, abstract in background]
        lexicon = Lexicon()
        lexicon.add(counted)
        # an empty archive says nothing of the model's dimension, an empty text does
        rows = embed_rows(embed, background or [("", "")])[: len(background)]
        space = Space(rows)
        self.reader = Reader(lexicon, space, embed)
        self.archive = Archive(
            lexicon.weigh_many(counted),
            space.centre(rows),
            space,
            _part_weights(background, has_model=space.dimension > 0),
        )

    @classmethod
    def lexical(cls, background: Sequence[Text], settings: RankSettings | None = None) -> Ranker:
        """A ranker by words alone, which needs no weights on disk.

        `background` is (title, abstract) of recent archive items, in any number: they say which
        words are common and which scores stand out. Day one may have none.
        """
        return cls(background, embed_nothing, settings)

    @classmethod
    def semantic(
        cls, background: Sequence[Text], embed: Embed, settings: RankSettings | None = None
    ) -> Ranker:
        """A ranker by words and by meaning.

        `embed` gives a row of length 1 for each (title, abstract), always of the same dimension;
        a row that is not finite counts as unknown. Raises ModelError for another shape.
        """
        return cls(background, embed, settings)

    def pool(self, candidates: Sequence[Candidate], *, now: datetime) -> Pool:
        """Prepare a day's candidates; the pool then serves every person."""
        return Pool(
            candidates,
            now=now,
            settings=self.settings,
            reader=self.reader,
            archive=self.archive,
        )

    def similar(
        self, query: Text, texts: Sequence[Text], limit: int = 10
    ) -> tuple[tuple[int, float], ...]:
        """The texts most like a query by words: (place in `texts`, likeness 0…1), best first."""
        likeness = cosines(self.reader.words(*query), [self.reader.words(*t) for t in texts])
        best = sorted(range(len(texts)), key=lambda i: (-likeness[i], i))[:limit]
        return tuple((i, min(float(likeness[i]), 1.0)) for i in best if likeness[i] > 0)


def _part_weights(background: Sequence[Text], *, has_model: bool) -> NDArray[np.float64]:
    """What direction, nearness and words count: words say less where there are titles only."""
    if not has_model:
        return np.array([0.0, 0.0, WORDS_ALONE])
    told = sum(bool(abstract.strip()) for _, abstract in background) / max(len(background), 1)
    words = WORDS_OF_TITLES + (WORDS_OF_ABSTRACTS - WORDS_OF_TITLES) * told
    return np.array([DIRECTION, NEARNESS, words])
