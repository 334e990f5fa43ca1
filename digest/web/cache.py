"""Public pages kept in memory, made again when what they show has changed.

A page is served as it is for a second; for some seconds more it is served while a newer one is made
behind it, so that readers in a rush never wait; after that it is checked first. "Changed" means
that sources were read or topics edited since, or that some minutes have passed (trends age).
One event loop uses it; nothing here blocks.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from digest.web.page import Page

BYTES_MAX = 64_000_000
#: a page that was checked so long ago is served unasked, in seconds
FRESH_S = 1.0
#: one that was checked so long ago is served while it is checked, in seconds
STALE_S = 10.0
#: a page is made anew after that, whether anything was read or not, in seconds
MADE_AGAIN_S = 300.0

#: path, and query in its one spelling
Key = tuple[str, str]
#: makes a page anew
Make = Callable[[], Awaitable[Page]]


@dataclass(slots=True)
class _Kept:
    page: Page
    make: Make
    version: str
    made_at: float
    checked_at: float


class PageCache:
    """The pages of one process. `version` says what the archive is at, as a text that changes."""

    def __init__(self, version: Callable[[], Awaitable[str]], *, bytes_max: int = BYTES_MAX):
        self._version = version
        self._bytes_max = bytes_max
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._making: dict[Key, asyncio.Task[Page]] = {}
        self._bytes = 0

    def ready(self, key: Key) -> Page | None:
        """The page if it can be served at once; may have it made anew for those who come next."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        age = time.monotonic() - kept.checked_at
        if age > FRESH_S:
            if age > STALE_S:
                return None
            self._renew(key, kept.make)
        return kept.page

    async def page(self, key: Key, make: Make) -> Page:
        """The page, made or checked first when need be; many who ask together wait for one."""
        found = self.ready(key)
        return found if found is not None else await asyncio.shield(self._renew(key, make))

    def _renew(self, key: Key, make: Make) -> asyncio.Task[Page]:
        task = self._making.get(key)
        if task is None:
            task = asyncio.create_task(self._make(key, make))
            self._making[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        return task

    def _done(self, key: Key, task: asyncio.Task[Page]) -> None:
        del self._making[key]
        # whoever waits gets the error; a page made for nobody is simply not kept
        if not task.cancelled() and task.exception() is not None:
            self._drop(key)

    async def _make(self, key: Key, make: Make) -> Page:
        version = await self._version()
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept and kept.version == version and now - kept.made_at < MADE_AGAIN_S:
            kept.checked_at = now
            return kept.page
        page = await make()
        if kept and kept.page.etag == page.etag:
            # the same words: what a reader has is still the newest
            page = kept.page
        now = time.monotonic()
        self._keep(key, _Kept(page, make, version, now, now))
        return page

    def _keep(self, key: Key, kept: _Kept) -> None:
        self._drop(key)
        self._kept[key] = kept
        self._bytes += kept.page.bytes_used
        while self._bytes > self._bytes_max and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.page.bytes_used
