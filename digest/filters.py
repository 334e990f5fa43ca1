"""How dates, numbers and long lines look in templates: the filters, each a pure function.

Registered by digest/templates.py under the names in ALL; docs/templates.md lists them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from digest.clock import find_zone
from digest.columns import cut, width, wrap

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
#: a head shorter than that ("SAM:") says too little alone
_HEADLINE_MIN = 16


def weekday(day: date) -> str:
    """Thursday"""
    return _WEEKDAYS[day.weekday()]


def long_day(day: date) -> str:
    """Thursday 12 March"""
    return f"{weekday(day)} {short_day(day)}"


def short_day(day: date) -> str:
    """12 March"""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def full_day(day: date) -> str:
    """12 March 2026"""
    return f"{short_day(day)} {day.year}"


def clock_time(moment: datetime, zone: str) -> str:
    """07:30, on the wall of that zone."""
    return f"{moment.astimezone(find_zone(zone)):%H:%M}"


def local_day(moment: datetime, zone: str) -> date:
    """The date on the wall of that zone; combine with the date filters."""
    return moment.astimezone(find_zone(zone)).date()


def short_number(number: int) -> str:
    """940, 1.2k, 12k, 3.4M: two digits are enough to compare."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            scaled = number / size
            return f"{int(scaled * 10) / 10:g}{unit}" if scaled < 10 else f"{int(scaled)}{unit}"
    return str(number)


def long_number(number: int) -> str:
    """12,345"""
    return f"{number:,}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """1 paper, 8 papers, 1,234 entries."""
    word = one if number == 1 else many if many is not None else one + "s"
    return f"{number:,} {word}"


def underline(text: str, sign: str = "-") -> str:
    """The text with a line of signs below it, as wide as its widest line."""
    return f"{text}\n{sign * max(width(line) for line in text.splitlines() or [''])}"


def indent(text: str, columns: int) -> str:
    """Each line but the first moved to the right."""
    return text.replace("\n", "\n" + " " * columns)


def wrapped(text: str, columns: int = 72, indent: int = 0) -> str:
    """Broken into lines of at most `columns`; lines after the first begin with `indent` spaces."""
    return wrap(text, columns - indent, indent=indent)


def headline(title: str, length: int = 48) -> str:
    """A title for a subject line, with the sign that leads on: `Title:` or `Cut title… ·`.

    One that is too long ends at its colon when that leaves enough of it, else at a word.
    """
    if len(title) <= length:
        return f"{title}:" if title[-1:].isalnum() or title[-1:] in ')”"' else f"{title} ·"
    head = title.partition(": ")[0]
    if len(title) // 4 <= len(head) <= length and len(head) >= _HEADLINE_MIN:
        return f"{head}:"
    return f"{cut(title, length)} ·"


#: filter name → function
ALL: dict[str, Callable[..., Any]] = {
    "weekday": weekday,
    "long_day": long_day,
    "short_day": short_day,
    "full_day": full_day,
    "clock_time": clock_time,
    "local_day": local_day,
    "short_number": short_number,
    "long_number": long_number,
    "plural": plural,
    "underline": underline,
    "indent_lines": indent,
    "wrapped": wrapped,
    "cut": cut,
    "headline": headline,
}
