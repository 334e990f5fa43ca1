"""Bounces are written once, found by what an operator asks for, and go with their person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from digest.addresses import parse_address
from digest.model import BounceKind, Mark, Status
from digest.store import Store, bounces, people
from digest.store.bounces import NewBounce
from tests.bounce_samples import READER
from tests.returning import DAY, NOW, World


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def new(subscriber_id: int, **changes: Any) -> NewBounce:
    fields: dict[str, Any] = {
        "fingerprint": "f",
        "subscriber_id": subscriber_id,
        "outbox_id": None,
        "kind": BounceKind.SOFT,
        "status": "5.2.2",
        "diagnostic": "over quota",
        "is_proven": True,
        "evidence": b"From: x\r\n\r\n\xff\x00",
    }
    return NewBounce(**(fields | changes))


def add(world: World, bounce: NewBounce, days: float = 0) -> int | None:
    with world.store.write() as tx:
        return bounces.add_bounce(tx, bounce, now=NOW + days * DAY)


def test_a_bounce_is_kept_with_all_it_said(world: World) -> None:
    reader = world.add()
    outbox_id, _ = world.send(reader)

    bounce_id = add(world, new(reader, outbox_id=outbox_id))

    assert bounce_id is not None
    with world.store.read() as tx:
        found = bounces.get_bounce(tx, bounce_id)
        evidence = bounces.evidence_of(tx, bounce_id)
    assert found == bounces.Bounce(
        id=bounce_id,
        subscriber_id=reader,
        email=READER,
        address_key=parse_address(READER).key,
        person=Status.CONFIRMED,
        outbox_id=outbox_id,
        kind=BounceKind.SOFT,
        status="5.2.2",
        diagnostic="over quota",
        is_proven=True,
        effect=None,
        at=NOW,
        forgiven_at=None,
    )
    assert evidence == b"From: x\r\n\r\n\xff\x00"


def test_the_same_fingerprint_is_the_same_bounce(world: World) -> None:
    reader = world.add()

    ids = [add(world, new(reader)), add(world, new(reader, kind=BounceKind.HARD), days=1)]

    assert ids[0] is not None and ids[1] is None
    with world.store.read() as tx:
        assert bounces.marks_of(tx, reader) == [Mark(kind=BounceKind.SOFT, at=NOW)]


def test_bounces_are_listed_newest_first_by_kind_and_address(world: World) -> None:
    reader, other = world.add(), world.add("other@example.net")
    add(world, new(reader, fingerprint="1"))
    add(world, new(reader, fingerprint="2", kind=BounceKind.HARD), days=1)
    add(world, new(other, fingerprint="3", kind=BounceKind.POLICY), days=2)

    def listed(**asked: Any) -> list[tuple[int, str]]:
        with world.store.read() as tx:
            found = bounces.latest_bounces(tx, **asked)
        return [(b.subscriber_id, b.kind.value) for b in found]

    assert listed() == [(other, "policy"), (reader, "hard"), (reader, "soft")]
    assert listed(limit=1) == [(other, "policy")]
    assert listed(kinds=[BounceKind.HARD, BounceKind.SOFT]) == [(reader, "hard"), (reader, "soft")]
    assert listed(address_key=parse_address(READER).key) == [(reader, "hard"), (reader, "soft")]


def test_they_are_counted_by_kind_since_a_moment(world: World) -> None:
    reader = world.add()
    for number in range(3):
        add(world, new(reader, fingerprint=str(number)), days=number)

    with world.store.read() as tx:
        assert bounces.count_bounces(tx, since=NOW + DAY) == {BounceKind.SOFT: 2}


def test_a_message_is_found_by_its_id_and_by_its_message_id(world: World) -> None:
    reader = world.add()
    outbox_id, message_id = world.send(reader)
    known = bounces.Returned(outbox_id=outbox_id, subscriber_id=reader, settled_at=None)

    with world.store.read() as tx:
        assert bounces.message_by_id(tx, outbox_id) == known
        assert bounces.message_by_message_id(tx, message_id) == known
        assert bounces.message_by_id(tx, outbox_id + 1) is None
        assert bounces.message_by_message_id(tx, "<other@example.org>") is None


def test_a_message_of_somebody_erased_is_still_found(world: World) -> None:
    reader = world.add()
    outbox_id, _ = world.send(reader)
    world.enrolment.erase(reader, now=NOW)

    with world.store.read() as tx:
        assert bounces.message_by_id(tx, outbox_id) == bounces.Returned(
            outbox_id=outbox_id, subscriber_id=None, settled_at=NOW
        )


def test_old_bounces_are_forgotten_but_for_those_that_explain_a_suppression(world: World) -> None:
    reader, gone = world.add(), world.add("gone@example.net")
    for number, person in enumerate((reader, gone)):
        add(world, new(person, fingerprint=str(number)))
    add(world, new(reader, fingerprint="newer"), days=2)
    with world.store.write() as tx:
        people.suppress_subscriber(tx, gone, reason="bounces", now=NOW)

    with world.store.write() as tx:
        forgotten = bounces.forget_bounces(tx, before=NOW + timedelta(days=1))

    assert forgotten == 1
    with world.store.read() as tx:
        assert [b.subscriber_id for b in bounces.latest_bounces(tx)] == [reader, gone]
