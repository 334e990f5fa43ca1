"""The database is looked at without being made, changed or moved."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from digest.check.database import judge_space, judge_version, judge_writable, measure_space
from digest.errors import StoreError, StoreFull
from digest.store import Store, facts
from digest.store.migrate import head_version
from tests.check_pieces import only, seen
from tests.databases import Databases


@pytest.fixture
def closing_stores() -> Iterator[list[Store]]:
    stores: list[Store] = []
    yield stores
    for store in stores:
        store.close()


def at(path: Path, closing_stores: list[Store]) -> Store:
    store = Store(f"sqlite:///{path}")
    closing_stores.append(store)
    return store


def test_a_database_of_this_version_is_green(store: Store) -> None:
    found = only(judge_version(store))

    assert found.level == "green"
    assert found.said.endswith(f"at version {head_version()}")


def test_no_database_is_yellow_and_none_is_made(
    tmp_path: Path, closing_stores: list[Store]
) -> None:
    found = only(judge_version(at(tmp_path / "none.db", closing_stores)))

    assert found.level == "yellow"
    assert list(tmp_path.iterdir()) == []


def test_no_database_and_no_folder_is_red(tmp_path: Path, closing_stores: list[Store]) -> None:
    found = only(judge_version(at(tmp_path / "nowhere" / "none.db", closing_stores)))

    assert found.level == "red"


def test_an_empty_file_is_yellow(tmp_path: Path, closing_stores: list[Store]) -> None:
    (tmp_path / "empty.db").touch()

    found = only(judge_version(at(tmp_path / "empty.db", closing_stores)))

    assert (found.level, found.said.endswith("is empty")) == ("yellow", True)


def test_an_empty_database_is_yellow(postgres_databases: Databases) -> None:
    with closing(Store(postgres_databases.empty())) as store:
        found = only(judge_version(store))

    assert (found.level, found.said.endswith("is empty")) == ("yellow", True)


def test_another_kind_of_file_is_red(tmp_path: Path, closing_stores: list[Store]) -> None:
    (tmp_path / "papers.db").write_text("these are the papers")

    found = only(judge_version(at(tmp_path / "papers.db", closing_stores)))

    assert (found.level, "is no SQLite database" in found.said) == ("red", True)


def test_a_folder_is_red(tmp_path: Path, closing_stores: list[Store]) -> None:
    found = only(judge_version(at(tmp_path, closing_stores)))

    assert (found.level, "cannot be read" in found.said) == ("red", True)


@pytest.mark.parametrize(
    ("version", "said", "advice"),
    [("0000", "this program needs", "digest migrate"), ("9999", "newer than this", "newer digest")],
)
def test_a_database_of_another_version_is_red(
    store: Store, version: str, said: str, advice: str
) -> None:
    _set_version(store, version)

    found = only(judge_version(store))

    _set_version(store, head_version())  # the database is used again by other tests
    assert found.level == "red"
    assert version in found.said and said in found.said
    assert advice in found.advice


def test_what_is_written_to_try_it_is_taken_back(store: Store) -> None:
    found = only(judge_writable(store))

    assert found.level == "green"
    with store.read() as tx:
        assert facts.get_fact(tx, "check") is None


def test_a_database_that_cannot_be_written_is_an_error_that_says_so(
    sqlite_store: Store, closing_stores: list[Store]
) -> None:
    read_only = Store(f"sqlite:///file:{sqlite_store.path}?mode=ro&uri=true")
    closing_stores.append(read_only)

    with pytest.raises(StoreFull, match="read-only"):
        seen(judge_writable(read_only))


def test_a_server_that_is_not_there_is_an_error_that_says_so() -> None:
    with closing(Store("postgresql+psycopg://nobody@127.0.0.1:1/none")) as store:
        with pytest.raises(StoreError):
            seen(judge_version(store))


@pytest.mark.parametrize(
    ("free_mb", "own_mb", "level"),
    [
        (99, 1, "red"),
        (100, 1, "yellow"),
        (999, 1, "yellow"),
        (1000, 1, "green"),
        (3000, 1600, "yellow"),
        (3200, 1600, "green"),
    ],
)
def test_there_must_be_room_for_more_and_for_a_copy(free_mb: int, own_mb: int, level: str) -> None:
    found = only([judge_space(free_mb * 10**6, own_mb * 10**6, Path("digest.db"))])

    assert found.level == level
    assert f"{free_mb:,} MB are free" in found.said


def test_the_log_beside_the_database_counts(tmp_path: Path) -> None:
    path = tmp_path / "some.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE t (x)")
        connection.commit()
        free, own = measure_space(path)
        whole = sum(p.stat().st_size for p in (path, tmp_path / "some.db-wal"))

    assert own == whole > path.stat().st_size - 1
    assert free > 0
    assert measure_space(tmp_path / "none.db")[1] == 0


def _set_version(store: Store, version: str) -> None:
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
