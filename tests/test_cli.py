"""The program itself: usage, settings, and one clear line for whatever the world does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from digest.cli import run
from digest.store import Store
from digest.store.migrate import head_version
from tests.cli_pieces import CONFIG, Operator
from tests.disks import fill, read_only, small_disk

AT = "2026-03-12T20:00:00Z"


# The command line itself


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0

    told = capsys.readouterr().out
    for name in ("demo", "init", "run", "collect", "send", "top", "subscribers", "report"):
        assert name in told


@pytest.mark.parametrize(
    "words",
    [
        ["nonsense"],
        ["top", "--colour", "blue"],
        ["top", "--limit", "many"],
        ["top", "--limit", "0"],
        ["why", "ann@example.org"],
        ["preview", "ann@example.org", "--format", "pdf"],
    ],
)
def test_wrong_usage_is_exit_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    assert "Error" in capsys.readouterr().err


def test_the_module_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "digest", "top", "--config", "/nowhere/config.toml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert "digest init" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_trouble(demo_folder: Path) -> None:
    command = f"{sys.executable} -m digest top --config config.toml --at {AT} | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=demo_folder, capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith("  1. ")
    assert done.stderr == ""


# Settings


def test_all_problems_of_the_settings_are_told_at_once(site: Operator) -> None:
    wrong = 'host = 7\nprot = "x"\n[edition]\nmax_items = "many"\n[defaults]\nzone = "Atlantis"\n'
    site.config.write_text(CONFIG.replace("[smtp]\n", f"[smtp]\n{wrong}"))

    told = site.types("sources")

    assert told.code == 2
    for path in ("smtp.host", "smtp.prot", "edition.max_items", "defaults.zone"):
        assert path in told.err


def test_without_settings_the_way_to_make_them_is_told(site: Operator) -> None:
    site.config.unlink()

    told = site.types("sources")

    assert told.code == 2
    assert "digest init" in told.err


# init


def test_init_makes_settings_and_a_database_that_work(site: Operator) -> None:
    site.config.unlink()
    url = f"sqlite:///{site.folder}/own.db"

    told = site.types(
        *("init", "--url", "https://papers.example.org", "--from", "Papers <p@example.org>"),
        *("--mail-folder", "mail", "--database", url, "--zone", "Asia/Tokyo"),
    )

    assert told.code == 0
    assert (site.folder / "own.db").is_file()
    assert site.config.stat().st_mode & 0o077 == 0
    added = json.loads(site.gets("subscribers", "add", "ann@example.org", "--json"))
    assert added["zone"] == "Asia/Tokyo"


def test_init_never_overwrites(site: Operator) -> None:
    said = site.is_refused("init", "--url", "https://x.example", code=2)

    assert "never overwritten" in said
    assert site.config.read_text() == CONFIG


def test_init_in_a_script_takes_what_it_was_not_told_from_the_defaults(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "digest", "init"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "config.toml").is_file()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--url", "no url", "--from", "P <p@example.org>"], 2),
        (["--url", "https://x.example", "--from", "nobody"], 2),
        (["--database", "sqlite:////nowhere/at/all.db"], 1),
        (["--database", "mysql://localhost/x"], None),
    ],
)
def test_init_that_fails_leaves_nothing_in_the_way(
    site: Operator, words: list[str], code: int | None
) -> None:
    site.config.unlink()
    usual = ["--url", "https://x.example", "--from", "P <p@example.org>", "--mail-folder", "mail"]

    told = site.types("init", *usual, *words)

    assert told.code in ((1, 2) if code is None else (code,))
    assert not site.config.exists()


# Keeping it well


def test_a_backup_is_a_database(demo: Operator) -> None:
    target = demo.folder / "copy.db"

    assert f"{target}: " in demo.gets("backup", str(target))

    demo.config.write_text(demo.config.read_text() + f'\n[database]\nurl = "sqlite:///{target}"\n')
    assert "mara@example.org" in demo.gets("subscribers", "list")
    assert "exists already" in demo.is_refused("backup", str(target), code=2)


def test_migrate_says_where_it_stands(site: Operator) -> None:
    head = head_version()

    assert site.gets("migrate") == f"from nothing to {head}\n"
    assert site.gets("migrate") == f"already at {head}\n"


def test_a_database_newer_than_the_program_is_one_line(site: Operator) -> None:
    site.gets("migrate")
    with Store(f"sqlite:///{site.folder}/digest.db").write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    for words in (["sources"], ["migrate"], ["subscribers", "list"]):
        assert "install the newer digest" in site.is_refused(*words)


def test_a_database_that_is_none_is_one_line(site: Operator) -> None:
    (site.folder / "digest.db").write_text("my holiday photographs, no database at all\n" * 50)

    assert "no SQLite database" in site.is_refused("sources")


def test_a_read_only_disk_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with small_disk(tmp_path / "disk", kilobytes=8192) as disk:
        site = Operator(disk, capsys)
        site.config.write_text(CONFIG)
        site.gets("migrate")
        with read_only(disk):
            said = site.is_refused("subscribers", "add", "ann@example.org")
        assert "ead-only" in said
        assert site.gets("subscribers", "add", "ann@example.org")


def test_a_full_disk_is_one_line_and_nothing_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", kilobytes=8192) as disk:
        site = Operator(disk, capsys)
        site.config.write_text(CONFIG)
        site.gets("subscribers", "add", "first@example.org")
        people = tmp_path / "people.csv"
        people.write_text("email\n" + "".join(f"reader{n}@example.org\n" for n in range(2000)))
        ballast = fill(disk)

        said = site.is_refused("subscribers", "import", str(people))

        ballast.unlink()
        assert "full" in said
        assert site.gets("subscribers", "list").count("@example.org") == 1
        assert "2000 added" in site.gets("subscribers", "import", str(people))


def test_a_demo_only_writes_where_there_is_nothing_else(site: Operator) -> None:
    assert "holds other files" in site.is_refused(
        "demo", "--folder", str(site.folder), code=2, config=False
    )
    assert "is a file" in site.is_refused(
        "demo", "--folder", str(site.config), code=2, config=False
    )
    assert "/proc/nowhere" in site.is_refused(
        "demo", "--folder", "/proc/nowhere", code=1, config=False
    )
