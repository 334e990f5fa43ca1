"""The vectors of texts by one model: looked up in the store, or computed once and kept there.

Numbers are kept at half precision and given out as they are kept, so a text has the same vector
whether it was just computed or found. Used by the ranker and by searching.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime

import numpy as np

from digest.embed.model import Floats, Model, Text
from digest.embed.onnx import unit
from digest.errors import StoreError
from digest.store import Store, embeddings
from digest.text import text_key

log = logging.getLogger(__name__)

#: texts computed between two writes, and before others have their turn: half a second's work
_PORTION = 8
_KEPT = np.dtype("<f2")
_keeps: ContextVar[bool] = ContextVar("keeps", default=True)


@contextmanager
def unkept() -> Iterator[None]:
    """Within the block what is computed is not kept: what a stranger tries out is nobody's yet,
    and must not fill the disk.
    """
    before = _keeps.set(False)
    try:
        yield
    finally:
        _keeps.reset(before)


class Vectors:
    """A model and what it made so far. Safe to use from several threads."""

    def __init__(self, store: Store, model: Model, now: Callable[[], datetime]) -> None:
        self._store = store
        self._model = model
        self._now = now
        # one portion at a time, whoever asks: the second finds what the first has computed
        self._turns = Turns()

    @property
    def name(self) -> str:
        """What the vectors are kept under: another model has another."""
        return self._model.name

    @property
    def dimension(self) -> int:
        """The length of every vector."""
        return self._model.dimension

    def embed(self, texts: Sequence[Text], *, must_keep: bool = False) -> Floats:
        """A row for each text, of length 1; zeros for a text that says nothing.

        What the store lacks is computed and kept. Not to be called within a transaction that
        writes: keeping takes one of its own. When the store cannot keep them that is said, and
        the rows are given all the same; with `must_keep` it raises StoreError.
        """
        keys = [text_key(*text) for text in texts]
        kept = self._look_up(keys)
        lacking = {k: t for k, t in zip(keys, texts, strict=True) if k not in kept}
        for portion in _portions(list(lacking)):
            with self._turns.take():
                kept |= self._look_up(portion)
                new = {key: lacking[key] for key in portion if key not in kept}
                kept |= self._compute(new, must_keep) if new else {}
        rows = np.zeros((len(keys), self.dimension), np.float32)
        for at, key in enumerate(keys):
            rows[at] = from_bytes(kept[key], self.dimension)
        return rows

    def embed_query(self, text: str) -> Floats:
        """The vector of words that somebody searches with; not kept."""
        row: Floats = _as_kept(self._model.embed([(text, "")]))[0].astype(np.float32)
        return row

    def count_lacking(self, texts: Iterable[Text]) -> int:
        """How many of the texts would have to be computed."""
        keys = {text_key(*text) for text in texts}
        with self._store.read() as tx:
            return len(keys - embeddings.known_keys(tx, self.name, keys))

    def _look_up(self, keys: Iterable[str]) -> dict[str, bytes]:
        with self._store.read() as tx:
            return embeddings.vectors_of(tx, self.name, keys)

    def _compute(self, texts: Mapping[str, Text], must_keep: bool) -> dict[str, bytes]:
        rows = _as_kept(self._model.embed(list(texts.values())))
        made = {key: row.tobytes() for key, row in zip(texts, rows, strict=True)}
        if not (must_keep or _keeps.get()):
            return made
        try:
            with self._store.write() as tx:
                embeddings.put_vectors(tx, self.name, made, now=self._now())
        except StoreError as error:
            if must_keep:
                raise
            # they are right all the same, and whoever waits for them only reads
            log.warning("%d vectors are not kept and will be made again: %s", len(made), error)
        return made


class Turns:
    """A lock that its holder cannot have again before those who wait for it.

    A plain one would go to a catch-up over and over, while a page waits for one sentence.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: held by the next in turn, so that who comes back stands behind
        self._door = threading.Lock()

    @property
    def are_awaited(self) -> bool:
        """Whether somebody is next."""
        return self._door.locked()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold it within the block."""
        with self._door:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()


def from_bytes(kept: bytes, dimension: int) -> Floats:
    """A vector as it was kept; zeros when the bytes are no vector of that model."""
    if len(kept) != dimension * _KEPT.itemsize:
        return np.zeros(dimension, np.float32)
    row = np.frombuffer(kept, _KEPT).astype(np.float32)
    return row if np.isfinite(row).all() else np.zeros(dimension, np.float32)


def _as_kept(rows: Floats) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    return np.stack([unit(row) for row in rows]).astype(_KEPT)


def _portions(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[start : start + _PORTION] for start in range(0, len(keys), _PORTION))
