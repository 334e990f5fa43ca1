"""Reading texts: words weighed by the archive, meanings by the model when there is one.

What was read lately is remembered, since the same items and likes come up for many people.
Used by Ranker, which shares it with pools and profiles; safe to use from several threads.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from digest.errors import ModelError
from digest.rank.archive import Gist
from digest.rank.lexicon import Floats, Lexicon, WordCounts, WordVector, count_many, count_words
from digest.rank.space import Space

Text: TypeAlias = tuple[str, str]
Embed: TypeAlias = Callable[[Sequence[Text]], Floats]

#: texts kept at hand: a few days' candidates and everyone's likes
REMEMBERED = 20_000


def embed_nothing(texts: Sequence[Text]) -> Floats:
    """The embedding of a program without a model: rows without columns."""
    return np.zeros((len(texts), 0), np.float32)


def embed_rows(embed: Embed, texts: Sequence[Text], dimension: int | None = None) -> Floats:
    """The model's rows, one for each text. Raises ModelError when it gave another shape."""
    rows = np.asarray(embed(texts), np.float32) if texts else np.zeros((0, dimension or 0))
    wanted = (len(texts), rows.shape[-1] if dimension is None else dimension)
    if rows.shape != wanted:
        raise ModelError(
            f"the embedding model gave vectors of shape {rows.shape}, expected {wanted}; was the"
            " model changed? Start again, so that all texts are read by one model"
        )
    return rows.astype(np.float32)


class Reader:
    """Reads texts as one archive understands them."""

    def __init__(self, lexicon: Lexicon, space: Space, embed: Embed) -> None:
        self._lexicon = lexicon
        self._space = space
        self._embed = embed
        self._remembered: OrderedDict[Text, Gist] = OrderedDict()

    @property
    def dimension(self) -> int:
        """Columns of a meaning; 0 without a model."""
        return self._space.dimension

    def words(self, title: str, abstract: str = "") -> WordVector:
        """A text's words alone."""
        return self._lexicon.weigh(count_words(title, abstract))

    def read(self, texts: Sequence[Text]) -> list[Gist]:
        """What each text is about; the model is asked once for all that are new."""
        found = {text: gist for text in texts if (gist := self._remembered.get(text)) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in found]
        rows = self._space.centre(embed_rows(self._embed, new, self.dimension))
        # papers come up again; what a person said is short, and only asked for that person
        papers = [text for text in new if text[1]]
        said = [text for text in new if not text[1]]
        words = self._weigh(papers, [count_words(*text) for text in papers])
        words |= self._weigh(said, count_many(said))
        for text, row in zip(new, rows, strict=True):
            found[text] = Gist(words=words[text], meaning=row)
        self._remembered |= {text: found[text] for text in papers}
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return [found[text] for text in texts]

    def _weigh(
        self, texts: Sequence[Text], counted: Sequence[WordCounts]
    ) -> dict[Text, WordVector]:
        return dict(zip(texts, self._lexicon.weigh_many(counted), strict=True))
