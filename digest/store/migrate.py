"""The schema's version: bringing it up to date, refusing what this program was not written for,
and consistent copies while running. Alembic is imported only when there is something to do.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
from contextlib import ExitStack, closing
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import make_url

from digest.errors import BadInput, NotFound, StoreError, StoreFull, StoreVersion
from digest.resources import data_path
from digest.store.engine import Store

# any number will do, as long as every process uses the same: two that migrate must queue up
_ADVISORY_LOCK = 7031931


def head_version(scripts: Path | None = None) -> str:
    """The schema version this program is written for: the name of its newest migration."""
    scripts = scripts or data_path("migrations")
    return max(p.name.split("_")[0] for p in scripts.glob("versions/[0-9]*.py"))


def stored_version(tx: Connection) -> str | None:
    """The schema version of the database; None when it is empty."""
    if not inspect(tx).has_table("alembic_version"):
        return None
    version: str | None = tx.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def open_store(url: str) -> Store:
    """A store whose schema fits this program; an empty database is set up on the way.

    Raises StoreVersion when the schema is newer (upgrade the program) or older (run
    `digest migrate`: never silently, an operator wants a backup first).
    """
    with ExitStack() as opening:
        store = opening.enter_context(closing(Store(url)))
        if store.path is not None:
            _make_private(store.path)
        _make_fit(store)
        # from here on it is the caller's to close
        opening.pop_all()
        return store


def _make_fit(store: Store) -> None:
    with store.read() as tx:
        stored = stored_version(tx)
    if stored is None:
        migrate(store)
    elif stored < head_version():
        raise StoreVersion(
            f"the database is at version {stored}, this program needs {head_version()}: "
            "make a copy with `digest backup FILE`, then run `digest migrate`"
        )
    else:
        refuse_newer(stored)


def _make_private(path: Path) -> None:
    """Create a database file that only its owner can read: it holds people's addresses.

    It is made without being opened: closing it again would drop every lock that this process has
    on the file by then (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        os.mknod(path, stat.S_IFREG | 0o600)
    except FileExistsError:
        if not os.access(path, os.W_OK):
            raise StoreFull(f"{path} cannot be written: it or its disk is read-only") from None
    except OSError as error:
        raise StoreError(f"{path} cannot be opened: {error.strerror}") from error


def refuse_newer(stored: str | None, head: str | None = None) -> None:
    """Raise StoreVersion when the database was written by a newer program."""
    head = head or head_version()
    if stored is not None and stored > head:
        raise StoreVersion(
            f"the database is at version {stored}, newer than this program ({head}): "
            "install the newer digest, or restore the copy made before the upgrade"
        )


def migrate(store: Store, scripts: Path | None = None) -> tuple[str | None, str]:
    """Bring the schema up to date; returns the versions before and after.

    One transaction for all steps: when one fails nothing has happened. `scripts` is the folder of
    the migrations; None for those of this program.
    """
    from alembic import command
    from alembic.config import Config

    scripts = scripts or data_path("migrations")
    head = head_version(scripts)
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    with store.alter() as tx:
        if not store.is_sqlite:
            tx.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _ADVISORY_LOCK})
        before = stored_version(tx)
        refuse_newer(before, head)
        config.attributes["connection"] = tx
        command.upgrade(config, "head")
        return before, head


def backup(store: Store, target: Path) -> None:
    """Write a consistent copy of the database to a new file, while others go on working."""
    if store.path is not None and not store.path.is_file():
        raise NotFound(f"there is no database {store.path} yet; check [database] url")
    if target.exists():
        raise BadInput(f"{target} exists already; name a new file")
    if not target.parent.is_dir():
        raise BadInput(f"{target.parent} is not a folder")
    partial = target.with_name(target.name + ".partial")
    try:
        partial.touch(mode=0o600)
        if store.path is not None:
            _copy_sqlite(store.path, partial)
        else:
            _dump_postgresql(store.url, partial)
        partial.replace(target)
    except OSError as error:
        raise StoreFull(f"{target} cannot be written: {error.strerror}") from error
    finally:
        partial.unlink(missing_ok=True)


def _copy_sqlite(path: Path, target: Path) -> None:
    try:
        with closing(sqlite3.connect(path)) as origin, closing(sqlite3.connect(target)) as copy:
            origin.backup(copy, pages=4096)
    except sqlite3.Error as error:
        raise StoreFull(f"the copy could not be written: {error}") from error


def _dump_postgresql(url: str, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise StoreError("pg_dump is not installed; it comes with PostgreSQL's client programs")
    address = make_url(url).set(drivername="postgresql")
    # by the environment: a command line can be read by everyone on the machine
    password = {"PGPASSWORD": str(address.password)} if address.password else {}
    shown = address.set(password=None).render_as_string()
    done = subprocess.run(
        [program, "--format=custom", f"--file={target}", f"--dbname={shown}"],
        env=dict(os.environ) | password,  # noqa: TID251 - handed on, nothing is read from it
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise StoreError(f"pg_dump failed: {said[-1]}")
