"""The database: there, at this program's version, writable, with room to grow.

Nothing is created and nothing stays written: what is written to try it is taken back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from digest.check.findings import Finding, green, red, yellow
from digest.errors import StoreVersion
from digest.store import Store, facts
from digest.store.migrate import head_version, refuse_newer, stored_version

VERSION = "database.version"
WRITABLE = "database.writable"
SPACE = "database.space"

_MB = 1_000_000
_SPACE_LEAST = 100 * _MB
_SPACE_USUAL = 1_000 * _MB
_SQLITE_MARK = b"SQLite format 3\0"


class _TakenBack(Exception):
    """Ends a transaction that must leave no trace."""


def judge_version(store: Store) -> Iterator[Finding]:
    """Whether it can be opened and was written for this program. Raises StoreError when it cannot.

    Green only when other checks can work with it.
    """
    if store.path is not None and (finding := _judge_file(store.path)):
        yield finding
        return
    with store.read() as tx:
        stored = stored_version(tx)
    where = store.engine.url.render_as_string(hide_password=True)
    if stored is None:
        yield yellow(VERSION, f"{where} is empty", "the first start of digest sets it up")
        return
    try:
        refuse_newer(stored)
    except StoreVersion as error:
        said, _, advice = str(error).partition(": ")
        yield red(VERSION, said, advice)
        return
    if stored != head_version():
        yield red(
            VERSION,
            f"the database is at version {stored}, this program needs {head_version()}",
            "make a copy with `digest backup FILE`, then run `digest migrate`",
        )
        return
    yield green(VERSION, f"{where} at version {stored}")


def _judge_file(path: Path) -> Finding | None:
    """What is wrong before SQLite is even asked; it would create what is not there."""
    if not path.exists():
        if not os.access(path.parent, os.W_OK):
            return red(
                VERSION,
                f"there is no database at {path}, and its folder cannot be written to",
                "check url under [database], and that digest's user owns the folder",
            )
        return yellow(
            VERSION,
            f"there is no database at {path}",
            "the first start of digest makes it; if there was one, check url under [database]",
        )
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE_MARK))
    except OSError as error:
        return red(
            VERSION, f"{path} cannot be read: {error.strerror}", "check whom the file belongs to"
        )
    if start and start != _SQLITE_MARK:
        said = f"{path} is no SQLite database"
        return red(VERSION, said, "check url under [database], or restore a copy")
    return None


def judge_writable(store: Store) -> Iterator[Finding]:
    """Write something and take it back. Raises StoreError when that fails."""
    try:
        with store.write() as tx:
            facts.put_fact(tx, "check", "taken back")
            raise _TakenBack
    except _TakenBack:
        yield green(WRITABLE, "it can be written to")


def judge_space(free_bytes: int, database_bytes: int, where: Path) -> Finding:
    """Whether there is room for the database to grow, and for a copy of it."""
    free = f"{free_bytes / _MB:,.0f} MB are free where {where.name} is"
    if free_bytes < _SPACE_LEAST:
        return red(
            SPACE, free, "free some space: when the disk is full nothing is collected or sent"
        )
    if free_bytes < max(_SPACE_USUAL, 2 * database_bytes):
        return yellow(
            SPACE,
            f"{free}, the database has {database_bytes / _MB:,.0f} MB",
            "free some space: a copy (`digest backup`) needs as much again",
        )
    return green(SPACE, free)


def measure_space(path: Path) -> tuple[int, int]:
    """Free bytes on the disk of a SQLite database, and the bytes it has itself."""
    parts = (path, path.with_name(f"{path.name}-wal"))
    return shutil.disk_usage(path.parent).free, sum(p.stat().st_size for p in parts if p.exists())
