"""The outbox: one message for one purpose, what waits can be cancelled, and the account adds up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from digest.model import MessageKind, OutboxState, Status
from digest.store import Store, outbox, people
from digest.store.claims import Settlement
from digest.store.schema import outbox as rows
from tests.outbox_pieces import (
    FINAL,
    MOVING,
    claim,
    ledger,
    put_in,
    queue,
    row_of,
    settle,
)
from tests.store_pieces import DAY, HOUR, NOW, add_person, count


@pytest.fixture
def queued(store: Store) -> Store:
    """One queued message to Ann."""
    queue(store, add_person(store))
    return store


# Cancelling


@pytest.mark.parametrize("state", [OutboxState.QUEUED, OutboxState.DEFERRED, OutboxState.UNCERTAIN])
def test_what_waits_for_a_person_who_leaves_is_cancelled(queued: Store, state: OutboxState) -> None:
    put_in(queued, state)

    with queued.write() as tx:
        assert outbox.cancel_waiting(tx, 1, reason="unsubscribed", now=NOW) == 1

    row = row_of(queued)
    assert (row["state"], row["reason"], row["settled_at"]) == (
        OutboxState.CANCELLED,
        "unsubscribed",
        NOW,
    )


@pytest.mark.parametrize("state", [OutboxState.SENDING, *FINAL])
def test_what_is_gone_or_on_the_wire_cannot_be_cancelled(queued: Store, state: OutboxState) -> None:
    put_in(queued, state, owner="one")

    with queued.write() as tx:
        assert outbox.cancel_waiting(tx, 1, reason="unsubscribed", now=NOW) == 0

    assert row_of(queued)["state"] == state


def test_cancelling_touches_nobody_else(queued: Store) -> None:
    ben = add_person(queued, "ben@example.org")
    queue(queued, ben, "ben")

    with queued.write() as tx:
        outbox.cancel_waiting(tx, ben, reason="unsubscribed", now=NOW)

    assert row_of(queued, 1)["state"] == OutboxState.QUEUED


# One message for one purpose


def test_the_same_purpose_twice_is_refused_by_the_database(queued: Store) -> None:
    with pytest.raises(IntegrityError):
        queue(queued, 1)

    assert count(queued, rows) == 1


def test_messages_are_stored_in_the_order_in_which_they_leave(store: Store) -> None:
    ann = add_person(store)
    new = [
        outbox.NewMessage(
            kind=MessageKind.EDITION,
            subscriber_id=ann,
            dedupe_key=f"edition:1:{n}",
            message_id=f"<{n * 7 % 10}@example.org>",
            due_at=NOW,
        )
        for n in range(10)
    ]
    with store.write() as tx:
        outbox.add_messages(tx, new, now=NOW)

    taken = [row.message_id for row in claim(store, limit=10)]

    with store.read() as tx:
        assert list(tx.execute(select(rows.c.message_id).order_by(rows.c.id)).scalars()) == taken


def test_known_purposes_are_known_whatever_became_of_them(queued: Store) -> None:
    queue(queued, 1, "skipped", state=OutboxState.SKIPPED, reason="nothing matched")
    many = [f"k{n}" for n in range(1200)]

    with queued.read() as tx:
        known = outbox.known_keys(tx, [*many, "edition:1:2026-03-11", "skipped"])

    assert known == {"edition:1:2026-03-11", "skipped"}


def test_ids_are_never_given_again(queued: Store) -> None:
    """They stand in bounce addresses: an old mail must not come to mean another."""
    with queued.write() as tx:
        tx.execute(rows.delete())
    queue(queued, 1, "next")

    with queued.read() as tx:
        assert tx.execute(select(rows.c.id)).scalar_one() == 2


def test_when_an_address_was_last_asked_is_known(store: Store) -> None:
    ann = add_person(store, status=Status.PENDING)
    for hours in (0, 2):
        queue(store, ann, f"c{hours}", kind=MessageKind.CONFIRMATION, now=NOW + hours * HOUR)
    queue(store, ann, "edition", now=NOW + 5 * HOUR)

    with store.read() as tx:
        assert outbox.last_confirmation(tx, ann) == NOW + 2 * HOUR
        assert outbox.last_confirmation(tx, 99) is None


# The account


def test_an_empty_day_adds_up(store: Store) -> None:
    account = ledger(store)

    assert (account.due, account.adds_up) == (0, True)
    assert set(account.states) == set(OutboxState) - {OutboxState.SENDING}
    assert sum(account.states.values()) == 0


def test_a_day_is_a_half_open_utc_day(store: Store) -> None:
    ann = add_person(store)
    midnight = NOW.replace(hour=0)
    for key, due_at in (
        ("before", midnight - timedelta(microseconds=1)),
        ("first", midnight),
        ("last", midnight + DAY - timedelta(microseconds=1)),
        ("after", midnight + DAY),
    ):
        queue(store, ann, key, due_at=due_at)

    assert ledger(store).due == 2


def test_every_state_is_counted_with_its_reasons(store: Store) -> None:
    ann = add_person(store)
    for at, state in enumerate(OutboxState):
        queue(store, ann, f"k{at}")
        with store.write() as tx:
            values = {"state": state, "reason": f"because {state}"}
            tx.execute(update(rows).where(rows.c.dedupe_key == f"k{at}").values(**values))

    account = ledger(store)

    assert account.due == len(OutboxState)
    assert account.adds_up
    assert account.states[OutboxState.QUEUED] == 2, "on the wire is shown as queued"
    assert account.reasons[OutboxState.FAILED] == {"because failed": 1}
    with store.read() as tx:
        assert outbox.waiting(tx) == dict.fromkeys(MOVING, 1)


def test_the_ledger_of_past_days_does_not_change_when_a_person_leaves(queued: Store) -> None:
    claim(queued)
    settle(queued, Settlement(id=1, state=OutboxState.SENT))
    before = ledger(queued)

    with queued.write() as tx:
        people.delete_subscriber(tx, 1)

    assert ledger(queued) == before
    assert row_of(queued)["subscriber_id"] is None
