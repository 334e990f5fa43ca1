"""Items in the database: nothing doubled, nothing lost, whatever the sources tell and when."""

from __future__ import annotations

from digest.model import Announce, Item
from digest.store import Store, catalogue
from digest.store.items import Merged, find_item, items_by_key
from digest.store.schema import item, sighting
from tests.item_pieces import by_doi, series
from tests.store_pieces import DAY, HOUR, NOW, count, item_of, merge, paper

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
