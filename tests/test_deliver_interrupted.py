"""A sender that is told to end while it claims."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from digest.mail.base import MayLeave, Report, Take, always
from digest.store import Store, Transaction
from tests.deliver_pieces import World


class Interrupted:
    """A way out that takes nothing before all that runs is told to end."""

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None

    async def run(self, take: Take, report: Report, may_leave: MayLeave = always) -> None:
        self.loop = asyncio.get_running_loop()
        await asyncio.Event().wait()

    def interrupt(self) -> None:
        """As asyncio does when a program ends; returns when everybody has been told."""
        assert self.loop is not None
        told = threading.Event()

        def tell() -> None:
            for task in asyncio.all_tasks():
                task.cancel()
            told.set()

        self.loop.call_soon_threadsafe(tell)
        assert told.wait(30)


class InterruptedStore(Store):
    """Calls `meanwhile` once, at the first commit that a run waits for on its other thread."""

    meanwhile: Callable[[], None] | None = None

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with super().write() as tx:
            yield tx
            if self.meanwhile and threading.current_thread() is not threading.main_thread():
                self.meanwhile()
                self.meanwhile = None


def test_what_is_claimed_while_everybody_is_told_to_end_is_given_back(world: World) -> None:
    world.queue_editions(5)
    store, transport = InterruptedStore(world.store.url), Interrupted()
    store.meanwhile = transport.interrupt

    with pytest.raises(asyncio.CancelledError):
        world.deliverer(store=store).deliver(transport)

    assert store.meanwhile is None
    assert world.states() == {"queued": 5}
    assert {world.row(n).attempts for n in range(1, 6)} == {0}
    store.close()
