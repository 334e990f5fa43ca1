"""What is on the stand today: the pool of candidates, kept ready between requests.

Preparing a pool takes a good part of a second, so it is shared by all requests and made again when
sources were read or some minutes have passed. Safe to use from several threads; whoever comes
while it is made waits for that one.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime

from digest.edition import Editor
from digest.rank import Pool, Ranker
from digest.store import Store
from digest.store.pages import content_version

#: the archive is asked for news at most that often, in seconds
_ASK_EVERY_S = 1.0
#: trends age: a pool is made again after that, in seconds
_MADE_AGAIN_S = 300.0


class Version:
    """What the archive is at, asked at most once a second."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking = threading.Lock()
        self._known = ""
        self._asked_at = -_ASK_EVERY_S

    def current(self) -> str:
        """A text that differs whenever a page could."""
        with self._asking:
            if time.monotonic() - self._asked_at >= _ASK_EVERY_S:
                with self._store.read() as tx:
                    self._known = content_version(tx)
                self._asked_at = time.monotonic()
            return self._known


class Stand:
    """The pool and the ranker of the moment."""

    def __init__(self, editor: Editor, version: Version) -> None:
        self._editor = editor
        self._version = version
        self._making = threading.Lock()
        self._pool: tuple[str, float, Pool] | None = None
        self._ranker: tuple[str, float, Ranker] | None = None

    def pool(self, now: datetime) -> Pool:
        """The candidates of the look-back, prepared for ranking."""
        version = self._version.current()
        with self._making:
            made = self._pool
            if made and made[0] == version and time.monotonic() - made[1] < _MADE_AGAIN_S:
                return made[2]
            pool = self._editor.pool(now)
            self._pool = version, time.monotonic(), pool
            return pool

    def ranker(self, now: datetime) -> Ranker:
        """The ranker of today's archive."""
        version = self._version.current()
        with self._making:
            made = self._ranker
            if made and made[0] == version and time.monotonic() - made[1] < _MADE_AGAIN_S:
                return made[2]
            # also without news: a model may have come since
            ranker = self._editor.ranker(now)
            self._ranker = version, time.monotonic(), ranker
            return ranker
