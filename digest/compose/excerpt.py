"""The beginning of an abstract: a few whole sentences, never half a formula.

Works on text that readable.py has made: a formula's inner spaces are no-break spaces there, so
cutting at ordinary spaces never cuts one.
"""

from __future__ import annotations

import re

from digest.columns import cut

#: a mark that may end a sentence, with what may close after it, then a space or the end
_STOP = re.compile(r"[.!?…][\"'”’)\]]*(?= |$)|[。！？]+[」』”）]*")
_ABBREVIATION = re.compile(
    r"(?:\b(?:et al|e\.g|i\.e|cf|vs|resp|approx|Fig|Figs|Eq|Eqs|Sec|Tab|Ref|Refs|No|Nos|Dr|Prof|Mr"
    r"|Mrs|Ms|St|w\.r\.t|a\.k\.a|viz|ca|U\.S|Ph\.D|Thm|Lem|Prop|Def|Alg|App|Vol|pp)|\b[A-Z])$",
)
_OPENS_SENTENCE = re.compile(r" (?![a-z])")


def excerpt(text: str, length: int) -> str:
    """Whole sentences of `text` in at most `length` characters.

    A first sentence that is too long is cut at a word and gets an ellipsis; so is the second one
    when the first would fill less than a third of the room. Length 0 gives "".
    """
    if length <= 0:
        return ""
    if len(text) <= length:
        return text
    end = max((e for e in _ends(text, length) if e <= length), default=0)
    if end >= length // 3:
        return text[:end]
    return cut(text, length)


def _ends(text: str, length: int) -> list[int]:
    """Where sentences end within the first `length` characters."""
    ends = []
    for match in _STOP.finditer(text[: length + 2]):
        if match.end() > length:
            break
        before, after = text[: match.start()], text[match.end() : match.end() + 2]
        if match[0][0] == ".":
            if _ABBREVIATION.search(before[-12:]):
                continue
            if after and not _OPENS_SENTENCE.match(after):
                continue
        ends.append(match.end())
    return ends
