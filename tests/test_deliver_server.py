"""What a relay says of itself."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from digest.check.alarms import judge_sending
from digest.deliver.pace import PATIENCE, DomainPace, ServerPatience, speaks_of_server
from digest.deliver.pauses import paused_until
from digest.model import Envelope, Fate, OutboxState, Outcome
from digest.store import facts
from tests.deliver_pieces import World, dead_relay, refusal
from tests.fakes import accepted
from tests.store_pieces import NOW

FULL = refusal(452, "4.3.1", Fate.TEMPORARY)
SECOND = timedelta(seconds=1)


def pause_of(world: World) -> timedelta | None:
    until: datetime | None = paused_until(world.store, world.clock.at)
    return until - world.clock.at if until else None


@pytest.mark.parametrize(
    ("code", "status", "is_of_server"),
    [
        (421, "4.3.2", True),
        (452, "4.3.1", True),
        (451, "4.3.0", True),
        (421, None, True),
        (452, "4.3.4", False),
        (421, "4.7.0", False),
        (450, "4.2.1", False),
        (451, None, False),
    ],
)
def test_which_answers_are_about_the_relay_itself(
    code: int, status: str | None, is_of_server: bool
) -> None:
    said = Outcome(outbox_id=1, fate=Fate.TEMPORARY, code=code, status=status)

    assert speaks_of_server(said) is is_of_server


def test_no_domain_rests_for_what_the_relay_says_of_itself() -> None:
    pace = DomainPace(0)
    for _ in range(5 * PATIENCE):
        pace.hear("example.org", Outcome(outbox_id=1, fate=Fate.TEMPORARY, code=421), NOW)

    assert pace.turn("example.org", NOW) is None


def test_an_answer_to_one_message_in_between_ends_the_count() -> None:
    patience = ServerPatience()
    busy = Outcome(outbox_id=1, fate=Fate.TEMPORARY, code=451, status="4.3.0")
    taken = Outcome(outbox_id=1, fate=Fate.ACCEPTED, code=250)
    for said in ([busy] * (PATIENCE - 1) + [taken]) * 3:
        patience.hear(said)

    assert patience.last_straw is None


def test_a_relay_that_is_full_is_left_alone_for_seconds(world: World) -> None:
    for n in range(40):
        world.queue_edition(f"reader{n}@other{n}.example")

    report, transport = world.deliver(FULL)

    assert len(transport.taken) == PATIENCE
    assert world.states() == {"deferred": PATIENCE, "queued": 40 - PATIENCE}
    assert report.stopped == "the relay takes no mail for now: 452 4.3.1 no"
    assert pause_of(world) == 15 * SECOND
    (told,) = judge_sending(world.store)
    assert "452 4.3.1" in told.said


def test_its_pauses_grow_to_five_minutes_and_end_when_it_takes_mail(sqlite_world: World) -> None:
    world = sqlite_world
    world.queue_editions(8 * PATIENCE)
    pauses = []
    for _ in range(7):
        world.deliver(FULL)
        pauses.append((pause_of(world) or timedelta()) // SECOND)

    assert pauses == [15, 30, 60, 120, 240, 300, 300]
    world.deliver()
    assert pause_of(world) is None
    world.clock.at += timedelta(hours=1)
    world.deliver()
    assert world.states() == {"sent": 8 * PATIENCE}


def test_a_relay_that_refuses_one_kind_of_message_stops_nobody(world: World) -> None:
    world.queue_editions(40)

    def answer(envelope: Envelope) -> Outcome:
        return FULL(envelope) if envelope.outbox_id % 4 == 0 else accepted(envelope)

    report, _ = world.deliver(answer)

    assert report.states == {OutboxState.SENT: 30, OutboxState.DEFERRED: 10}
    assert pause_of(world) is None


def test_short_and_long_pauses_are_counted_apart(sqlite_world: World) -> None:
    world = sqlite_world
    world.queue_editions(12 * PATIENCE)
    pauses = []
    for answer in (FULL, FULL, FULL, dead_relay, dead_relay, FULL, FULL, dead_relay):
        world.deliver(answer)
        pauses.append((pause_of(world) or timedelta()) // SECOND)

    assert pauses == [15, 30, 60, 60, 120, 120, 240, 240]
    (told,) = judge_sending(world.store)
    assert "since 2026-03-11 07:00Z: the relay mail.example.org:587 cannot be reached" in told.said


def test_a_pause_that_an_older_version_has_begun_goes_on(sqlite_world: World) -> None:
    world = sqlite_world
    world.queue_editions(2 * PATIENCE)
    since = (NOW - timedelta(hours=3)).isoformat()
    pause = {"times": 2, "since": since, "until": NOW.isoformat(), "reason": "no relay"}
    with world.store.write() as tx:
        facts.put_fact(tx, "sending_paused", pause)

    world.deliver(dead_relay)

    assert pause_of(world) == timedelta(minutes=4)
    (told,) = judge_sending(world.store)
    assert "since 2026-03-11 04:00Z" in told.said
