"""Fixtures that several test files share: databases of both kinds, and a world to live in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.enrol import Enrolment
from digest.store import Store
from tests.cli_pieces import CONFIG, Operator
from tests.collect_pieces import LISTED, Collecting, write_days
from tests.databases import (
    PG_URL_VARIABLE,
    Databases,
    OwnServer,
    PostgresDatabases,
    SqliteFiles,
    why_no_postgres,
)
from tests.deliver_pieces import World
from tests.enrol_pieces import enrolment_of
from tests.fetching import PROXY_VARIABLES
from tests.listing_server import ReplayServer
from tests.store_pieces import NOW


@pytest.fixture(scope="session")
def sqlite_databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    missing = why_no_postgres()
    if missing:
        pytest.skip(missing)
    url = os.environ.get(PG_URL_VARIABLE)
    server = None if url else OwnServer()
    databases = PostgresDatabases(url or server.url)  # type: ignore[union-attr]  # one of both
    yield databases
    databases.close()
    if server is not None:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> Databases:
    """Both kinds of database, one after the other."""
    name = "sqlite_databases" if request.param == "sqlite" else "postgres_databases"
    found: Databases = request.getfixturevalue(name)
    return found


@pytest.fixture
def store(databases: Databases) -> Iterator[Store]:
    """An open store on a fresh, migrated database; the test runs once on each kind."""
    url = databases.fresh()
    store = Store(url)
    yield store
    store.close()
    databases.drop(url)


@pytest.fixture
def sqlite_store(sqlite_databases: Databases) -> Iterator[Store]:
    """The same on SQLite only, for what does not depend on the database."""
    store = Store(sqlite_databases.fresh())
    yield store
    store.close()


@pytest.fixture
def world(store: Store) -> World:
    """A place to deliver from, on each kind of database."""
    return World(store)


@pytest.fixture
def sqlite_world(sqlite_store: Store) -> World:
    """The same on SQLite only."""
    return World(sqlite_store)


@pytest.fixture
def enrolment(store: Store) -> Enrolment:
    """A list to join and to leave, on each kind of database."""
    return enrolment_of(store)


@pytest.fixture
def postgres_store(postgres_databases: Databases) -> Iterator[Store]:
    """The same on PostgreSQL only, for what several processes do at once."""
    url = postgres_databases.fresh()
    store = Store(url)
    yield store
    store.close()
    postgres_databases.drop(url)


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's way to the internet is not the way to our own servers."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def hub(tmp_path: Path, no_proxies: None) -> Iterator[ReplayServer]:
    """A host with a week of lists, that can be made to misbehave."""
    with ReplayServer(write_days(tmp_path / "hub", LISTED), now=NOW) as server:
        yield server


@pytest.fixture
def other(tmp_path: Path) -> Iterator[ReplayServer]:
    """A second host, that always behaves."""
    with ReplayServer(write_days(tmp_path / "other", {0: 2}), now=NOW) as server:
        yield server


@pytest.fixture
def collecting(sqlite_store: Store, hub: ReplayServer, other: ReplayServer) -> Iterator[Collecting]:
    """A collector of both hosts."""
    made = Collecting(
        sqlite_store,
        {"hub": hub.url, "other": other.url},
        timeout_s=0.7,
        body_bytes_max=2_000_000,
    )
    yield made
    made.close()


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo, once: three days of papers, four readers."""
    from digest.demo import run_demo

    folder = tmp_path_factory.mktemp("demo") / "demo"
    run_demo(folder)
    return folder


@pytest.fixture
def demo(demo_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    """An operator of a site that has lived through the demo; may change what it likes."""
    shutil.copytree(demo_folder, tmp_path / "demo")
    return Operator(tmp_path / "demo", capsys)


@pytest.fixture
def site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    """An operator of a new site."""
    (tmp_path / "config.toml").write_text(CONFIG)
    return Operator(tmp_path, capsys)
