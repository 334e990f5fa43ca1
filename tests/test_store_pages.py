"""What the pages ask of the store, on both databases: search, days, limits, trends, messages."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.addresses import parse_address
from digest.model import (
    Cadence,
    Edition,
    Entry,
    MessageKind,
    OutboxState,
    PaperData,
    Parts,
    Pick,
    Reading,
    ReadingState,
    Status,
    Wording,
)
from digest.store import Store, people, signups
from digest.store.collecting import add_reading, sync_sources
from digest.store.editions import add_editions, forget_picks
from digest.store.items import items_by_key, merge_listing
from digest.store.limits import Limit, allow, used
from digest.store.operating import (
    MessageSearch,
    cancel_message,
    find_messages,
    find_readers,
    latest_suppressions,
    retry_message,
)
from digest.store.outbox import NewMessage, add_messages
from digest.store.pages import archive_begin, content_version, day_items, list_days
from digest.store.searching import Filters, find_any, find_words
from digest.store.trends import consents_by_day, messages_by_day, yield_by_day
from digest.store.vitals import read_asking, read_vitals

NOW = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def paper(number: int, title: str, abstract: str = "", **more: object) -> PaperData:
    return PaperData(
        title=title,
        abstract=abstract,
        url=f"https://arxiv.org/abs/2603.{number:05d}",
        arxiv_id=f"2603.{number:05d}",
        position=number,
        **more,  # type: ignore[arg-type]
    )


def put(store: Store, *papers: PaperData, source: str = "hf", now: datetime = NOW) -> list[int]:
    with store.write() as tx:
        merge_listing(tx, papers, source=source, kind="huggingface", now=now)
        found = items_by_key(tx, [f"arxiv:{p.arxiv_id}" for p in papers])
    return [found[f"arxiv:{p.arxiv_id}"].id for p in papers]


# --- search


def found(store: Store, words: str, **filters: object) -> list[int]:
    with store.read() as tx:
        return list(find_words(tx, words.split(), Filters(**filters), limit=10))  # type: ignore[arg-type]


def test_all_words_must_occur_in_any_form_and_the_title_counts_most(store: Store) -> None:
    one, two, _ = put(
        store,
        paper(1, "A study of ranking", "Graphs and attention"),
        paper(2, "Graphs with attention", "We rank them"),
        paper(3, "Something else", "about trees"),
    )

    assert set(found(store, "ranked attention")) == {one, two}
    assert found(store, "attention") == [two, one]
    assert found(store, "attention trees") == []


def test_authors_are_found_by_their_plain_names(store: Store) -> None:
    (one,) = put(store, paper(1, "T", authors=("Jane Lewis", "Li Dongs")))

    assert found(store, "lewis") == [one]
    assert found(store, "Dongs") == [one]


def test_words_that_say_nothing_ask_for_nothing(store: Store) -> None:
    (one,) = put(store, paper(1, "The attention of the graph", "the the of"))

    assert found(store, "the attention") == [one]
    assert found(store, "attention !!! ...") == [one]
    assert found(store, "!!!") == []
    assert found(store, "") == []


def test_a_search_keeps_within_its_filters(store: Store) -> None:
    (old,) = put(store, paper(1, "Attention one", "language model"), now=NOW - 9 * DAY)
    (new,) = put(store, paper(2, "Attention two"), source="arxiv")

    assert found(store, "attention", source="arxiv") == [new]
    assert found(store, "attention", until=NOW - DAY) == [old]
    assert found(store, "attention", since=NOW - DAY) == [new]
    assert found(store, "attention", since=NOW + DAY) == []
    assert found(store, "attention", phrases=("language model", "zebra")) == [old]
    assert found(store, "attention", phrases=("model language",)) == []


def test_any_of_the_words_will_do_when_asked_so(store: Store) -> None:
    one, two, three = put(store, paper(1, "alpha beta"), paper(2, "beta"), paper(3, "gamma delta"))

    with store.read() as tx:
        ids = find_any(tx, ["alpha", "beta", "gamma"], Filters(), limit=10)
        one_only = find_any(tx, ["alpha"], Filters(), limit=10)

    assert set(ids) == {one, two, three}
    assert list(one_only) == [one]


@given(st.text(max_size=60))
@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nothing_that_is_typed_is_syntax(store: Store, text: str) -> None:
    from digest.text import clean

    with store.read() as tx:
        words = clean(text).split()
        find_words(tx, words, Filters(phrases=tuple(words)), limit=5)
        find_any(tx, words, Filters(), limit=5)


# --- days


def test_a_day_has_what_was_listed_on_it_whenever_it_was_read(store: Store) -> None:
    today = put(store, paper(1, "now", listed_at=NOW))[0]
    late = put(store, paper(2, "late", listed_at=NOW - 3 * DAY))[0]
    silent = put(store, paper(3, "no date"))[0]

    with store.read() as tx:
        items = {c.item_id for c in day_items(tx, NOW.date(), until=NOW)}
        before = {c.item_id for c in day_items(tx, (NOW - 3 * DAY).date(), until=NOW)}
        unread = day_items(tx, NOW.date(), until=NOW - DAY)

    assert items == {today, silent}
    assert before == {late}
    assert unread == ()


def test_days_without_lists_are_stepped_over(store: Store) -> None:
    put(store, paper(1, "a", listed_at=NOW - 4 * DAY), now=NOW - 4 * DAY)
    put(store, paper(2, "b"), now=NOW)

    with store.read() as tx:
        neighbours = list_days(tx, (NOW - 2 * DAY).date())
        ends = list_days(tx, NOW.date())[1], list_days(tx, (NOW - 4 * DAY).date())[0]
        begin = archive_begin(tx)

    assert neighbours == ((NOW - 4 * DAY).date(), NOW.date())
    assert ends == (None, None)
    assert begin == NOW - 4 * DAY


def test_the_version_changes_with_every_reading_and_topic(store: Store) -> None:
    from digest.model import Topic
    from digest.store.topics import put_topic

    versions = []
    for step in range(3):
        with store.write() as tx:
            if step == 1:
                add_reading(tx, reading("hf", 3), settled=False)
            if step == 2:
                put_topic(tx, Topic(slug="t", name="T"))
        with store.read() as tx:
            versions.append(content_version(tx))

    assert len(set(versions)) == 3


def reading(source: str, new: int, at: datetime = NOW) -> Reading:
    return Reading(
        source=source, label="l", url="u", read_at=at, state=ReadingState.OK, entries=new, new=new
    )


# --- limits


def test_a_limit_slides_and_only_what_was_allowed_counts(store: Store) -> None:
    limit = Limit(times=2, within=timedelta(hours=1))

    def tried(minutes: int) -> bool:
        with store.write() as tx:
            return allow(tx, "b", limit, now=NOW + timedelta(minutes=minutes))

    assert [tried(m) for m in (0, 30, 31, 59, 61, 62, 91)] == [
        True,
        True,
        False,
        False,
        True,
        False,
        True,
    ]
    with store.read() as tx:
        assert used(tx, "b", limit, now=NOW + timedelta(minutes=91)) == 2
        assert used(tx, "other", limit, now=NOW) == 0


def test_old_hits_are_forgotten(store: Store) -> None:
    from sqlalchemy import func, select

    from digest.store.schema import hit

    limit = Limit(times=99, within=timedelta(hours=1))
    for days in range(4):
        with store.write() as tx:
            allow(tx, f"b{days}", limit, now=NOW + days * DAY)

    with store.read() as tx:
        assert tx.execute(select(func.count()).select_from(hit)).scalar_one() <= 2


def test_many_at_once_do_not_get_past_a_limit(store: Store) -> None:
    limit = Limit(times=3, within=timedelta(hours=1))
    allowed: list[bool] = []

    def attempt() -> None:
        with store.write() as tx:
            allowed.append(allow(tx, "b", limit, now=NOW))

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(allowed) == [False] * 9 + [True] * 3


# --- sign-ups and moves


def test_forms_wait_in_the_order_in_which_they_came(store: Store) -> None:
    with store.write() as tx:
        for n in range(3):
            signups.add_signup(tx, {"n": n, "words": ["é", "b"]}, now=NOW)
    with store.write() as tx:
        first = signups.waiting_signups(tx)
        signups.drop_signup(tx, first[0].id)
    with store.read() as tx:
        rest = signups.waiting_signups(tx)

    assert [w.form["n"] for w in first] == [0, 1, 2]
    assert [w.form["n"] for w in rest] == [1, 2]


def test_one_process_at_a_time_deals_with_them_on_postgresql(postgres_store: Store) -> None:
    other = Store(postgres_store.url)
    with signups.one_at_a_time(postgres_store) as first, signups.one_at_a_time(other) as second:
        assert (first, second) == (True, False)
    with signups.one_at_a_time(other) as again:
        assert again
    other.close()


def subscriber(store: Store, email: str, status: Status = Status.CONFIRMED) -> int:
    address = parse_address(email)
    row = {
        "email": email,
        "address_key": address.key,
        "status": status,
        "zone": "UTC",
        "send_at": "07:30",
        "cadence": Cadence.DAILY,
        "max_items": 12,
        "rising": True,
        "created_at": NOW,
        "next_edition_at": NOW + DAY if status is Status.CONFIRMED else None,
    }
    with store.write() as tx:
        return people.add_subscribers(tx, [row])[address.key]


def test_a_move_is_the_last_one_asked_for_and_goes_with_either_end(store: Store) -> None:
    old = subscriber(store, "old@example.org")
    first = subscriber(store, "first@example.org", Status.PENDING)
    second = subscriber(store, "second@example.org", Status.PENDING)
    with store.write() as tx:
        signups.put_move(tx, first, old, now=NOW)
        signups.put_move(tx, second, old, now=NOW)
        signups.put_move(tx, second, old, now=NOW)

    with store.read() as tx:
        assert signups.move_of(tx, first) is None
        assert signups.move_of(tx, second) == old
        assert signups.move_wanted(tx, old) == "second@example.org"
    with store.write() as tx:
        people.delete_subscriber(tx, second)
    with store.read() as tx:
        assert signups.move_wanted(tx, old) is None


def test_a_completed_move_leaves_one_subscriber_with_the_new_address(store: Store) -> None:
    old = subscriber(store, "old@example.org")
    new = subscriber(store, "new@example.org", Status.PENDING)
    with store.write() as tx:
        signups.put_move(tx, new, old, now=NOW)
        signups.complete_move(tx, new, old)

    with store.read() as tx:
        moved = people.get_subscriber(tx, old)
        assert moved is not None
        assert moved.email == "new@example.org"
        assert people.get_subscriber(tx, new) is None
        assert people.find_subscriber(tx, parse_address("new@example.org").key) == moved


# --- the weeks, and how it is now


def message(who: int, key: str, **more: object) -> NewMessage:
    values: dict[str, object] = {
        "kind": MessageKind.EDITION,
        "subscriber_id": who,
        "dedupe_key": key,
        "message_id": f"<{key}@x>",
        "due_at": NOW,
    }
    return NewMessage(**(values | more))  # type: ignore[arg-type]


def test_the_weeks_are_counted_by_utc_day(store: Store) -> None:
    who = subscriber(store, "a@example.org")
    midnight = datetime(2026, 3, 12, tzinfo=UTC)
    with store.write() as tx:
        add_messages(
            tx,
            [
                message(who, "1", due_at=midnight),
                message(who, "2", due_at=midnight + DAY - timedelta(microseconds=1)),
                message(who, "3", due_at=midnight - timedelta(microseconds=1)),
                message(who, "4", due_at=midnight, state=OutboxState.SKIPPED, reason="r"),
                message(who, "5", due_at=midnight - 60 * DAY),
            ],
            now=NOW,
        )
        people.note_consent(tx, [who], "confirmed", now=NOW, source="web")
        add_reading(tx, reading("hf", 3), settled=False)
        add_reading(tx, reading("hf", 4, NOW - DAY), settled=False)

    with store.read() as tx:
        messages = messages_by_day(tx, NOW.date(), 30)
        consents = consents_by_day(tx, NOW.date(), 30)
        brought = yield_by_day(tx, NOW.date(), 30)

    assert messages == {
        date(2026, 3, 12): {"queued": 2, "skipped": 1},
        date(2026, 3, 11): {"queued": 1},
    }
    assert consents == {date(2026, 3, 12): {"confirmed": 1}}
    assert brought == {date(2026, 3, 12): {"hf": 3}, date(2026, 3, 11): {"hf": 4}}


def test_the_vitals_name_the_oldest_of_what_waits(store: Store) -> None:
    sync_sources(store, {"hf": "huggingface"})
    who = subscriber(store, "a@example.org")
    subscriber(store, "b@example.org", Status.PENDING)
    with store.write() as tx:
        add_messages(tx, [message(who, "1"), message(who, "2")], now=NOW - DAY)
        add_messages(tx, [message(who, "3", kind=MessageKind.CONFIRMATION)], now=NOW)

    with store.read() as tx:
        vitals, asking = read_vitals(tx), read_asking(tx, NOW)

    assert vitals.oldest_due_at == NOW + DAY
    assert vitals.oldest_waiting_at == NOW - DAY
    assert (vitals.abandoned, vitals.uncertain, vitals.paused) == (0, 0, None)
    assert [s.name for s in vitals.sources] == ["hf"]
    assert (asking.last_hour, asking.asked_today, asking.usual) == (1, 1, 0.0)


# --- what the operator does


def failed_edition(store: Store, who: int, item_id: int, key: str) -> int:
    """An edition with one paper, whose message failed; the id of the message."""
    wording = Wording(
        key=key, title="T", abstract="", authors=(), categories=(), url="https://a.example/"
    )
    pick = Pick(item_id=item_id, position=1, score=0.5, parts=Parts(match=1, trend=1, freshness=1))
    made = Edition(
        id=0,
        subscriber_id=who,
        email="a@example.org",
        zone="UTC",
        due_at=NOW,
        made_at=NOW,
        local_on=NOW.date(),
        entries=(Entry(pick=pick, wording=wording),),
        considered=1,
        interests=1,
    )
    with store.write() as tx:
        (edition_id,) = add_editions(tx, [made])
        row = message(who, "e", edition_id=edition_id, state=OutboxState.FAILED, reason="refused")
        add_messages(tx, [row], now=NOW)
        (line,) = find_messages(tx, MessageSearch(), limit=9)
        forget_picks(tx, outbox_ids=[line.id])
    return line.id


def test_a_failed_edition_takes_its_papers_again_or_stays_failed(store: Store) -> None:
    who = subscriber(store, "a@example.org")
    (item_id,) = put(store, paper(1, "T"))
    message_id = failed_edition(store, who, item_id, "arxiv:2603.00001")

    with store.write() as tx:
        assert retry_message(tx, message_id, now=NOW)
        assert not retry_message(tx, message_id, now=NOW)
        assert cancel_message(tx, message_id, now=NOW)
        assert not cancel_message(tx, message_id, now=NOW)


def test_messages_are_found_by_everything_that_is_known_of_them(store: Store) -> None:
    who = subscriber(store, "a@example.org")
    other = subscriber(store, "b@example.org")
    with store.write() as tx:
        add_messages(
            tx,
            [
                message(who, "1"),
                message(other, "2", state=OutboxState.FAILED, reason="refused: 5.1.1 100%"),
                message(who, "3", due_at=NOW - 3 * DAY, kind=MessageKind.CONFIRMATION),
            ],
            now=NOW,
        )

    def ids(**search: object) -> list[str]:
        with store.read() as tx:
            lines = find_messages(tx, MessageSearch(**search), limit=9)  # type: ignore[arg-type]
        return [line.email[0] + line.state[0] for line in lines]

    assert ids() == ["aq", "bf", "aq"]
    assert ids(state=OutboxState.FAILED) == ["bf"]
    assert ids(words="100%") == ["bf"]
    assert ids(words="REFUSED") == ["bf"]
    assert ids(words="_") == []
    assert ids(day=NOW.date()) == ["bf", "aq"]
    assert ids(kind=MessageKind.CONFIRMATION) == ["aq"]
    assert ids(address_key=parse_address("B@example.org").key) == ["bf"]


def test_readers_are_found_by_the_beginning_of_their_address(store: Store) -> None:
    subscriber(store, "Ann@example.org")
    subscriber(store, "anton@example.org", Status.PENDING)
    subscriber(store, "a_x@example.org")

    def names(**search: object) -> list[str]:
        with store.read() as tx:
            return [r.email for r in find_readers(tx, limit=9, **search)]  # type: ignore[arg-type]

    assert names(begins="AN") == ["anton@example.org", "Ann@example.org"]
    assert names(begins="a_") == ["a_x@example.org"]
    assert names(begins="%") == []
    assert names(status=Status.PENDING) == ["anton@example.org"]


def test_suppressions_are_shown_with_and_without_a_reader(store: Store) -> None:
    who = subscriber(store, "a@example.org")
    with store.write() as tx:
        people.suppress_subscriber(tx, who, reason="complaint", now=NOW)
        people.suppress(tx, "0" * 64, reason="hard bounce", now=NOW - DAY)

    with store.read() as tx:
        lines = latest_suppressions(tx, limit=9)

    assert [(line.email, line.reason) for line in lines] == [
        ("a@example.org", "complaint"),
        (None, "hard bounce"),
    ]


@pytest.mark.parametrize("words", [["a"] * 500, ["x" * 10_000]])
def test_a_query_without_end_is_cut(sqlite_store: Store, words: list[str]) -> None:
    with sqlite_store.read() as tx:
        assert find_words(tx, words, Filters(), limit=5) == ()
