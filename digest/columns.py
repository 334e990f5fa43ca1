"""Text in columns: how wide it is in a terminal, broken into lines, cut at a word.

Standard library only. A CJK character takes two columns, a combining mark none. Used by the
templates' filters and by compose/.
"""

from __future__ import annotations

import re
import unicodedata

#: only among these are characters of no or of two columns
_UNEVEN = re.compile("[\u0300-\u1fff\u200b-\u200f\u20d0-\u20ff\u2300-\U0010ffff]")


def width(text: str) -> int:
    """Columns that a terminal needs for it."""
    if _is_even(text):
        return len(text)
    return sum(_char_width(c) for c in text)


def _is_even(text: str) -> bool:
    """True when every character takes one column."""
    try:
        text.encode("latin-1")  # the quickest way to ask
    except UnicodeEncodeError:
        return not _UNEVEN.search(text)
    return True


def _char_width(char: str) -> int:
    if unicodedata.combining(char) or char == "\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def wrap(text: str, columns: int = 72, *, indent: int = 0) -> str:
    """Break `text` into lines of at most `columns`; the second and later ones are indented.

    `columns` counts without the indent of the first line, which the caller has written. URLs and
    other words longer than a line stand alone and unbroken; CJK text breaks anywhere.
    """
    if _is_even(text):
        return text if len(text) <= columns else _wrap_even(text, columns, indent)
    if width(text) <= columns:
        return text
    lines: list[str] = []
    line, used = "", 0
    for word in _words(text):
        size = width(word.rstrip(" "))
        if line and used + size > columns:
            lines.append(line.rstrip(" "))
            line, used = "", 0
        line += word
        used += width(word)
    lines.append(line.rstrip(" "))
    return ("\n" + " " * indent).join(lines)


def _wrap_even(text: str, columns: int, indent: int) -> str:
    """The same for text in which every character takes one column."""
    lines = []
    while len(text) > columns:
        at = text.rfind(" ", 0, columns + 1)
        if at <= 0:
            at = text.find(" ", columns)
            if at < 0:
                break
        lines.append(text[:at].rstrip(" "))
        text = text[at:].lstrip(" ")
    lines.append(text)
    return ("\n" + " " * indent).join(lines)


def _words(text: str) -> list[str]:
    """The unbreakable pieces, each with the space that follows it."""
    words: list[str] = []
    for word in text.split(" "):
        wide = not word.isascii() and any(_char_width(c) == 2 for c in word)
        words.extend(_split_wide(word) if wide else [word])
        words[-1] += " "
    return words


def _split_wide(word: str) -> list[str]:
    """CJK runs may break between any two characters; the narrow words in them may not."""
    pieces: list[str] = []
    for char in word:
        joins = pieces and _char_width(char) < 2 and _char_width(pieces[-1][-1]) < 2
        if joins or (pieces and _char_width(char) == 0) or (pieces and _closes(char)):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def _closes(char: str) -> bool:
    """Punctuation that must not begin a line: 。，」 and the like."""
    return unicodedata.category(char) in ("Pe", "Pf", "Po")


def cut(text: str, length: int, *, ellipsis: str = "…") -> str:
    """At most `length` characters, cut at a word; marked with an ellipsis when cut."""
    if len(text) <= length:
        return text
    room = text[: length - len(ellipsis) + 1]
    head, space, _ = room.rpartition(" ")
    if not space or len(head) < length // 2:
        head = room[:-1]
    return head.rstrip(" ,;:.–—-(\u00a0") + ellipsis
