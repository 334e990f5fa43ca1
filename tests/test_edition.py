"""Making editions: one for each local date, with its picks, message and next date all at once."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from digest.clock import local_date
from digest.edition import EditionRules, Editor, plan_slots
from digest.model import Cadence, InterestKind, OutboxState, Section, Status, Subscriber
from digest.rank import RankSettings
from digest.store import Store, editions, outbox, people
from digest.store.people import Wish
from digest.store.schema import edition, pick, subscriber, wording
from digest.store.schema import outbox as rows
from tests.databases import Databases
from tests.edition_pieces import edition_of
from tests.fakes import Crash, CrashingStore
from tests.store_pieces import DAY, HOUR, NOW, add_person, count, item_of, merge, paper
from tests.test_clock import moments, zones

RULES = EditionRules(
    lookback=timedelta(days=7),
    catch_up=timedelta(hours=20),
    send_empty=False,
    domain="example.org",
    rank=RankSettings(),
)
ATTENTION = Wish(kind=InterestKind.KEYWORD, value="attention")


def editor(store: Store, **changes: object) -> Editor:
    return Editor(store, replace(RULES, **changes))  # type: ignore[arg-type]


def list_papers(store: Store, now: datetime = NOW, start: int = 1, number: int = 3) -> None:
    """So many papers on attention, first listed then."""
    merge(
        store,
        *(
            paper(
                f"2603.{n:05}",
                position=n,
                title=f"Attention of kind {n} for the {'abcdefghijklmnopqrstuvwxyz'[n % 26]} task",
                abstract=f"We study attention number {n} and what it attends to.",
                votes=5 + n,
            )
            for n in range(start, start + number)
        ),
        now=now,
    )


def messages(store: Store) -> list[tuple[str, str | None]]:
    """State and reason of every message, in order."""
    with store.read() as tx:
        found = tx.execute(select(rows.c.state, rows.c.reason).order_by(rows.c.id))
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


# Which slots have passed


def person(
    *,
    due: datetime = NOW,
    zone: str = "UTC",
    at: time = time(7, 0),
    cadence: Cadence = Cadence.DAILY,
) -> Subscriber:
    return Subscriber(
        id=1,
        email="ann@example.org",
        status=Status.CONFIRMED,
        zone=zone,
        send_at=at,
        cadence=cadence,
        max_items=12,
        created_at=NOW - DAY,
        next_edition_at=due,
    )


def test_a_slot_that_has_just_come_is_served() -> None:
    slots = plan_slots(person(), NOW, RULES.catch_up)

    assert (slots.missed, slots.due, slots.next_at) == ((), NOW, NOW + DAY)


def test_a_slot_is_served_late_within_the_time_to_catch_up() -> None:
    just_in_time = plan_slots(person(), NOW + timedelta(hours=20), RULES.catch_up)
    too_late = plan_slots(person(), NOW + timedelta(hours=20, microseconds=1), RULES.catch_up)

    assert just_in_time.due == NOW
    assert (too_late.due, too_late.missed) == (None, (NOW,))
    assert just_in_time.next_at == too_late.next_at == NOW + DAY


def test_a_daemon_off_for_three_days_serves_the_last_slot_and_notes_the_others() -> None:
    slots = plan_slots(person(), NOW + 3 * DAY + HOUR, RULES.catch_up)

    assert slots.missed == (NOW, NOW + DAY, NOW + 2 * DAY)
    assert (slots.due, slots.next_at) == (NOW + 3 * DAY, NOW + 4 * DAY)


def test_a_weekly_slot_missed_by_three_days_is_not_made_up_for() -> None:
    monday = datetime(2026, 3, 9, 7, tzinfo=UTC)
    slots = plan_slots(person(due=monday, cadence=Cadence.WEEKLY), monday + 3 * DAY, RULES.catch_up)

    assert (slots.missed, slots.due) == ((monday,), None)
    assert slots.next_at == monday + 7 * DAY


def test_a_daemon_off_for_years_does_not_list_every_day() -> None:
    slots = plan_slots(person(due=NOW - 1000 * DAY), NOW, RULES.catch_up)

    assert len(slots.missed) == 31
    assert slots.missed[-1] == NOW - DAY
    assert slots.due == NOW


def test_a_zone_that_changed_its_rules_overnight_makes_no_second_edition_of_a_date() -> None:
    """What was planned by the old rules falls an hour before the slot of the new ones."""
    slots = plan_slots(person(due=NOW - HOUR), NOW + HOUR, RULES.catch_up)

    assert (slots.missed, slots.due) == ((), NOW)


@settings(deadline=None)
@given(
    zones,
    moments,
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.sampled_from(Cadence),
    st.timedeltas(timedelta(), timedelta(days=45)),
    st.timedeltas(timedelta(), timedelta(hours=48)),
)
def test_however_late_we_look_each_local_date_is_served_or_missed_once(
    zone: str, due: datetime, at: time, cadence: Cadence, late: timedelta, catch_up: timedelta
) -> None:
    now = due + late

    slots = plan_slots(person(due=due, zone=zone, at=at, cadence=cadence), now, catch_up)

    every = [*slots.missed, *([slots.due] if slots.due else [])]
    assert all(slot <= now for slot in every)
    assert slots.next_at > now
    dates = [local_date(slot, zone) for slot in every]
    assert all(one < other for one, other in pairwise(dates))
    if slots.due is not None:
        assert now - slots.due <= catch_up
    if every and len(every) < 31:
        assert min(dates) == local_date(due, zone)


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
        assert outbox.ledger(tx, (NOW + DAY).date()).adds_up


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
            account = outbox.ledger(tx, (NOW + day * DAY).date())
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

    report = editor(store).make_due(NOW)

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

    report = editor(store).make_due(NOW, stop)

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


# What happens in between


class Meddling(Store):
    """A store in which something happens between looking who is due and writing it down."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.meddle: list[tuple[str, object]] = []

    def write(self):  # type: ignore[no-untyped-def]
        if self.meddle:
            name, value = self.meddle.pop()
            with super().write() as tx:
                tx.execute(update(subscriber).where(subscriber.c.id == 1).values({name: value}))
        return super().write()


@pytest.mark.parametrize(
    "change", [("status", Status.UNSUBSCRIBED), ("next_edition_at", NOW + 9 * DAY)]
)
def test_who_leaves_or_is_served_elsewhere_meanwhile_gets_nothing(
    store: Store, change: tuple[str, object]
) -> None:
    list_papers(store)
    add_person(store)
    add_person(store, "ben@example.org")
    meddling = Meddling(store.url)
    meddling.meddle.append(change)

    report = editor(meddling).make_due(NOW)

    meddling.close()
    assert report.made == 1
    with store.read() as tx:
        assert set(tx.execute(select(rows.c.subscriber_id)).scalars()) == {2}


def test_processes_that_serve_the_same_people_make_each_edition_once(
    postgres_store: Store,
) -> None:
    list_papers(postgres_store, number=20)
    for n in range(450):
        add_person(postgres_store, f"reader{n}@example.org")
    ready = threading.Barrier(3)
    errors: list[BaseException] = []

    def work() -> None:
        mine = Store(postgres_store.url)
        try:
            ready.wait(10)
            making = editor(mine)
            for _ in range(20):
                making.make_due(NOW)
        except BaseException as error:
            errors.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert count(postgres_store, edition) == count(postgres_store, rows) == 450


def test_dying_between_any_two_writes_makes_each_edition_once(databases: Databases) -> None:
    writes = 0
    while True:
        url = databases.fresh()
        store = Store(url)
        list_papers(store)
        for n in range(210):
            add_person(store, f"reader{n}@example.org")
        dying = CrashingStore(url, writes=writes)
        try:
            editor(dying).make_due(NOW)
            died = False
        except Crash:
            died = True
        assert count(store, edition) == count(store, rows)

        editor(store).make_due(NOW)

        assert count(store, edition) == count(store, rows) == 210
        dying.close()
        store.close()
        databases.drop(url)
        writes += 1
        if not died:
            break
    assert writes >= 3


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


# The shelf


def test_editions_come_back_as_they_were_stored(store: Store) -> None:
    list_papers(store)
    ann, ben = add_person(store), add_person(store, "ben@example.org")
    items = [item_of(store, f"arxiv:2603.0000{n}") for n in (3, 1, 2)]
    whole = edition_of(ann, *items)
    one, two, three = whole.entries
    rising = replace(three, pick=replace(three.pick, section=Section.RISING, position=1))
    made = [
        replace(whole, entries=(one, two), rising=(rising,), note="a note"),
        replace(edition_of(ben, *items), local_on=date(2026, 3, 12), zone="Asia/Tokyo"),
    ]

    with store.write() as tx:
        ids = editions.add_editions(tx, made)

    with store.read() as tx:
        loaded = editions.load_editions(tx, [*ids, 999])
    emails = ("ann@example.org", "ben@example.org")
    assert loaded == {
        i: replace(e, id=i, email=email) for i, e, email in zip(ids, made, emails, strict=True)
    }


def test_the_same_words_are_stored_once(store: Store) -> None:
    list_papers(store)
    item = item_of(store, "arxiv:2603.00001")
    ids = [add_person(store, f"reader{n}@example.org") for n in range(5)]

    with store.write() as tx:
        editions.add_editions(tx, [edition_of(i, item) for i in ids])

    assert count(store, wording) == 1


def test_nothing_made_is_nothing_stored(store: Store) -> None:
    with store.write() as tx:
        assert editions.add_editions(tx, []) == []


def test_an_item_stored_by_hand_without_its_wording_is_refused(store: Store) -> None:
    """Whatever is picked can be shown again: the wording is no option."""
    ann = add_person(store)
    with store.write() as tx:
        (edition_id,) = editions.add_editions(tx, [edition_of(ann)])
    values = {"edition_id": edition_id, "section": "pick", "position": 1, "subscriber_id": ann}

    with pytest.raises(IntegrityError), store.write() as tx:
        told = {"score": 0.5, "match": 0.5, "trend": 0.5, "freshness": 0.5, "shown": []}
        tx.execute(insert(pick).values(wording_id=None, **values, **told))
