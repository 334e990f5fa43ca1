"""A fetcher with a clock and a gate that can be looked at, for tests."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from digest.errors import FetchError
from digest.fetch import Answer, Fetcher, Validator, user_agent
from digest.model import Request
from tests.fakes import MemoryGate, StepClock

NOW = datetime(2026, 3, 11, 7, 0, tzinfo=UTC)
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


#: loading the CA certificates takes longer than most of these tests
USUAL_TLS = ssl.create_default_context()


class World:
    """A fetcher with everything around it that can be looked at."""

    def __init__(self, **limits: object) -> None:
        self.clock = StepClock(NOW)
        self.gate = MemoryGate()
        self.fetcher = Fetcher(
            agent=user_agent("https://digest.example.org", "op@example.org"),
            clock=self.clock,
            gate=self.gate,
            **({"tls": USUAL_TLS} | limits),  # type: ignore[arg-type]
        )

    def ask(
        self,
        url: str,
        *,
        pause_s: float = 0.0,
        validator: Validator | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        robots: bool = False,
    ) -> Answer:
        request = Request(url=url, label="test", headers=headers, robots=robots)
        return self.fetcher.fetch(request, pause_s=pause_s, validator=validator)

    def refusal(self, url: str, **how: object) -> FetchError:
        with pytest.raises(FetchError) as caught:
            self.ask(url, **how)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        return caught.value


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Fail when the block takes two seconds or more: five times a hasty world's patience."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < 2


def open_world(monkeypatch: pytest.MonkeyPatch, **limits: object) -> Iterator[World]:
    """A world for one test, without the proxies of this machine; for fixtures."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    world = World(**limits)
    with world.fetcher:
        yield world


def open_hasty_world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world that gives up after 0.4 s, and takes 1 MB at most."""
    yield from open_world(monkeypatch, timeout_s=0.4, body_bytes_max=1_000_000)
