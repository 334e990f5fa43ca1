"""Who is on the list: nobody who did not confirm, nobody who left, nobody who is suppressed."""

from __future__ import annotations

import threading
from datetime import time, timedelta

import pytest
from sqlalchemy import select, update

from digest.addresses import parse_address
from digest.clock import next_slot
from digest.enrol import INTERESTS_MAX, Choices, Enrolment
from digest.errors import BadInput, TokenError
from digest.model import CONFIRM_WITHIN, Cadence, InterestKind, OutboxState, Status
from digest.store import Store, editions, outbox, people
from digest.store.schema import consent, edition, interest, pick, subscriber, suppression
from digest.store.schema import outbox as rows
from digest.tokens import Purpose, Tokens
from tests.edition_pieces import edition_of
from tests.enrol_pieces import DEFAULTS, TOKENS, consents, enrolment_of, person_of, wishes
from tests.store_pieces import DAY, HOUR, NOW, count, item_of, merge, paper

ANN = "ann@example.org"
NOTHING = Choices()
CHOSEN = Choices(
    zone="Asia/Tokyo",
    send_at=time(6, 0),
    cadence=Cadence.DAILY,
    max_items=5,
    rising=False,
    wishes={
        InterestKind.TOPIC: ("vision",),
        InterestKind.TEXT: ("  sparse\n attention ", "sparse attention"),
        InterestKind.LIKE: ("https://arxiv.org/abs/2603.00001v2",),
    },
)


@pytest.fixture
def enrolment(store: Store) -> Enrolment:
    return enrolment_of(store)


def questions(store: Store) -> list[str]:
    """The states of all questions to confirm, in order."""
    with store.read() as tx:
        found = select(rows.c.state).where(rows.c.kind == "confirmation").order_by(rows.c.id)
        return list(tx.execute(found).scalars())


def link(subscriber_id: int = 1) -> str:
    """The token of a confirmation link."""
    return TOKENS.sign_until(Purpose.CONFIRM, NOW + CONFIRM_WITHIN, subscriber_id)


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


# Leaving


def with_edition_queued(enrolment: Enrolment, store: Store) -> None:
    """Ann, confirmed, with an edition of one paper that waits in the outbox."""
    enrolment.join(ANN, NOTHING, now=NOW, source="operator", vouched=True)
    merge(store, paper())
    item = item_of(store, "arxiv:2603.00001")
    with store.write() as tx:
        (edition_id,) = editions.add_editions(tx, [edition_of(1, item)])
        message = outbox.NewMessage(
            kind=outbox.MessageKind.EDITION,
            subscriber_id=1,
            edition_id=edition_id,
            dedupe_key="edition:1",
            message_id="<1@example.org>",
            due_at=NOW,
        )
        outbox.add_messages(tx, [message], now=NOW)


def test_leaving_ends_all_mail_at_once_also_what_waits(enrolment: Enrolment, store: Store) -> None:
    with_edition_queued(enrolment, store)

    enrolment.unsubscribe(1, now=NOW + HOUR, source="mail")

    person = person_of(store)
    assert (person.status, person.next_edition_at) == (Status.UNSUBSCRIBED, None)
    with store.read() as tx:
        row = tx.execute(select(rows)).one()
    assert (row.state, row.reason) == (OutboxState.CANCELLED, "unsubscribed")
    assert consents(store) == [("vouched", "operator"), ("ended", "mail")]


@pytest.mark.parametrize("status", [Status.CONFIRMED, Status.PENDING, Status.SUPPRESSED])
def test_leaving_twice_is_fine_and_noted_once(
    enrolment: Enrolment, store: Store, status: Status
) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")
    with store.write() as tx:
        people.change_subscriber(tx, 1, status=status)

    for hours in (1, 2, 3):
        enrolment.unsubscribe(1, now=NOW + hours * HOUR, source="web")

    assert consents(store).count(("ended", "web")) <= 1
    expected = Status.SUPPRESSED if status is Status.SUPPRESSED else Status.UNSUBSCRIBED
    assert person_of(store).status is expected


def test_leaving_when_one_is_gone_already_is_fine(enrolment: Enrolment) -> None:
    enrolment.unsubscribe(99, now=NOW, source="web")
    enrolment.erase(99, now=NOW)


def test_erasing_leaves_nothing_but_the_numbers(enrolment: Enrolment, store: Store) -> None:
    with_edition_queued(enrolment, store)
    enrolment.change(1, CHOSEN, now=NOW)
    with store.write() as tx:
        people.suppress(tx, parse_address(ANN).key, reason="complaint", now=NOW)

    enrolment.erase(1, now=NOW + HOUR)

    for table in (subscriber, interest, consent, edition, pick):
        assert count(store, table) == 0
    assert count(store, suppression) == 1
    with store.read() as tx:
        row = tx.execute(select(rows)).one()
    assert (row.subscriber_id, row.edition_id, row.state) == (None, None, OutboxState.CANCELLED)


def test_an_id_never_comes_to_mean_another_person(enrolment: Enrolment, store: Store) -> None:
    """It stands in the links of old mails."""
    first = enrolment.join(ANN, NOTHING, now=NOW, source="web").subscriber
    enrolment.erase(first.id, now=NOW)

    second = enrolment.join("ben@example.org", NOTHING, now=NOW, source="web").subscriber

    assert second.id > first.id
    with pytest.raises(TokenError):
        enrolment.confirm(link(first.id), now=NOW)


# Questions that nobody answers


def test_who_does_not_answer_is_forgotten_and_who_answers_is_not(
    enrolment: Enrolment, store: Store
) -> None:
    for n, name in enumerate(("ann", "ben", "cem")):
        enrolment.join(f"{name}@example.org", NOTHING, now=NOW + n * HOUR, source="web")
    enrolment.confirm(link(2), now=NOW + DAY)

    forgotten = enrolment.forget_unanswered(NOW + CONFIRM_WITHIN + HOUR, CONFIRM_WITHIN)

    assert forgotten == 1
    with store.read() as tx:
        left = {p.email: p.status for p in people.all_subscribers(tx)}
    assert left == {"ben@example.org": Status.CONFIRMED, "cem@example.org": Status.PENDING}
    assert questions(store)[0] == OutboxState.CANCELLED


def test_who_was_asked_again_has_the_whole_time_again(enrolment: Enrolment, store: Store) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")
    enrolment.join(ANN, NOTHING, now=NOW + 5 * DAY, source="web")

    assert enrolment.forget_unanswered(NOW + 8 * DAY, CONFIRM_WITHIN) == 0
    assert enrolment.forget_unanswered(NOW + 13 * DAY, CONFIRM_WITHIN) == 1
    assert count(store, subscriber) == 0


def test_who_had_left_and_does_not_answer_has_left_still(
    enrolment: Enrolment, store: Store
) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="operator", vouched=True)
    enrolment.unsubscribe(1, now=NOW, source="web")
    enrolment.join(ANN, NOTHING, now=NOW + DAY, source="web")

    enrolment.forget_unanswered(NOW + 30 * DAY, CONFIRM_WITHIN)

    assert person_of(store).status is Status.UNSUBSCRIBED
    assert enrolment.forget_unanswered(NOW + 60 * DAY, CONFIRM_WITHIN) == 0


class AnsweredMeanwhile(Store):
    """A store in which somebody confirms between the look and the deed."""

    is_first = True

    def write(self):  # type: ignore[no-untyped-def]
        if self.is_first:
            self.is_first = False
            with super().write() as tx:
                tx.execute(update(subscriber).values(status=Status.CONFIRMED, confirmed_at=NOW))
        return super().write()


def test_who_answers_at_the_last_moment_is_not_forgotten(
    enrolment: Enrolment, store: Store
) -> None:
    enrolment.join(ANN, NOTHING, now=NOW, source="web")
    meanwhile = AnsweredMeanwhile(store.url)
    late = Enrolment(meanwhile, TOKENS, DEFAULTS, domain="example.org")

    assert late.forget_unanswered(NOW + 30 * DAY, CONFIRM_WITHIN) == 0

    meanwhile.close()
    assert person_of(store).status is Status.CONFIRMED


# The people


def test_profiles_have_topics_and_liked_papers_looked_up(
    enrolment: Enrolment, store: Store
) -> None:
    merge(store, paper(title="Liked", abstract="It was."))
    enrolment.join(ANN, CHOSEN, now=NOW, source="web")
    enrolment.change(
        1,
        Choices(
            wishes={
                InterestKind.DISLIKE: ("2603.00001", "2603.99999"),
                InterestKind.AUTHOR: ("Ann Example",),
                InterestKind.EXCLUDE: ("survey",),
                InterestKind.CATEGORY: ("cs.CL",),
                InterestKind.KEYWORD: ("attention",),
            }
        ),
        now=NOW + HOUR,
    )

    with store.read() as tx:
        found = people.profiles(tx, [1, 99])

    profile = found[1]
    assert [t.slug for t in profile.topics] == ["vision"]
    assert (profile.texts, profile.keywords) == (("sparse attention",), ("attention",))
    assert (profile.authors, profile.excluded) == (("Ann Example",), ("survey",))
    assert profile.categories == ("cs.CL",)
    assert [(e.key, e.title, e.at) for e in profile.liked] == [("arxiv:2603.00001", "Liked", NOW)]
    assert [e.key for e in profile.disliked] == ["arxiv:2603.00001"], "an unknown paper is left out"
    assert found[99].is_empty


def test_everybody_is_read_page_by_page(enrolment: Enrolment, store: Store) -> None:
    for n in range(7):
        enrolment.join(f"reader{n}@example.org", NOTHING, now=NOW, source="web")
    enrolment.confirm(link(3), now=NOW)

    with store.read() as tx:
        ids = [p.id for p in people.all_subscribers(tx, size=3)]
        pending = [p.id for p in people.all_subscribers(tx, status=Status.PENDING, size=2)]
        counts = people.count_subscribers(tx)
    assert ids == [1, 2, 3, 4, 5, 6, 7]
    assert pending == [1, 2, 4, 5, 6, 7]
    assert counts == {Status.PENDING: 6, Status.CONFIRMED: 1}


def test_suppressions_are_found_lifted_and_keep_their_first_reason(store: Store) -> None:
    key = parse_address(ANN).key
    with store.write() as tx:
        people.suppress(tx, key, reason="hard bounce", now=NOW)
        people.suppress(tx, key, reason="complaint", now=NOW)

    with store.write() as tx:
        assert people.suppressed_among(tx, [key, "other"]) == {key: "hard bounce"}
        people.lift_suppression(tx, key)
        assert people.suppression_of(tx, key) is None
