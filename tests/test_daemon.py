"""The daemon as a real process: it works, it stops, it stands alone, and it may be killed."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from digest.deliver import DeliveryRules
from digest.store.migrate import open_store
from digest.store.schema import embedding, item, outbox, subscriber
from tests.cli_pieces import CONFIG
from tests.collect_pieces import api_item
from tests.daemon_process import PATIENCE_S, Daemon
from tests.listing_server import ReplayServer, silence, status
from tests.model_files import write_onnx
from tests.store_pieces import add_person, count

pytestmark = pytest.mark.slow

#: rows that are claimed at once
RULES = DeliveryRules(resend=True)


class Site:
    """A folder with settings, a database with readers who are due now, and a source."""

    def __init__(self, folder: Path, server: ReplayServer) -> None:
        self.folder = folder
        self.server = server
        self.daemons: list[Daemon] = []
        source = (
            f'[[source]]\nname = "hub"\nkind = "huggingface"\nurl = "{server.url}"\npause = "0s"\n'
        )
        (folder / "config.toml").write_text(CONFIG + source)
        self.store = open_store(f"sqlite:///{folder}/digest.db")

    def add_readers(self, number: int) -> None:
        """People whose edition was due five minutes ago."""
        due = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
        for n in range(number):
            add_person(
                self.store, f"reader{n}@example.org", next_edition_at=due, send_at=due.time()
            )

    def start(self, **how: str) -> Daemon:
        self.daemons.append(Daemon(self.folder, **how))
        return self.daemons[-1]

    def states(self) -> Counter[str]:
        with self.store.read() as tx:
            return Counter(tx.execute(select(outbox.c.state)).scalars())

    @property
    def mails(self) -> list[Path]:
        return sorted((self.folder / "mail").glob("*.eml"))

    def let_leases_end(self) -> None:
        with self.store.write() as tx:
            tx.execute(update(outbox).values(lease_until=datetime(2020, 1, 1, tzinfo=UTC)))
            tx.execute(text("UPDATE source SET lease_until = NULL"))


@pytest.fixture
def site(tmp_path: Path, no_proxies: None) -> Iterator[Site]:
    today = datetime.now(UTC).date()
    days = tmp_path / "days"
    days.mkdir()
    for ago in range(3):
        day = today - timedelta(days=ago)
        items = [api_item(f"26{ago:02}.{n:05}", day) for n in range(1, 21)]
        (days / f"{day}.json").write_text(json.dumps(items))
    with ReplayServer(days) as server:
        made = Site(tmp_path, server)
        yield made
        for daemon in made.daemons:
            if daemon.process.poll() is None:
                daemon.process.kill()
            daemon.process.wait()
        made.store.close()


def test_it_collects_makes_editions_delivers_and_stops_when_asked(site: Site) -> None:
    site.add_readers(3)

    daemon = site.start()
    daemon.wait_until(lambda: site.states()["sent"] == 3)

    code, seconds = daemon.stop()
    assert (code, seconds < 10) == (0, True), daemon.said
    assert count(site.store, item) == 60
    assert len(site.mails) == 3
    assert "Traceback" not in daemon.said
    assert "stopped" in daemon.said
    assert "@example.org" not in daemon.said, "addresses stand in no log"
    with site.store.read() as tx:
        due = tx.execute(select(subscriber.c.next_edition_at)).scalars().all()
    assert min(due) > datetime.now(UTC)


def test_what_it_collects_gets_vectors_as_soon_as_there_is_a_model(site: Site) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")
    folder = site.folder / "model"
    folder.mkdir()
    with (site.folder / "config.toml").open("a") as settings:
        settings.write('\n[rank]\nmodel = "model"\n')
    daemon = site.start()
    daemon.wait_until(lambda: count(site.store, item) == 60)
    daemon.wait_until(lambda: "words alone" in daemon.said)

    write_onnx(folder)
    daemon.wait_until(lambda: count(site.store, embedding) > 0)

    assert daemon.stop()[0] == 0
    assert "Traceback" not in daemon.said
    assert daemon.said.count("compared by words alone") == 1


def test_after_a_start_it_reads_the_lists_before_it_makes_editions(site: Site) -> None:
    """A daemon that was off would otherwise find nothing new, and skip a day that had papers."""
    site.add_readers(1)
    slow = site.server
    slow.misbehave(lambda asked, right, released: (time.sleep(0.3), right)[1])

    daemon = site.start()
    daemon.wait_until(lambda: bool(site.states()))
    daemon.stop()

    assert "skipped" not in site.states(), daemon.said


def test_editions_do_not_wait_for_a_source_that_cannot_be_read(site: Site) -> None:
    site.add_readers(1)
    site.server.misbehave(status(500))

    daemon = site.start()
    daemon.wait_until(lambda: site.states()["skipped"] == 1)

    assert daemon.stop()[0] == 0
    assert "500" in daemon.said


def test_a_second_one_on_the_same_file_is_refused_and_the_first_goes_on(site: Site) -> None:
    site.add_readers(1)
    first = site.start()
    first.wait_until(lambda: "digest is running" in first.said)

    second = site.start()

    assert second.process.wait(PATIENCE_S) == 1
    (line,) = [line for line in second.said.splitlines() if line.startswith("digest: ")]
    assert "another `digest run` works on" in line
    first.wait_until(lambda: site.states()["sent"] == 1)
    assert first.stop(signal.SIGINT)[0] == 0


def test_the_lock_goes_with_its_process(site: Site) -> None:
    first = site.start()
    first.wait_until(lambda: "digest is running" in first.said)
    first.stop(signal.SIGKILL)

    second = site.start()
    second.wait_until(lambda: "digest is running" in second.said)

    assert second.stop()[0] == 0


def test_killed_in_the_middle_it_loses_nobody(site: Site) -> None:
    people = 300
    site.add_readers(people)
    first = site.start()
    first.wait_until(lambda: 20 <= site.states()["sent"])
    first.stop(signal.SIGKILL)
    middle = site.states()
    assert 20 <= middle["sent"] < people
    assert sum(middle.values()) == people
    # what was on the wire, and what it had taken: half a claim was left when it claimed again
    assert middle["sending"] <= 16 + RULES.claims_max + RULES.at_hand

    site.let_leases_end()
    second = site.start()
    second.wait_until(lambda: site.states()["sent"] == people)
    second.stop()

    assert site.states() == {"sent": people}
    assert len(site.mails) == people


def test_killed_while_it_collects_it_reads_again(site: Site) -> None:
    site.server.misbehave(lambda asked, right, released: (time.sleep(0.2), right)[1])
    first = site.start(roles="collect")
    first.wait_until(lambda: count(site.store, item) > 0)
    first.stop(signal.SIGKILL)

    site.let_leases_end()
    second = site.start(roles="collect")
    second.wait_until(lambda: count(site.store, item) == 60)

    assert second.stop()[0] == 0


def test_stopping_does_not_wait_for_a_server_that_says_nothing(site: Site) -> None:
    site.server.misbehave(silence())
    daemon = site.start()
    daemon.wait_until(lambda: len(site.server.requests) > 0)

    code, seconds = daemon.stop()

    assert code == 0
    assert seconds < 30


def test_it_needs_little_memory_when_there_is_nothing_to_do(site: Site) -> None:
    daemon = site.start()
    daemon.wait_until(lambda: "60 new" in daemon.said)

    rss = daemon.rss_bytes()

    daemon.stop()
    assert rss < 120_000_000, f"{rss / 1e6:.0f} MB"


def test_a_database_it_cannot_use_is_one_line(site: Site) -> None:
    with site.store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    daemon = site.start()

    assert daemon.process.wait(PATIENCE_S) == 1
    (line,) = daemon.said.splitlines()
    assert "newer than this program" in line


def test_a_key_that_cannot_sign_is_refused_by_who_delivers(site: Site) -> None:
    (site.folder / "dkim.pem").write_text("not a key")
    config = site.folder / "config.toml"
    keys = 'dkim_domain = "example.org"\ndkim_selector = "s1"\ndkim_key_file = "dkim.pem"\n'
    config.write_text(config.read_text().replace("[smtp]", f"{keys}[smtp]"))

    delivering, collecting = site.start(roles="deliver"), site.start(roles="collect")

    assert delivering.process.wait(PATIENCE_S) == 2
    assert "mail.dkim_key_file: this is no private key" in delivering.said
    collecting.wait_until(lambda: "digest is running" in collecting.said)


def test_roles_that_share_nothing_can_be_given_to_processes(site: Site) -> None:
    site.add_readers(1)
    collecting = site.start(roles="collect")
    collecting.wait_until(lambda: "60 new" in collecting.said)
    assert collecting.stop()[0] == 0
    assert site.states() == {}

    making = site.start(roles="edition")
    making.wait_until(lambda: site.states()["queued"] == 1)
    assert making.stop()[0] == 0
    assert site.mails == []

    delivering = site.start(roles="deliver")
    delivering.wait_until(lambda: site.states()["sent"] == 1)
    assert delivering.stop()[0] == 0


def test_nothing_of_it_outlives_it(site: Site) -> None:
    daemon = site.start()
    daemon.wait_until(lambda: "digest is running" in daemon.said)
    daemon.stop()

    with pytest.raises(ProcessLookupError):
        os.kill(daemon.process.pid, 0)
