"""How often a run looks for more: not after each group, and yet nobody who comes late is missed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import event

from digest.mail import Report, Take
from digest.mail.base import MayLeave, always
from tests.deliver_pieces import World
from tests.fakes import ScriptedTransport, accepted

COUNT = 8
SOON = timedelta(seconds=0.05)
LATE = "late@example.org"


class Claims:
    """Counts how often the outbox is asked for messages."""

    def __init__(self, world: World) -> None:
        self.count = 0
        event.listen(world.store.engine, "before_cursor_execute", self._note)

    def _note(self, connection: object, cursor: object, statement: str, *_: object) -> None:
        self.count += statement.startswith("WITH due AS")


async def until(comes: Callable[[], bool]) -> None:
    """Wait for what another task does."""
    async with asyncio.timeout(60):
        while not comes():
            await asyncio.sleep(0.01)


@pytest.fixture
def claims(world: World) -> Claims:
    world.queue_editions(COUNT)
    return Claims(world)


def test_what_is_written_down_is_no_reason_to_look_again(world: World, claims: Claims) -> None:
    # groups of one are claimed four at a time and written down one by one
    world.deliver(group=1)

    assert world.states() == {"sent": COUNT}
    assert claims.count <= COUNT / 4 + 2


class Slow(ScriptedTransport):
    """Lets something happen before it takes the second message, or when it has got the last."""

    def __init__(self, meanwhile: Callable[[], Awaitable[None]], *, at_end: bool) -> None:
        super().__init__()
        self.meanwhile = meanwhile
        self.at_end = at_end

    async def run(self, take: Take, report: Report, may_leave: MayLeave = always) -> None:
        while (envelope := await take()) is not None:
            if len(self.taken) == 1 and not self.at_end:
                await self.meanwhile()
            self.taken.append(envelope)
        if self.at_end:
            await self.meanwhile()
        await report([accepted(envelope) for envelope in self.taken])


def test_who_comes_late_in_a_run_that_found_nothing_more_is_found(
    world: World, claims: Claims
) -> None:
    async def come_late() -> None:
        await until(lambda: claims.count >= 2)
        world.queue_edition(LATE)
        await until(lambda: world.row(COUNT + 1).state == "sending")

    transport = Slow(come_late, at_end=False)
    world.deliverer(look_again=SOON).deliver(transport)

    assert LATE in transport.recipients
    assert world.states() == {"sent": COUNT + 1}


def test_when_all_has_been_given_away_nothing_more_is_claimed(world: World, claims: Claims) -> None:
    async def come_late() -> None:
        world.queue_edition(LATE)
        before = claims.count
        await asyncio.sleep(4 * SOON.total_seconds())
        assert claims.count == before

    transport = Slow(come_late, at_end=True)
    world.deliverer(look_again=SOON).deliver(transport)

    assert LATE not in transport.recipients
    assert world.states() == {"sent": COUNT, "queued": 1}
