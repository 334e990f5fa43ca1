"""Which model is in use, if any: found on disk, loaded once, and the archive's vectors by it.

A model can be fetched, changed or broken while the daemon runs: it is looked at again each time.
When it cannot be used that is said once, and everything goes on by words alone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from digest.clock import uptime_s
from digest.embed.known import KNOWN
from digest.embed.model import load_model
from digest.embed.vectors import Vectors
from digest.errors import ModelError
from digest.store import Store, embeddings
from digest.store.embeddings import Use

log = logging.getLogger(__name__)

#: the newest items, which editions look at and learn from; commands see to these at once
RECENT = 3_000
#: vectors of other models deleted in one transaction
_DELETED_AT_ONCE = 5_000
#: a process says that often which model it uses
_TOLD_EVERY = timedelta(minutes=10)
#: another model that was used so lately is used still
USED_NOW = 3 * _TOLD_EVERY
#: vectors of a model that nobody has used for so long are deleted
_UNUSED_MODEL_KEPT = timedelta(days=1)
#: items of a transaction that was slow to end are told as of its beginning
_OVERLAP = timedelta(hours=6)
#: people's words whose vectors nobody asked to be forgotten: kept that long
_UNUSED_KEPT = timedelta(days=30)
_PORTION = 64
_FILES = (
    "model.onnx", "onnx/model.onnx", "model.safetensors", "tokenizer.json", "config.json",
)  # fmt: skip

#: a model's folder and its files' sizes and times
Seen = tuple[Path, tuple[tuple[int, int] | None, ...]]


def find_folder(setting: str, models: Path) -> Path | None:
    """The folder of the model that [rank] model names; None when words alone are compared.

    "auto" takes the first known one in `models` that is whole.
    """
    if setting == "lexical":
        return None
    if setting != "auto":
        return Path(setting)
    return next((models / m.name for m in KNOWN if m.is_whole(models / m.name)), None)


class Meaning:
    """The model in use and what the archive means by it. Safe to use from several threads."""

    def __init__(
        self,
        store: Store,
        *,
        setting: str,
        models: Path,
        now: Callable[[], datetime],
        owner: str = "digest",
    ) -> None:
        """`owner` names this process to others on the same database."""
        self._store = store
        self._owner = owner
        self._setting = setting
        self._models = models
        self._now = now
        self._loading = threading.Lock()
        self._loaded: tuple[Seen, Vectors | None] | None = None
        #: for the model that has done the archive: until when no item lacks a vector
        self._done_until: dict[str, datetime] = {}
        self._swept_at: datetime | None = None
        #: for the model that was said to be in use: when to say so again, by uptime_s
        self._tell_again_at: dict[str, float] = {}
        #: when that was first said, by the database's clock
        self._used_since = datetime.min.replace(tzinfo=UTC)
        #: models of other processes that the log has been told of
        self._strangers: set[str] = set()

    def vectors(self) -> Vectors | None:
        """The vectors of the model in use; None while there is none that works."""
        folder = find_folder(self._setting, self._models)
        if folder is None:
            return None
        seen = folder, tuple(map(_stamp, (folder / name for name in _FILES)))
        with self._loading:
            if self._loaded is None or self._loaded[0] != seen:
                self._loaded = seen, self._load(folder)
            return self._loaded[1]

    @property
    def is_loaded(self) -> bool:
        """Whether a model has been needed here and works."""
        return self._loaded is not None and self._loaded[1] is not None

    def catch_up(self, most: int | None, stop: Callable[[], bool] = lambda: False) -> int:
        """Compute up to `most` vectors that items lack, the newest first; returns how many.

        When none is lacking, what models made that nobody has used for a day is deleted: until
        then it is kept, so that going back costs nothing, and never compared.
        """
        vectors = self.vectors()
        if vectors is None:
            return 0
        is_due = self.say_in_use()
        made, now = 0, self._now()
        since = self._done_until.get(vectors.name)
        while not stop() and (most is None or made < most):
            portion = _PORTION if most is None else min(_PORTION, most - made)
            with embeddings.making_alone(self._store) as is_mine:
                if not is_mine:
                    break
                new = self._make_some(vectors, portion, since)
            if not new:
                if since is None or is_due:
                    self._forget_others(vectors.name)
                # of this model alone: the others' vectors may go any time
                self._done_until = {vectors.name: now - _OVERLAP}
                break
            made += new
        return made

    def say_in_use(self) -> bool:
        """Let other processes know which model this one compares by, and learn of theirs.

        What is in use is deleted by nobody. Returns whether it was time to say so again.
        """
        vectors = self.vectors()
        if vectors is None or uptime_s() < self._tell_again_at.get(vectors.name, 0.0):
            return False
        name = vectors.name
        with self._store.write() as tx:
            said_at = embeddings.note_use(tx, name, owner=self._owner)
            uses = embeddings.models_in_use(tx, within=USED_NOW)
        if name not in self._tell_again_at:
            self._used_since = said_at
        self._tell_again_at = {name: uptime_s() + _TOLD_EVERY.total_seconds()}
        # who has gone over to this model says nothing of the old one any more
        self._warn_of([use for use in uses if use.model != name and use.at > self._used_since])
        return True

    def _warn_of(self, others: Sequence[Use]) -> None:
        for use in others:
            if use.model not in self._strangers:
                log.warning(
                    "%s compares by another model (%s): each paper gets a vector by both, and what"
                    " is picked depends on who picks; give all processes on one database the same",
                    use.owner,
                    use.model,
                )
        self._strangers = {use.model for use in others}

    def _make_some(self, vectors: Vectors, most: int, since: datetime | None) -> int:
        with self._store.read() as tx:
            rows = embeddings.lacking(tx, vectors.name, since=since, limit=most)
        vectors.embed([(row.title, row.abstract) for row in rows], must_keep=True)
        return len(rows)

    def count_lacking(self) -> int:
        """How many items have no vector by the model in use yet."""
        vectors = self.vectors()
        if vectors is None:
            return 0
        with self._store.read() as tx:
            return embeddings.count_lacking(tx, vectors.name)

    def forget_unused(self) -> int:
        """Delete the vectors of words that may be nobody's any more, once a day at most.

        Returns how many went.
        """
        now = self._now()
        if self._swept_at is not None and now - self._swept_at < timedelta(days=1):
            return 0
        with self._store.write() as tx:
            gone = embeddings.forget_unused(tx, now - _UNUSED_KEPT)
        self._swept_at = now
        return gone

    def _load(self, folder: Path) -> Vectors | None:
        try:
            model = load_model(folder)
        except ModelError as error:
            log.warning("texts are compared by words alone: %s", error)
            return None
        log.info("meanings are compared by the model in %s (%s)", folder, model.name)
        return Vectors(self._store, model, self._now)

    def _forget_others(self, name: str) -> None:
        gone, deleted = 0, _DELETED_AT_ONCE
        while deleted == _DELETED_AT_ONCE:
            with self._store.write() as tx:
                deleted = embeddings.forget_other_models(
                    tx, name, unused_for=_UNUSED_MODEL_KEPT, limit=_DELETED_AT_ONCE
                )
            gone += deleted
        if gone:
            log.info("%d vectors deleted of models that nobody uses any more", gone)


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
