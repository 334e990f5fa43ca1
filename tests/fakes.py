"""Stand-ins for our own seams, written by hand: nothing in them waits, and all is on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from digest.mail import Report, Take
from digest.mail.base import MayLeave, always
from digest.model import Envelope, Fate, Outcome
from digest.store import Store, Transaction


class StepClock:
    """A clock that only moves when somebody sleeps on it."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


class MemoryGate:
    """The pause per host, in one process's memory; the real one is in the store."""

    def __init__(self) -> None:
        self.free_at: dict[str, datetime] = {}
        self.holds: dict[str, datetime] = {}

    def wait_s(self, host: str, pause_s: float, now: datetime) -> float:
        slot = max(now, self.free_at.get(host, now), self.holds.get(host, now))
        self.free_at[host] = slot + timedelta(seconds=pause_s)
        return (slot - now).total_seconds()

    def hold(self, host: str, until: datetime) -> None:
        self.holds[host] = max(until, self.holds.get(host, until))


class Crash(BaseException):
    """The process dies here: nothing of ours may catch it, and nothing is written after it."""


class CrashingStore(Store):
    """A store whose process dies when it has written `writes` times; what was written stays."""

    def __init__(self, url: str, *, writes: int) -> None:
        super().__init__(url)
        self.writes_left = writes

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        if self.writes_left <= 0:
            raise Crash
        with super().write() as tx:
            yield tx
            if self.writes_left <= 0:
                # died since the transaction began
                raise Crash
        self.writes_left -= 1


class ScriptedTransport:
    """A way out that answers as it is told, and remembers what it was given.

    `answer` gets each envelope and returns its outcome, or raises what shall happen to the run.
    """

    def __init__(self, answer: Callable[[Envelope], Outcome] | None = None) -> None:
        self.taken: list[Envelope] = []
        self._answer = answer or accepted

    async def run(self, take: Take, report: Report, may_leave: MayLeave = always) -> None:
        while (envelope := await take()) is not None:
            self.taken.append(envelope)
            await report((self._answer(envelope),))

    @property
    def recipients(self) -> list[str]:
        return [envelope.envelope_to for envelope in self.taken]


def accepted(envelope: Envelope) -> Outcome:
    """The relay took it."""
    return Outcome(outbox_id=envelope.outbox_id, fate=Fate.ACCEPTED, code=250, text="ok")
