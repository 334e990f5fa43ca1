"""A host with several addresses is reached by the first one that answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from digest.mail.dial import dial, interleave
from tests.smtp_servers import closed_port

V4, V6 = socket.AF_INET, socket.AF_INET6


class Loop(asyncio.SelectorEventLoop):
    """A loop whose names have the addresses that a test wants."""

    addresses: tuple[tuple[str, int], ...] = ()

    async def getaddrinfo(self, *_: Any, **__: Any) -> list[Any]:
        return [(V4, socket.SOCK_STREAM, 6, "", address) for address in self.addresses]


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def reach(*addresses: tuple[str, int]) -> tuple[str, int]:
    """Dial a name with those addresses; the one that was reached."""

    async def main() -> tuple[str, int]:
        sock = await asyncio.wait_for(dial("relay.test", 25), 10)
        with sock:
            peer: tuple[str, int] = sock.getpeername()
            return peer

    loop = Loop()
    loop.addresses = addresses
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main())


def test_the_only_address_is_used(listener: tuple[str, int]) -> None:
    assert reach(listener) == listener


def test_a_refused_address_is_passed_over_at_once(listener: tuple[str, int]) -> None:
    with closed_port() as port:
        assert reach(("127.0.0.1", port), listener) == listener


def test_an_address_that_never_answers_is_overtaken(listener: tuple[str, int]) -> None:
    # the queue of this listener is full, so the kernel leaves a further connection waiting
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        crowd = [socket.socket() for _ in range(3)]
        for sock in crowd:
            sock.setblocking(False)
            sock.connect_ex(deaf.getsockname())
        try:
            assert reach(deaf.getsockname(), listener) == listener
        finally:
            for sock in crowd:
                sock.close()


def test_when_all_refuse_the_first_says_why() -> None:
    with closed_port() as one, closed_port() as two, pytest.raises(ConnectionRefusedError):
        reach(("127.0.0.1", one), ("127.0.0.1", two))


def test_families_take_turns() -> None:
    a, b, c = (V6, ("a", 1, 0, 0)), (V6, ("b", 1, 0, 0)), (V4, ("c", 1))

    assert interleave([a, b, c]) == [a, c, b]
    assert interleave([]) == []
