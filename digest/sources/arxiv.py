"""arXiv: the daily announcements of categories, and questions to its search API.

A feed holds one day only, so the API is asked once a day for the last week as well: a day that
was missed is found there. One request every three seconds, on one connection, for all processes
together, is arXiv's rule; the fetcher keeps it by `pause_s`. No sockets here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit
from xml.etree.ElementTree import Element

from digest.clock import local_date
from digest.errors import ConfigError, ParseError
from digest.model import Listing, Request
from digest.sources.arxiv_feed import ZONE, count_total, read_document, read_feed
from digest.sources.arxiv_mail import is_announcement, parse_announcement
from digest.sources.base import SourceOptions

#: where the announcements are, and where the search is
FEEDS = "https://rss.arxiv.org"
API = "https://export.arxiv.org"
LOOK_BACK = timedelta(days=7)
LOOK_BACK_EVERY = timedelta(hours=24)
#: entries in one answer of the API; it allows 2,000 but is slow and fails more often then
PAGE_SIZE = 500
PAGES_MAX = 12
QUERY_LIMIT = 100
_CATEGORY = re.compile(r"[a-z][a-z-]*(?:\.[A-Za-z*][A-Za-z-]*)?")


class Arxiv:
    """Some categories of arXiv, or what a query finds there, or both."""

    kind = "arxiv"

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        self.pause_s = 3.0 if options.pause_s is None else options.pause_s
        self._feeds = (options.url or FEEDS).rstrip("/").removesuffix("/atom").removesuffix("/rss")
        self._api = (options.url or API).rstrip("/")
        self._is_public = options.url is None
        self._categories = options.categories
        self._query = options.query
        self._limit = options.limit
        problems = [
            f"source {name!r}: {category!r} is no arXiv category; write it like cs.CL or hep-th"
            for category in options.categories
            if not _CATEGORY.fullmatch(category)
        ]
        if not options.categories and not options.query:
            problems.append(f"source {name!r}: name categories like ['cs.CL'], or a query")
        if problems:
            raise ConfigError(problems)

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """Today's announcement, the week behind it once a day, and the query."""
        asked = []
        if self._categories:
            asked.append(self._ask_feed(now))
            last = memory.get(self._look_back_label)
            # a mirror or a test server of the feeds has no search behind it
            if self._is_public and (last is None or now - last >= LOOK_BACK_EVERY):
                asked.append(self._ask_look_back(now))
        if self._query:
            size = self._limit or QUERY_LIMIT
            asked.append(self._ask_api(self._query, label=f"query {self._query}", size=size))
        return tuple(asked)

    @property
    def _look_back_label(self) -> str:
        return f"{'+'.join(self._categories)} of the last week"

    def _ask_feed(self, now: datetime) -> Request:
        names, today = "+".join(self._categories), local_date(now, ZONE)
        rss = Request(
            url=f"{self._feeds}/rss/{names}",
            label=f"{names} {today}",
            accept="application/rss+xml, application/xml;q=0.8",
            settled=today.weekday() < 5,
        )
        return replace(
            rss,
            url=f"{self._feeds}/atom/{names}",
            accept="application/atom+xml, application/xml;q=0.8",
            instead=rss,
        )

    def _ask_look_back(self, now: datetime) -> Request:
        start, end = (f"{moment:%Y%m%d%H%M}" for moment in (now - LOOK_BACK, now))
        where = " OR ".join(f"cat:{category}" for category in self._categories)
        question = f"({where}) AND submittedDate:[{start} TO {end}]"
        return self._ask_api(question, label=self._look_back_label, size=PAGE_SIZE)

    def _ask_api(self, question: str, *, label: str, size: int) -> Request:
        parameters = {
            "search_query": question,
            "sortBy": "submittedDate",
            "sortOrder": "descending",
            "start": 0,
            "max_results": size,
        }
        return Request(
            url=f"{self._api}/api/query?{urlencode(parameters)}",
            label=label,
            accept="application/atom+xml",
        )

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read an announcement (Atom, RSS or the text of a mail) or an answer of the API."""
        if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            text = body.decode("utf-8", "replace")
            if is_announcement(text):
                return parse_announcement(text)
        root = read_document(body, content_type)
        start = int(_parameter(request.url, "start") or 0)
        limit = None if request.label == self._look_back_label else self._limit
        day = request.label.rpartition(" ")[2]
        listing = read_feed(root, day=day, limit=limit, first=start + 1)
        more = self._next_page(request, root, listing, start)
        return Listing(entries=listing.entries, broken=listing.broken, more=more, rest=listing.rest)

    def _next_page(
        self, request: Request, root: Element, listing: Listing, start: int
    ) -> tuple[Request, ...]:
        total = count_total(root)
        count = len(listing.entries) + len(listing.broken)
        if total is None or start + count >= total:
            return ()
        if count == 0:
            raise ParseError(
                f"the arXiv API has {total} papers for this but gave none; it does so when busy, "
                "the next pass asks again"
            )
        if request.label != self._look_back_label or request.page >= PAGES_MAX:
            return ()
        following = Request(
            url=_with_parameter(request.url, "start", str(start + count)),
            label=request.label,
            accept=request.accept,
            page=request.page + 1,
        )
        return (following,)


def _parameter(url: str, name: str) -> str:
    value = parse_qs(urlsplit(url).query).get(name, [""])[0]
    return value if value.isdecimal() else ""


def _with_parameter(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()} | {name: value}
    return urlunsplit(parts._replace(query=urlencode(query)))
