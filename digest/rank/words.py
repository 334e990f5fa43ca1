"""Texts into words and word numbers: Unicode, LaTeX, Chinese and Arabic included.

A word number is a hash of the word's stem, the same in every process, so no vocabulary is kept.
Used by everything in digest/rank that looks at text; knows nothing of weights.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from digest.rank.stem import stem

#: word numbers lie below this; 2**20 keeps a count per number at 4 MB
BUCKETS = 1 << 20
#: an abstract longer than this says nothing new about what the paper is on
CHARACTERS_MAX = 12_000

Ids = NDArray[np.int64]

# Runs of Chinese, Japanese and Korean have no spaces: their pairs of signs serve as words.
_DENSE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORD = re.compile(rf"[{_DENSE}]+|[^\W_{_DENSE}]+")
_DENSE_RUN = re.compile(rf"[{_DENSE}]")
# LaTeX commands that only dress a text; others (\alpha, \nabla) are kept as words.
_DRESS = re.compile(
    r"\\(?:text|math)(?:it|bf|rm|sc|tt|sf|cal|bb|frak|normal|up)?\b|\\(?:emph|left|right|frac|sqrt"
    r"|operatorname|mbox|url|href|cite|ref|label|begin|end|footnote|underline|it|bf|em|rm)\b"
)
_STOP = frozenset(
    "a about above after again against all also am an and any are as at based be because been "
    "before being below between both but by can cannot could did do does doing down during each "
    "et al few for from further had has have having he her here hers him his how however i if in "
    "into is it its itself just may me might more most must my no nor not of off on once only or "
    "other our ours out over own paper per same she should show shows so some such than that the "
    "their theirs them then there these they this those through thus to too towards toward under "
    "until up upon us use used using very via was we well were what when where whether which while "
    "who whom why will with within without would yet you your yours propose proposed present "
    "presents introduce introduces novel".split()
)


def split_words(text: str) -> list[str]:
    """The words of a text in order, case-folded, LaTeX dress removed; nothing is left out.

    A run of Chinese, Japanese or Korean signs gives its pairs (a lone sign gives itself).
    """
    plain = text[:CHARACTERS_MAX]
    if "\\" in plain:
        plain = _DRESS.sub(" ", plain)
    if plain.isascii():
        return _WORD.findall(plain.lower())
    folded = unicodedata.normalize("NFKC", plain).casefold()
    words: list[str] = []
    for word in _WORD.findall(folded):
        if len(word) > 2 and _DENSE_RUN.match(word):
            words += [word[i : i + 2] for i in range(len(word) - 1)]
        else:
            words.append(word)
    return words


@lru_cache(maxsize=200_000)
def word_id(word: str) -> int:
    """The number of a word's stem; -1 for a stop word or a lone Latin letter or digit."""
    if word in _STOP or (len(word) == 1 and word.isascii()):
        return -1
    return crc32(stem(word).encode()) % BUCKETS


def pair_ids(left: Ids, right: Ids) -> Ids:
    """The numbers of pairs of neighbouring words, from the words' own."""
    # a multiplicative hash (Knuth's constant), so that "a b" and "b a" differ
    return (left * 2654435761 + right * 40503 + 12345) % BUCKETS


def phrase_of(text: str) -> tuple[str, ...]:
    """A phrase as its case-folded words, for exact matching on word boundaries."""
    return tuple(split_words(text))


def plain_title(title: str) -> tuple[str, ...]:
    """The words of a title in a form that is equal for equal titles; () when it has no words."""
    return tuple(split_words(title))
