"""The daemon reads the mailbox by itself, in the role deliver, when one is set."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.app import App
from digest.config import load_settings
from digest.schedule import _scheduler
from digest.store import Store, facts
from digest.ticks import bounces_tick
from tests.bounce_samples import sample
from tests.config_folder import MINIMAL

SETTINGS = MINIMAL + (
    '[smtp]\ntransport = "folder"\npath = "out"\n'
    '[bounces]\nkind = "maildir"\npath = "Maildir"\nevery = "10s"\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(SETTINGS, "utf-8")
    for name in ("new", "cur", "tmp"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    (tmp_path / "Maildir" / "new" / "1").write_bytes(sample("vacation"))
    return tmp_path


@contextmanager
def daemon(folder: Path, role: str) -> Iterator[None]:
    """`digest run` in that role, until the block ends."""
    command = [sys.executable, "-m", "digest", "run", "--only", role]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--config", str(folder / "config.toml")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(35)
    assert process.returncode == 0, (folder / "log").read_text()


def wait_for(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.05)


def fact(store: Store, name: str) -> object:
    with store.read() as tx:
        return facts.get_fact(tx, name)


def test_the_daemon_reads_the_mailbox(folder: Path) -> None:
    with daemon(folder, "deliver"):
        wait_for(folder / "Maildir" / "cur" / "1:2,S")

    assert "came back: 1 automatic" in (folder / "log").read_text()


def test_after_a_restart_it_does_not_wait_for_the_one_before(folder: Path) -> None:
    app = App(load_settings(folder / "config.toml", {}))
    with app.store.write() as tx:
        long_from_now = datetime(2999, 1, 1, tzinfo=UTC).isoformat()
        facts.put_fact(tx, "bounces.reader", {"owner": "one", "until": long_from_now})
    app.close()

    with daemon(folder, "deliver"):
        wait_for(folder / "Maildir" / "cur" / "1:2,S")


def test_who_stops_gives_the_mailbox_back_to_the_others(
    folder: Path, postgres_store: Store
) -> None:
    (folder / "config.toml").write_text(
        SETTINGS + f'[database]\nurl = "{postgres_store.url}"\n', "utf-8"
    )
    letter = folder / "Maildir" / "cur" / "1:2,S"
    with daemon(folder, "deliver"):
        wait_for(letter)
    letter.rename(folder / "Maildir" / "new" / "1")

    with daemon(folder, "deliver"):
        wait_for(letter)


def test_who_stops_takes_nothing_from_another(folder: Path, postgres_store: Store) -> None:
    (folder / "config.toml").write_text(
        SETTINGS + f'[database]\nurl = "{postgres_store.url}"\n', "utf-8"
    )
    theirs = {"owner": "another", "until": datetime(2999, 1, 1, tzinfo=UTC).isoformat()}
    with postgres_store.write() as tx:
        facts.put_fact(tx, "bounces.reader", theirs)

    with daemon(folder, "deliver"):
        beats = "heartbeat.bounces"
        end = time.monotonic() + 20
        while not fact(postgres_store, beats):
            assert time.monotonic() < end
            time.sleep(0.05)

    assert fact(postgres_store, "bounces.reader") == theirs


def test_of_several_processes_one_reads_it_until_it_falls_silent(folder: Path) -> None:
    settings = load_settings(folder / "config.toml", {})
    one, two = App(settings), App(settings)
    one.owner, two.owner = "one", "two"
    letter = folder / "Maildir" / "cur" / "1:2,S"
    try:
        bounces_tick(one, lambda: False)
        letter.rename(folder / "Maildir" / "new" / "1")
        bounces_tick(two, lambda: False)
        assert not letter.exists(), "it is another's to read"

        with two.store.write() as tx:
            long_ago = datetime(2000, 1, 1, tzinfo=UTC).isoformat()
            facts.put_fact(tx, "bounces.reader", {"owner": "one", "until": long_ago})
        bounces_tick(two, lambda: False)
        assert letter.exists()
    finally:
        one.close()
        two.close()


def test_a_tick_reads_it_once(folder: Path) -> None:
    app = App(load_settings(folder / "config.toml", {}))
    try:
        bounces_tick(app, lambda: False)
        bounces_tick(app, lambda: False)
    finally:
        app.close()

    assert [f.name for f in (folder / "Maildir" / "cur").iterdir()] == ["1:2,S"]


@pytest.mark.parametrize(
    ("settings", "roles", "planned"),
    [
        (SETTINGS, {"deliver"}, True),
        (SETTINGS, {"collect", "edition"}, False),
        (MINIMAL, {"deliver"}, False),
    ],
)
def test_only_who_delivers_and_has_a_mailbox_reads_one(
    folder: Path, settings: str, roles: set[str], planned: bool
) -> None:
    (folder / "config.toml").write_text(settings, "utf-8")
    app = App(load_settings(folder / "config.toml", {}))
    try:
        jobs = {job.id for job in _scheduler(app, roles, threading.Event()).get_jobs()}
    finally:
        app.close()

    assert ("bounces" in jobs) is planned
