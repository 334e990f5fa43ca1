"""Hacker News: the front page in HTML, or a search over it (Algolia's API) for a query.

One request each, where the item API would need one for every story. A story's link decides what
it is: one that leads to arXiv is that paper, with the story as its discussion.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from bs4.element import Tag

from digest.errors import ParseError
from digest.model import Listing, PaperData, Request
from digest.papers import find_arxiv
from digest.sources.answers import (
    BrokenEntry,
    count_of,
    describe,
    load_json,
    moment_of,
    read_entries,
    text_of,
)
from digest.sources.base import SourceOptions
from digest.sources.html import read_html, text_of_html
from digest.text import clean, http_url

FRONT = "https://news.ycombinator.com"
SEARCH = "https://hn.algolia.com"
SEARCH_LIMIT = 50


class HackerNews:
    """The front page, or the newest stories for a query."""

    kind = "hackernews"

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        # the site's robots.txt asks for 30 s between pages
        self.pause_s = 30.0 if options.pause_s is None else options.pause_s
        self._url = (options.url or (SEARCH if options.query else FRONT)).rstrip("/")
        self._query = options.query
        self._limit = options.limit

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """The front page or the search, at every pass."""
        if not self._query:
            url = f"{self._url}/news"
            front = Request(url=url, label=self.name, accept="text/html", settled=True, robots=True)
            return (front,)
        size = min(self._limit or SEARCH_LIMIT, 1000)
        question = urlencode({"tags": "story", "query": self._query, "hitsPerPage": size})
        return (
            Request(
                url=f"{self._url}/api/v1/search_by_date?{question}",
                label=f"query {self._query}",
                accept="application/json",
            ),
        )

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read the front page, or the answer of the search."""
        if request.accept == "application/json":
            answer = load_json(body, content_type)
            hits = answer.get("hits") if isinstance(answer, dict) else None
            if not isinstance(hits, list):
                raise ParseError(f"expected found stories, got {describe(body, content_type)}")
            listing = read_entries(hits[: self._limit], _read_hit)
            rest = None if hits else "nothing matches the question"
            return Listing(entries=listing.entries, broken=listing.broken, rest=rest)
        rows = read_html(body).select("tr.athing")
        if not rows:
            raise ParseError(f"no stories (tr.athing) in the page: {describe(body, content_type)}")
        return read_entries(rows[: self._limit], _read_row)


def _read_row(row: Tag, position: int) -> PaperData:
    link = row.select_one(".titleline > a[href], a.storylink[href]")
    if link is None:
        raise BrokenEntry("no title in the row")
    below = row.find_next_sibling("tr")
    under = below if isinstance(below, Tag) and "athing" not in (below.get("class") or []) else None
    return _story(
        story_id=str(row.get("id") or ""),
        title=clean(link.get_text()),
        link=str(link["href"]),
        position=position,
        votes=_number(under, ".score", r"([\d,]+)\s+point"),
        comments=_number(under, "a:last-of-type", r"([\d,]+)\s+comment"),
        listed_at=_age(under),
    )


def _number(under: Tag | None, selector: str, pattern: str) -> int | None:
    for element in under.select(selector) if under else ():
        found = re.match(pattern, clean(element.get_text()))
        if found:
            return count_of(int(found[1].replace(",", "")))
    return None


def _age(under: Tag | None) -> datetime | None:
    """The moment in the age's title: `2026-03-11T09:30:00`, in UTC, perhaps with more behind."""
    age = under.select_one(".age[title]") if under else None
    stated = str(age["title"]).split(" ")[0] if age else ""
    return moment_of(stated if stated.endswith("Z") else f"{stated}Z")


def _read_hit(hit: Any, position: int) -> PaperData:
    if not isinstance(hit, dict):
        raise BrokenEntry("no story in it")
    created = hit.get("created_at_i")
    text = hit.get("story_text")
    return _story(
        story_id=text_of(hit.get("objectID")),
        title=text_of(hit.get("title")),
        link=text_of(hit.get("url")),
        position=position,
        votes=count_of(hit.get("points")),
        comments=count_of(hit.get("num_comments")),
        listed_at=_moment_of_seconds(created) or moment_of(hit.get("created_at")),
        abstract=text_of_html(text) if isinstance(text, str) else "",
    )


def _moment_of_seconds(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 < seconds < 2**33:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _story(
    *, story_id: str, title: str, link: str, position: int, **known: Any
) -> PaperData:  # the rest are fields of PaperData, as they are named there
    if not story_id.isdecimal() or not title:
        raise BrokenEntry(f"no id or no title: {(title or story_id)[:60]!r}")
    discussion = f"{FRONT}/item?id={story_id}"
    url = http_url(link, f"{FRONT}/") or discussion
    arxiv = find_arxiv(url)
    return PaperData(
        title=title,
        url=f"https://arxiv.org/abs/{arxiv.id}" if arxiv else url,
        arxiv_id=arxiv.id if arxiv else None,
        version=arxiv.version if arxiv else None,
        position=position,
        discussion_url=discussion,
        **known,
    )
