"""An installation whose sender is killed: its outbox, its settings, and lives of `digest send`."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select, text, update

from digest.model import OutboxState
from digest.report import day_report
from digest.store import Store
from digest.store.schema import outbox as rows
from tests.deliver_pieces import World
from tests.fast_sink import FastSink, Step
from tests.paths import REPO

CONNECTIONS = 16
_SETTINGS = """
[site]
url = "https://digest.example.org"
secret_key = "a key for tests only, never for a real site"
[database]
url = "{url}"
[mail]
from = "Trending Papers <digest@example.org>"
dkim_domain = "example.org"
dkim_selector = "test"
dkim_key_file = "dkim.pem"
[smtp]
host = "{host}"
port = {port}
security = "none"
connections = {connections}
"""


class Installation:
    """A folder with settings, and a database with so many messages that are due."""

    def __init__(self, folder: Path, url: str, sink: FastSink, *, count: int) -> None:
        self.folder = folder
        self.sink = sink
        self.count = count
        self.store = Store(url)
        self.now = datetime.now(UTC).replace(microsecond=0)
        World(self.store).queue_editions(count, now=self.now)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        (folder / "dkim.pem").write_bytes(pem)
        self.config = self.settings("config.toml", url)

    def settings(self, name: str, url: str) -> Path:
        """A file of settings that reaches the database by that address."""
        path = self.folder / name
        path.write_text(
            _SETTINGS.format(
                url=url, host=self.sink.host, port=self.sink.port, connections=CONNECTIONS
            )
        )
        return path

    def queue(self, email: str) -> None:
        """One more message that is due."""
        World(self.store).queue_edition(email, now=self.now)
        self.count += 1

    def close(self) -> None:
        self.store.close()

    # -- looking

    def states(self) -> Counter[str]:
        with self.store.read() as tx:
            return Counter(tx.execute(select(rows.c.state)).scalars())

    def ids_in(self, *states: OutboxState) -> set[str]:
        """The Message-IDs of the rows in those states."""
        with self.store.read() as tx:
            found = tx.execute(select(rows.c.message_id).where(rows.c.state.in_(states)))
            return set(found.scalars())

    def check_account(self) -> None:
        """Each message is counted once, and what is `sent` has arrived."""
        account = dict(day_report(self.store, self.now.date(), ()).as_json()["ledger"])
        assert account.pop("due") == sum(account.values()) == self.count
        assert self.ids_in(OutboxState.SENT) <= set(self.sink.times)

    def check_all_sent(self, *, doubled: int) -> None:
        """Nobody is lost, and there are no more twins than that, the same to the last byte."""
        self.check_account()
        assert self.states() == {"sent": self.count}
        strangers = set(self.sink.times) - self.ids_in(OutboxState.SENT)
        assert not strangers, f"nobody has asked for {sorted(strangers)}"
        # fewer, when PostgreSQL was committing for a sender that had just died
        assert self.sink.doubled <= doubled
        self.sink.check_twins()

    def in_doubt(self, since: int = 0) -> int:
        """How many messages of the sink's, from that one on, are not known to have been sent."""
        self.sink.rest()
        self._let_the_dead_finish()
        taken = {taken.message_id for taken in self.sink.taken[since:]}
        return len(self.ids_in(OutboxState.SENDING) & taken)

    def _let_the_dead_finish(self) -> None:
        """PostgreSQL ends what a killed process had asked for: a COMMIT that had left counts."""
        if self.store.is_sqlite:
            return
        busy = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state <> 'idle'"
        )
        until = monotonic() + 30
        while monotonic() < until:
            with self.store.read() as tx:
                if tx.execute(busy).scalar() == 0:
                    return
        raise AssertionError("a killed process's session does not end")

    @contextmanager
    def writes_held_up(self) -> Iterator[None]:
        """Nobody else can commit anything to the outbox meanwhile."""
        with self.store.write() as tx:
            if not self.store.is_sqlite:
                tx.execute(text("LOCK TABLE outbox IN SHARE ROW EXCLUSIVE MODE"))
            yield

    def let_leases_end(self) -> None:
        """As if the leases of the dead had run out by the database's clock."""
        with self.store.write() as tx:
            tx.execute(
                update(rows)
                .where(rows.c.state == OutboxState.SENDING)
                .values(lease_until=datetime(2000, 1, 1, tzinfo=UTC))
            )


class Zygote:
    """Starts lives of `digest` that have everything imported; see tests/zygote.py."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "lives.log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.zygote", str(self._log)],
            cwd=REPO,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate(timeout=30)

    def start(self, *words: str) -> int:
        """A new life, by its pid, which stays its own until `wait`."""
        return self._ask(words)

    def wait(self) -> int:
        """How it ended: its exit code, or minus the number of the signal."""
        return self._ask(None)

    @property
    def said(self) -> str:
        """What the lives have printed."""
        return self._log.read_text() if self._log.exists() else ""

    def _ask(self, words: tuple[str, ...] | None) -> int:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(words) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """An instant to be killed at, as the server sees it."""

    #: at that step of messages, counted from 1
    steps: int
    #: steps of that kind only; None: of any
    step: Step | None = None
    #: so many seconds after it
    late_s: float = 0.0
    #: so many seconds from now, should that come first
    after_s: float | None = None


class Killer:
    """Kills a sender at some instant, seen from the sink."""

    def __init__(self, sink: FastSink) -> None:
        self._sink = sink
        self._lock = Lock()
        self._victim: int | None = None
        self._at = Aim(steps=1)
        self._steps_left = 0
        sink.when = self._on_step

    def aim(self, victim: int, at: Aim) -> None:
        """Kill that process at an instant that is to come."""
        with self._lock:
            self._victim, self._at, self._steps_left = victim, at, at.steps
        if at.after_s is not None:
            self._shoot_later(victim, at.after_s)

    def rest(self) -> None:
        """Kill nobody more."""
        with self._lock:
            self._victim = None

    def _shoot_later(self, victim: int, seconds: float) -> None:
        loop = self._sink.loop
        loop.call_soon_threadsafe(loop.call_later, seconds, self._shoot, victim)

    def _shoot(self, victim: int) -> None:
        with self._lock:
            if self._victim == victim:
                os.kill(victim, signal.SIGKILL)
                self._victim = None

    def _on_step(self, step: Step) -> None:
        victim, at = self._victim, self._at
        if victim is None or at.step not in (None, step):
            return
        self._steps_left -= 1
        if self._steps_left == 0 and at.late_s:
            self._shoot_later(victim, at.late_s)
        elif self._steps_left == 0:
            self._shoot(victim)


def random_aim(chance: random.Random, messages: int) -> Aim:
    """At any step of the first so many messages, or a little later, or while it starts."""
    steps = len(Step) * messages
    if chance.random() < 0.15:
        return Aim(steps=steps, after_s=chance.uniform(0, 0.3))
    late_s = chance.choice([0.0, chance.uniform(0, 0.01)])
    return Aim(steps=chance.randint(1, steps), late_s=late_s)
