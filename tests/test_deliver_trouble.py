"""Delivering when it is late, unwanted, unwritable, stopped, or when we die."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from digest.clock import SystemClock
from digest.compose.composer import Composer
from digest.deliver import GROUP, LEASE, DeliveryRules
from digest.deliver.pace import GIVE_UP_AFTER
from digest.errors import StoreFull, TemplateError
from digest.model import (
    Edition,
    Envelope,
    Fate,
    MessageKind,
    OutboxState,
    Outcome,
    Status,
)
from digest.store import Store, editions, outbox, people
from digest.store.outbox import NewMessage
from tests.databases import Databases
from tests.deliver_pieces import World, refusal
from tests.fakes import Crash, CrashingStore, ScriptedTransport, accepted
from tests.store_pieces import DAY, HOUR, NOW, add_person

# Late, unwanted, unwritable


def test_what_was_never_tried_in_time_is_not_sent_late(world: World) -> None:
    world.queue_editions(3)
    world.clock.at = NOW + GIVE_UP_AFTER + timedelta(seconds=1)

    report, transport = world.deliver()

    assert transport.taken == []
    assert report.states == {OutboxState.FAILED: 3}
    assert world.row().reason == "too late: not handed over within 20 h"
    with world.store.read() as tx:
        assert editions.seen_items(tx, [1, 2, 3]) == {}


def test_what_is_too_late_in_a_warm_up_is_told_with_its_own_limit(world: World) -> None:
    world.queue_editions(1)
    world.clock.at = NOW + 3 * DAY

    world.deliver(warm_up_from=NOW.date())

    assert world.row().reason == "too late: not handed over by the end of the next day"


def test_what_was_deferred_when_the_daemon_went_off_is_not_sent_days_later(world: World) -> None:
    world.queue_editions(1)
    world.deliver(refusal(451, "4.3.0", Fate.TEMPORARY))
    world.clock.at = NOW + 3 * DAY

    _, transport = world.deliver()

    assert transport.taken == []
    assert world.row().state == "failed"


def test_a_retry_is_not_late_before_its_time_is_over(world: World) -> None:
    world.queue_editions(1)
    world.clock.at = NOW + 19 * HOUR
    world.deliver(refusal(451, "4.3.0", Fate.TEMPORARY))
    world.clock.at = NOW + 30 * HOUR

    world.deliver()

    assert world.row().state == "sent"


def test_who_unsubscribed_after_the_edition_was_made_gets_nothing(world: World) -> None:
    world.queue_editions(2)
    with world.store.write() as tx:
        people.change_subscriber(tx, 1, status=Status.UNSUBSCRIBED)

    _, transport = world.deliver()

    assert transport.recipients == ["reader1@example.org"]
    assert (world.row(1).state, world.row(2).state) == ("cancelled", "sent")


def test_an_address_that_cannot_be_written_to_fails_alone(world: World) -> None:
    world.queue_editions(3)
    with world.store.write() as tx:
        people.change_subscriber(tx, 2, email="no address\r\nBcc: x@example.org")

    report, transport = world.deliver()

    assert sorted(transport.recipients) == ["reader0@example.org", "reader2@example.org"]
    assert report.states == {OutboxState.SENT: 2, OutboxState.FAILED: 1}
    assert world.states() == {"sent": 2, "failed": 1}


class Unwritable(Composer):
    """A composer whose templates have been damaged."""

    def edition(self, edition: Edition, *, outbox_id: int, message_id: str) -> Envelope:
        raise TemplateError("templates/email/edition.html:12: 'nothing' is undefined")


def test_a_damaged_template_holds_messages_back_until_it_is_mended(world: World) -> None:
    world.queue_editions(40)

    report, transport = world.deliver(composer=Unwritable, resend=False)

    assert transport.taken == []
    assert report.states == {OutboxState.DEFERRED: 40}
    assert world.row().reason == "template: templates/email/edition.html:12: 'nothing' is undefined"
    world.clock.at = world.row().not_before
    world.deliver()
    assert world.states() == {"sent": 40}


def test_a_question_to_confirm_goes_out_with_its_link(world: World) -> None:
    person = add_person(world.store, status=Status.PENDING, next_edition_at=None)
    message = NewMessage(
        kind=MessageKind.CONFIRMATION,
        subscriber_id=person,
        dedupe_key="confirm:1",
        message_id="<c1@example.org>",
        due_at=NOW,
    )
    with world.store.write() as tx:
        outbox.add_messages(tx, [message], now=NOW)

    _, transport = world.deliver()

    (envelope,) = transport.taken
    assert envelope.envelope_to == "ann@example.org"
    assert b"/confirm/" in envelope.content
    assert world.row().state == "sent"


# Stopping, pace, disks


def test_stopping_gives_back_what_was_not_sent_yet(world: World) -> None:
    world.queue_editions(40)
    transport = ScriptedTransport()

    report = world.deliverer().deliver(transport, stop=lambda: len(transport.taken) >= 3)

    assert len(transport.taken) == 3
    assert report.states == {OutboxState.SENT: 3}
    assert world.states() == {"sent": 3, "queued": 37}
    assert world.deliver()[0].recovered == 0


def test_no_more_is_held_than_can_leave_before_the_lease_ends() -> None:
    fast, careful = DeliveryRules(resend=True), DeliveryRules(resend=False)
    assert (fast.claims_max, fast.at_hand) == (4 * GROUP, 8 * GROUP)
    assert (careful.claims_max, careful.at_hand) == (2 * GROUP, GROUP)
    for rate in (1, 2, 5, 60, 100_000):
        slow = DeliveryRules(resend=True, rate_per_minute=rate)
        assert 1 <= slow.claims_max <= 4 * GROUP
        assert (slow.claims_max + slow.at_hand) / rate <= LEASE / timedelta(minutes=1)


def test_messages_keep_the_pace_that_the_operator_set(sqlite_world: World) -> None:
    sqlite_world.queue_editions(5)
    clock = SystemClock()

    begun = clock.now()
    sqlite_world.deliver(rate_per_minute=1200)

    assert clock.now() - begun >= timedelta(seconds=4 / 20)


def test_stopping_does_not_wait_for_the_pace(sqlite_world: World) -> None:
    sqlite_world.queue_editions(2)
    transport = ScriptedTransport()
    clock = SystemClock()

    begun = clock.now()
    sqlite_world.deliverer(rate_per_minute=1).deliver(transport, stop=lambda: bool(transport.taken))

    assert len(transport.taken) == 1
    assert clock.now() - begun < timedelta(seconds=30)
    assert sqlite_world.states() == {"sent": 1, "queued": 1}


class FullAfter(Store):
    """A store whose disk is full for one write, after so many good ones."""

    writes = -1
    full_at = 0

    def write(self):  # type: ignore[no-untyped-def]
        self.writes += 1
        if self.writes == self.full_at:
            raise StoreFull("the disk is full")
        return super().write()


def test_outcomes_that_a_full_disk_refused_are_written_when_it_has_room(
    sqlite_world: World,
) -> None:
    world = sqlite_world
    world.queue_editions(20)
    store = FullAfter(world.store.url)
    store.full_at = 2  # after recovering and the first claim
    transport = ScriptedTransport()

    with pytest.raises(StoreFull):
        world.deliverer(store=store).deliver(transport)

    store.close()
    world.check_account()
    assert transport.taken
    assert world.states() == {"sent": len(transport.taken), "queued": 20 - len(transport.taken)}


# Dying


def test_dying_between_any_two_writes_loses_nobody_and_doubles_at_most_a_group(
    databases: Databases,
) -> None:
    count = 2 * GROUP + 4
    deaths, finished = 0, False
    while not finished:
        url = databases.fresh()
        world = World(Store(url))
        world.queue_editions(count)
        dying = CrashingStore(url, writes=deaths)
        first = ScriptedTransport()
        try:
            world.deliverer(store=dying).deliver(first)
            finished = True
        except Crash:
            deaths += 1
        world.check_account()
        assert sum(world.states().values()) == count
        world.let_leases_end()

        _, second = world.deliver(owner="two")

        assert world.states() == {"sent": count}
        got = Counter([*first.recipients, *second.recipients])
        assert set(got) == {f"reader{n}@example.org" for n in range(count)}
        # a group, and the one whose outcome the transport is still telling
        assert got.total() - count <= GROUP + 1
        dying.close()
        world.store.close()
        databases.drop(url)
    assert deaths >= 4


def test_dying_while_a_message_is_on_the_wire_doubles_that_one_at_most(world: World) -> None:
    world.queue_editions(5)

    dying = CrashingStore(world.store.url, writes=99)

    def die_at_third(envelope: Envelope) -> Outcome:
        if envelope.outbox_id == 3:
            dying.writes_left = 0
            raise Crash
        return accepted(envelope)

    first = ScriptedTransport(die_at_third)
    with pytest.raises(Crash):
        world.deliverer(store=dying).deliver(first)
    dying.close()
    assert world.states() == {"sending": 5}
    world.let_leases_end()

    _, second = world.deliver(owner="two")

    assert len(second.taken) == 5
    doubled = [e for e in second.taken if e in first.taken]
    assert {e.outbox_id for e in doubled} == {1, 2, 3}, "the same bytes, so they can be told"
