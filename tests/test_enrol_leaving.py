"""Leaving, erasing, and questions that nobody answers."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from digest.addresses import parse_address
from digest.enrol import Enrolment
from digest.errors import TokenError
from digest.model import CONFIRM_WITHIN, OutboxState, Status
from digest.store import Store, editions, outbox, people
from digest.store.schema import consent, edition, interest, pick, subscriber, suppression
from digest.store.schema import outbox as rows
from tests.edition_pieces import edition_of
from tests.enrol_pieces import (
    ANN,
    CHOSEN,
    DEFAULTS,
    NOTHING,
    TOKENS,
    consents,
    link,
    person_of,
    questions,
)
from tests.store_pieces import DAY, HOUR, NOW, count, item_of, merge, paper

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
