"""The deliver stage on a real store, sending to a real server that misbehaves, with a clock that
is moved: what went wrong, what is left afterwards, and whether the account adds up.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select

from digest.deliver import DeliveryReport
from digest.mail import TransportOptions, build_transport
from digest.model import OutboxState, PaperData
from digest.report import day_report
from digest.store import Store, facts
from digest.store.schema import outbox as rows
from tests.deliver_pieces import World
from tests.smtp_servers import Act, Moment, Received, Rule, ScriptedServer
from tests.store_pieces import NOW

#: one connection, so that the fourth message is the fourth whatever the machine does
OPTIONS = TransportOptions(host="127.0.0.1", security="none", connections=1, timeout_s=30)
SEVERAL = replace(OPTIONS, connections=4)
#: states in which a row can be that its reader has not got
_REASONED = (OutboxState.DEFERRED, OutboxState.FAILED, OutboxState.UNCERTAIN)


class Sending:
    """Editions for so many readers, and the way to a server."""

    def __init__(
        self,
        store: Store,
        server: ScriptedServer,
        count: int,
        *,
        options: TransportOptions = OPTIONS,
        resend: bool = True,
    ) -> None:
        self.world = World(store)
        self.server = server
        self.options = options
        self.resend = resend
        self.readers = [f"reader{n}@example.org" for n in range(count)]
        self.world.queue_editions(count)

    def queue(self, email: str, *papers: PaperData) -> None:
        """One more reader, with an edition of those papers."""
        self.world.queue_edition(email, *papers)
        self.readers.append(email)

    # -- running

    def deliver(self) -> DeliveryReport:
        """One run, as the daemon's tick would make it."""
        way = replace(self.options, port=self.server.port)
        report = self.world.deliverer(resend=self.resend).deliver(build_transport(way))
        self.check_account()
        return report

    def go_on(self, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass, and deliver when something is due, until nothing waits any more."""
        for _ in range(100):
            due_at = self.due_at()
            if due_at is None or until():
                return
            self.world.clock.at = max(due_at, self.world.clock.at)
            self.deliver()
        raise AssertionError("it never comes to an end")

    def due_at(self) -> datetime | None:
        """When the daemon would deliver next; None when nothing waits."""
        waiting = (OutboxState.QUEUED, OutboxState.DEFERRED)
        with self.world.store.read() as tx:
            first = tx.execute(
                select(func.min(rows.c.not_before)).where(rows.c.state.in_(waiting))
            ).scalar()
        if first is None:
            return None
        return max(first, self.paused_until or first)

    @property
    def paused_until(self) -> datetime | None:
        return self.world.deliverer().paused_until(self.world.clock.at)

    @property
    def why_paused(self) -> str | None:
        """What the operator is told; None while sending is not paused."""
        with self.world.store.read() as tx:
            pause = facts.get_fact(tx, "sending_paused")
        assert (pause is None) or pause["reason"]
        return None if pause is None else str(pause["reason"])

    # -- looking

    def rows_in(self, state: OutboxState) -> list[str]:
        """The reasons of the rows in that state."""
        with self.world.store.read() as tx:
            query = select(rows.c.reason).where(rows.c.state == state).order_by(rows.c.id)
            return [str(reason) for reason in tx.execute(query).scalars()]

    def check_account(self) -> None:
        """Each message is counted once, and what has not arrived has its reason."""
        report = day_report(self.world.store, NOW.date(), ()).as_json()
        account = dict(report["ledger"])
        assert account.pop("due") == sum(account.values()) == len(self.readers)
        for state in _REASONED:
            told = report["reasons"].get(state.value, {})
            assert sum(told.values()) == account[state.value], (state, told)

    def check_arrivals(self, *, missing: int = 0, doubled: int = 0) -> None:
        """Everybody but `missing` has it, once but for `doubled`, whose second is like the first."""
        arrived: dict[str, list[Received]] = {}
        for message in self.server.received:
            arrived.setdefault(message.envelope_to, []).append(message)
        assert set(arrived) <= set(self.readers)
        assert len(self.readers) - len(arrived) == missing
        twice = {reader: twins for reader, twins in arrived.items() if len(twins) > 1}
        assert sum(len(twins) - 1 for twins in twice.values()) <= doubled
        for reader, twins in twice.items():
            assert len({twin.content for twin in twins}) == 1, f"{reader} got two that differ"
        assert Counter(self.world.states())["sent"] == len(arrived)


def at(
    verb: str, said: str | bytes | Act, when: Callable[[Moment], bool] = lambda moment: True
) -> Rule:
    """A rule for one command."""
    return lambda moment: said if moment.verb == verb and when(moment) else None


def once(verb: str, said: str | bytes | Act, turn: int = 4) -> Rule:
    """A rule for the fourth time that a command comes, and never again."""
    turns = itertools.count(1)
    return at(verb, said, lambda moment: next(turns) == turn)


def usual(moment: Moment) -> None:
    """The rule of a server that is well."""
