"""The sample's sources as a server on 127.0.0.1 whose clock the caller moves.

It answers like the hosts it stands for: the daily papers API and an arXiv announcement feed.
`digest demo` and the tests point ordinary sources at its url.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from types import TracebackType
from typing import Any, Self

from digest.sample.listings import latest_day, page_of, sample_feed, sample_list
from digest.sample.loopback import Answer, Asked, LoopbackServer

_JSON = "application/json; charset=utf-8"


class SampleServer:
    """Serves the sample as it was at `now`; set `now` to let time pass.

    `GET /api/daily_papers?date=&limit=&p=` is the Hugging Face API, `GET /atom/CATEGORIES` the
    arXiv feed. Nothing else exists but robots.txt, which allows everything.
    """

    def __init__(self, now: datetime) -> None:
        self._server = LoopbackServer(self._respond)
        self.now = now

    @property
    def now(self) -> datetime:
        """The moment as of which it answers."""
        return self._now

    @now.setter
    def now(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError(f"the server's clock needs a moment with a zone, got {moment!r}")
        self._now = moment

    @property
    def url(self) -> str:
        """Base address without a trailing slash, for `url` of a source."""
        return self._server.url

    def __enter__(self) -> Self:
        self._server.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.__exit__(kind, error, trace)

    def _respond(self, asked: Asked) -> Answer:
        now = self._now
        if asked.path == "/api/daily_papers":
            return daily_papers(asked.query, now)
        if asked.path.startswith("/atom/") and len(asked.path) > len("/atom/"):
            feed = sample_feed(asked.path.removeprefix("/atom/"), now)
            return Answer(content_type="application/atom+xml; charset=utf-8", body=feed.encode())
        if asked.path == "/robots.txt":
            return Answer(body=b"User-agent: *\nAllow: /\n")
        return Answer(status=404, body=b"Not Found")


def daily_papers(query: Mapping[str, str], now: datetime) -> Answer:
    """The API's answer at `now`; without a date, the newest list ordered by publication."""
    try:
        if "date" in query:
            items = sample_list(date.fromisoformat(query["date"]), now)
        else:
            day = latest_day(now)
            items = sample_list(day, now) if day else []
            items.sort(key=lambda item: str(item["publishedAt"]), reverse=True)
        return _json(200, list(page_of(items, query)))
    except ValueError as error:
        return _json(400, {"error": f"Invalid query: {error}"})


def _json(status: int, value: Any) -> Answer:  # Any: whatever JSON can say
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status=status, content_type=_JSON, body=body)
