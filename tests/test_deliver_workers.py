"""Several processes of `digest run --only deliver` on one PostgreSQL: they die, freeze, lose their
network, and nobody is lost, and nobody gets two but who was on the wire.

The server holds its answers back until each worker has a message on every connection, so what is
in doubt when something happens is known to the message.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from digest.model import OutboxState
from digest.store.schema import outbox as rows
from tests.daemon_process import Daemon
from tests.databases import Databases
from tests.fast_sink import FastSink
from tests.killing import CONNECTIONS, Installation
from tests.namespaces import Namespaces, why_no_namespaces

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MESSAGES = 600
WORKERS = 4


class Workers:
    """Workers on one installation."""

    def __init__(self, site: Installation) -> None:
        self.site = site
        self.all: list[Daemon] = []

    def start(self, **how: object) -> None:
        self.all.append(Daemon(self.site.folder, roles="deliver", **how))  # type: ignore[arg-type]

    def claimed_by(self, worker: Daemon) -> set[str]:
        """The Message-IDs that are this worker's now."""
        mine = rows.c.lease_owner.like(f"%:{worker.pid}:%")
        with self.site.store.read() as tx:
            query = select(rows.c.message_id).where(rows.c.state == OutboxState.SENDING, mine)
            return set(tx.execute(query).scalars())

    def wait_until_all_are_busy(self) -> None:
        """Until each has a message in full on every connection, and more in its hands."""
        everything = CONNECTIONS * len(self.all)
        self.site.sink.wait_until(lambda: self.site.sink.held == everything, seconds=120)
        for worker in self.all:
            worker.wait_until(lambda worker=worker: len(self.claimed_by(worker)) > CONNECTIONS)

    def kill(self, worker: Daemon) -> set[str]:
        """Kill it; returns what it had."""
        worker.process.kill()
        worker.process.wait(10)
        return self.claimed_by(worker)

    def freeze(self, worker: Daemon) -> None:
        """Stop it, at a moment when it holds no locks in the database."""
        while True:
            worker.process.send_signal(signal.SIGSTOP)
            with self.site.store.read() as tx:
                busy = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in trans%'"
                others = f"{busy} AND datname = current_database() AND pid <> pg_backend_pid()"
                if tx.execute(text(others)).scalar_one() == 0:
                    return
            worker.process.send_signal(signal.SIGCONT)

    def let_leases_end(self, message_ids: set[str]) -> None:
        """As if the time of the dead were over by the database's clock."""
        with self.site.store.write() as tx:
            past = datetime(2000, 1, 1, tzinfo=UTC)
            dead = rows.c.message_id.in_(message_ids)
            tx.execute(update(rows).where(dead).values(lease_until=past))

    def stop(self) -> None:
        for worker in self.all:
            if worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait(10)


@contextmanager
def working(site: Installation) -> Iterator[Workers]:
    workers = Workers(site)
    try:
        yield workers
    finally:
        workers.stop()


@pytest.fixture
def url(postgres_databases: Databases) -> Iterator[str]:
    """A fresh database."""
    made = postgres_databases.fresh()
    yield made
    postgres_databases.drop(made)


def test_four_workers_two_die_and_one_freezes(url: str, tmp_path: Path) -> None:
    with (
        FastSink(answer_after_s=0.002) as sink,
        closing(Installation(tmp_path, url, sink, count=MESSAGES)) as site,
    ):
        sink.hold()
        with working(site) as workers:
            for _ in range(WORKERS):
                workers.start()
            workers.wait_until_all_are_busy()
            lively, frozen, *victims = workers.all

            for victim in victims:
                assert len(workers.kill(victim)) > CONNECTIONS
            workers.freeze(frozen)
            not_sent_by_frozen = len(workers.claimed_by(frozen)) - CONNECTIONS
            sink.release()
            # what the dead and the frozen had comes back when their leases are over: a minute
            lively.wait_until(lambda: site.states()["sent"] == MESSAGES, seconds=150)

            in_doubt = CONNECTIONS * (len(victims) + 1)
            site.check_all_sent(doubled=in_doubt)
            assert not_sent_by_frozen > 0
            assert lively.stop()[0] == 0
            thawed_at = len(sink.taken)
            frozen.process.send_signal(signal.SIGCONT)
            for n in range(20):
                site.queue(f"late{n}@example.org")
            frozen.wait_until(lambda: site.states()["sent"] == site.count)
            assert frozen.stop()[0] == 0, frozen.said

        # it has gone on with what was new, and sent nothing of what it had in its hands
        assert len(sink.taken) - thawed_at == 20
        site.check_all_sent(doubled=in_doubt)


@pytest.fixture
def hosts() -> Iterator[Namespaces]:
    missing = why_no_namespaces()
    if missing:
        pytest.skip(missing)
    with Namespaces(2) as made:
        yield made


def test_workers_on_hosts_of_their_own(url: str, hosts: Namespaces, tmp_path: Path) -> None:
    with (
        FastSink(host=hosts.address, answer_after_s=0.002) as sink,
        closing(Installation(tmp_path, url, sink, count=MESSAGES)) as site,
    ):
        sink.hold()
        near = site.settings("near.toml", hosts.database_url(url))
        with working(site) as workers:
            for n in range(WORKERS):
                workers.start(config=str(near), inside=hosts.inside(n % 2))
            workers.wait_until_all_are_busy()
            lively, cut_off, *victims = workers.all

            lost = {message for victim in victims for message in workers.kill(victim)}
            hosts.cut(1)
            sink.release()
            workers.let_leases_end(lost)
            others = MESSAGES - len(workers.claimed_by(cut_off))
            lively.wait_until(lambda: site.states()["sent"] == others)
            hosts.mend(1)
            lively.wait_until(lambda: site.states()["sent"] == MESSAGES)

            assert [worker.stop()[0] for worker in (lively, cut_off)] == [0, 0]

        # who was cut off has heard its answers in the end: only the dead ones' came twice
        site.check_all_sent(doubled=CONNECTIONS * len(victims))
        assert {taken.peer[0] for taken in sink.taken} == set(hosts.theirs)
