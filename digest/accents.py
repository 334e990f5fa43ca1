"""TeX accents in names and titles as letters: Andr\\'e is André, {\\O}re is Øre.

Accents only, since a name is searched and compared as letters; formulas between dollars and all
other TeX stay as they were written and are the templates' to show. Standard library only.
"""

from __future__ import annotations

import re
import unicodedata

_COMBINING = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "u": "\u0306", "v": "\u030c", "H": "\u030b", "c": "\u0327", "k": "\u0328",
    "r": "\u030a", "d": "\u0323", "b": "\u0331",
}  # fmt: skip
_LETTERS = {
    "aa": "å", "AA": "Å", "ae": "æ", "AE": "Æ", "oe": "œ", "OE": "Œ", "o": "ø", "O": "Ø",
    "l": "ł", "L": "Ł", "ss": "ß", "i": "ı", "j": "ȷ", "dh": "ð", "DH": "Ð", "th": "þ",
    "TH": "Þ", "ng": "ŋ", "NG": "Ŋ", "dj": "đ", "DJ": "Đ",
}  # fmt: skip
_BASE = r"(?:\\[ij](?![A-Za-z])(?: (?=[A-Za-z]))?|[A-Za-z])"
_ACCENT = (
    rf"\\(?:(?P<mark>['`^\"~=.])\s*|(?P<letter>[uvHckrdb])(?:\s+|(?=\{{)))"
    rf"(?:\{{\s*(?P<braced>{_BASE})\s*\}}|(?P<bare>{_BASE})(?P<one>(?![A-Za-z]))?)"
)
_NAMES = "|".join(sorted(_LETTERS, key=len, reverse=True))
_SPECIAL = rf"\\(?P<special>{_NAMES})(?![A-Za-z])(?:\{{\}}|\s+(?=[A-Za-z]))?"
_TEX = re.compile(rf"(?P<math>\$[^$]*\$)|(?P<open>\{{)?(?:{_ACCENT}|{_SPECIAL})(?(open)\}}|)")


def untex_accents(text: str) -> str:
    """The text with TeX accents and letters in Unicode; formulas and other TeX unchanged."""
    if "\\" not in text:
        return text
    return unicodedata.normalize("NFC", _TEX.sub(_letter, text))


def _letter(found: re.Match[str]) -> str:
    if found["math"]:
        return found["math"]
    if found["special"]:
        return _LETTERS[found["special"]]
    if found["letter"] and found["bare"] and found["one"] is None:
        return found[0]  # `\c cat` is no accent: a word follows, not one letter
    base = (found["braced"] or found["bare"]).strip("\\ ")
    return base + _COMBINING[found["mark"] or found["letter"]]
