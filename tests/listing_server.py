"""A local server that answers like Hugging Face from recordings, and misbehaves on command.

Recorded answers of the daily papers API are served by date, limit, p and sort, as of a settable
clock; single days or paths can be made to fail in the ways that the world fails. Every request is
logged. Nothing here sleeps; whatever hangs ends with the context.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlencode

from digest.sample.listings import page_of
from digest.sample.loopback import Answer, Asked, LoopbackServer
from tests.recordings import HUGGINGFACE, daily_items

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
#: what an endless body ends at, should nobody stop reading
ENDLESS_BYTES_MAX = 400_000_000
#: longest that a request is left without an answer, should nobody release it
SILENCE_S_MAX = 60.0

#: makes another answer of the right one; the event is set when hanging requests shall end
Trouble = Callable[[Asked, Answer, threading.Event], Answer | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """One request as it came in."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    #: monotonic seconds; only differences mean anything
    at_s: float
    #: the server's clock; None when it has none
    now: datetime | None

    @property
    def day(self) -> str | None:
        """The listing day asked for, by either way."""
        if self.path.startswith("/papers/date/"):
            return self.path.removeprefix("/papers/date/")
        return self.query.get("date")


def status(code: int, *, headers: Mapping[str, str] | None = None, text: str = "no") -> Trouble:
    """Answer with that status; `headers` such as {"Retry-After": "120"}."""
    extra = tuple((headers or {}).items())
    return lambda asked, right, released: Answer(status=code, body=text.encode(), headers=extra)


def body(content: bytes, *, content_type: str = JSON) -> Trouble:
    """Answer 200 with that content."""
    return lambda asked, right, released: Answer(content_type=content_type, body=content)


def empty_list() -> Trouble:
    """Answer with a list of nothing."""
    return body(b"[]")


def html_page() -> Trouble:
    """Answer 200 with a page for people where JSON was promised."""
    page = b"<!doctype html><title>One moment</title><h1>We will be back shortly</h1>"
    return body(page, content_type=HTML)


def half_json() -> Trouble:
    """Answer with the first half of the right body, as if that were all."""

    def trouble(asked: Asked, right: Answer, released: threading.Event) -> Answer:
        whole = _whole(right)
        return Answer(content_type=right.content_type, body=whole[: len(whole) // 2])

    return trouble


def cut_short() -> Trouble:
    """Promise the whole body, send half of it and hang up."""

    def trouble(asked: Asked, right: Answer, released: threading.Event) -> Answer:
        whole = _whole(right)
        length = (("Content-Length", str(len(whole))),)
        half = iter([whole[: len(whole) // 2]])
        return Answer(content_type=right.content_type, body=half, headers=length)

    return trouble


def endless(chunk: bytes = b" " * 65536) -> Trouble:
    """Send chunk after chunk until the client has had enough."""

    def chunks(released: threading.Event) -> Iterator[bytes]:
        for _ in range(ENDLESS_BYTES_MAX // len(chunk)):
            if released.is_set():
                return
            yield chunk

    return lambda asked, right, released: Answer(content_type=JSON, body=chunks(released))


def silence() -> Trouble:
    """Take the request and say nothing until released or the context ends; then hang up."""

    def trouble(asked: Asked, right: Answer, released: threading.Event) -> None:
        released.wait(SILENCE_S_MAX)

    return trouble


def stall() -> Trouble:
    """Send the head and half of the body, then nothing more until released."""

    def chunks(whole: bytes, released: threading.Event) -> Iterator[bytes]:
        yield whole[: len(whole) // 2]
        released.wait(SILENCE_S_MAX)

    def trouble(asked: Asked, right: Answer, released: threading.Event) -> Answer:
        whole = _whole(right)
        length = (("Content-Length", str(len(whole))),)
        body = chunks(whole, released)
        return Answer(content_type=right.content_type, body=body, headers=length)

    return trouble


def hang_up() -> Trouble:
    """Close the connection without an answer."""
    return lambda asked, right, released: None


def redirect(to: str | None = None, *, code: int = 302) -> Trouble:
    """Redirect there; to the very same address, for ever, when `to` is None."""

    def trouble(asked: Asked, right: Answer, released: threading.Event) -> Answer:
        target = to or f"{asked.path}?{urlencode(asked.query)}"
        return Answer(status=code, headers=(("Location", target),))

    return trouble


def _whole(answer: Answer) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


@dataclass(slots=True)
class _Planned:
    trouble: Trouble
    #: how many more requests it holds for; None for all
    left: int | None


class ReplayServer:
    """Serves recorded days while the context is open.

    `folder` has DAY.json files. `snapshots` has, for a day, its recordings at several moments:
    the newest not after `now` is served, and nothing before the first. With `now` set, days that
    have not begun are empty. `html` has recorded listing pages, `papers_date_DAY__….html`.
    """

    def __init__(
        self,
        folder: Path | None = HUGGINGFACE / "daily_papers",
        *,
        snapshots: Mapping[str, Sequence[tuple[datetime, Path]]] | None = None,
        html: Path | None = None,
        now: datetime | None = None,
    ) -> None:
        self.now = now
        self.requests: list[Logged] = []
        self._folder = folder
        self._snapshots = snapshots or {}
        self._html = html
        self._planned: dict[str, _Planned] = {}
        self._released = threading.Event()
        self._lock = threading.Condition()
        self._server = LoopbackServer(self._respond)

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        return self._server.url

    def __enter__(self) -> ReplayServer:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._released.set()
        self._server.__exit__(None, None, None)

    def misbehave(self, trouble: Trouble, *, on: str = "*", times: int | None = None) -> None:
        """Answer with `trouble` from now on, for the next `times` requests when given.

        `on` is a day ("2026-03-11", by either way), a path ("/robots.txt"), or "*" for
        everything but robots.txt. A path is looked up before a day, a day before "*".
        """
        with self._lock:
            self._planned[on] = _Planned(trouble, times)

    def behave(self, *, on: str | None = None) -> None:
        """Forget the trouble planned there; all of it when None."""
        with self._lock:
            if on is None:
                self._planned.clear()
            else:
                self._planned.pop(on, None)

    def release(self) -> None:
        """Let go of every request that hangs; later ones hang again."""
        with self._lock:
            released, self._released = self._released, threading.Event()
        released.set()

    def wait_for_requests(self, count: int, *, timeout_s: float = 20.0) -> None:
        """Wait until that many requests have come in, answered or not."""
        with self._lock:
            came = self._lock.wait_for(lambda: len(self.requests) >= count, timeout_s)
        assert came, f"{len(self.requests)} of {count} requests came in {timeout_s} s"

    def days_asked(self) -> list[str]:
        """The listing days asked for so far, in order, by either way."""
        return [logged.day for logged in self.requests if logged.day]

    def _respond(self, asked: Asked) -> Answer | None:
        logged = Logged(
            path=asked.path,
            query=asked.query,
            headers=asked.headers,
            at_s=time.monotonic(),
            now=self.now,
        )
        with self._lock:
            self.requests.append(logged)
            self._lock.notify_all()
            trouble = self._trouble_for(logged)
            released = self._released
        right = self._right(asked, logged)
        return trouble(asked, right, released) if trouble else right

    def _trouble_for(self, logged: Logged) -> Trouble | None:
        general = "" if logged.path == "/robots.txt" else "*"
        for key in (logged.path, logged.day or "", general):
            planned = self._planned.get(key)
            if planned is None or planned.left == 0:
                continue
            if planned.left is not None:
                planned.left -= 1
            return planned.trouble
        return None

    def _right(self, asked: Asked, logged: Logged) -> Answer:
        if asked.path == "/robots.txt":
            return Answer(body=b"User-agent: *\nAllow: /\n")
        if asked.path == "/api/daily_papers":
            return self._api(asked.query)
        if asked.path.startswith("/papers/date/") and self._html:
            pages = sorted(self._html.glob(f"papers_date_{logged.day}__*.html"))
            if pages:
                return Answer(content_type=HTML, body=pages[-1].read_bytes())
        return Answer(status=404, body=b"Not Found")

    def _api(self, query: Mapping[str, str]) -> Answer:
        """The API as measured: a date's list stands by votes, without a date by publication."""
        try:
            items = list(
                self._items(date.fromisoformat(query["date"]) if "date" in query else None)
            )
            if "date" not in query or query.get("sort") == "publishedAt":
                items.sort(key=lambda item: str(item["publishedAt"]), reverse=True)
            content = json.dumps(list(page_of(items, query)))
            return Answer(content_type=JSON, body=content.encode())
        except ValueError as error:
            content = json.dumps({"error": f"Invalid query: {error}"})
            return Answer(status=400, content_type=JSON, body=content.encode())

    def _items(self, day: date | None) -> Sequence[dict[str, object]]:
        path = self._file(day or self._latest())
        return daily_items(path) if path else ()

    def _file(self, day: date | None) -> Path | None:
        if str(day) in self._snapshots:
            taken = sorted(self._snapshots[str(day)])
            past = [path for at, path in taken if self.now is None or at <= self.now]
            return past[-1] if past else None
        if day is None or self._folder is None or self._is_future(day):
            return None
        path = self._folder / f"{day}.json"
        return path if path.is_file() else None

    def _is_future(self, day: date) -> bool:
        return self.now is not None and day > self.now.date()

    def _latest(self) -> date | None:
        names = [path.stem for path in self._folder.glob("*.json")] if self._folder else []
        days = (date.fromisoformat(name) for name in [*names, *self._snapshots])
        return max((day for day in days if self._file(day)), default=None)


def recorded_snapshots(
    folder: Path = HUGGINGFACE / "snapshots",
) -> dict[str, list[tuple[datetime, Path]]]:
    """Day → its recordings, oldest first; from files named DAY__at_20250109T042026Z.json."""
    found: dict[str, list[tuple[datetime, Path]]] = {}
    for path in sorted(folder.glob("*__at_*.json")):
        day, _, moment = path.stem.partition("__at_")
        at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        found.setdefault(day, []).append((at, path))
    return found
