"""How arXiv's submitters write: lists of authors, and that a paper has been withdrawn.

Shared by the readers of its feeds and of its announcement mails. Pure functions on texts.
"""

from __future__ import annotations

import re

from digest.accents import untex_accents
from digest.text import clean

_PAPER = r"(?:paper|papers|article|manuscript|preprint|submission|work|version|note|letter|study)"
# In an abstract only a beginning that speaks of the paper itself counts: drugs are withdrawn too.
_WITHDRAWN_ABSTRACT = re.compile(
    rf"\W*(?:withdrawn\b|(?:(?:(?:this|the|our)\s+)?(?:\w+\s+)?{_PAPER}|this)\s+(?:\([^)]*\)\s+)?"
    r"(?:(?:has|have|is|was|being)\s+)?(?:been\s+)?(?:\w+\s+)?withdrawn\b"
    rf"|we\s+(?:have\s+)?withdr[ae]wn?\s+(?:this|the|our)\s+{_PAPER})",
    re.IGNORECASE,
)
_WITHDRAWN_COMMENT = re.compile(
    r"(?<!un)withdrawn\b|request\w*\s+(?:for\s+)?(?:\w+\s+){0,2}withdrawal", re.IGNORECASE
)
_OTHER_WITHDRAWN = re.compile(
    r"\b(?:supersed\w+|replac(?:es|ing|ement)|previous(?:ly)?|earlier|formerly|not|never|wrongly"
    r"|mistakenly|if|of)\b[^.;]{0,60}\bwithdrawn\b",
    re.IGNORECASE,
)
_WITHDRAWN_TITLE = re.compile(r"\W*(?:withdrawn|retracted)\b\s*[:\])-]", re.IGNORECASE)

_SUFFIXES = {"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"}
_AND = re.compile(r"\s*(?:,\s*and|,|;|\band\b|&)\s+|\s*[,;]\s*")


def is_withdrawn(title: str, abstract: str, comment: str) -> bool:
    """Whether the paper says that it was withdrawn; mostly the comment does, the rest intact."""
    if _WITHDRAWN_COMMENT.search(comment) and not _OTHER_WITHDRAWN.search(comment):
        return True
    return bool(_WITHDRAWN_TITLE.match(title) or _WITHDRAWN_ABSTRACT.match(abstract[:200]))


def split_authors(line: str) -> tuple[str, ...]:
    """The names in `A, B and C (Some University)`: accents as letters, affiliations left out."""
    line = untex_accents(line)
    shorter = None
    while shorter != line:  # innermost parentheses first
        shorter, line = line, re.sub(r"\([^()]*\)", " ", line)
    names: list[str] = []
    for part in _AND.split(line):
        name = clean(part).strip(" ,;:")
        if name.lower() in _SUFFIXES and names:
            names[-1] = f"{names[-1]} {name}"
        elif any(char.isalpha() for char in name):
            names.append(name)
    return tuple(names)
