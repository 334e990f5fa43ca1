"""Delivering: nobody is lost, hardly anybody gets two, whatever the relay says and when we die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from digest.clock import SystemClock
from digest.compose.composer import Composer
from digest.compose.links import Links
from digest.deliver import GROUP, LEASE, Deliverer, DeliveryReport, DeliveryRules
from digest.deliver.verdict import GIVE_UP_AFTER, decide, is_hard_bounce
from digest.errors import StoreFull, TemplateError, TransportError
from digest.model import (
    Edition,
    Envelope,
    Fate,
    MessageKind,
    OutboxState,
    Outcome,
    Status,
    Subscriber,
)
from digest.store import Store, editions, facts, outbox, people
from digest.store.claims import Claimed
from digest.store.ledger import ledger
from digest.store.outbox import NewMessage
from digest.store.schema import outbox as rows
from digest.store.schema import subscriber
from digest.templates import Templates
from tests.databases import Databases
from tests.edition_pieces import edition_of
from tests.fakes import Crash, CrashingStore, ScriptedTransport, StepClock, accepted
from tests.mail_pieces import SITE, TOKENS
from tests.store_pieces import DAY, HOUR, NOW, add_person, item_of, merge, paper

TEMPLATES = Templates()


class World:
    """A store with editions queued, and a deliverer whose clock can be moved."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = StepClock(NOW)

    def deliverer(self, *, owner: str = "one", resend: bool = True, **how: object) -> Deliverer:
        store = how.pop("store", self.store)
        kind = how.pop("composer", Composer)
        composer = kind(SITE, Links(SITE.url, TOKENS), TEMPLATES)  # type: ignore[operator]
        rules = DeliveryRules(resend=resend, **how)  # type: ignore[arg-type]
        return Deliverer(store, composer, rules, clock=self.clock, owner=owner)  # type: ignore[arg-type]

    def deliver(
        self, answer: Callable[[Envelope], Outcome] = accepted, **how: object
    ) -> tuple[DeliveryReport, ScriptedTransport]:
        transport = ScriptedTransport(answer)
        report = self.deliverer(**how).deliver(transport)  # type: ignore[arg-type]
        self.check_account()
        return report, transport

    def queue_editions(self, count: int, *, now: datetime = NOW) -> None:
        """One edition of one paper for each of so many new people."""
        merge(self.store, paper())
        item = item_of(self.store, "arxiv:2603.00001")
        for n in range(count):
            person = add_person(self.store, f"reader{n}@example.org", next_edition_at=now + DAY)
            with self.store.write() as tx:
                (edition_id,) = editions.add_editions(tx, [edition_of(person, item)])
                message = NewMessage(
                    kind=MessageKind.EDITION,
                    subscriber_id=person,
                    edition_id=edition_id,
                    dedupe_key=f"edition:{person}:{now.date()}",
                    message_id=f"<{edition_id}@example.org>",
                    due_at=now,
                )
                outbox.add_messages(tx, [message], now=now)

    def states(self) -> Counter[str]:
        with self.store.read() as tx:
            return Counter(tx.execute(select(rows.c.state)).scalars())

    def row(self, row_id: int = 1):  # type: ignore[no-untyped-def]
        with self.store.read() as tx:
            return tx.execute(select(rows).where(rows.c.id == row_id)).one()

    def person(self, person_id: int = 1) -> Subscriber:
        with self.store.read() as tx:
            found = people.get_subscriber(tx, person_id)
        assert found is not None
        return found

    def let_leases_end(self) -> None:
        with self.store.write() as tx:
            tx.execute(update(rows).values(lease_until=NOW - 9999 * DAY))

    def check_account(self) -> None:
        """Whatever happened, each message is counted once."""
        with self.store.read() as tx:
            assert ledger(tx, NOW.date()).adds_up


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


@pytest.fixture
def sqlite_world(sqlite_store: Store) -> World:
    return World(sqlite_store)


def refusal(code: int, status: str, fate: Fate = Fate.PERMANENT) -> Callable[[Envelope], Outcome]:
    return lambda envelope: Outcome(
        outbox_id=envelope.outbox_id, fate=fate, code=code, status=status, text="no"
    )


def fate(fate: Fate) -> Callable[[Envelope], Outcome]:
    return lambda envelope: Outcome(outbox_id=envelope.outbox_id, fate=fate, text="lost")


def dead_relay(envelope: Envelope) -> Outcome:
    raise TransportError("the relay mail.example.org:587 cannot be reached")


# What the relay says


def test_what_waits_is_sent_to_each_once(world: World) -> None:
    world.queue_editions(40)

    report, transport = world.deliver()

    assert sorted(transport.recipients) == sorted(f"reader{n}@example.org" for n in range(40))
    assert report.states == {OutboxState.SENT: 40}
    assert world.states() == {"sent": 40}
    assert world.row().answer == "250 ok"
    assert world.deliver()[1].taken == []


def test_a_message_carries_its_own_id_and_reader(world: World) -> None:
    world.queue_editions(1)

    _, transport = world.deliver()

    (envelope,) = transport.taken
    assert b"Message-ID: <1@example.org>\r\n" in envelope.content
    assert b"To: reader0@example.org\r\n" in envelope.content
    assert envelope.envelope_from.startswith("bounce+")


def test_a_temporary_refusal_is_tried_again_after_pauses_that_grow(sqlite_world: World) -> None:
    world = sqlite_world
    world.queue_editions(1)
    waited = []

    for _ in range(9):
        _, transport = world.deliver(refusal(451, "4.3.0", Fate.TEMPORARY))
        assert len(transport.taken) == 1
        row = world.row()
        assert (row.state, row.reason) == ("deferred", "temporary: 4.3.0")
        waited.append((row.not_before - world.clock.at) // timedelta(minutes=1))
        world.clock.at = row.not_before

    assert waited == [5, 10, 20, 40, 80, 160, 180, 180, 180]


def test_what_stays_refused_is_given_up_after_twenty_hours(sqlite_world: World) -> None:
    world = sqlite_world
    world.queue_editions(1)
    tries = 0

    while world.row().state in ("queued", "deferred"):
        tries += len(world.deliver(refusal(451, "4.3.0", Fate.TEMPORARY))[1].taken)
        world.clock.at = max(world.row().not_before, world.clock.at)

    assert timedelta(hours=20) <= world.clock.at - NOW < timedelta(hours=24)
    assert (world.row().state, world.row().reason) == ("failed", "gave up: no success within 20 h")
    assert tries == 12


def test_a_permanent_refusal_ends_at_once_and_keeps_the_reader(world: World) -> None:
    world.queue_editions(1)

    world.deliver(refusal(552, "5.3.4"))

    assert (world.row().state, world.row().reason) == ("failed", "refused: 5.3.4")
    assert world.row().answer == "552 5.3.4 no"
    assert world.person().status is Status.CONFIRMED


def test_an_address_that_does_not_exist_is_never_mailed_again(world: World) -> None:
    world.queue_editions(1)

    world.deliver(refusal(550, "5.1.1"))

    assert world.row().state == "failed"
    assert (world.person().status, world.person().next_edition_at) == (Status.SUPPRESSED, None)
    with world.store.read() as tx:
        key = tx.execute(select(subscriber.c.address_key)).scalar_one()
        assert people.suppression_of(tx, key) == "hard bounce"


@pytest.mark.parametrize("status", ["5.7.1", "5.7.26", "5.1.8", "5.1.7"])
def test_a_refusal_of_us_is_not_held_against_the_reader(sqlite_world: World, status: str) -> None:
    sqlite_world.queue_editions(1)

    sqlite_world.deliver(refusal(550, status))

    assert sqlite_world.row().state == "deferred"
    assert sqlite_world.person().status is Status.CONFIRMED


def test_an_edition_that_never_arrived_gives_its_papers_back(world: World) -> None:
    world.queue_editions(2)

    def first_fails(envelope: Envelope) -> Outcome:
        is_first = envelope.outbox_id == 1
        return refusal(552, "5.3.4")(envelope) if is_first else accepted(envelope)

    world.deliver(first_fails)

    with world.store.read() as tx:
        assert set(editions.seen_items(tx, [1, 2])) == {2}
        # what it would have said can still be looked at
        assert editions.load_editions(tx, [1])[1].entries[0].wording.key == "arxiv:2603.00001"


def test_an_answer_that_was_lost_is_sent_again_with_the_same_bytes(world: World) -> None:
    world.queue_editions(1)

    _, first = world.deliver(fate(Fate.UNKNOWN))
    world.clock.at = world.row().not_before
    _, second = world.deliver()

    assert first.taken == second.taken
    assert world.row().state == "sent"


def test_an_answer_that_was_lost_waits_for_the_operator_when_that_is_wanted(world: World) -> None:
    world.queue_editions(1)

    world.deliver(fate(Fate.UNKNOWN), resend=False)
    world.clock.at += DAY
    _, transport = world.deliver(resend=False)

    assert transport.taken == []
    assert (world.row().state, world.row().reason) == ("uncertain", "the relay's answer was lost")


# A relay that is dead


def test_a_dead_relay_pauses_sending_and_loses_nothing(world: World) -> None:
    world.queue_editions(20)

    report, _ = world.deliver(dead_relay)

    assert report.stopped == "the relay mail.example.org:587 cannot be reached"
    deliverer = world.deliverer()
    assert deliverer.paused_until(world.clock.at) == NOW + timedelta(minutes=1)
    assert deliverer.paused_until(NOW + timedelta(minutes=1)) is None
    # one was on the wire when the relay died, as far as this transport tells
    assert world.states() == {"queued": 19, "sending": 1}


def test_pauses_grow_while_the_relay_stays_dead_and_end_when_it_is_back(
    sqlite_world: World,
) -> None:
    world = sqlite_world
    world.queue_editions(10)
    pauses = []

    for _ in range(7):
        world.deliver(dead_relay)
        until = world.deliverer().paused_until(world.clock.at)
        assert until is not None
        pauses.append((until - world.clock.at) // timedelta(minutes=1))
        world.clock.at = until
    world.let_leases_end()
    report, _ = world.deliver()

    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert report.stopped is None
    assert world.states() == {"sent": 10}
    with world.store.read() as tx:
        assert facts.get_fact(tx, "sending_paused") is None


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
    assert DeliveryRules(resend=True).claims_max == GROUP
    for rate in (1, 2, 5, 60, 100_000):
        held = DeliveryRules(resend=True, rate_per_minute=rate).claims_max
        assert 1 <= held <= GROUP
        assert held / rate <= LEASE / timedelta(minutes=1)


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
    count = GROUP + 4
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
        assert got.total() - count <= GROUP
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


# The verdict, alone


def claimed(attempts: int = 1, first_tried_at: datetime = NOW) -> Claimed:
    return Claimed(
        id=1,
        kind=MessageKind.EDITION,
        subscriber_id=1,
        email="ann@example.org",
        edition_id=1,
        message_id="<1@example.org>",
        attempts=attempts,
        created_at=NOW,
        first_tried_at=first_tried_at,
    )


outcomes = st.builds(
    Outcome,
    outbox_id=st.just(1),
    fate=st.sampled_from(Fate),
    code=st.none() | st.integers(200, 599),
    status=st.none() | st.from_regex(r"[245]\.\d\.\d{1,2}", fullmatch=True),
    text=st.text(max_size=20),
)


@given(
    outcomes, st.integers(1, 1000), st.timedeltas(timedelta(), timedelta(hours=40)), st.booleans()
)
def test_every_answer_leads_somewhere_and_waits_are_bounded(
    outcome: Outcome, attempts: int, since: timedelta, resend: bool
) -> None:
    row = claimed(attempts, NOW - since)

    verdict = decide(outcome, row, NOW, resend=resend)

    assert verdict.state in (
        OutboxState.SENT,
        OutboxState.FAILED,
        OutboxState.DEFERRED,
        OutboxState.UNCERTAIN,
    )
    assert (verdict.state is OutboxState.SENT) == (outcome.fate is Fate.ACCEPTED)
    if verdict.state is OutboxState.DEFERRED:
        assert verdict.not_before is not None
        assert timedelta(minutes=5) <= verdict.not_before - NOW <= timedelta(hours=3)
        assert since < GIVE_UP_AFTER
    if verdict.state is not OutboxState.SENT:
        assert verdict.reason
    if is_hard_bounce(outcome):
        assert verdict.state is OutboxState.FAILED
