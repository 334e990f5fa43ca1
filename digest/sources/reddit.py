"""Reddit: what is hot in some subreddits, from the JSON of its listings.

Reddit wants a token for dependable use; with one its API host is asked. Pinned posts are notices
of the moderators and left out. A post's link decides what it is, as with Hacker News.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from digest.errors import ConfigError, ParseError
from digest.model import Listing, PaperData, Request
from digest.papers import find_arxiv
from digest.sources.answers import (
    BrokenEntry,
    count_of,
    describe,
    load_json,
    read_entries,
    text_of,
)
from digest.sources.base import SourceOptions
from digest.text import http_url

HOST = "https://www.reddit.com"
API = "https://oauth.reddit.com"
LIMIT_MAX = 100


class Reddit:
    """The hot posts of the subreddits given as categories."""

    kind = "reddit"

    def __init__(self, name: str, options: SourceOptions) -> None:
        self.name = name
        self.pause_s = 6.0 if options.pause_s is None else options.pause_s
        self._url = (options.url or (API if options.token else HOST)).rstrip("/")
        self._limit = min(options.limit or LIMIT_MAX, LIMIT_MAX)
        self._headers = (("Authorization", f"Bearer {options.token}"),) if options.token else ()
        self._subreddits = tuple(c.strip("/").removeprefix("r/") for c in options.categories)
        problems = [
            f"source {name!r}: {subreddit!r} is no subreddit; write it like MachineLearning"
            for subreddit in self._subreddits
            if not re.fullmatch(r"\w{2,30}", subreddit, re.ASCII)
        ]
        if not self._subreddits:
            problems.append(f"source {name!r}: name subreddits in categories")
        if problems:
            raise ConfigError(problems)

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """One listing for each subreddit, at every pass."""
        return tuple(
            Request(
                url=f"{self._url}/r/{subreddit}/hot.json?limit={self._limit}&raw_json=1",
                label=f"r/{subreddit}",
                accept="application/json",
                headers=self._headers,
            )
            for subreddit in self._subreddits
        )

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read one listing."""
        answer = load_json(body, content_type)
        data = answer.get("data") if isinstance(answer, dict) else None
        children = data.get("children") if isinstance(data, dict) else None
        if not isinstance(children, list):
            seen = describe(body, content_type)
            raise ParseError(f"expected a listing of Reddit, got {seen}")
        return read_entries([child for child in children if not _is_pinned(child)], _read_post)


def _post_of(child: Any) -> Mapping[str, Any]:  # JSON has no static shape
    data = child.get("data") if isinstance(child, dict) else None
    return data if isinstance(data, dict) else {}


def _is_pinned(child: Any) -> bool:
    return _post_of(child).get("stickied") is True


def _read_post(child: Any, position: int) -> PaperData:
    post = _post_of(child)
    title = text_of(post.get("title"))
    discussion = http_url(text_of(post.get("permalink")), f"{HOST}/")
    if not title or not discussion or "/comments/" not in discussion:
        raise BrokenEntry(f"no title or no address: {(title or text_of(post.get('id')))[:60]!r}")
    link = None if post.get("is_self") is True else http_url(text_of(post.get("url")), HOST)
    url = link or discussion
    arxiv = find_arxiv(url)
    flair = text_of(post.get("link_flair_text"))
    return PaperData(
        title=title,
        url=f"https://arxiv.org/abs/{arxiv.id}" if arxiv else url,
        abstract=text_of(post.get("selftext")),
        arxiv_id=arxiv.id if arxiv else None,
        version=arxiv.version if arxiv else None,
        categories=(flair,) if flair else (),
        listed_at=_created(post.get("created_utc")),
        position=position,
        votes=count_of(post.get("score")),
        comments=count_of(post.get("num_comments")),
        discussion_url=discussion,
    )


def _created(seconds: object) -> datetime | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return datetime.fromtimestamp(int(seconds), UTC) if 0 < seconds < 2**33 else None
