"""Items in the database: nothing doubled, nothing lost, whatever the sources tell and in what order."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from sqlalchemy import select

from digest.model import Announce, Item, PaperData
from digest.papers import parse_key
from digest.store import Store, catalogue, editions
from digest.store.editions import load_editions, seen_items
from digest.store.items import Merged, find_item, items_by_key, merge_listing
from digest.store.schema import item, item_key, pick, sighting, standing
from tests.edition_pieces import edition_of
from tests.growth import read_snapshots
from tests.store_pieces import DAY, HOUR, NOW, add_person, count, item_of, merge, paper


def series(store: Store, key: str) -> list[tuple[str, int | None, int | None]]:
    """What was seen of an item, oldest first: source, votes, comments."""
    found = item_of(store, key)
    with store.read() as tx:
        rows = tx.execute(
            select(sighting).where(sighting.c.item_id == found.id).order_by(sighting.c.seen_at)
        )
        return [(row.source, row.votes, row.comments) for row in rows]


def candidate_keys(
    store: Store, *, since: datetime = NOW - DAY, until: datetime = NOW + DAY
) -> list[str]:
    with store.read() as tx:
        return [c.wording.key for c in catalogue.candidates(tx, since=since, until=until)]


def by_doi(doi: str = "10.5555/abc", **told: object) -> PaperData:
    return paper(None, doi=doi, url=f"https://doi.org/{doi}", **told)


# One listing after the other


def test_a_new_paper_becomes_an_item_with_a_sighting(store: Store) -> None:
    merged = merge(store, paper(votes=3, comments=1))

    assert merged == Merged(new=1, merged=0)
    assert item_of(store, "arxiv:2603.00001").title == "Paper 2603.00001"
    assert series(store, "arxiv:2603.00001") == [("hf", 3, 1)]


def test_every_field_of_an_item_is_kept(store: Store) -> None:
    entry = paper(
        version=2,
        doi="10.5555/abc",
        categories=("cs.CL", "cs.AI"),
        authors=("Ann Example", "Søren Æ", "李"),
        published_at=NOW - DAY,
        pdf_url="https://arxiv.org/pdf/2603.00001",
        code_url="https://github.com/a/b",
        project_url="https://example.org/p",
        discussion_url="https://huggingface.co/papers/2603.00001",
        organization="Example Lab",
        abstract="A $\\textsc{x}$ and <think> “quoted” — 🙂",
    )

    merge(store, entry)

    found = item_of(store, "arxiv:2603.00001")
    assert found == Item(
        id=found.id,
        key="arxiv:2603.00001",
        title=entry.title,
        abstract=entry.abstract,
        url=entry.url,
        authors=entry.authors,
        categories=entry.categories,
        arxiv_id="2603.00001",
        version=2,
        doi="10.5555/abc",
        organization="Example Lab",
        published_at=NOW - DAY,
        pdf_url=entry.pdf_url,
        code_url=entry.code_url,
        project_url=entry.project_url,
        discussion_url=entry.discussion_url,
        told_by="huggingface",
    )


def test_the_same_listing_again_changes_nothing(store: Store) -> None:
    merge(store, paper(votes=3), paper("2603.00002", position=2, votes=1))

    merged = merge(store, paper(votes=3), paper("2603.00002", position=2, votes=1), now=NOW + HOUR)

    assert merged == Merged(new=0, merged=2)
    assert count(store, item) == 2
    assert count(store, sighting) == 2


def test_votes_that_move_make_a_series(store: Store) -> None:
    for hours, votes in ((0, 1), (1, 5), (2, 5), (3, 9)):
        merge(store, paper(votes=votes), now=NOW + hours * HOUR)

    assert series(store, "arxiv:2603.00001") == [("hf", 1, None), ("hf", 5, None), ("hf", 9, None)]


def test_a_number_that_a_source_leaves_out_once_is_not_forgotten(store: Store) -> None:
    merge(store, paper(votes=5, comments=2))
    merge(store, paper(votes=None, comments=3), now=NOW + HOUR)

    assert series(store, "arxiv:2603.00001") == [("hf", 5, 2), ("hf", 5, 3)]


def test_votes_may_fall(store: Store) -> None:
    merge(store, paper(votes=5))
    merge(store, paper(votes=4), now=NOW + HOUR)

    assert [votes for _, votes, _ in series(store, "arxiv:2603.00001")] == [5, 4]


def test_two_lists_read_in_one_pass_may_hold_the_same_paper(store: Store) -> None:
    """Hugging Face re-lists a paper days later; both days are read at one `now`."""
    merge(store, paper(votes=29))
    merge(store, paper(votes=82, position=7))

    assert series(store, "arxiv:2603.00001") == [("hf", 82, None)]


def test_several_sources_tell_of_one_item(store: Store) -> None:
    merge(store, paper(votes=3))
    merge(store, paper(title="As on arXiv", version=1), source="ax", kind="arxiv")

    found = item_of(store, "arxiv:2603.00001")
    assert (found.title, found.told_by, found.version) == ("As on arXiv", "arxiv", 1)
    assert count(store, item) == 1
    with store.read() as tx:
        (candidate,) = catalogue.candidates(tx, since=NOW - DAY, until=NOW)
    assert [s.source for s in candidate.standings] == ["ax", "hf"]


def test_a_better_key_learnt_later_becomes_the_key_and_the_old_one_still_finds_it(
    store: Store,
) -> None:
    merge(store, by_doi(), source="feed", kind="feed")
    merge(store, paper(doi="10.5555/abc"))

    for key in ("arxiv:2603.00001", "doi:10.5555/abc"):
        assert item_of(store, key).key == "arxiv:2603.00001"
    assert count(store, item) == 1


def test_items_are_found_under_every_key_at_once(store: Store) -> None:
    merge(store, paper(doi="10.5555/abc"))

    with store.read() as tx:
        found = items_by_key(tx, ["doi:10.5555/abc", "arxiv:2603.00001", "arxiv:9999.99999"])

    assert set(found) == {"doi:10.5555/abc", "arxiv:2603.00001"}
    assert len({f.id for f in found.values()}) == 1


def test_an_unknown_key_finds_nothing(store: Store) -> None:
    with store.read() as tx:
        assert find_item(tx, "arxiv:0000.00000") is None


def test_a_listing_of_nothing_is_fine(store: Store) -> None:
    assert merge(store) == Merged(new=0, merged=0)


def test_more_entries_than_a_statement_takes_parameters_are_merged(store: Store) -> None:
    entries = [paper(f"2603.{n:05}", position=n, votes=n) for n in range(1, 2_001)]

    assert merge(store, *entries) == Merged(new=2_000, merged=0)
    assert merge(store, *entries, now=NOW + HOUR) == Merged(new=0, merged=2_000)
    assert count(store, item) == 2_000


# The same paper several times in one listing


def test_a_paper_that_stands_twice_in_a_listing_is_one_item(store: Store) -> None:
    """arXiv repeats a cross-list under every category that is asked for."""
    merged = merge(
        store,
        paper(position=1, categories=("cs.CL",), votes=2),
        paper(position=9, categories=("cs.LG",), announce=Announce.CROSS),
        source="ax",
        kind="arxiv",
    )

    assert merged == Merged(new=1, merged=0)
    assert item_of(store, "arxiv:2603.00001").categories == ("cs.CL", "cs.LG")
    assert count(store, sighting) == 1


def test_a_known_paper_that_stands_twice_in_a_listing_is_merged_once(store: Store) -> None:
    merge(store, paper())

    merged = merge(store, paper(position=1), paper(position=2, doi="10.5555/abc"), now=NOW + HOUR)

    assert merged == Merged(new=0, merged=1)
    assert item_of(store, "doi:10.5555/abc").id == item_of(store, "arxiv:2603.00001").id


def test_three_spellings_in_one_listing_are_one_new_item(store: Store) -> None:
    """The third entry shows that the first two are the same."""
    merged = merge(
        store, paper(position=1), by_doi(position=2), paper(position=3, doi="10.5555/abc")
    )

    assert merged == Merged(new=1, merged=0)
    assert item_of(store, "doi:10.5555/abc").key == "arxiv:2603.00001"


def test_a_new_spelling_that_a_known_item_explains_is_that_item(store: Store) -> None:
    merge(store, paper())

    merged = merge(store, by_doi(position=1), paper(position=2, doi="10.5555/abc"), now=NOW + HOUR)

    assert merged == Merged(new=0, merged=1)
    assert item_of(store, "doi:10.5555/abc").key == "arxiv:2603.00001"


def test_a_listing_may_hold_both_items_and_the_entry_that_unites_them(store: Store) -> None:
    merge(store, paper())
    merge(store, by_doi(), source="feed", kind="feed")

    merged = merge(
        store,
        by_doi(position=1, votes=4),
        paper(position=2, votes=6),
        paper(position=3, doi="10.5555/abc"),
        now=NOW + HOUR,
    )

    assert merged == Merged(new=0, merged=1)
    assert count(store, item) == 1
    assert item_of(store, "doi:10.5555/abc").key == "arxiv:2603.00001"


# Two items found to be one


def test_two_items_that_turn_out_to_be_one_keep_all_that_hung_on_them(store: Store) -> None:
    merge(store, paper(votes=3), now=NOW)
    merge(store, by_doi(votes=9), source="feed", kind="feed", now=NOW - HOUR)
    first = item_of(store, "arxiv:2603.00001").id

    merge(store, paper(doi="10.5555/abc", votes=4), now=NOW + HOUR)

    found = item_of(store, "doi:10.5555/abc")
    assert (found.id, found.key) == (first, "arxiv:2603.00001")
    assert count(store, item) == 1
    assert series(store, found.key) == [("feed", 9, None), ("hf", 3, None), ("hf", 4, None)]
    with store.read() as tx:
        (candidate,) = catalogue.candidates(tx, since=NOW - DAY, until=NOW + DAY)
        keys = set(tx.execute(select(item_key.c.key)).scalars())
    assert candidate.first_seen_at == NOW - HOUR
    assert keys == {"arxiv:2603.00001", "doi:10.5555/abc"}


def test_one_source_that_listed_both_has_listed_one_since_the_earlier(store: Store) -> None:
    merge(store, by_doi(votes=9, listed_at=NOW - HOUR), now=NOW)
    merge(store, paper(votes=3), now=NOW + HOUR)

    merge(store, paper(doi="10.5555/abc", votes=10), source="ax", kind="arxiv", now=NOW + 2 * HOUR)

    with store.read() as tx:
        rows = tx.execute(select(standing).where(standing.c.source == "hf")).all()
    (stands,) = rows
    assert (stands.first_seen_at, stands.last_seen_at) == (NOW, NOW + HOUR)
    assert stands.listed_at == NOW - HOUR
    assert stands.votes == 3


def send_pick(store: Store, subscriber_id: int, key: str, on_day: int) -> int:
    """Store an edition of one pick, as the edition stage does; returns the item's id."""
    found = item_of(store, key)
    made = edition_of(subscriber_id, found, due_at=NOW + on_day * DAY)
    with store.write() as tx:
        editions.add_editions(tx, [made])
    return found.id


def test_who_got_one_of_two_that_are_one_got_that_one(store: Store) -> None:
    ann, ben, cem = (add_person(store, f"{name}@example.org") for name in ("ann", "ben", "cem"))
    merge(store, paper())
    merge(store, by_doi(), source="feed", kind="feed")
    winner = send_pick(store, ann, "arxiv:2603.00001", 0)
    send_pick(store, ben, "doi:10.5555/abc", 0)
    send_pick(store, cem, "arxiv:2603.00001", 0)
    send_pick(store, cem, "doi:10.5555/abc", 1)

    merge(store, paper(doi="10.5555/abc"), now=NOW + HOUR)

    with store.read() as tx:
        seen = seen_items(tx, [ann, ben, cem])
        told = load_editions(tx, [1, 2, 3, 4])
    assert seen == {ann: {winner}, ben: {winner}, cem: {winner}}
    assert count(store, pick) == 4
    # what was told then is told the same when the mail is looked at again
    assert [e.entries[0].wording.key for e in told.values()] == [
        "arxiv:2603.00001",
        "doi:10.5555/abc",
        "arxiv:2603.00001",
        "doi:10.5555/abc",
    ]


def test_three_items_may_turn_out_to_be_one(store: Store) -> None:
    merge(store, paper())
    merge(store, by_doi(), source="a", kind="feed")
    merge(store, by_doi("10.5555/xyz"), source="b", kind="feed")

    merge(store, paper(doi="10.5555/abc"))
    assert count(store, item) == 2
    merge(store, paper(doi="10.5555/xyz"), now=NOW + HOUR)

    assert count(store, item) == 1
    keys = ("arxiv:2603.00001", "doi:10.5555/abc", "doi:10.5555/xyz")
    assert len({item_of(store, key).id for key in keys}) == 1


def test_two_processes_that_find_the_same_paper_at_once_add_it_once(postgres_store: Store) -> None:
    merged: list[Merged] = []
    started = threading.Barrier(2)

    def collect(source: str, offset: int) -> None:
        entries = [paper(f"2603.{(n + offset) % 50:05}", position=n + 1) for n in range(50)]
        started.wait(10)
        merged.append(merge(postgres_store, *entries, source=source))

    threads = [threading.Thread(target=collect, args=(f"s{n}", n * 25)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(m.new for m in merged) == [0, 50]
    assert count(postgres_store, item) == 50


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
