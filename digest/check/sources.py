"""The sources: each is asked one question, politely, and its answer is read but not kept.

Validators are neither used nor stored, robots.txt and the pause of each host hold as always.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from digest.check.findings import Finding, green, red, yellow
from digest.errors import ConfigError, FetchError, ParseError
from digest.fetch import Answer, Fetcher
from digest.filters import plural
from digest.model import Request
from digest.sources.base import Source

REACHABLE = "sources.reachable"


class MemoryGate:
    """The pause of each host for one run, where the database cannot keep it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free_at: dict[str, datetime] = {}

    def wait_s(self, host: str, pause_s: float, now: datetime) -> float:
        with self._lock:
            start = max(now, self._free_at.get(host, now))
            self._free_at[host] = start + timedelta(seconds=pause_s)
        return (start - now).total_seconds()

    def hold(self, host: str, until: datetime) -> None:
        with self._lock:
            self._free_at[host] = max(until, self._free_at.get(host, until))


def judge_source(
    name: str, build: Callable[[], Source], fetcher: Fetcher, now: datetime
) -> Iterator[Finding]:
    """Ask the first thing that the source would ask; on its second way when the first fails."""
    try:
        source = build()
    except ConfigError as error:
        yield red(REACHABLE, f"{name}: {error.problems[0]}", "correct its [[source]]")
        return
    requests = source.requests({}, now)
    if not requests:
        yield green(REACHABLE, f"{name}: nothing to ask at this hour")
        return
    yield _ask(source, fetcher, requests[0])


def _ask(source: Source, fetcher: Fetcher, request: Request) -> Finding:
    """The finding of the first way that works, or of the first that failed."""
    failures: list[Finding] = []
    way: Request | None = request
    while way is not None:
        try:
            answer = fetcher.fetch(way, pause_s=source.pause_s)
            found = _read(source, way, answer)
        except FetchError as error:
            failures.append(_refused(source.name, error))
        except ParseError as error:
            failures.append(
                red(
                    REACHABLE,
                    f"{source.name} answers, but not with what its kind gives: {error}",
                    "check its url and kind; if they are right, its site has changed",
                )
            )
        else:
            if not failures:
                return green(REACHABLE, f"{source.name} answers with {found}")
            first = failures[0].said
            return yellow(
                REACHABLE, f"{first}; its second way answers with {found}", failures[0].advice
            )
        way = way.instead
    return failures[0]


def _read(source: Source, request: Request, answer: Answer) -> str:
    listing = source.parse(request, answer.body, answer.content_type)
    broken = f", {len(listing.broken)} of them broken" if listing.broken else ""
    count = len(listing.entries) + len(listing.broken)
    return f"{plural(count, 'entry', 'entries')}{broken}"


def _refused(name: str, error: FetchError) -> Finding:
    said, _, advice = error.reason.partition("; ")
    said, advice = f"{name}: {said}", advice or "check its url under [[source]]"
    # asked to wait is not broken: the next pass comes
    return (yellow if error.retry_after_s else red)(REACHABLE, said, advice)
