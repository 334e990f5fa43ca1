"""Reading values out of answers that promise little: JSON of unsure shape, moments, numbers.

Every reader returns None rather than raise when one value is not what it should be; an answer
that is wrong as a whole raises ParseError and says what was seen instead. Used by the sources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

from digest.errors import ParseError
from digest.model import Broken, Listing, PaperData
from digest.text import clean

Entry = TypeVar("Entry")

#: numbers above this are no counts of votes, and would not fit the columns they go to
COUNT_MAX = 2**31 - 1


class BrokenEntry(ParseError):
    """One entry cannot be read; the text says why. Never leaves the sources."""


def load_json(body: bytes, content_type: str) -> Any:  # JSON has no static shape
    """The JSON document in `body`. Raises ParseError that shows how the body really begins."""
    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError) as error:
        raise ParseError(f"expected JSON, got {describe(body, content_type)}") from error


def decode(body: bytes, content_type: str) -> str:
    """The text of a body: by its byte order mark, as declared, as UTF-8, or as Windows-1252."""
    declared = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", content_type, re.IGNORECASE)
    marked = "utf-16" if body[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    for encoding in (marked, declared[1] if declared else None, "cp1252"):
        try:
            if encoding:
                return body.decode(encoding)
        except (LookupError, ValueError):
            continue
    return body.decode("utf-8", "replace")


def describe(body: bytes, content_type: str) -> str:
    """What an answer looks like, for an error message: its type, length and first words."""
    start = clean(body[:400].decode("utf-8", "replace"))[:80]
    kind = content_type.partition(";")[0].strip() or "no content type"
    return f"{kind}, {len(body)} bytes, beginning {start!r}" if body else f"{kind}, an empty body"


def read_entries(
    entries: Iterable[Entry], read: Callable[[Entry, int], PaperData], *, first: int = 1
) -> Listing:
    """Read each entry at its position; one that raises BrokenEntry is counted and left out."""
    papers: list[PaperData] = []
    broken: list[Broken] = []
    for position, entry in enumerate(entries, first):
        try:
            papers.append(read(entry, position))
        except BrokenEntry as error:
            broken.append(Broken(position=position, reason=str(error)))
    return Listing(entries=tuple(papers), broken=tuple(broken))


def text_of(value: object) -> str:
    """A text, cleaned; empty when the value is no text."""
    return clean(value) if isinstance(value, str) else ""


def count_of(value: object) -> int | None:
    """A number of votes, comments or stars; None when it is none, negative or absurd."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= COUNT_MAX else None


def moment_of(value: object) -> datetime | None:
    """An ISO 8601 moment in UTC; None when it is none or names no zone."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def repository_url(link: str | None) -> str | None:
    """A code link in its plain form; None for a GitHub link that is no repository.

    A link to a whole branch becomes the repository; one to a folder in it stays as it is.
    """
    found = re.match(r"https?://(?:www\.)?github\.com(?:/+([^/?#]+))?(?:/+([^/?#]+))?", link or "")
    if not link or not found:
        return link
    owner, name = found[1], (found[2] or "").removesuffix(".git")
    if not name or owner in ("orgs", "users", "topics", "search", "sponsors"):
        return None
    folder = re.fullmatch(r"/+(?:tree|blob)/[^/]+/[^?#]+", link[found.end() :])
    return link if folder else f"https://github.com/{owner}/{name}"
