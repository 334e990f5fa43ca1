"""A suppression can be lifted: the person stands where it stood, and old bounces count no more."""

from __future__ import annotations

import pytest

from digest.errors import BadInput, NotFound
from digest.model import Status
from digest.store import Store, bounces, people
from tests.bounce_samples import READER
from tests.returning import DAY, NOW, World


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def newest(world: World) -> bounces.Bounce:
    with world.store.read() as tx:
        return bounces.latest_bounces(tx)[0]


@pytest.mark.parametrize("name", ["postfix_unknown_user", "complaint"])
def test_it_is_undone_by_address(world: World, name: str) -> None:
    reader = world.add()
    world.come_back(name, reader)

    undone = world.returns.undo(READER.upper(), NOW)

    assert undone.reason in ("hard bounce", "complaint")
    assert undone.forgiven == 1
    assert undone.subscriber is not None and undone.subscriber.status is Status.CONFIRMED
    assert undone.subscriber.next_edition_at is not None
    with world.store.read() as tx:
        person = people.get_subscriber(tx, reader)
        assert person == undone.subscriber
        assert people.consents_of(tx, reader)[-1]["action"] == "restored"


def test_it_is_undone_by_the_id_of_a_bounce(world: World) -> None:
    reader = world.add()
    world.come_back("postfix_unknown_user", reader)

    world.returns.undo(newest(world).id, NOW)

    assert world.status(reader) is Status.CONFIRMED
    assert newest(world).forgiven_at == NOW


def test_who_had_not_confirmed_has_not_after_it(world: World) -> None:
    pending = world.add(confirmed=False)
    world.come_back("postfix_unknown_user", pending)

    undone = world.returns.undo(READER, NOW)

    assert undone.subscriber is not None and undone.subscriber.status is Status.PENDING
    assert undone.subscriber.next_edition_at is None


def test_who_had_left_and_was_asked_anew_is_still_to_answer(world: World) -> None:
    reader = world.add()
    world.enrolment.unsubscribe(reader, now=NOW, source="web")
    world.add(confirmed=False)
    world.come_back("postfix_unknown_user", reader)

    world.returns.undo(READER, NOW)

    assert world.status(reader) is Status.PENDING


@pytest.mark.parametrize("when", ["before", "after"])
def test_who_had_left_stays_away(world: World, when: str) -> None:
    reader = world.add()
    if when == "before":
        world.enrolment.unsubscribe(reader, now=NOW, source="web")
    world.come_back("postfix_unknown_user", reader)
    if when == "after":
        world.enrolment.unsubscribe(reader, now=NOW, source="web")

    world.returns.undo(READER, NOW)

    assert world.status(reader) is Status.UNSUBSCRIBED


def test_bounces_from_before_count_no_more(world: World) -> None:
    reader = world.add()
    for day in range(5):
        world.come_back("generic_550_unknown_user", reader, days=day)

    world.returns.undo(READER, NOW + 4 * DAY)
    world.come_back("generic_550_unknown_user", reader, days=5)

    assert world.status(reader) is Status.CONFIRMED


def test_a_score_can_be_forgiven_before_it_is_too_much(world: World) -> None:
    reader = world.add()
    world.come_back("postfix_full", reader)

    undone = world.returns.undo(READER, NOW)

    assert (undone.reason, undone.forgiven) == (None, 1)
    assert world.status(reader) is Status.CONFIRMED


def test_the_suppression_of_somebody_erased_can_be_lifted(world: World) -> None:
    reader = world.add()
    world.come_back("postfix_unknown_user", reader)
    world.enrolment.erase(reader, now=NOW)

    undone = world.returns.undo(READER, NOW)

    assert (undone.reason, undone.subscriber) == ("hard bounce", None)
    assert world.status(world.add()) is Status.CONFIRMED


def test_what_a_relay_refused_at_once_can_be_lifted_too(world: World) -> None:
    reader = world.add()
    with world.store.write() as tx:
        people.suppress_subscriber(tx, reader, reason="hard bounce", now=NOW)

    world.returns.undo(READER, NOW)

    assert world.status(reader) is Status.CONFIRMED


def test_there_must_be_something_to_undo(world: World) -> None:
    world.add()

    with pytest.raises(NotFound, match="is not suppressed"):
        world.returns.undo(READER, NOW)
    with pytest.raises(NotFound, match="there is no bounce 7"):
        world.returns.undo(7, NOW)
    with pytest.raises(NotFound, match="there is no bounce 7"):
        world.returns.bounce(7)
    with pytest.raises(BadInput):
        world.returns.undo("nonsense", NOW)


def test_it_can_be_suppressed_again(world: World) -> None:
    reader = world.add()
    world.come_back("postfix_unknown_user", reader)
    world.returns.undo(READER, NOW)

    verdict = world.come_back("postfix_unknown_user", reader, days=1)

    assert verdict.suppressed == 1
    assert world.status(reader) is Status.SUPPRESSED
