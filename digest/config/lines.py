"""Where each key stands in the text of a config file, since tomllib does not tell.

Only reads text that tomllib has accepted, so it need not judge it. Called by load.py.
"""

from __future__ import annotations

import re

#: a key's path: names, and the index of a table in its list
KeyPath = tuple[str | int, ...]

_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]")
_KEY = re.compile(rf"\s*({_DOTTED})\s*=(.*)", re.S)


def find_lines(text: str) -> dict[KeyPath, int]:
    """The line, from 1, of every key and table header outside inline tables."""
    lines: dict[KeyPath, int] = {}
    counts: dict[str, int] = {}
    table: KeyPath = ()
    closes = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if closes:
            closes = "" if closes in line else closes
        elif header := _HEADER.match(line):
            table = _names(header[2])
            if header[1] == "[[":
                name = str(table[0])
                counts[name] = counts.get(name, -1) + 1
                table = (name, counts[name])
            lines.setdefault(table, number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _names(key[1]), number)
            closes = _opened(key[2])
    return lines


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int | None:
    """The line of that key, or of the table around it; None when neither is in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path)


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _opened(value: str) -> str:
    """The quotes that must come before the value of this line is over; "" when it is."""
    for quotes in ('"""', "'''"):
        if value.lstrip().startswith(quotes) and value.count(quotes) % 2:
            return quotes
    return ""
