"""Exact rules: phrases, excluded words, followed authors and categories.

Whatever stands here is yes or no and looks at the text as written, not at stems or weights.
Used by Pool; knows nothing of scores.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from digest.model import Wording

# no word boundary can be asked for inside Chinese, Japanese or Korean: words touch there
_DENSE = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff]")
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


@lru_cache(maxsize=50_000)
def phrase_pattern(phrase: str) -> re.Pattern[str] | None:
    """Finds a phrase on word boundaries in folded text; None when it has no sign to look for.

    Blanks and hyphens are the same thing: "state-of-the-art" finds "state of the art".
    """
    pieces = [re.escape(p) for p in _GAP.split(fold(unquote(phrase)[0])) if p]
    if not pieces:
        return None
    body = r"[\s\-\u2010-\u2015]+".join(pieces)
    bare = fold(phrase)
    start = "" if _DENSE.search(bare[:2]) else r"(?<!\w)"
    end = "" if _DENSE.search(bare[-2:]) else r"(?!\w)"
    return re.compile(start + body + end)


class ItemText:
    """An item's folded texts, made when first asked for: most items meet no rule at all."""

    __slots__ = ("_fields", "_wording")

    def __init__(self, wording: Wording) -> None:
        self._wording = wording
        self._fields: tuple[str, ...] | None = None

    def has(self, phrase: str) -> bool:
        """Whether the phrase stands in title, abstract or categories."""
        pattern = phrase_pattern(phrase)
        if pattern is None:
            return False
        if self._fields is None:
            w = self._wording
            self._fields = tuple(map(fold, (w.title, w.abstract, *w.categories)))
        return any(pattern.search(field) for field in self._fields)


def first_excluded(text: ItemText, phrases: Sequence[str]) -> str | None:
    """The first of the phrases that the item has; None when it has none of them."""
    return next((p for p in phrases if text.has(p)), None)


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
