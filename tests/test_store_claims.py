"""Taking messages from the outbox: each allowed move, each refused one, and leases."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from digest.addresses import parse_address
from digest.model import MessageKind, OutboxState, Status
from digest.store import Store, claims, people
from digest.store.claims import Settlement
from tests.outbox_pieces import (
    FINAL,
    LEASE,
    OVER,
    claim,
    ledger,
    put_in,
    queue,
    release,
    row_of,
    settle,
)
from tests.store_pieces import DAY, HOUR, NOW, add_person


@pytest.fixture
def queued(store: Store) -> Store:
    """One queued message to Ann."""
    queue(store, add_person(store))
    return store


# Claiming


def test_what_is_claimed_is_sending_under_a_lease(queued: Store) -> None:
    (claimed,) = claim(queued)

    assert (claimed.kind, claimed.subscriber_id, claimed.attempts) == (MessageKind.EDITION, 1, 1)
    assert (claimed.created_at, claimed.first_tried_at) == (NOW, NOW)
    row = row_of(queued)
    assert (row["state"], row["lease_owner"]) == (OutboxState.SENDING, "one")
    assert claim(queued, "two") == []


def test_the_oldest_are_claimed_first_and_no_more_than_asked(store: Store) -> None:
    ann = add_person(store)
    for n in range(5):
        queue(store, ann, f"k{n}", now=NOW - n * HOUR)

    assert [c.id for c in claim(store, limit=2)] == [5, 4]
    assert [c.id for c in claim(store, limit=9)] == [3, 2, 1]


def test_what_is_deferred_waits_for_its_time(queued: Store) -> None:
    (claimed,) = claim(queued)
    later = Settlement(id=claimed.id, state=OutboxState.DEFERRED, not_before=NOW + HOUR)
    settle(queued, later)

    assert claim(queued, now=NOW + HOUR - timedelta(microseconds=1)) == []
    (again,) = claim(queued, now=NOW + HOUR)
    assert (again.attempts, again.first_tried_at) == (2, NOW)
    assert again.message_id == claimed.message_id


@pytest.mark.parametrize("state", [OutboxState.UNCERTAIN, OutboxState.SENDING, *FINAL])
def test_nothing_but_what_waits_can_be_claimed(queued: Store, state: OutboxState) -> None:
    put_in(queued, state, owner="another")

    assert claim(queued) == []
    assert row_of(queued)["state"] == state


@pytest.mark.parametrize(
    ("status", "kind", "state", "reason"),
    [
        (Status.UNSUBSCRIBED, "edition", OutboxState.CANCELLED, "subscriber is unsubscribed"),
        (Status.PENDING, "edition", OutboxState.CANCELLED, "subscriber is pending"),
        (Status.SUPPRESSED, "edition", OutboxState.SUPPRESSED, "address is suppressed"),
        (Status.CONFIRMED, "confirmation", OutboxState.CANCELLED, "subscriber is confirmed"),
        (Status.UNSUBSCRIBED, "confirmation", OutboxState.CANCELLED, "subscriber is unsubscribed"),
        (Status.SUPPRESSED, "confirmation", OutboxState.SUPPRESSED, "address is suppressed"),
    ],
)
def test_the_last_look_before_the_wire_stops_what_nobody_wants(
    store: Store, status: Status, kind: str, state: OutboxState, reason: str
) -> None:
    queue(store, add_person(store, status=status), kind=MessageKind(kind))

    assert claim(store) == []

    row = row_of(store)
    assert (row["state"], row["reason"], row["settled_at"]) == (state, reason, NOW)
    assert row["lease_owner"] is None


def test_a_question_goes_to_who_is_pending(store: Store) -> None:
    queue(store, add_person(store, status=Status.PENDING), kind=MessageKind.CONFIRMATION)

    assert [c.kind for c in claim(store)] == [MessageKind.CONFIRMATION]


def test_an_address_suppressed_by_hash_alone_gets_nothing(queued: Store) -> None:
    with queued.write() as tx:
        people.suppress(tx, parse_address("ann@example.org").key, reason="complaint", now=NOW)

    assert claim(queued) == []
    assert row_of(queued)["state"] == OutboxState.SUPPRESSED


def test_a_message_whose_reader_is_gone_is_cancelled(queued: Store) -> None:
    with queued.write() as tx:
        people.delete_subscriber(tx, 1)

    assert claim(queued) == []
    assert (row_of(queued)["state"], row_of(queued)["reason"]) == (
        OutboxState.CANCELLED,
        "subscriber is gone",
    )


def test_many_processes_share_the_outbox_without_a_double(postgres_store: Store) -> None:
    ann = add_person(postgres_store)
    for n in range(200):
        queue(postgres_store, ann, f"k{n}")
    claimed: list[int] = []

    def work(owner: str) -> None:
        while group := claim(postgres_store, owner):
            claimed.extend(c.id for c in group)

    threads = [threading.Thread(target=work, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claimed) == list(range(1, 201))


# Settling


@pytest.mark.parametrize(
    "state",
    [
        OutboxState.SENT,
        OutboxState.FAILED,
        OutboxState.DEFERRED,
        OutboxState.UNCERTAIN,
        OutboxState.QUEUED,
        OutboxState.CANCELLED,
    ],
)
def test_the_owner_settles_what_is_on_the_wire(queued: Store, state: OutboxState) -> None:
    claim(queued)

    ours = settle(queued, Settlement(id=1, state=state, reason="why", answer="250 ok"))

    row = row_of(queued)
    assert ours == {1}
    assert (row["state"], row["reason"], row["answer"]) == (state, "why", "250 ok")
    assert (row["lease_owner"], row["lease_until"]) == (None, None)
    assert row["settled_at"] == (NOW if state.is_final else None)
    assert ledger(queued).adds_up


def test_what_is_given_back_unsent_was_no_attempt(queued: Store) -> None:
    claim(queued)
    settle(queued, Settlement(id=1, state=OutboxState.QUEUED, was_tried=False))

    (again,) = claim(queued)
    assert again.attempts == 1


def test_another_owner_cannot_settle(queued: Store) -> None:
    claim(queued, "one")

    assert settle(queued, Settlement(id=1, state=OutboxState.SENT), owner="two") == set()
    assert row_of(queued)["state"] == OutboxState.SENDING


def test_nothing_is_settled_twice(queued: Store) -> None:
    claim(queued)
    settle(queued, Settlement(id=1, state=OutboxState.SENT, answer="250"))

    assert settle(queued, Settlement(id=1, state=OutboxState.FAILED)) == set()
    assert (row_of(queued)["state"], row_of(queued)["answer"]) == (OutboxState.SENT, "250")


@pytest.mark.parametrize("state", [s for s in OutboxState if s is not OutboxState.SENDING])
def test_what_is_not_on_the_wire_cannot_be_settled(queued: Store, state: OutboxState) -> None:
    put_in(queued, state, owner="one")

    assert settle(queued, Settlement(id=1, state=OutboxState.SENT)) == set()
    assert row_of(queued)["state"] == state


def test_an_owner_whose_lease_went_to_another_cannot_settle(queued: Store) -> None:
    claim(queued, "one", lease=OVER)
    release(queued)
    claim(queued, "two")

    assert settle(queued, Settlement(id=1, state=OutboxState.SENT), owner="one") == set()
    assert settle(queued, Settlement(id=1, state=OutboxState.SENT), owner="two") == {1}


def test_of_several_only_what_is_still_ours_is_settled(store: Store) -> None:
    ann = add_person(store)
    for n in range(3):
        queue(store, ann, f"k{n}")
    claim(store)
    settle(store, Settlement(id=2, state=OutboxState.FAILED, reason="first"))

    all_sent = [Settlement(id=n, state=OutboxState.SENT) for n in (1, 2, 3, 99)]
    assert settle(store, *all_sent) == {1, 3}
    assert row_of(store, 2)["reason"] == "first"
    assert settle(store) == set()


# Leases


def test_a_lease_can_be_prolonged_by_its_owner_only(store: Store) -> None:
    ann = add_person(store)
    for n in range(3):
        queue(store, ann, f"k{n}")
    claim(store, "one", limit=2, lease=OVER)
    settle(store, Settlement(id=2, state=OutboxState.SENT))

    with store.write() as tx:
        assert claims.renew_lease(tx, [1, 2, 3], owner="two", lease=LEASE) == set()
        assert claims.renew_lease(tx, [1, 2, 3], owner="one", lease=LEASE) == {1}
    assert release(store) == 0


def test_rows_of_a_living_sender_are_left_alone(queued: Store) -> None:
    claim(queued)

    assert release(queued) == 0
    assert row_of(queued)["state"] == OutboxState.SENDING


def test_rows_of_a_dead_sender_come_back_with_the_same_message_id(queued: Store) -> None:
    (first,) = claim(queued, lease=OVER)

    assert release(queued) == 1

    (again,) = claim(queued, "two")
    assert (again.message_id, again.attempts) == (first.message_id, 2)


def test_rows_of_a_dead_sender_are_held_when_that_is_wanted(queued: Store) -> None:
    claim(queued, lease=OVER)

    assert release(queued, resend=False) == 1

    row = row_of(queued)
    assert (row["state"], row["settled_at"]) == (OutboxState.UNCERTAIN, None)
    assert claim(queued) == []
    assert release(queued, resend=False) == 0
    assert ledger(queued).states[OutboxState.UNCERTAIN] == 1


def test_what_was_held_is_resent_when_the_operator_decides_so(queued: Store) -> None:
    claim(queued, lease=OVER)
    release(queued, resend=False)

    assert release(queued, resend=True, now=NOW + DAY) == 1
    assert [c.id for c in claim(queued, now=NOW + DAY)] == [1]
