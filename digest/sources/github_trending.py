"""GitHub's trending repositories, from its HTML page: there is no API for them.

Rows are ordered by the stars of the day, but what is kept is the total: a number that only grows,
so that its growth can be measured. Fewer rows than 25 are usual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from bs4.element import Tag

from digest.errors import ConfigError, ParseError
from digest.model import Listing, PaperData, Request
from digest.sources.answers import COUNT_MAX, BrokenEntry, describe, read_entries
from digest.sources.base import SourceOptions
from digest.sources.html import read_html
from digest.text import clean

HOST = "https://github.com"
PERIODS = ("daily", "weekly", "monthly")


class GithubTrending:
    """The trending page of all languages, or of the languages given as categories."""

    kind = "github-trending"

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        self.pause_s = 2.0 if options.pause_s is None else options.pause_s
        self._url = (options.url or HOST).rstrip("/")
        self._languages = options.categories or ("",)
        self._since = options.query or "daily"
        self._limit = options.limit
        if self._since not in PERIODS:
            raise ConfigError(
                [f"source {name!r}: query must be daily, weekly or monthly, not {self._since!r}"]
            )

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """One page for each language, at every pass."""
        return tuple(
            Request(
                url=f"{self._url}/trending{path}?since={self._since}",
                label=f"trending {language or 'in all languages'}, {self._since}",
                accept="text/html",
                robots=True,
            )
            for language in self._languages
            for path in (f"/{quote(language.lower(), safe='')}" if language else "",)
        )

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read one trending page."""
        page = read_html(body)
        rows = page.select("article.Box-row")
        if not rows:
            if page.select_one(".blankslate"):
                return Listing(entries=(), rest="GitHub says that nothing is trending there")
            seen = describe(body, content_type)
            raise ParseError(f"no trending repositories (article.Box-row) in the page: {seen}")
        if not page.select_one("article.Box-row h2 a[href]"):
            raise ParseError("the rows of the page name no repositories; its layout has changed")
        return read_entries(rows[: self._limit], _read_row)


def _read_row(row: Tag, position: int) -> PaperData:
    link = row.select_one("h2 a[href]")
    found = re.fullmatch(r"/([\w.-]+)/([\w.-]+)/?", str(link["href"])) if link else None
    if not found:
        raise BrokenEntry("no repository in the row")
    name = f"{found[1]}/{found[2]}"
    about = row.select_one("p")
    language = row.select_one('[itemprop="programmingLanguage"]')
    return PaperData(
        title=name,
        url=f"{HOST}/{name}",
        abstract=clean(about.get_text()) if about else "",
        categories=(clean(language.get_text()),) if language else (),
        position=position,
        stars=_stars(row),
        code_url=f"{HOST}/{name}",
    )


def _stars(row: Tag) -> int | None:
    """All stars of the repository, written like 5,096."""
    link = row.select_one('a[href$="/stargazers"]')
    digits = re.sub(r"[\s,.]", "", link.get_text()) if link else ""
    is_count = digits.isascii() and digits.isdecimal() and int(digits) <= COUNT_MAX
    return int(digits) if is_count else None
