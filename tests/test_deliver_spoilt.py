"""Messages that cannot be made: each waits alone, the operator is told, and all others go."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import text

from digest.compose.composer import Composer
from digest.deliver.pace import GIVE_UP_AFTER
from digest.errors import TemplateError
from digest.mail import Report, Take
from digest.mail.base import MayLeave, always
from digest.model import Envelope, OutboxState, Sheet
from digest.store import editions
from tests.deliver_pieces import World
from tests.fakes import ScriptedTransport, accepted
from tests.store_pieces import NOW, paper

COUNT = 30
POISONED = "poisoned0@example.org"


class Mistaken(Composer):
    """Has a mistake that one reader's messages bring to light."""

    def edition(self, sheet: Sheet, *, outbox_id: int, message_id: str) -> Envelope:
        if sheet.email == POISONED:
            raise AssertionError("this cannot happen")
        return super().edition(sheet, outbox_id=outbox_id, message_id=message_id)


class MistakenTogether(Mistaken):
    """Has it already when messages are made together."""

    def prepare(self, sheets: Sequence[Sheet]) -> None:
        if any(sheet.email == POISONED for sheet in sheets):
            raise AssertionError("this cannot happen")
        super().prepare(sheets)


class Lagging(ScriptedTransport):
    """Takes more and more before it answers, so that several messages are made at once."""

    async def run(self, take: Take, report: Report, may_leave: MayLeave = always) -> None:
        while (envelope := await take()) is not None:
            self.taken.append(envelope)
        await report([accepted(envelope) for envelope in self.taken])


@pytest.fixture(params=[Mistaken, MistakenTogether], ids=["alone", "together"])
def composer(request: pytest.FixtureRequest) -> type[Composer]:
    kind: type[Composer] = request.param
    return kind


@pytest.fixture
def poisoned(world: World) -> World:
    """Messages of which one that stands among the others cannot be made."""
    world.queue_editions(COUNT - 1)
    world.queue_edition(POISONED)
    return world


def test_a_mistake_in_one_message_keeps_nobody_else_waiting(
    poisoned: World, composer: type[Composer]
) -> None:
    transport = Lagging()

    report = poisoned.deliverer(composer=composer).deliver(transport)

    poisoned.check_account()
    assert sorted(transport.recipients) == sorted(
        f"reader{n}@example.org" for n in range(COUNT - 1)
    )
    assert report.states == {OutboxState.SENT: COUNT - 1, OutboxState.DEFERRED: 1}
    row = poisoned.row(COUNT)
    assert row.state == "deferred"
    assert row.reason.startswith("mistake: AssertionError at digest.deliver.making:")
    assert row.not_before == NOW + timedelta(minutes=5)


def test_it_goes_when_the_mistake_is_mended(poisoned: World) -> None:
    poisoned.deliver(composer=Mistaken)
    poisoned.clock.at = poisoned.row(COUNT).not_before

    _, transport = poisoned.deliver()

    assert transport.recipients == [POISONED]
    assert poisoned.states() == {"sent": COUNT}


def test_it_is_tried_as_often_and_as_long_as_others_and_then_fails(
    sqlite_world: World, composer: type[Composer]
) -> None:
    world = sqlite_world
    world.queue_edition(POISONED)
    waited = []
    while world.row().state in ("queued", "deferred"):
        world.clock.at = max(world.row().not_before, world.clock.at)
        world.deliver(composer=composer)
        waited.append((world.row().not_before - world.clock.at) // timedelta(minutes=1))

    assert waited[:8] == [5, 10, 20, 40, 80, 160, 180, 180]
    assert world.clock.at - NOW >= GIVE_UP_AFTER
    assert (world.row().state, world.row().reason) == ("failed", "gave up: no success within 20 h")
    with world.store.read() as tx:
        assert editions.seen_items(tx, [1]) == {}, "its papers may be picked again"


class Broken(Composer):
    """Can make nothing."""

    def prepare(self, sheets: Sequence[Sheet]) -> None:
        raise KeyError(sheets[0].email)


class Damaged(Composer):
    """Its templates have been damaged."""

    def prepare(self, sheets: Sequence[Sheet]) -> None:
        raise TemplateError("email/edition.html:12: 'nothing' is undefined")


def test_what_spoils_all_messages_is_told_once_with_its_place(
    sqlite_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_world.queue_editions(COUNT)

    with caplog.at_level(logging.WARNING):
        report, transport = sqlite_world.deliver(composer=Broken)

    assert transport.taken == []
    assert report.states == {OutboxState.DEFERRED: COUNT}
    (told,) = caplog.records
    assert "waits: mistake: KeyError at digest.deliver.making:" in told.getMessage()
    assert "@example.org" not in told.getMessage()
    assert told.exc_info is not None


def test_templates_that_spoil_all_messages_are_told_once(
    sqlite_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    sqlite_world.queue_editions(COUNT)

    with caplog.at_level(logging.WARNING):
        sqlite_world.deliver(composer=Damaged)

    assert sqlite_world.states() == {"deferred": COUNT}
    assert sqlite_world.row().reason == "template: email/edition.html:12: 'nothing' is undefined"
    (told,) = caplog.records
    assert told.getMessage().endswith(f"waits: {sqlite_world.row().reason}")


def test_what_goes_wrong_with_several_is_told_once(
    poisoned: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Though each of them can be made alone."""

    class MistakenOfMany(Composer):
        def prepare(self, sheets: Sequence[Sheet]) -> None:
            if len(sheets) > 1:
                raise AssertionError("this cannot happen")

    with caplog.at_level(logging.WARNING):
        poisoned.deliverer(composer=MistakenOfMany).deliver(Lagging())

    assert poisoned.states() == {"sent": COUNT}
    (told,) = caplog.records
    assert told.getMessage().startswith("messages are made one by one: mistake: AssertionError at ")


# What was stored and is damaged

#: what a damaged disk, or a hand in the database, leaves of what a mail tells of its items
TOLD = (
    *(("shown", t) for t in ("", "[]", "{}", "5", "null", "[1,2,3]", '[1,["topic"],1,2,3]')),
    *(("shown", t) for t in ("[9999,null,1,2,3]", "[1,null,1,2,3]\n[1,null,1,2,3]", "\n\n[]")),
    *(("reasons", t) for t in ("", "5", "null", "[", '[["nothing","a","b"]]', '[["topic"]]')),
)
#: the same of a wording; what is none is found when it is read, a part that is empty when it is used
WORDINGS = ("[]", "5", "null", "{}", {"authors": None}, {"title": None}, {"abstract": None})
NO_TEXT = "CAST(x'5b5bff' AS TEXT)"


def damage(world: World, column: str, value: str) -> None:
    """Damage what was stored for the first edition."""
    table = "wording" if column == "data" else "edition"
    with world.store.write() as tx:
        tx.execute(text(f"UPDATE {table} SET {column} = {value} WHERE id = 1"))


def check_others_go(world: World, reason: str) -> None:
    """All but the first get theirs; it waits, and goes when what was stored is there again."""
    report, transport = world.deliver()

    assert report.states == {OutboxState.SENT: COUNT - 1, OutboxState.DEFERRED: 1}
    assert POISONED not in transport.recipients
    assert world.row(1).reason.startswith(reason)
    assert world.row(1).not_before == NOW + timedelta(minutes=5)


@pytest.fixture
def apart(world: World) -> World:
    """As `poisoned`, with a paper of its own for the first."""
    world.queue_edition(POISONED, paper("2603.09999"))
    world.queue_editions(COUNT - 1)
    return world


@pytest.mark.parametrize(("column", "told"), TOLD)
def test_an_edition_that_cannot_be_read_back_waits_alone(
    apart: World, column: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    damage(apart, column, f"'{told}'")

    check_others_go(apart, "damaged: its edition cannot be read back")

    (said,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert said.getMessage() == "message 1 waits: damaged: its edition cannot be read back"
    assert said.exc_info is not None


@pytest.mark.parametrize("part", WORDINGS, ids=json.dumps)
def test_a_paper_that_cannot_be_read_back_spoils_the_editions_that_have_it(
    apart: World, part: str | dict[str, None]
) -> None:
    with apart.store.read() as tx:
        before = tx.execute(text("SELECT data FROM wording WHERE id = 1")).scalar_one()
    whole = json.loads(before) if isinstance(before, str) else before
    broken = part if isinstance(part, str) else json.dumps(whole | part)
    is_found_early = isinstance(part, str) or "authors" in part
    damage(apart, "data", f"'{broken}'".replace(":", r"\:"))

    check_others_go(
        apart, "damaged: " if is_found_early else "mistake: TypeError at digest.compose."
    )


def test_a_text_that_is_none_waits_alone(sqlite_world: World) -> None:
    sqlite_world.queue_edition(POISONED, paper("2603.09999"))
    sqlite_world.queue_editions(COUNT - 1)
    damage(sqlite_world, "shown", NO_TEXT)

    check_others_go(sqlite_world, "damaged: its edition cannot be read back")


def test_what_is_damaged_goes_when_it_is_mended(apart: World) -> None:
    with apart.store.read() as tx:
        before = tx.execute(text("SELECT shown FROM edition WHERE id = 1"))
        whole = before.scalar_one()
    damage(apart, "shown", "'[]'")
    apart.deliver()
    damage(apart, "shown", f"'{whole}'".replace(":", r"\:"))
    apart.clock.at = apart.row(1).not_before

    _, transport = apart.deliver()

    assert transport.recipients == [POISONED]
    assert apart.states() == {"sent": COUNT}
