"""What may be picked, also in the past; and how a recorded day grew."""

from __future__ import annotations

from datetime import timedelta

from digest.model import Announce
from digest.papers import parse_key
from digest.store import Store, catalogue
from digest.store.items import merge_listing
from digest.store.schema import item
from tests.growth import read_snapshots
from tests.item_pieces import candidate_keys, series
from tests.store_pieces import DAY, HOUR, NOW, count, item_of, merge, paper

# What may be picked


def test_a_paper_that_was_only_ever_replaced_is_never_offered(store: Store) -> None:
    merge(store, paper(version=4, announce=Announce.REPLACE), source="ax", kind="arxiv")

    assert candidate_keys(store) == []

    merge(store, paper(votes=2), now=NOW + HOUR)
    assert candidate_keys(store) == ["arxiv:2603.00001"]


def test_a_new_version_does_not_make_an_old_paper_new(store: Store) -> None:
    merge(store, paper(votes=2), now=NOW - 60 * DAY)

    merge(store, paper(version=2, announce=Announce.REPLACE), source="ax", kind="arxiv")

    assert candidate_keys(store) == []
    assert item_of(store, "arxiv:2603.00001").version == 2


def test_a_paper_on_two_sections_of_a_feed_counts_as_new(store: Store) -> None:
    merge(
        store,
        paper(position=1, version=2, announce=Announce.REPLACE),
        paper(position=2, version=2, announce=Announce.CROSS),
        source="ax",
        kind="arxiv",
    )

    assert candidate_keys(store) == ["arxiv:2603.00001"]


def test_a_withdrawn_paper_is_not_offered(store: Store) -> None:
    merge(store, paper(version=1), source="ax", kind="arxiv")
    merge(
        store,
        paper(version=2, announce=Announce.REPLACE, withdrawn=True),
        source="ax",
        kind="arxiv",
        now=NOW + HOUR,
    )

    assert candidate_keys(store) == []


def test_only_what_came_onto_a_list_within_the_time_is_offered(store: Store) -> None:
    merge(store, paper("2603.00001"), now=NOW - timedelta(days=8))
    merge(store, paper("2603.00001"), paper("2603.00002"), now=NOW - 2 * DAY)

    assert candidate_keys(store, since=NOW - 7 * DAY, until=NOW) == ["arxiv:2603.00002"]


def test_an_old_paper_that_a_source_lists_anew_is_offered(store: Store) -> None:
    merge(store, paper(), source="ax", kind="arxiv", now=NOW - 30 * DAY)
    merge(store, paper(votes=40), source="hf")

    assert candidate_keys(store, until=NOW) == ["arxiv:2603.00001"]


def test_the_past_can_be_asked_again(store: Store) -> None:
    merge(store, paper("2603.00001", votes=3), now=NOW)
    with store.read() as tx:
        then = catalogue.candidates(tx, since=NOW - DAY, until=NOW)

    merge(store, paper("2603.00001", votes=50), paper("2603.00002", position=2), now=NOW + 5 * HOUR)
    merge(store, paper("2603.00001"), source="ax", kind="feed", now=NOW + 6 * HOUR)

    with store.read() as tx:
        again = catalogue.candidates(tx, since=NOW - DAY, until=NOW)
        later = catalogue.candidates(tx, since=NOW - DAY, until=NOW + 5 * HOUR)
    assert again == then
    assert [c.wording.key for c in later] == ["arxiv:2603.00001", "arxiv:2603.00002"]
    assert [c.votes for c in later[0].standings[0].counts] == [3, 50]


def test_what_is_asked_for_by_id_comes_whether_it_may_be_picked_or_not(store: Store) -> None:
    merge(store, paper(votes=1), now=NOW - 90 * DAY)
    wanted = item_of(store, "arxiv:2603.00001").id

    with store.read() as tx:
        (found,) = catalogue.candidates_by_id(tx, [wanted, wanted, 999], until=NOW)

    assert found.item_id == wanted
    assert found.standings[0].latest.votes == 1


def test_the_background_is_the_newest_of_the_archive_up_to_then(store: Store) -> None:
    for n in range(5):
        merge(store, paper(f"2603.0000{n}", title=f"T{n}"), now=NOW + n * HOUR)

    with store.read() as tx:
        texts = catalogue.background(tx, until=NOW + 3 * HOUR, limit=2)
        before = catalogue.archive_state(tx, until=NOW + 3 * HOUR)

    assert [title for title, _ in texts] == ["T3", "T2"]
    merge(store, paper("2603.00001", title="Another title"), now=NOW + 9 * HOUR)
    with store.read() as tx:
        assert catalogue.archive_state(tx, until=NOW + 3 * HOUR) != before


# Growth, on recordings


def test_recorded_snapshots_of_a_day_make_series_and_double_nothing(store: Store) -> None:
    told = read_snapshots("2025-01-08")
    for at, entries in told:
        with store.write() as tx:
            merge_listing(tx, entries, source="hf", kind="huggingface", now=at)

    ids = {e.arxiv_id for _, entries in told for e in entries}
    assert len(told) == 9
    assert count(store, item) == len(ids)
    for arxiv_id in ids:
        numbers = [
            (e.votes, e.comments) for _, entries in told for e in entries if e.arxiv_id == arxiv_id
        ]
        changes = [n for at, n in enumerate(numbers) if at == 0 or n != numbers[at - 1]]
        seen = series(store, f"arxiv:{arxiv_id}")
        assert [(votes, comments) for _, votes, comments in seen] == changes
    votes = [[e.votes or 0 for e in entries] for _, entries in told]
    assert sum(votes[-1]) > sum(votes[0]), "the recording is of a day that grew"


def test_late_additions_of_a_recorded_day_are_picked_up(store: Store) -> None:
    (early_at, early), (late_at, late) = read_snapshots("2025-01-22")

    first = merge(store, *early, now=early_at)
    second = merge(store, *late, now=late_at)

    assert (first.new, second.new, second.merged) == (1, 12, 1)
    assert sorted(candidate_keys(store, since=late_at - DAY, until=late_at)) == sorted(
        parse_key(entry.arxiv_id or "") for entry in late
    )
