"""What collecting remembers: who is due, what was read, what is usual, and each host's turn."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from digest.model import Reading, ReadingState
from digest.store import Store
from digest.store import collecting as memory
from digest.store.collecting import StoreGate, sync_sources
from digest.store.schema import source
from tests.store_pieces import DAY, HOUR, NOW, count

EVERY = {"hf": HOUR, "ax": HOUR}
LEASE = timedelta(minutes=20)


@pytest.fixture
def synced(store: Store) -> Store:
    sync_sources(store, {"hf": "huggingface", "ax": "arxiv"})
    return store


def due(store: Store, every: dict[str, timedelta] = EVERY, now: datetime = NOW) -> tuple[str, ...]:
    with store.read() as tx:
        return memory.due_sources(tx, every, now)


def finish(store: Store, name: str, **how: object) -> None:
    values: dict[str, object] = {"next_fetch_at": NOW + HOUR, "read_at": NOW, "error": None}
    with store.write() as tx:
        memory.finish_source(tx, name, **values | how)  # type: ignore[arg-type]


def note(store: Store, *, settled: bool = True, **told: object) -> None:
    values: dict[str, object] = {
        "source": "hf",
        "label": "2026-03-10",
        "url": "https://example.org",
        "read_at": NOW,
        "state": ReadingState.OK,
    }
    with store.write() as tx:
        memory.add_reading(tx, Reading(**values | told), settled=settled)  # type: ignore[arg-type]


# Who is due


def test_a_source_never_read_is_due_at_once(synced: Store) -> None:
    assert set(due(synced)) == {"hf", "ax"}


def test_a_source_is_due_when_its_time_has_come_the_longest_waiting_first(synced: Store) -> None:
    finish(synced, "hf", next_fetch_at=NOW + HOUR)
    finish(synced, "ax", next_fetch_at=NOW + HOUR / 2)

    assert due(synced, now=NOW + HOUR / 2 - timedelta(microseconds=1)) == ()
    assert due(synced, now=NOW + HOUR / 2) == ("ax",)
    assert due(synced, now=NOW + HOUR) == ("ax", "hf")


def test_a_clock_set_back_does_not_silence_a_source(synced: Store) -> None:
    finish(synced, "hf", next_fetch_at=NOW + 300 * DAY)
    finish(synced, "ax", next_fetch_at=NOW + 20 * HOUR)

    assert due(synced) == ("hf",), "a server may send us away for a day, never for 300"


def test_a_source_that_only_another_process_knows_is_not_ours(synced: Store) -> None:
    """An operator adds a source and reads it by hand while the daemon runs on."""
    sync_sources(synced, {"hf": "huggingface", "ax": "arxiv", "new": "feed"})
    finish(synced, "new", next_fetch_at=NOW + 300 * DAY)

    assert set(due(synced)) == {"hf", "ax"}


def test_a_process_with_fewer_sources_takes_none_away_from_others(synced: Store) -> None:
    sync_sources(synced, {})
    sync_sources(synced, {"hf": "huggingface"})

    assert set(due(synced)) == {"hf", "ax"}


def test_a_source_keeps_its_times_when_the_program_starts_again(synced: Store) -> None:
    finish(synced, "hf")

    sync_sources(synced, {"hf": "huggingface", "ax": "arxiv"})

    assert due(synced) == ("ax",)


def test_the_kind_of_a_source_follows_the_settings(synced: Store) -> None:
    sync_sources(synced, {"hf": "page", "ax": "arxiv"})

    with synced.read() as tx:
        assert [s.kind for s in memory.source_states(tx, ["hf", "ax"])] == ["page", "arxiv"]
    assert count(synced, source) == 2


def test_two_processes_may_start_on_a_new_database_at_once(postgres_store: Store) -> None:
    kinds = {f"s{n}": "feed" for n in range(20)}
    errors: list[BaseException] = []
    ready = threading.Barrier(3)

    def start() -> None:
        try:
            ready.wait(10)
            sync_sources(postgres_store, kinds)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert count(postgres_store, source) == 20


# Taking and giving back


def claim(store: Store, owner: str, lease: timedelta = LEASE) -> bool:
    with store.write() as tx:
        return memory.claim_source(tx, "hf", owner=owner, lease=lease)


def test_a_source_is_read_by_one_process_at_a_time(synced: Store) -> None:
    assert claim(synced, "one")
    assert not claim(synced, "two")

    finish(synced, "hf")

    assert claim(synced, "two")


def test_a_source_whose_reader_died_is_free_when_its_lease_ends(synced: Store) -> None:
    assert claim(synced, "one", lease=timedelta(seconds=-1))
    assert claim(synced, "two")


def test_failures_are_counted_until_one_pass_reads_well(synced: Store) -> None:
    for _ in range(2):
        finish(synced, "hf", read_at=None, error="503")
    with synced.read() as tx:
        (failing,) = memory.source_states(tx, ["hf"])

    finish(synced, "hf")

    with synced.read() as tx:
        (well,) = memory.source_states(tx, ["hf"])
    assert (failing.failures, failing.last_error, failing.last_read_at) == (2, "503", None)
    assert (well.failures, well.last_error, well.last_read_at) == (0, None, NOW)


# What was read


def test_what_was_read_well_is_remembered_by_label(synced: Store) -> None:
    note(synced, label="2026-03-10", read_at=NOW)
    note(synced, label="2026-03-10", read_at=NOW + HOUR, state=ReadingState.UNCHANGED)
    note(synced, label="2026-03-10", read_at=NOW + 2 * HOUR, state=ReadingState.FAILED)
    note(synced, label="2026-03-09", read_at=NOW - 50 * DAY)
    note(synced, label="cs.CL", source="ax")

    with synced.read() as tx:
        assert memory.memory(tx, "hf", since=NOW - DAY) == {"2026-03-10": NOW + HOUR}


def test_the_usual_length_is_the_median_of_settled_days(synced: Store) -> None:
    for day, entries in enumerate((20, 22, 0, 21, 300), 1):
        note(synced, label=f"2026-03-0{day}", entries=entries, read_at=NOW + day * DAY)
    note(synced, label="2026-03-06", entries=1, settled=False, read_at=NOW + 6 * DAY)

    with synced.read() as tx:
        assert memory.usual_length(tx, "hf") == 21


def test_a_day_read_several_times_counts_once_with_its_last_length(synced: Store) -> None:
    for hours, entries in enumerate((5, 6, 7, 20)):
        note(synced, label="2026-03-08", entries=entries, read_at=NOW + hours * HOUR)
    note(synced, label="2026-03-09", entries=30, read_at=NOW + DAY)

    with synced.read() as tx:
        assert memory.usual_length(tx, "hf") is None, "two days are too few to say"
    note(synced, label="2026-03-10", entries=40, read_at=NOW + 2 * DAY)
    with synced.read() as tx:
        assert memory.usual_length(tx, "hf") == 30


def test_a_feed_has_one_label_and_each_reading_of_it_counts(synced: Store) -> None:
    for hours, entries in enumerate((10, 12, 14)):
        note(synced, source="ax", label="ax", entries=entries, read_at=NOW + hours * HOUR)

    with synced.read() as tx:
        assert memory.usual_length(tx, "ax") == 12


def test_empty_lists_are_counted_back_to_the_last_one_with_entries(synced: Store) -> None:
    for day, entries in enumerate((0, 20, 0, 0), 1):
        note(synced, label=f"2026-03-0{day}", entries=entries, read_at=NOW + day * DAY)
    note(synced, label="2026-03-05", settled=False, read_at=NOW + 5 * DAY)
    note(synced, label="2026-03-06", state=ReadingState.FAILED, read_at=NOW + 6 * DAY)
    for hours in (0, 1):
        note(synced, label="2026-03-07", read_at=NOW + 7 * DAY + hours * HOUR)

    with synced.read() as tx:
        assert memory.count_empty(tx, "hf", before="2026-03-07") == 2
        assert memory.count_empty(tx, "hf", before="2026-03-08") == 3
        assert memory.count_empty(tx, "ax", before="2026-03-08") == 0


def test_a_day_of_a_source_adds_its_readings_up(synced: Store) -> None:
    note(synced, entries=20, new=15, merged=4, broken=1, error="1 entry of 20 could not be read")
    note(synced, label="2026-03-11", entries=3, new=3, read_at=NOW + HOUR)
    note(synced, label="2026-03-11", read_at=NOW + DAY, entries=99)

    with synced.read() as tx:
        days = memory.source_days(tx, ["hf", "quiet"], NOW - HOUR, NOW + 2 * HOUR)

    hf, quiet = days
    assert (hf.read, hf.new, hf.merged, hf.broken) == (23, 18, 4, 1)
    assert hf.error == "2026-03-10: 1 entry of 20 could not be read"
    assert (quiet.name, quiet.read, quiet.error) == ("quiet", 0, None)


def test_the_last_reading_of_a_source_is_shown(synced: Store) -> None:
    note(synced, entries=5)
    note(synced, entries=7, label="2026-03-11", state=ReadingState.SHORT, error="short")

    with synced.read() as tx:
        hf, ax = memory.source_states(tx, ["hf", "ax"])

    assert hf.last_reading is not None
    assert (hf.last_reading.entries, hf.last_reading.state) == (7, ReadingState.SHORT)
    assert ax.last_reading is None


# Validators


def test_validators_are_kept_replaced_and_forgotten(store: Store) -> None:
    url = "https://example.org/feed"

    def put(etag: str | None, modified: str | None) -> tuple[str | None, str | None] | None:
        with store.write() as tx:
            memory.put_validator(tx, url, etag=etag, last_modified=modified)
        with store.read() as tx:
            row = memory.get_validator(tx, url)
        return (row.etag, row.last_modified) if row else None

    assert put('"a"', None) == ('"a"', None)
    assert put(None, "Wed, 11 Mar 2026 07:00:00 GMT") == (None, "Wed, 11 Mar 2026 07:00:00 GMT")
    assert put(None, None) is None
    assert put(None, None) is None


# Each host's turn


def test_turns_at_a_host_follow_each_other_at_its_pause(store: Store) -> None:
    gate = StoreGate(store)

    assert [gate.wait_s("arxiv.org", 3.0, NOW) for _ in range(3)] == [0.0, 3.0, 6.0]
    assert gate.wait_s("huggingface.co", 0.25, NOW) == 0.0
    assert gate.wait_s("arxiv.org", 3.0, NOW + timedelta(seconds=60)) == 0.0


def test_a_host_that_asked_for_peace_is_left_in_peace_by_all(store: Store) -> None:
    gate = StoreGate(store)
    gate.wait_s("arxiv.org", 3.0, NOW)
    gate.hold("arxiv.org", NOW + timedelta(minutes=2))
    gate.hold("arxiv.org", NOW + timedelta(minutes=1))

    assert StoreGate(store).wait_s("arxiv.org", 3.0, NOW) == 120.0
    assert StoreGate(store).wait_s("arxiv.org", 3.0, NOW) == 123.0


def test_a_host_may_be_held_before_it_was_ever_asked(store: Store) -> None:
    gate = StoreGate(store)
    gate.hold("new.example", NOW + timedelta(seconds=30))

    assert gate.wait_s("new.example", 0.0, NOW) == 30.0
    assert gate.wait_s("new.example", 0.0, NOW + timedelta(seconds=31)) == 0.0


def test_a_clock_set_back_does_not_make_us_wait_for_the_old_time(store: Store) -> None:
    gate = StoreGate(store)
    gate.wait_s("arxiv.org", 3.0, NOW + 10 * DAY)
    gate.hold("arxiv.org", NOW + 10 * DAY)

    assert gate.wait_s("arxiv.org", 3.0, NOW) <= 30.0


def test_processes_that_meet_at_a_new_host_get_different_turns(postgres_store: Store) -> None:
    turns: list[float] = []
    ready = threading.Barrier(4)

    def ask() -> None:
        ready.wait(10)
        turns.append(StoreGate(postgres_store).wait_s("arxiv.org", 3.0, NOW))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(turns) == [0.0, 3.0, 6.0, 9.0]
