"""Delivering: what the relay says, and what becomes of each message by it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from digest.deliver import DeliveryRules
from digest.deliver.desk import Desk
from digest.deliver.pace import GIVE_UP_AFTER
from digest.deliver.verdict import Answer, decide, failure_of
from digest.mail import TransportOptions, build_transport
from digest.model import (
    BounceKind,
    Envelope,
    Failure,
    Fate,
    MessageKind,
    OutboxState,
    Outcome,
    Status,
)
from digest.store import bounces, editions, facts, people
from digest.store.claims import Claimed
from digest.store.schema import bounce, subscriber
from tests.deliver_pieces import World, dead_relay, fate, refusal
from tests.fakes import accepted
from tests.store_pieces import DAY, NOW, count

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


def test_what_the_old_address_refuses_is_not_held_against_the_new_one(world: World) -> None:
    world.queue_editions(1)
    desk = Desk(DeliveryRules(resend=True), "one")
    with world.store.write() as tx:
        (held,) = desk.claim(tx, 1, NOW)
        moved = {"email": "new@example.org", "address_key": "new@example.org"}
        tx.execute(update(subscriber).values(moved))
    said = Outcome(outbox_id=1, fate=Fate.PERMANENT, code=550, status="5.1.1", text="no")
    ended = decide(said, held.row, NOW, resend=True)

    with world.store.write() as tx:
        answer = Answer(row=held.row, settlement=ended, failure=failure_of(said, ended))
        assert desk.settle(tx, [answer], NOW) == {1}

    assert answer.failure is not None
    assert (world.row().state, world.person().status) == ("failed", Status.CONFIRMED)


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


# What a refusal says of the reader


def failure(
    code: int, status: str | None, text: str = "", fate: Fate = Fate.PERMANENT
) -> Failure | None:
    outcome = Outcome(outbox_id=1, fate=fate, code=code, status=status, text=text)
    verdict = decide(outcome, claimed(9, NOW - GIVE_UP_AFTER), NOW, resend=True)
    return failure_of(outcome, verdict)


@pytest.mark.parametrize(
    ("code", "status", "text", "kind", "is_certain"),
    [
        (550, "5.1.1", "no", BounceKind.HARD, True),
        (550, "5.1.10", "RESOLVER.ADR.RecipientNotFound", BounceKind.HARD, True),
        (550, "5.1.0", "address unknown", BounceKind.HARD, True),
        (550, "5.2.1", "mailbox disabled", BounceKind.HARD, False),
        (552, "5.2.2", "over quota", BounceKind.SOFT, False),
        (550, "5.4.4", "no route", BounceKind.HARD, False),
        (550, None, "no such user here", BounceKind.HARD, False),
        (550, "5.0.0", "mailbox is full", BounceKind.SOFT, False),
        (554, None, "looks like spam", BounceKind.POLICY, False),
    ],
)
def test_a_refusal_counts_as_if_it_had_come_back_by_mail(
    code: int, status: str | None, text: str, kind: BounceKind, is_certain: bool
) -> None:
    found = failure(code, status, text)

    assert found is not None
    assert (found.kind, found.is_certain, found.diagnostic) == (kind, is_certain, text)


@pytest.mark.parametrize(
    ("code", "status", "text"),
    [
        (550, None, "no"),
        (554, "5.0.0", "transaction failed"),
        (552, "5.3.4", "message too big for system"),
        (554, "5.6.0", "bad content"),
        (500, "5.5.2", "syntax error"),
        (550, "5.7.1", "not allowed"),
        (553, "5.1.8", "sender's domain not found"),
    ],
)
def test_what_is_wrong_with_us_or_gives_no_reason_is_not_held_against_the_reader(
    code: int, status: str | None, text: str
) -> None:
    assert failure(code, status, text) is None


@pytest.mark.parametrize(
    ("status", "counts"),
    [
        ("4.2.2", True),
        ("4.1.2", True),
        ("4.1.8", False),
        ("4.3.0", False),
        ("4.4.1", False),
        ("4.7.1", False),
    ],
)
def test_being_put_off_for_too_long_counts_when_it_lies_with_the_mailbox(
    status: str, counts: bool
) -> None:
    found = failure(452, status, "try later", Fate.TEMPORARY)

    assert (found is not None) == counts
    assert found is None or found.kind is BounceKind.SOFT


def test_being_put_off_once_counts_for_nothing() -> None:
    outcome = Outcome(outbox_id=1, fate=Fate.TEMPORARY, code=452, status="4.2.2", text="full")

    assert failure_of(outcome, decide(outcome, claimed(), NOW, resend=True)) is None


def test_an_address_that_smtp_cannot_carry_is_suppressed_with_what_is_wrong(
    world: World, tmp_path: Path
) -> None:
    world.queue_edition("ann@example.org")
    with world.store.write() as tx:
        tx.execute(subscriber.update().values(email="ann @example.org"))
    way_out = build_transport(TransportOptions(kind="folder", path=tmp_path))

    world.deliverer().deliver(way_out)

    assert world.row().reason == "refused: 5.1.3"
    assert world.person().status is Status.SUPPRESSED
    with world.store.read() as tx:
        (found,) = bounces.latest_bounces(tx, limit=9)
        assert bounces.evidence_of(tx, found.id).startswith(
            b"the recipient's address cannot be sent"
        )
    assert (found.status, found.effect) == ("5.1.3", "hard bounce")
    assert "that is not a mail address" in found.diagnostic
    assert found.diagnostic.endswith("the relay was not asked")


@pytest.mark.parametrize("status", ["5.6.7", "5.3.4", "5.1.7", None])
def test_what_we_could_not_even_try_says_nothing_else_of_the_reader(
    sqlite_world: World, status: str | None
) -> None:
    sqlite_world.queue_edition("ann@example.org")

    sqlite_world.deliver(
        lambda envelope: Outcome(
            outbox_id=envelope.outbox_id, fate=Fate.PERMANENT, status=status, text="by us"
        )
    )

    assert sqlite_world.person().status is Status.CONFIRMED
    assert count(sqlite_world.store, bounce) == 0


@pytest.mark.parametrize(("status", "days"), [("5.2.1", 5), ("5.2.2", 10)])
def test_refusals_of_many_days_add_up_to_a_suppression(
    world: World, status: str, days: int
) -> None:
    for day in range(days):
        assert day == 0 or world.person().status is Status.CONFIRMED
        world.clock.at = NOW + day * DAY
        world.queue_edition("reader0@example.org", now=world.clock.at)
        world.deliver(refusal(550, status))

    assert world.states() == {"failed": days}
    assert world.person().status is Status.SUPPRESSED
    with world.store.read() as tx:
        newest, *others = bounces.latest_bounces(tx)
    assert (newest.effect, newest.status, newest.is_proven) == ("bounces", status, True)
    assert [bounce.effect for bounce in others] == [None] * (days - 1)


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
    if failure_of(outcome, verdict) is not None:
        assert verdict.state is OutboxState.FAILED
