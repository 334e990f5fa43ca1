"""Hugging Face daily papers: the JSON API day by day, and the HTML page when the API fails.

A day's list grows for hours and its votes for days, so days are read again until they are closed.
Field meanings changed over the years; what was measured is noted where it is used. No sockets.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from bs4.element import Tag

from digest.clock import day_bounds
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
    repository_url,
    text_of,
)
from digest.sources.base import SourceOptions
from digest.sources.html import read_html
from digest.text import http_url

#: public host, and where a paper's page and discussion are whatever host was asked
HOST = "https://huggingface.co"
LOOK_BACK_DAYS = 7
#: a list takes late additions and votes for this long after its day
OPEN_AFTER_END = timedelta(hours=48)
#: from then on its length may be held against what is usual
SETTLED_AFTER_END = timedelta(hours=24)
#: the API gives at most that many at once, and this many unless asked
PAGE_SIZE_MAX = 100
PAGE_SIZE_DEFAULT = 50
#: ten times the longest list seen; an API that repeats itself for ever ends here
PAGES_MAX = 10


class HuggingFace:
    """The daily papers of one host."""

    kind = "huggingface"

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        # the API allows 500 requests in 5 minutes; a pass asks ten or so, and RateLimit is obeyed
        self.pause_s = 0.25 if options.pause_s is None else options.pause_s
        self._url = (options.url or HOST).rstrip("/").removesuffix("/api/daily_papers")
        self._limit = max(1, min(options.limit or PAGE_SIZE_MAX, PAGE_SIZE_MAX))
        self._headers = (("Authorization", f"Bearer {options.token}"),) if options.token else ()

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """One question for each day of the look-back that may have changed, newest first.

        A day is asked until it has been read once after it closed. Weekends are asked too: their
        lists are empty today, and asking is how we would notice that they no longer are.
        """
        days = (now.date() - timedelta(days=back) for back in range(LOOK_BACK_DAYS + 1))
        return tuple(self._ask(day, now) for day in days if _is_wanted(day, memory))

    def _ask(self, day: date, now: datetime) -> Request:
        page = Request(
            url=f"{self._url}/papers/date/{day}",
            label=str(day),
            accept="text/html",
            settled=_is_settled(day, now),
            robots=True,
        )
        return Request(
            url=self._page_url(str(day), 1),
            label=str(day),
            accept="application/json",
            headers=self._headers,
            instead=page,
            settled=page.settled,
        )

    def _page_url(self, day: str, page: int) -> str:
        return f"{self._url}/api/daily_papers?date={day}&limit={self._limit}&p={page - 1}"

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read one page of one day's list, JSON or HTML."""
        if request.accept == "text/html":
            items, first = _items_of_page(request.label, body, content_type), 1
        else:
            items, first = _items_of_api(body, content_type), 1 + (request.page - 1) * self._limit
        day = date.fromisoformat(request.label)
        listing = read_entries(items, lambda item, at: read_item(item, at, day), first=first)
        more = self._next_page(request, len(items))
        rest = None
        if not items and day.weekday() >= 5:
            rest = "there is no list on weekends"
        return Listing(entries=listing.entries, broken=listing.broken, more=more, rest=rest)

    def _next_page(self, request: Request, count: int) -> tuple[Request, ...]:
        # A list of exactly the default length was probably cut by a host that ignores `limit`.
        full = count >= self._limit or count == PAGE_SIZE_DEFAULT
        if not full or request.accept == "text/html" or request.page >= PAGES_MAX:
            return ()
        return (
            Request(
                url=self._page_url(request.label, request.page + 1),
                label=request.label,
                accept=request.accept,
                headers=request.headers,
                page=request.page + 1,
            ),
        )


def _is_wanted(day: date, memory: Mapping[str, datetime]) -> bool:
    read_at = memory.get(str(day))
    return read_at is None or read_at < day_bounds(day)[1] + OPEN_AFTER_END


def _is_settled(day: date, now: datetime) -> bool:
    return day.weekday() < 5 and now >= day_bounds(day)[1] + SETTLED_AFTER_END


def _items_of_api(body: bytes, content_type: str) -> list[Any]:
    answer = load_json(body, content_type)
    if isinstance(answer, dict) and isinstance(answer.get("data"), list):
        answer = answer["data"]  # as archives of the API wrap it
    if not isinstance(answer, list):
        raise ParseError(f"expected a list of papers, got {describe(body, content_type)}")
    return answer


def _items_of_page(day: str, body: bytes, content_type: str) -> list[Any]:
    stated, items = read_page(body, content_type)
    if stated is None or str(stated) != day:
        # a date without a list is answered with the nearest one that has one
        raise ParseError(f"asked for the page of {day}, got that of {stated or 'no single day'}")
    return items


def read_page(body: bytes, content_type: str) -> tuple[date | None, list[Any]]:
    """The day and the items in a page's own data; None for a page of a week, month or search.

    The data, since the cards lost abstracts and authors in 2025. Raises ParseError.
    """
    target = read_html(body).find(attrs={"data-target": "DailyPapers"})
    props = target.get("data-props") if isinstance(target, Tag) else None
    if not isinstance(props, str):
        raise ParseError(
            "the page has no daily papers in it (no data-target DailyPapers); its layout has "
            f"changed, or it is another page: {describe(body, content_type)}"
        )
    try:
        data = json.loads(props)
    except (ValueError, RecursionError) as error:
        raise ParseError("the page's data (data-props) is not JSON") from error
    items = data.get("dailyPapers") if isinstance(data, dict) else None
    if not isinstance(items, list):
        raise ParseError("the page's data has no list dailyPapers; its layout has changed")
    return _day_of_page(data), items


def _day_of_page(data: Mapping[str, Any]) -> date | None:
    stated = data.get("dateString") or data.get("date")
    if not isinstance(stated, str) or data.get("periodType", "day") != "day":
        return None
    try:
        return date.fromisoformat(stated[:10])
    except ValueError:
        return None


def read_item(item: object, position: int, day: date | None) -> PaperData:
    """Read one item of a list of that day. Raises BrokenEntry."""
    item = _unrepr(item)
    paper = item.get("paper") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(paper, dict):
        raise BrokenEntry("no paper in it")
    paper_id = text_of(paper.get("id"))
    title = text_of(paper.get("title")) or text_of(item.get("title"))
    if not re.fullmatch(r"[\w.:-]+(?:/[\w.:-]+)?", paper_id, re.ASCII):
        raise BrokenEntry(f"no usable id: {paper_id[:40]!r}")
    if not title:
        raise BrokenEntry(f"{paper_id} has no title")
    arxiv = find_arxiv(paper_id)
    page = f"{HOST}/papers/{arxiv.id if arxiv else paper_id}"
    return PaperData(
        title=title,
        url=f"https://arxiv.org/abs/{arxiv.id}" if arxiv else page,
        abstract=text_of(paper.get("summary")) or text_of(item.get("summary")),
        authors=_authors(paper.get("authors")),
        arxiv_id=arxiv.id if arxiv else None,
        version=arxiv.version if arxiv else None,
        published_at=moment_of(paper.get("publishedAt")),
        listed_at=_listed_at(item, paper, day),
        position=position,
        votes=count_of(paper.get("upvotes")),
        comments=count_of(item.get("numComments")),
        stars=count_of(paper.get("githubStars")),
        pdf_url=f"https://arxiv.org/pdf/{arxiv.id}" if arxiv else None,
        code_url=repository_url(_link(paper.get("githubRepo"))),
        project_url=_link(paper.get("projectPage")),
        discussion_url=page,
        organization=_organization(item) or _organization(paper),
    )


def _unrepr(item: object) -> object:
    """An item that an archive of the API kept as Python's own notation, as some did for a month."""
    if not isinstance(item, str):
        return item
    try:
        return ast.literal_eval(item)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise BrokenEntry(f"a text instead of a paper: {item[:40]!r}") from error


def _authors(authors: object) -> tuple[str, ...]:
    """The names shown on the paper's page: hidden ones are left out, unless that leaves nobody."""
    named = [a for a in authors if isinstance(a, dict)] if isinstance(authors, list) else []
    shown = [a for a in named if a.get("hidden") is not True] or named
    names = (text_of(a.get("name")) for a in shown)
    return tuple(name for name in names if name)


def _listed_at(
    item: Mapping[str, Any], paper: Mapping[str, Any], day: date | None
) -> datetime | None:
    """When it came onto the list, where the source says so to the hour.

    Since May 2026 submittedOnDailyAt has lost its time of day. Before that field existed,
    item.publishedAt meant the same; today it is the paper's own date in a wrong zone.
    """
    stated = paper.get("submittedOnDailyAt", item.get("publishedAt"))
    moment = moment_of(stated)
    if moment is None or moment.time() == time():
        return None
    if "submittedOnDailyAt" not in paper and moment.date() != day:
        return None
    return moment


def _organization(holder: Mapping[str, Any]) -> str | None:
    for key in ("organization", "submitterOrganization"):
        found = holder.get(key)
        if isinstance(found, dict):
            return text_of(found.get("fullname")) or text_of(found.get("name")) or None
    return None


def _link(value: object) -> str | None:
    return http_url(value) if isinstance(value, str) else None
