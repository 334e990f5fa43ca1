"""The database connection: one place that knows SQLite from PostgreSQL, transactions and errors.

`Store` hands out transactions; the caller opens them, the functions of this package never commit.
SQLAlchemy's errors leave this module as errors of ours, with what to check.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from digest.errors import StoreBusy, StoreError, StoreFull

BUSY_TIMEOUT_S = 30
#: of SQLite's pages, for each connection, taken as it is needed
CACHE_KB = 16_000
#: PostgreSQL lets go of what a process holds that stands still in the middle of a transaction
FROZEN_AFTER_S = 300
_BEFORE_ASKING_AGAIN_S = 0.005
#: an open transaction, as the stages hand it to the functions of this package
Transaction = Connection


class Store:
    """One database. Cheap to make; connects when first used; close it when done."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _make_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        # PostgreSQL would otherwise show each statement another state: two counts of one day's
        # ledger would not add up while somebody writes
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reading: dict[str, Any] = {} if self.is_sqlite else snapshot

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads; sees one consistent state, holds up no writer."""
        with _our_errors(), self.engine.connect() as connection:
            yield connection.execution_options(**self._reading)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits when the block ends well, and leaves no trace otherwise."""
        with _our_errors(), self.engine.connect() as connection:
            connection = connection.execution_options(digest_writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def alter(self) -> Iterator[Connection]:
        """A write in which tables may be changed.

        SQLite changes most things by copying a table and dropping the old one, and dropping it
        deletes whatever refers to its rows. So foreign keys are off meanwhile (which a transaction
        cannot do for itself) and all of them are checked before it commits.
        """
        with _our_errors(), self.engine.connect() as connection:
            connection = connection.execution_options(digest_writes=True)
            if self.is_sqlite:
                connection.connection.cursor().execute("PRAGMA foreign_keys=OFF")
            try:
                with connection.begin():
                    yield connection
                    if self.is_sqlite:
                        _check_references(connection)
            finally:
                if self.is_sqlite:
                    # the next user of this connection would want them on
                    connection.invalidate()

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database; None for others."""
        name = self.engine.url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" else None

    def close(self) -> None:
        self.engine.dispose()


def _check_references(tx: Connection) -> None:
    broken = tx.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise StoreError(f"a row of {broken[0]} refers to a row of {broken[2]} that is not there")


def db_now(tx: Connection) -> datetime:
    """The database's own clock: the one that leases of all processes are measured by."""
    if tx.dialect.name == "sqlite":
        stamp = tx.execute(text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")).scalar_one()
        return datetime.fromisoformat(stamp).replace(tzinfo=UTC)
    moment: datetime = tx.execute(select(func.clock_timestamp())).scalar_one()
    return moment.astimezone(UTC)


def json_text(value: Any) -> str:
    """A value as our columns hold it."""
    # one spelling for one value, readable, and searchable: authors stand in the full-text index
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _make_engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite_engine(url)
        if parsed.get_backend_name() == "postgresql":
            return _postgres_engine(url)
    except NoSuchModuleError as error:
        raise StoreError(f"database.url: no driver for {url.split(':')[0]!r}") from error
    except ImportError as error:
        raise StoreError(
            "PostgreSQL needs its driver: install digest with the extra `postgres`"
        ) from error
    except ArgumentError as error:
        raise StoreError("database.url is not a database address") from error
    raise StoreError("database.url must begin with sqlite:/// or postgresql+psycopg://")


#: a server that vanishes without a word is missed within a minute; left alone, the kernel would
#: wait for its answer for two hours, and a daemon with it. As libpq names them; the address may
#: give others
_PATIENCE = {
    "connect_timeout": "20",
    "keepalives_idle": "20",
    "keepalives_interval": "10",
    "keepalives_count": "4",
    "tcp_user_timeout": "60000",
}


def _postgres_engine(url: str) -> Engine:
    told = make_url(url).query
    engine = create_engine(
        url,
        connect_args={name: value for name, value in _PATIENCE.items() if name not in told},
        pool_pre_ping=True,
        pool_size=8,
        json_serializer=json_text,
    )

    @event.listens_for(engine, "connect")
    def limit_standstill(connection: Any, record: Any) -> None:
        # a frozen sender keeps the rows locked that it was about to claim or settle, and others
        # pass over locked rows: without this they would not come back before it does
        connection.execute(f"SET idle_in_transaction_session_timeout = '{FROZEN_AFTER_S}s'")
        connection.commit()

    return engine


def _sqlite_engine(url: str) -> Engine:
    if sqlite3.sqlite_version_info < (3, 35):
        raise StoreError("SQLite 3.35 or newer is needed (for RETURNING)")
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_TIMEOUT_S, "isolation_level": None},
        json_serializer=json_text,
    )

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, record: Any) -> None:
        _write_ahead(connection)
        # FULL: a committed state survives the loss of power, which the ledger promises
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # SQLite's own 2 MB do not hold the pages that a few hundred editions touch: they would be
        # written and read again within one transaction, a fifth of the time that storing takes
        connection.execute(f"PRAGMA cache_size=-{CACHE_KB}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # pysqlite would begin late and without a write lock: two writers that both read first
        # would then fail with "database is locked" instead of waiting for each other
        writes = connection.get_execution_options().get("digest_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on, which a new database needs once.

    Two that turn it on at once do not wait for each other, as SQLite's time-out would have it: one
    of them is refused on the spot, since each holds what the other wants.
    """
    give_up_at = monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > give_up_at:
                raise
            sleep(_BEFORE_ASKING_AGAIN_S)


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        ours = _ours(error)
        if ours is None:
            raise
        raise ours from error


#: words of the databases, in small letters → our error and what to check; the first that fits
_ADVICE: tuple[tuple[str, type[StoreError], str], ...] = (
    ("disk is full", StoreFull, "the disk is full; free some space and start again"),
    ("no space left", StoreFull, "the disk is full; free some space and start again"),
    ("read-only transaction", StoreFull, "the database takes no writes: is it a standby?"),
    ("readonly", StoreFull, "the database cannot be written: its disk is read-only"),
    ("read-only", StoreFull, "the database cannot be written: its disk is read-only"),
    ("unable to open", StoreError, "the database file cannot be opened: check its folder's rights"),
    ("locked", StoreBusy, f"another process held the database for {BUSY_TIMEOUT_S} s"),
    ("deadlock", StoreBusy, "another process was in the way; try again"),
    ("disk i/o", StoreFull, "the disk refuses: full, read-only or broken"),
    ("not a database", StoreError, "[database] url names a file that is no SQLite database"),
    ("malformed", StoreError, "the database is damaged; bring back a copy of `digest backup`"),
    (
        "idle-in-transaction",
        StoreBusy,
        "this process stood still in the middle of a transaction, and nothing of it was kept",
    ),
    ("connection failed", StoreError, "the database cannot be reached: check [database] url"),
    ("timeout expired", StoreError, "the database does not answer: check [database] url"),
    ("connection is bad", StoreError, "the database cannot be reached: check [database] url"),
    ("failed to resolve", StoreError, "the database cannot be reached: check [database] url"),
)


def _ours(error: DBAPIError) -> StoreError | None:
    """What the world has done to us; None for a mistake of ours, which climbs as it is."""
    said = str(error.orig or error).strip() or type(error.orig).__name__
    said = said.splitlines()[0]
    for words, kind, advice in _ADVICE:
        if words in said.lower():
            return kind(f"{advice} ({said})")
    if error.connection_invalidated:
        return StoreError(f"the database connection was lost; does the server run? ({said})")
    if isinstance(error, OperationalError):
        return StoreError(f"the database refuses: {said}")
    return None
