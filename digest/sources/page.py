"""A saved listing page: the text of a page of trending papers, or the page itself in HTML.

The text has no ids and no links. An item's address is then a search for its title on the site
that such pages come from, with a fingerprint of title and abstract in it: the fingerprint makes
the key, so the same paper meets itself over readings and pages, and two papers of one title stay
two. It never meets the same paper from another source; that would need the title as identity.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlencode, urlsplit

from digest.errors import ConfigError, ParseError
from digest.model import Listing, PaperData, Request
from digest.sources.answers import BrokenEntry, decode, describe, read_entries
from digest.sources.base import SourceOptions
from digest.sources.huggingface import HOST, read_item, read_page
from digest.text import clean

#: longer than any title seen (174), shorter than any abstract (513)
TITLE_LENGTH_MAX = 300
_ABSTRACT_LENGTH_MIN = 120
#: the end of the page's head; in one layout the first title follows without a break
_HEAD_END = re.compile(r"^Get trending papers in your email inbox.*\n\s*Subscribe(.*)$", re.M)
#: what may stand between the head and the first title
_NAVIGATION = re.compile(r"by\s?\w+ and the research community|[A-Z][a-z]{2} \d{1,2}|new")

Pair = tuple[str, str]


class Page:
    """One page, in a file or at an address."""

    kind = "page"

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        self.pause_s = 1.0 if options.pause_s is None else options.pause_s
        if not options.url:
            raise ConfigError([f"source {name!r}: url must name a file or a page"])
        is_path = urlsplit(options.url).scheme not in ("http", "https", "file")
        self._url = Path(options.url).absolute().as_uri() if is_path else options.url
        self._limit = options.limit

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """The page, at every pass: the fetcher notices when it has not changed."""
        parts = urlsplit(self._url)
        label = Path(unquote(parts.path)).name or parts.netloc or self.name
        return (
            Request(
                url=self._url,
                label=label,
                accept="text/html, text/plain;q=0.9",
                robots=parts.scheme != "file",
            ),
        )

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read a page of trending papers, as text in its two layouts or as HTML."""
        if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            day, items = read_page(body, content_type)
            return read_entries(items[: self._limit], lambda item, at: read_item(item, at, day))
        text = decode(body, content_type).replace("\r\n", "\n")
        pairs = list(_pairs(_paragraphs(text, describe(body, content_type))))
        return read_entries(pairs[: self._limit], _read_pair)


def _paragraphs(text: str, seen: str) -> list[str]:
    """Titles and abstracts in turn, the page's head left out.

    One layout has a blank line between all paragraphs, the other has each on a line of its own.
    """
    head = _HEAD_END.search(re.sub(r"\n\s*\n", "\n", text))
    if head is None:
        raise ParseError(
            f"expected a page of trending papers (its head ends in Subscribe), got {seen}"
        )
    if head[1].strip():
        rest = text[text.index(f"Subscribe{head[1]}") + len("Subscribe") :]
        return [paragraph for paragraph in map(clean, rest.split("\n")) if paragraph]
    rest = text[text.index("Subscribe", text.index("Get trending")) + len("Subscribe") :]
    found = [paragraph for paragraph in map(clean, re.split(r"\n\s*\n", rest)) if paragraph]
    while found and _NAVIGATION.fullmatch(found[0]):
        del found[0]
    return found


def _pairs(paragraphs: list[str]) -> Iterator[Pair]:
    """Title and abstract, in step again after one of them is missing (then empty)."""
    title = ""
    for paragraph in paragraphs:
        if not title and len(paragraph) <= TITLE_LENGTH_MAX:
            title = paragraph
        elif title and len(paragraph) < _ABSTRACT_LENGTH_MIN:
            yield title, ""
            title = paragraph
        else:
            yield title, paragraph
            title = ""
    if title:
        yield title, ""


def _read_pair(pair: Pair, position: int) -> PaperData:
    title, abstract = pair
    if not title:
        raise BrokenEntry(f"an abstract without a title: {abstract[:40]!r}")
    if not abstract:
        raise BrokenEntry(f"a title without an abstract: {title[:60]!r}")
    return PaperData(
        title=title, abstract=abstract, url=_search_link(title, abstract), position=position
    )


def _search_link(title: str, abstract: str) -> str:
    """A search for the title, unlike that of any other title and abstract."""
    words = re.findall(r"\w+", f"{title} {abstract}".casefold())
    print_ = hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
    return f"{HOST}/papers?{urlencode({'q': title[:100].strip(), 'item': print_})}"
