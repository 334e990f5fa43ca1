"""Where in a rendered page its items stand, so that each can be cut out and used again.

The marks are put around the item templates when they are loaded, so operators never see them;
they are noncharacters, which no cleaned text holds. In HTML they hide in comments, which the
parser leaves where they are, even between table rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from digest.model import Section

_SIGNS = {Section.PICK: "\ufdd3", Section.RISING: "\ufdd4"}
_SECTIONS = {sign: section for section, sign in _SIGNS.items()}
_END = "\ufdd5"
_TEMPLATES = {"email/_item": Section.PICK, "email/_rising": Section.RISING}

_REGION = re.compile(f"([\ufdd3\ufdd4])([^{_END}]*){_END}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A page cut at its items."""

    #: what stands around the items: one text more than there are items
    around: tuple[str, ...]
    #: which list each item is in, in the order of the page
    sections: tuple[Section, ...]
    #: each item's own text
    items: tuple[str, ...]


def mark_items(name: str, source: str) -> str:
    """The source of a template, with marks around it when it is an item's; for Templates."""
    stem, _, ending = name.rpartition(".")
    section = _TEMPLATES.get(stem)
    if section is None:
        return source
    if not source.endswith("\n"):
        source += "\n"
    if ending == "html":
        return f"<!--{_SIGNS[section]}-->{source}<!--{_END}-->"
    return f"{_SIGNS[section]}{source}{_END}"


def cut_items(page: str) -> Cut:
    """A rendered page cut at its items."""
    for mark in (*_SECTIONS, _END):
        page = page.replace(f"<!--{mark}-->", mark)
    parts = _REGION.split(page)
    return Cut(
        around=tuple(parts[::3]),
        sections=tuple(_SECTIONS[sign] for sign in parts[1::3]),
        items=tuple(parts[2::3]),
    )


def without_regions(page: str) -> str:
    """The page as it is sent."""
    for mark in (*_SECTIONS, _END):
        page = page.replace(f"<!--{mark}-->", "").replace(mark, "")
    return page
