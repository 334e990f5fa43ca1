"""Joining, confirming, changing: nobody is mailed who did not confirm."""

from __future__ import annotations

import threading
from datetime import time, timedelta

import pytest

from digest.addresses import parse_address
from digest.clock import next_slot
from digest.enrol import INTERESTS_MAX, Choices, Enrolment
from digest.errors import BadInput, TokenError
from digest.model import CONFIRM_WITHIN, Cadence, InterestKind, Status
from digest.store import Store, people
from digest.store.schema import consent, interest, subscriber
from digest.store.schema import outbox as rows
from digest.tokens import Purpose, Tokens
from tests.enrol_pieces import (
    ANN,
    CHOSEN,
    DEFAULTS,
    NOTHING,
    TOKENS,
    consents,
    enrolment_of,
    link,
    person_of,
    questions,
    wishes,
)
from tests.store_pieces import DAY, HOUR, NOW, count

# Joining


def test_a_newcomer_is_pending_and_asked_and_gets_nothing_else(
    enrolment: Enrolment, store: Store
) -> None:
    joined = enrolment.join(ANN, NOTHING, now=NOW, source="web")

    assert joined.asked
    assert (joined.subscriber.status, joined.subscriber.next_edition_at) == (Status.PENDING, None)
    assert questions(store) == ["queued"]
    assert consents(store) == [("asked", "web")]


def test_a_newcomer_starts_with_the_defaults(enrolment: Enrolment) -> None:
    person = enrolment.join(ANN, NOTHING, now=NOW, source="web").subscriber

    assert (person.zone, person.send_at) == (DEFAULTS.zone, DEFAULTS.send_at)
    assert (person.cadence, person.max_items) == (DEFAULTS.cadence, DEFAULTS.max_items)
    assert person.rising


def test_what_a_newcomer_chose_is_kept_cleaned_and_once(enrolment: Enrolment, store: Store) -> None:
    person = enrolment.join(ANN, CHOSEN, now=NOW, source="web").subscriber

    assert (person.zone, person.send_at, person.cadence) == (
        "Asia/Tokyo",
        time(6, 0),
        Cadence.DAILY,
    )
    assert (person.max_items, person.rising) == (5, False)
    assert wishes(store) == [
        ("topic", "vision"),
        ("interest", "sparse attention"),
        ("like", "arxiv:2603.00001"),
    ]


def test_an_operator_vouches_and_the_first_edition_is_planned(
    enrolment: Enrolment, store: Store
) -> None:
    joined = enrolment.join(ANN, CHOSEN, now=NOW, source="operator", vouched=True)

    person = joined.subscriber
    assert not joined.asked
    assert (person.status, person.confirmed_at) == (Status.CONFIRMED, NOW)
    assert person.next_edition_at == next_slot(
        NOW, zone="Asia/Tokyo", send_at=time(6, 0), cadence=Cadence.DAILY
    )
    assert questions(store) == []
    assert consents(store) == [("vouched", "operator")]


@pytest.mark.parametrize(
    ("email", "choices"),
    [
        ("not an address", NOTHING),
        ("ann@example.org\r\nBcc: ben@example.org", NOTHING),
        (ANN, Choices(zone="Europe/Atlantis")),
        (ANN, Choices(max_items=0)),
        (ANN, Choices(max_items=101)),
        (ANN, Choices(wishes={InterestKind.TOPIC: ("no-such-topic",)})),
        (ANN, Choices(wishes={InterestKind.LIKE: ("some paper",)})),
        (ANN, Choices(wishes={InterestKind.TEXT: ("x" * 2001,)})),
        (ANN, Choices(wishes={InterestKind.KEYWORD: tuple(f"k{n}" for n in range(201))})),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_stored(
    enrolment: Enrolment, store: Store, email: str, choices: Choices
) -> None:
    with pytest.raises(BadInput) as caught:
        enrolment.join(email, choices, now=NOW, source="web")

    assert count(store, subscriber) == count(store, rows) == count(store, consent) == 0
    assert "ann@" not in str(caught.value)


def test_as_many_interests_as_allowed_fit(enrolment: Enrolment, store: Store) -> None:
    many = tuple(f"keyword {n}" for n in range(INTERESTS_MAX))

    enrolment.join(ANN, Choices(wishes={InterestKind.KEYWORD: many}), now=NOW, source="web")

    assert count(store, interest) == INTERESTS_MAX


def test_joining_again_asks_at_most_once_an_hour_and_takes_the_new_choices(
    enrolment: Enrolment, store: Store
) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")

    soon = enrolment.join("Ann@Example.org", CHOSEN, now=NOW + HOUR - DAY / 1440, source="web")
    later = enrolment.join(ANN, CHOSEN, now=NOW + HOUR, source="web")

    assert (soon.asked, later.asked) == (False, True)
    assert count(store, subscriber) == 1
    assert questions(store) == ["queued", "queued"]
    assert person_of(store).zone == "Asia/Tokyo"
    assert consents(store) == [("asked", "web")] * 2


def test_whoever_types_a_confirmed_address_changes_nothing(
    enrolment: Enrolment, store: Store
) -> None:
    enrolment.join(ANN, CHOSEN, now=NOW, source="operator", vouched=True)
    before = person_of(store), wishes(store)

    for vouched in (False, True):
        choices = Choices(zone="UTC", wishes={InterestKind.TOPIC: ("language-models",)})
        joined = enrolment.join(ANN, choices, now=NOW + DAY, source="web", vouched=vouched)
        assert not joined.asked

    assert (person_of(store), wishes(store)) == before
    assert questions(store) == []


def test_who_left_can_come_back_and_is_asked_first(enrolment: Enrolment, store: Store) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="operator", vouched=True)
    enrolment.unsubscribe(1, now=NOW + HOUR, source="web")

    joined = enrolment.join(ANN, CHOSEN, now=NOW + DAY, source="web")

    assert joined.asked
    assert (joined.subscriber.status, joined.subscriber.next_edition_at) == (Status.PENDING, None)


def test_a_suppressed_address_is_not_even_asked(enrolment: Enrolment, store: Store) -> None:
    """Erased since, so that nothing but the hash is left of it."""
    with store.write() as tx:
        people.suppress(tx, parse_address(ANN).key, reason="complaint", now=NOW)

    joined = enrolment.join(ANN, NOTHING, now=NOW, source="web")

    assert not joined.asked
    assert joined.subscriber.status is Status.SUPPRESSED
    assert questions(store) == []
    assert not enrolment.join(ANN, NOTHING, now=NOW + DAY, source="web").asked


def test_nobody_can_vouch_for_a_suppressed_address(enrolment: Enrolment, store: Store) -> None:
    with store.write() as tx:
        people.suppress(tx, parse_address(ANN).key, reason="hard bounce", now=NOW)

    with pytest.raises(BadInput, match="hard bounce"):
        enrolment.join(ANN, NOTHING, now=NOW, source="operator", vouched=True)

    assert count(store, subscriber) == 0


def test_the_same_address_typed_twice_at_once_is_one_person_asked_once(
    postgres_store: Store,
) -> None:
    enrolment = enrolment_of(postgres_store)
    asked: list[bool] = []
    ready = threading.Barrier(4)

    def join() -> None:
        ready.wait(10)
        asked.append(enrolment.join(ANN, CHOSEN, now=NOW, source="web").asked)

    threads = [threading.Thread(target=join) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(asked) == [False, False, False, True]
    assert count(postgres_store, subscriber) == 1
    assert questions(postgres_store) == ["queued"]


# Confirming


def test_the_answer_makes_a_subscriber(enrolment: Enrolment, store: Store) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")

    person = enrolment.confirm(link(), now=NOW + HOUR)

    assert (person.status, person.confirmed_at) == (Status.CONFIRMED, NOW + HOUR)
    assert person.next_edition_at == next_slot(
        NOW + HOUR, zone=DEFAULTS.zone, send_at=DEFAULTS.send_at, cadence=DEFAULTS.cadence
    )
    assert consents(store) == [("asked", "web"), ("confirmed", "web")]


def test_answering_twice_is_fine_and_noted_once(enrolment: Enrolment, store: Store) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")
    first = enrolment.confirm(link(), now=NOW + HOUR)

    second = enrolment.confirm(link(), now=NOW + DAY)

    assert second == first
    assert len(consents(store)) == 2


def test_a_link_is_good_for_a_week(enrolment: Enrolment) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")

    with pytest.raises(TokenError, match="expired"):
        enrolment.confirm(link(), now=NOW + CONFIRM_WITHIN + timedelta(seconds=1))

    assert enrolment.confirm(link(), now=NOW + CONFIRM_WITHIN).status is Status.CONFIRMED


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        link()[:-1],
        link() + "x",
        "x" + link(),
        Tokens(["x" * 32]).sign_until(Purpose.CONFIRM, NOW + DAY, 1),
        TOKENS.sign_until(Purpose.UNSUBSCRIBE, NOW + DAY, 1),
        TOKENS.sign_until(Purpose.PREFERENCES, NOW + DAY, 1),
        TOKENS.sign(Purpose.CONFIRM, 1),
        TOKENS.sign_until(Purpose.CONFIRM, NOW + DAY, 1, 2),
        link(subscriber_id=99),
    ],
)
def test_a_link_that_is_wrong_confirms_nobody(
    enrolment: Enrolment, store: Store, token: str
) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")

    with pytest.raises(TokenError):
        enrolment.confirm(token, now=NOW)

    assert person_of(store).status is Status.PENDING


@pytest.mark.parametrize("status", [Status.UNSUBSCRIBED, Status.SUPPRESSED])
def test_an_old_link_brings_nobody_back(enrolment: Enrolment, store: Store, status: Status) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")
    with store.write() as tx:
        people.change_subscriber(tx, 1, status=status)

    assert enrolment.confirm(link(), now=NOW + HOUR).status is status
    assert person_of(store).next_edition_at is None


# Changing


def test_what_is_named_is_changed_and_the_rest_stays(enrolment: Enrolment, store: Store) -> None:
    enrolment.join(ANN, CHOSEN, now=NOW, source="operator", vouched=True)

    changed = enrolment.change(
        1, Choices(max_items=7, wishes={InterestKind.TEXT: ("robots",)}), now=NOW
    )

    assert (changed.max_items, changed.zone, changed.rising) == (7, "Asia/Tokyo", False)
    assert wishes(store) == [
        ("topic", "vision"),
        ("like", "arxiv:2603.00001"),
        ("interest", "robots"),
    ]


def test_an_empty_value_takes_all_of_that_kind_away(enrolment: Enrolment, store: Store) -> None:
    enrolment.join(ANN, CHOSEN, now=NOW, source="operator", vouched=True)

    enrolment.change(1, Choices(wishes={InterestKind.TEXT: ("",)}), now=NOW)

    assert wishes(store) == [("topic", "vision"), ("like", "arxiv:2603.00001")]


def test_another_hour_zone_or_cadence_moves_the_next_edition(enrolment: Enrolment) -> None:
    enrolment.join(ANN, CHOSEN, now=NOW, source="operator", vouched=True)

    later = enrolment.change(1, Choices(send_at=time(20, 0)), now=NOW)
    weekly = enrolment.change(1, Choices(cadence=Cadence.WEEKLY), now=NOW)
    utc = enrolment.change(1, Choices(zone="UTC"), now=NOW)

    told = [p.next_edition_at.strftime("%m-%d %H:%M") for p in (later, weekly, utc)]  # type: ignore[union-attr]
    assert told == ["03-11 11:00", "03-16 11:00", "03-16 20:00"]


def test_what_does_not_move_the_hour_does_not_move_the_edition(enrolment: Enrolment) -> None:
    joined = enrolment.join(ANN, CHOSEN, now=NOW, source="operator", vouched=True)

    changed = enrolment.change(1, Choices(max_items=3), now=NOW + 3 * DAY)

    assert changed.next_edition_at == joined.subscriber.next_edition_at


def test_a_pending_person_can_change_but_is_not_planned(enrolment: Enrolment) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")

    changed = enrolment.change(1, Choices(zone="UTC"), now=NOW)

    assert (changed.zone, changed.status, changed.next_edition_at) == ("UTC", Status.PENDING, None)


@pytest.mark.parametrize("subscriber_id", [1, 99])
def test_a_change_that_cannot_be_used_changes_nothing(
    enrolment: Enrolment, store: Store, subscriber_id: int
) -> None:
    enrolment.join(ANN, CHOSEN, now=NOW, source="operator", vouched=True)
    before = person_of(store), wishes(store)

    with pytest.raises(BadInput):
        enrolment.change(
            subscriber_id,
            Choices(max_items=3, wishes={InterestKind.TOPIC: ("gone",) * (subscriber_id == 1)}),
            now=NOW,
        )

    assert (person_of(store), wishes(store)) == before
