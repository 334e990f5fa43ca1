"""Where every item of the archive lies by one model: one matrix in memory, scanned from end to end.

768 bytes an item; a scan of 100,000 takes some 15 ms, which no index of nearest neighbours is
needed for. Made once and brought up to date as the archive grows. Used by searching.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import numpy as np

from digest.clock import uptime_s
from digest.embed.model import Floats
from digest.embed.vectors import Vectors, from_bytes
from digest.store import Store, embeddings
from digest.store.embeddings import ItemVector

#: rows that are widened at once: they and their numbers stay in the processor's own memory
_BLOCK = 256
_GROWTH = 1.25
#: items until the middle of the archive is believed; that of two papers is between the two
_FEW = 20
_ROWS_MIN = 1_024
#: what a slow transaction has changed is told as of its beginning
_OVERLAP = timedelta(hours=1)
#: items that are read again at every look; after more there is a rest, a hundred times as long as
#: reading them took
_QUICK = 2_000
_REST_S = 0.001
#: half precision has its exponent 112 lower than single precision, once the bits are in place
_SCALE = np.float32(2.0**112)
_SIGN_AND_NUMBER = np.int32(-0x70002000)


class Atlas:
    """The archive's vectors by one model. Safe to use from several threads."""

    def __init__(self, store: Store, vectors: Vectors) -> None:
        self.vectors = vectors
        self._store = store
        self._lock = threading.Lock()
        self._rows = np.zeros((0, vectors.dimension), np.float16)
        self._ids = np.zeros(0, np.int64)
        #: of each row, whether its text says anything
        self._is_there = np.zeros(0, bool)
        self._count = 0
        self._row_of: dict[int, int] = {}
        #: items that had no vector when they were last looked at
        self._waiting: set[int] = set()
        self._told_until: datetime | None = None
        #: items read by the last look, and when the next one is due, by uptime_s
        self._read = 0
        self._look_again_at = 0.0
        self._total = np.zeros(vectors.dimension, np.float64)
        self._mean: Floats = np.zeros(vectors.dimension, np.float32)
        self._lengths: Floats = np.zeros(0, np.float32)

    def __len__(self) -> int:
        return self._count

    def refresh(self) -> None:
        """Take up what has come, changed, or got its vector since the last time.

        That reads anew what has come lately and what waits for its vector. While it is much, as
        with an archive that was just filled or a model that was just fetched, not every search has
        to wait for it.
        """
        with self._lock:
            if uptime_s() < self._look_again_at:
                return
            self._read = 0
            since = self._told_until - _OVERLAP if self._told_until else None
            with self._store.read() as tx:
                name = self.vectors.name
                late = self._take(embeddings.vectors_of_items(tx, name, self._waiting))
                new = self._take(embeddings.item_vectors(tx, name, since=since))
            if late or new:
                self._measure()
            if self._read > _QUICK:
                self._look_again_at = uptime_s() + self._read * _REST_S

    def nearest(
        self, query: Floats, *, limit: int, but: Collection[int] = ()
    ) -> list[tuple[int, float]]:
        """Items and their likeness to the query, best first; equal ones by id.

        Likeness is the cosine, −1…1, as seen from the middle of the archive: raw ones are high for
        any two papers, since all of them are papers.
        """
        with self._lock:
            ids, likeness = self._ids[: self._count], self._likeness(query)
        if but:
            likeness[np.isin(ids, list(but))] = -np.inf
        best = (
            np.argpartition(-likeness, limit)[:limit] if limit < len(ids) else np.arange(len(ids))
        )
        order = best[np.lexsort((ids[best], -likeness[best]))]
        return [(int(ids[i]), float(likeness[i])) for i in order if np.isfinite(likeness[i])]

    def _likeness(self, query: Floats) -> Floats:
        toward = query - self._mean
        length = float(np.linalg.norm(toward))
        if not query.any() or length < 1e-6:
            return np.full(self._count, -np.inf, np.float32)
        toward /= np.float32(length)
        along = self._scan(toward) - np.float32(self._mean @ toward)
        found: Floats = np.where(
            self._lengths > 0, along / np.maximum(self._lengths, 1e-6), -np.inf
        )
        return found.astype(np.float32)

    def _take(self, told: Iterable[ItemVector]) -> bool:
        """Put vectors in place; whether any is new or another than before."""
        is_changed = False
        for item in told:
            self._read += 1
            self._told_until = max(self._told_until or item.changed_at, item.changed_at)
            if item.vector is None:
                self._waiting.add(item.item_id)
                continue
            self._waiting.discard(item.item_id)
            row = self._row_of.get(item.item_id)
            if row is None:
                row = self._row_of[item.item_id] = self._append(item.item_id)
                is_changed = True
            vector = from_bytes(item.vector, self.vectors.dimension).astype(np.float16)
            if not np.array_equal(self._rows[row], vector):
                self._total += vector.astype(np.float64) - self._rows[row]
                self._rows[row] = vector
                self._is_there[row] = vector.any()
                is_changed = True
        return is_changed

    def _append(self, item_id: int) -> int:
        if self._count == len(self._rows):
            more = max(int(self._count * _GROWTH), _ROWS_MIN) - self._count
            self._rows = np.pad(self._rows, ((0, more), (0, 0)))
            self._ids = np.pad(self._ids, (0, more))
            self._is_there = np.pad(self._is_there, (0, more))
        self._ids[self._count] = item_id
        self._count += 1
        return self._count - 1

    def _measure(self) -> None:
        """Learn the middle of the archive, and how far from it each item lies."""
        self._mean = (self._total / (int(self._is_there.sum()) + _FEW)).astype(np.float32)
        squared = 1.0 - 2.0 * self._scan(self._mean) + float(self._mean @ self._mean)
        lengths = np.sqrt(np.maximum(squared, 0.0)) * self._is_there[: self._count]
        self._lengths = lengths.astype(np.float32)

    def _scan(self, toward: Floats) -> Floats:
        """Every row times a vector.

        NumPy widens half precision number by number; moving the bits of whole blocks does the same
        in a quarter of the time.
        """
        out = np.empty(self._count, np.float32)
        wide = np.empty((_BLOCK, len(toward)), np.int32)
        bits, scaled = self._rows.view(np.int16), toward * _SCALE
        for start in range(0, self._count, _BLOCK):
            end = min(start + _BLOCK, self._count)
            block = wide[: end - start]
            block[...] = bits[start:end]
            np.left_shift(block, 13, out=block)
            np.bitwise_and(block, _SIGN_AND_NUMBER, out=block)
            np.dot(block.view(np.float32), scaled, out=out[start:end])
        return out
