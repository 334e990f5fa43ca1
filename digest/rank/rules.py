"""Exact rules: phrases, excluded words, followed authors and categories.

Whatever stands here is yes or no and looks at the text as written, not at stems or weights.
Used by Pool; knows nothing of scores.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from digest.model import Wording

# no word boundary can be asked for inside Chinese, Japanese or Korean: words touch there
_DENSE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WORDS = re.compile(r"\w+")
_GAP = re.compile(r"[\s\-\u2010-\u2015]+")
_QUOTES = "\"'“”„«»‘’"


def fold(text: str) -> str:
    """Text in the form in which phrases are compared: NFKC, case-folded."""
    return unicodedata.normalize("NFKC", text).casefold()


def unquote(keyword: str) -> tuple[str, bool]:
    """A keyword without its quotes, and whether it had them (then it is a phrase)."""
    bare = keyword.strip()
    quoted = len(bare) > 2 and bare[0] in _QUOTES and bare[-1] in _QUOTES
    return (bare.strip(_QUOTES).strip() if quoted else bare), quoted


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase in the form in which it is looked for."""

    #: folded, one blank for every gap; empty when it has no sign to look for
    text: str
    #: whether a word must begin at its start and end at its end
    begins_word: bool
    ends_word: bool

    def stands_in(self, text: str) -> bool:
        """Whether it stands in such a text, on word boundaries."""
        size = len(self.text)
        at = text.find(self.text) if size else -1
        while at >= 0:
            starts = not (self.begins_word and at > 0 and _is_of_word(text[at - 1]))
            if starts and not (self.ends_word and _is_of_word(text[at + size : at + size + 1])):
                return True
            at = text.find(self.text, at + 1)
        return False


def _is_of_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


@lru_cache(maxsize=50_000)
def phrase_of(phrase: str) -> Phrase:
    """Prepare a phrase, quoted or not, to be looked for.

    Blanks and hyphens are the same thing: "state-of-the-art" finds "state of the art".
    """
    bare = fold(phrase)
    return Phrase(
        text=_GAP.sub(" ", fold(unquote(phrase)[0])).strip(),
        begins_word=not _DENSE.search(bare[:2]),
        ends_word=not _DENSE.search(bare[-2:]),
    )


def phrase_words(phrase: str) -> tuple[str, ...]:
    """The whole words that a text must have to have the phrase; none where words may touch."""
    bare = fold(unquote(phrase)[0])
    return () if _DENSE.search(fold(phrase)) else tuple(_WORDS.findall(bare))


class ItemText:
    """An item's folded texts, made when first asked for: most items meet no rule at all."""

    __slots__ = ("_fields", "_wording")

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._fields: tuple[str, ...] | None = None

    def has(self, phrase: str) -> bool:
        """Whether the phrase stands in title, abstract or categories."""
        sought = phrase_of(phrase)
        return any(sought.stands_in(field) for field in self._folded())

    def words(self) -> set[str]:
        """The whole words of title, abstract and categories, as phrases are compared."""
        return {word for field in self._folded() for word in _WORDS.findall(field)}

    def _folded(self) -> tuple[str, ...]:
        if self._fields is None:
            w = self._wording
            folded = map(fold, (w.title, w.abstract, *w.categories))
            self._fields = tuple(_GAP.sub(" ", field) for field in folded)
        return self._fields


@lru_cache(maxsize=100_000)
def author_names(name: str) -> frozenset[tuple[str, ...]]:
    """The ways in which one author's name may stand: accents and dots removed, either order."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    last, comma, first = plain.partition(",")
    ordered = f"{first} {last}" if comma else plain
    words = tuple(re.findall(r"[^\W\d_]+", ordered))
    return frozenset({words}) if words else frozenset()


def same_author(wanted: str, written: str) -> bool:
    """Whether two names can be one person's: same family name, given names equal or initials."""
    return any(_fits(a, b) for a in author_names(wanted) for b in author_names(written))


def _fits(wanted: tuple[str, ...], written: tuple[str, ...]) -> bool:
    if wanted == written:
        return True
    if len(wanted) < 2 or len(written) < 2 or wanted[-1] != written[-1]:
        return False
    first, other = wanted[0], written[0]
    if len(first) == 1 or len(other) == 1:
        return first[0] == other[0]
    return first == other


def has_category(categories: Sequence[str], wanted: str) -> bool:
    """Whether an item stands in a category or, for an archive like "cs", in one below it."""
    asked = fold(wanted.strip())
    below = asked.rstrip(".*") + "."
    return bool(asked) and any(
        fold(c) == asked or (len(below) > 1 and fold(c).startswith(below)) for c in categories
    )
