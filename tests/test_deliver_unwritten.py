"""Outcomes that the database refuses: they are kept until it takes them, and no mail goes twice."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from digest.errors import StoreError, StoreFull
from digest.model import Envelope, Outcome
from digest.store import Store
from tests.databases import Databases
from tests.deliver_pieces import World, refusal
from tests.disks import fill, small_disk
from tests.fakes import ScriptedTransport, accepted

COUNT = 60


def twice(*transports: ScriptedTransport) -> list[str]:
    """Who was sent more than one message."""
    sent = Counter(reader for one in transports for reader in one.recipients)
    return sorted(reader for reader, count in sent.items() if count > 1)


class Falling(ScriptedTransport):
    """Takes everything; when it has taken so many, something happens to the database."""

    def __init__(self, happens: Callable[[], object], *, after: int) -> None:
        super().__init__(self._take)
        self.happens = happens
        self.after = after

    def _take(self, envelope: Envelope) -> Outcome:
        if len(self.taken) == self.after:
            self.happens()
        return accepted(envelope)


def test_a_disk_that_fills_up_has_nobody_mailed_twice(
    sqlite_databases: Databases, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", kilobytes=6_000) as disk:
        path = disk / "digest.db"
        shutil.copyfile(make_url(sqlite_databases.fresh()).database or "", path)
        world = World(Store(f"sqlite:///{path}"))
        world.queue_editions(COUNT)
        deliverer = world.deliverer()
        first, second = Falling(lambda: fill(disk), after=30), ScriptedTransport()
        with pytest.raises(StoreFull):
            deliverer.deliver(first)
        with pytest.raises(StoreFull):
            deliverer.deliver(second)
        assert second.taken == []
        (disk / "ballast").unlink()

        report = deliverer.deliver(second)

        world.check_account()
        assert twice(first, second) == []
        assert world.states() == {"sent": COUNT}
        assert report.recovered == 0
        world.store.close()


class Server:
    """A PostgreSQL database that nobody reaches for a while."""

    def __init__(self, url: str) -> None:
        self.name = make_url(url).database
        self.admin = Store(make_url(url).set(database="postgres").render_as_string(False))

    def vanish(self) -> None:
        self._say(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS false')
        self._say(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.name}'"
        )

    def come_back(self) -> None:
        self._say(f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS true')

    def _say(self, statement: str) -> None:
        with self.admin.write() as tx:
            tx.execute(text(statement))


@pytest.fixture
def server(postgres_databases: Databases) -> Iterator[tuple[World, Server]]:
    url = postgres_databases.fresh()
    store, server = Store(url), Server(url)
    yield World(store), server
    server.come_back()
    server.admin.close()
    store.close()
    postgres_databases.drop(url)


def test_a_database_that_is_away_has_nobody_mailed_twice(server: tuple[World, Server]) -> None:
    world, database = server
    world.queue_editions(COUNT)
    deliverer = world.deliverer()
    first, second = Falling(database.vanish, after=30), ScriptedTransport()
    with pytest.raises(StoreError):
        deliverer.deliver(first)
    with pytest.raises(StoreError):
        deliverer.deliver(second)
    assert second.taken == []
    database.come_back()
    # it was away for longer than the leases
    world.let_leases_end()

    report = deliverer.deliver(second)

    world.check_account()
    assert twice(first, second) == []
    assert world.states() == {"sent": COUNT}
    assert report.recovered == 0


def test_a_mistake_about_one_reader_has_nobody_else_mailed_twice(world: World) -> None:
    world.queue_editions(COUNT)
    refused = "reader0@example.org"
    with world.store.write() as tx:
        # a hand in the database: nobody can be read back who has that
        tx.execute(text("UPDATE subscriber SET cadence = 'never' WHERE id = 1"))

    def answer(envelope: Envelope) -> Outcome:
        is_refused = envelope.envelope_to == refused
        return refusal(550, "5.1.1")(envelope) if is_refused else accepted(envelope)

    deliverer = world.deliverer()
    first, second = ScriptedTransport(answer), ScriptedTransport(answer)
    with pytest.raises(ValueError, match="never"):
        deliverer.deliver(first)
    world.let_leases_end()

    deliverer.deliver(second)

    world.check_account()
    assert twice(first, second) == []
    assert world.states() == {"sent": COUNT - 1, "failed": 1}
