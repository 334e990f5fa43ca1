"""Making editions: one for each local date, with its picks, message and next date all at once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from digest.model import OutboxState, Status
from digest.store import Store, editions, people
from digest.store.ledger import ledger
from digest.store.schema import edition, pick
from digest.store.schema import outbox as rows
from tests.databases import Databases
from tests.edition_pieces import ATTENTION, edition_of, editor, list_papers
from tests.store_pieces import DAY, HOUR, NOW, add_person, count, item_of, merge, paper


def messages(store: Store) -> list[tuple[str, str | None]]:
    """State and reason of every message, in the order of their turns."""
    with store.read() as tx:
        found = tx.execute(select(rows.c.state, rows.c.reason).order_by(rows.c.due_at, rows.c.id))
        return [(row.state, row.reason) for row in found]


def picked(store: Store) -> list[tuple[int, int | None]]:
    with store.read() as tx:
        found = tx.execute(select(pick.c.subscriber_id, pick.c.item_id))
        return [(row.subscriber_id, row.item_id) for row in found]


def next_due(store: Store, subscriber_id: int = 1) -> datetime | None:
    with store.read() as tx:
        found = people.get_subscriber(tx, subscriber_id)
    assert found is not None
    return found.next_edition_at


# One pass


def test_who_is_due_gets_picks_a_message_and_a_next_date(store: Store) -> None:
    list_papers(store)
    ann = add_person(store, wishes=[ATTENTION])

    report = editor(store).make_due(NOW)

    assert (report.made, report.skipped, report.missed) == (1, 0, 0)
    assert messages(store) == [("queued", None)]
    assert next_due(store) == NOW + DAY
    with store.read() as tx:
        (made,) = editions.load_editions(tx, editions.edition_ids(tx, ann)).values()
    assert (made.local_on, made.due_at, made.made_at) == (NOW.date(), NOW, NOW)
    assert (made.considered, made.interests) == (3, 1)
    assert len(made.entries) == 3
    assert [e.pick.position for e in made.entries] == [1, 2, 3]
    assert all(e.pick.reasons and e.votes for e in made.entries)


def test_nobody_is_served_before_the_time_nor_unconfirmed(store: Store) -> None:
    list_papers(store)
    add_person(store, next_edition_at=NOW + timedelta(microseconds=1))
    for status in (Status.PENDING, Status.UNSUBSCRIBED, Status.SUPPRESSED):
        add_person(store, f"{status}@example.org", status=status, next_edition_at=NOW)

    report = editor(store).make_due(NOW)

    assert (report.made, messages(store)) == (0, [])


def test_nothing_is_picked_twice_for_one_person(store: Store) -> None:
    list_papers(store)
    add_person(store, wishes=[ATTENTION])
    making = editor(store)

    making.make_due(NOW)
    list_papers(store, now=NOW + HOUR, number=5)
    making.make_due(NOW + DAY)

    assert len(picked(store)) == len(set(picked(store))) == 5
    assert messages(store) == [("queued", None)] * 2


def test_the_database_itself_refuses_the_same_item_twice(store: Store) -> None:
    list_papers(store)
    ann = add_person(store)
    item = item_of(store, "arxiv:2603.00001")
    with store.write() as tx:
        editions.add_editions(tx, [edition_of(ann, item)])

    with pytest.raises(IntegrityError), store.write() as tx:
        editions.add_editions(tx, [edition_of(ann, item, due_at=NOW + DAY)])

    assert count(store, edition) == 1, "nothing of the second remains"


def test_the_database_itself_refuses_a_second_edition_of_a_date(store: Store) -> None:
    ann = add_person(store)
    with store.write() as tx:
        editions.add_editions(tx, [edition_of(ann)])

    with pytest.raises(IntegrityError), store.write() as tx:
        editions.add_editions(tx, [edition_of(ann, due_at=NOW + HOUR)])


def test_a_day_without_anything_new_is_skipped_and_said_why(store: Store) -> None:
    list_papers(store)
    add_person(store, wishes=[ATTENTION])
    making = editor(store)
    making.make_due(NOW)

    report = making.make_due(NOW + DAY)

    assert (report.made, report.skipped) == (0, 1)
    state, reason = messages(store)[1]
    assert state == OutboxState.SKIPPED
    assert reason
    assert next_due(store) == NOW + 2 * DAY
    with store.read() as tx:
        assert ledger(tx, (NOW + DAY).date()).adds_up


def test_nothing_collected_yet_is_a_reason_too(store: Store) -> None:
    add_person(store, wishes=[ATTENTION])

    editor(store).make_due(NOW)

    ((state, reason),) = messages(store)
    assert (state, bool(reason)) == (OutboxState.SKIPPED, True)


def test_an_empty_edition_is_sent_when_the_operator_wants_that(store: Store) -> None:
    add_person(store, wishes=[ATTENTION])

    report = editor(store, send_empty=True).make_due(NOW)

    assert report.made == 1
    assert messages(store) == [("queued", None)]


def test_who_pauses_is_skipped_until_the_day(store: Store) -> None:
    list_papers(store)
    add_person(store, wishes=[ATTENTION], paused_until=NOW + DAY)
    making = editor(store)

    making.make_due(NOW)
    making.make_due(NOW + DAY)

    assert messages(store) == [("skipped", "paused by the subscriber"), ("queued", None)]


def test_a_daemon_that_was_off_sends_one_late_edition_and_accounts_for_the_rest(
    store: Store,
) -> None:
    list_papers(store, now=NOW + 2 * DAY)
    add_person(store, wishes=[ATTENTION])

    report = editor(store).make_due(NOW + 3 * DAY + HOUR)

    assert (report.made, report.missed) == (1, 3)
    assert messages(store) == [("skipped", "missed: the daemon was down")] * 3 + [("queued", None)]
    for day in range(4):
        with store.read() as tx:
            account = ledger(tx, (NOW + day * DAY).date())
        assert (account.due, account.adds_up) == (1, True)


def test_another_hour_on_the_same_day_brings_no_second_edition(store: Store) -> None:
    list_papers(store)
    ann = add_person(store, wishes=[ATTENTION])
    making = editor(store)
    making.make_due(NOW)
    list_papers(store, now=NOW + HOUR, start=10)
    with store.write() as tx:
        people.change_subscriber(tx, ann, send_at="20:00", next_edition_at=NOW.replace(hour=20))

    report = making.make_due(NOW.replace(hour=20))

    assert (report.made, report.skipped) == (0, 0)
    assert count(store, rows) == 1
    assert next_due(store) == NOW.replace(hour=20) + DAY


def test_more_people_than_fit_in_one_transaction_are_all_served(store: Store) -> None:
    list_papers(store)
    for n in range(230):
        add_person(store, f"reader{n}@example.org", next_edition_at=NOW - n * timedelta(seconds=1))

    report = editor(store, batch=100).make_due(NOW)

    assert report.made == 230
    assert editor(store).make_due(NOW).made == 0


def test_stopping_ends_between_two_transactions(store: Store) -> None:
    list_papers(store)
    for n in range(230):
        add_person(store, f"reader{n}@example.org")
    looks: list[None] = []

    def stop() -> bool:
        looks.append(None)
        return len(looks) > 1

    report = editor(store, batch=200).make_due(NOW, stop)

    assert report.made == 200
    assert count(store, rows) == 200
    assert editor(store).make_due(NOW).made == 30


def test_the_same_time_and_data_give_the_same_editions(databases: Databases) -> None:
    told = []
    for _ in range(2):
        url = databases.fresh()
        store = Store(url)
        list_papers(store, number=20)
        for n in range(3):
            add_person(store, f"reader{n}@example.org", wishes=[ATTENTION])
        editor(store).make_due(NOW)
        with store.read() as tx:
            ids = tx.execute(select(rows.c.message_id).order_by(rows.c.id)).scalars().all()
            told.append((ids, editions.load_editions(tx, [1, 2, 3])))
        store.close()
        databases.drop(url)

    assert told[0] == told[1]


def test_message_ids_are_one_for_each_person_and_date(store: Store) -> None:
    list_papers(store, number=10)
    for n in range(2):
        add_person(store, f"reader{n}@example.org")
    making = editor(store)
    making.make_due(NOW)
    list_papers(store, start=20, now=NOW + HOUR)
    making.make_due(NOW + DAY)

    with store.read() as tx:
        ids = tx.execute(select(rows.c.message_id)).scalars().all()
    assert len(set(ids)) == len(ids) == 4
    assert all(i.startswith("<") and i.endswith("@example.org>") for i in ids)
    assert all("reader" not in i for i in ids)


def test_a_zone_that_has_gone_from_the_data_stops_nobody(store: Store) -> None:
    list_papers(store)
    add_person(store, "one@example.org", zone="US/Pacific-New")
    add_person(store, "two@example.org", next_edition_at=NOW)

    report = editor(store).make_due(NOW)

    assert report.made == 2
    assert next_due(store, 1) == NOW + DAY


# Looking without writing


def test_a_dry_run_says_what_would_go_and_writes_nothing(store: Store) -> None:
    list_papers(store)
    add_person(store, wishes=[ATTENTION])
    add_person(store, "ben@example.org", paused_until=NOW + DAY)

    ann, ben = editor(store).draft_due(NOW)

    assert ann.edition is not None and len(ann.edition.entries) == 3
    assert (ben.edition, ben.reason) == (None, "paused by the subscriber")
    assert count(store, edition) == count(store, rows) == 0
    assert next_due(store) == NOW


def test_a_preview_is_the_edition_that_would_be_made(store: Store) -> None:
    list_papers(store)
    ann = add_person(store, wishes=[ATTENTION])
    making = editor(store)
    with store.read() as tx:
        subscriber_ = people.get_subscriber(tx, ann)
    assert subscriber_ is not None

    shown, why_empty = making.preview(subscriber_, NOW)
    making.make_due(NOW)

    with store.read() as tx:
        (made,) = editions.load_editions(tx, [1]).values()
    assert why_empty is None
    assert (shown.entries, shown.local_on) == (made.entries, made.local_on)


def test_why_an_item_was_picked_can_be_told_later(store: Store) -> None:
    list_papers(store)
    ann = add_person(store, wishes=[ATTENTION])
    making = editor(store)
    making.make_due(NOW)
    item = item_of(store, "arxiv:2603.00001")
    with store.read() as tx:
        subscriber_ = people.get_subscriber(tx, ann)
    assert subscriber_ is not None

    now_told, past = making.explain(subscriber_, item.id, NOW + HOUR)

    assert past is not None
    assert (past.local_on, past.entry.wording) == (NOW.date(), item.wording())
    assert past.entry.pick.reasons
    assert now_told.verdict == "seen"


def test_what_a_mail_said_stays_what_it_said(store: Store) -> None:
    list_papers(store)
    add_person(store, wishes=[ATTENTION])
    editor(store).make_due(NOW)
    with store.read() as tx:
        before = editions.load_editions(tx, [1])

    list_papers(store, now=NOW + HOUR)
    merge(store, paper("2603.00001", title="Renamed", votes=99), now=NOW + 2 * HOUR)

    with store.read() as tx:
        assert editions.load_editions(tx, [1]) == before
