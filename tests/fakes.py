"""Stand-ins for our own seams, written by hand: nothing in them waits, and all is on record."""

from __future__ import annotations

from datetime import datetime, timedelta


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
