"""Searching: whatever is typed is taken as words, and both databases find the same.

But for what only PostgreSQL knows: words that English leaves out, and what looks like a tag.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.find import Finder
from digest.rank import Ranker, RankSettings
from digest.store import Store
from digest.store.items import items_by_key
from digest.store.searching import Filters, find_any, find_words
from tests.store_pieces import HOUR, NOW, merge, paper

PAPERS = {
    "2603.00001": (
        "Sparse attention that trains",
        "It attends to few tokens.",
        ("Bernhard Schölkopf",),
    ),
    "2603.00002": ("A survey of vision", "Images and attention, e.g. self-attention.", ("李 明",)),
    "2603.00003": (
        "Don't look: $\\alpha$-divergence",
        "100% of C++ & R&D, <think> x_1 </think>.",
        (),
    ),
    "2603.00004": ("Or and not", "Nothing near.", ("Ann O'Neil",)),
}


@pytest.fixture
def archive(store: Store) -> Store:
    for n, (arxiv_id, (title, abstract, authors)) in enumerate(PAPERS.items()):
        entry = paper(arxiv_id, title=title, abstract=abstract, authors=authors)
        merge(store, entry, now=NOW + n * HOUR)
    return store


def found(store: Store, query: str, filters: Filters | None = None, limit: int = 10) -> set[str]:
    with store.read() as tx:
        ids = find_words(tx, query.split(), filters or Filters(), limit=limit)
        keys = items_by_key(tx, [f"arxiv:{arxiv_id}" for arxiv_id in PAPERS])
    return {key.removeprefix("arxiv:")[-1] for key, item in keys.items() if item.id in ids}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("attention", "12"),
        ("sparse attention", "1"),
        ("attention sparse", "1"),
        ("ATTENTION", "12"),
        ("attends", "1"),
        ("image", "2"),
        ("schölkopf", "1"),
        ("李", "2"),
        ("o'neil", "4"),
        ("divergence", "3"),
        ("self-attention", "2"),
        ("nowhere", ""),
        # nothing of it is syntax
        ("attention -sparse", "1"),
        ("sparse OR survey", ""),
        ('"sparse" "attention"', "1"),
        ('"attention sparse"', "1"),
        ("sparse*", "1"),
        ("spar*", ""),
        ("title:sparse", ""),
        ("(sparse", "1"),
        ("sparse)", "1"),
        ("sparse & attention", "1"),
        ("sparse | vision", ""),
        ("!attention", "12"),
        ("^sparse", "1"),
        ("' OR 1=1 --", ""),
        # nothing that could be a word
        ("", ""),
        ("   ", ""),
        ("!!! --- ***", ""),
        ('"', ""),
        ("\\", ""),
        ("%", ""),
    ],
)
def test_what_is_typed_is_words_and_all_of_them_must_be_there(
    archive: Store, query: str, expected: str
) -> None:
    assert found(archive, query) == set(expected)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.text(max_size=40) | st.sampled_from(["a" * 5000, "x " * 2000, "\ud800", "\x00", '"' * 99])
)
def test_whatever_is_typed_is_answered(archive: Store, query: str) -> None:
    ranker = Ranker.lexical([], RankSettings())

    hits = Finder(archive, lambda now: ranker).search(query, Filters(), now=NOW, limit=5)

    assert len(hits.by_words) <= 5


def test_titles_count_for_more_than_abstracts(archive: Store) -> None:
    with archive.read() as tx:
        first, second = find_words(tx, ["attention"], Filters(), limit=5)

    assert (first, second) == (1, 2)


def test_no_more_are_found_than_asked_for(archive: Store) -> None:
    assert len(found(archive, "attention", limit=1)) == 1


def test_what_was_renamed_is_found_by_its_new_name_only(archive: Store) -> None:
    merge(archive, paper("2603.00001", title="Dense", abstract="All."), now=NOW + 9 * HOUR)

    assert found(archive, "sparse") == set()
    assert found(archive, "dense") == {"1"}


def test_a_search_can_be_limited_to_a_time_a_source_and_a_topic(archive: Store) -> None:
    assert found(archive, "attention", Filters(since=NOW + HOUR)) == {"2"}
    assert found(archive, "attention", Filters(until=NOW + HOUR)) == {"1"}
    assert found(archive, "attention", Filters(source="hf")) == {"1", "2"}
    assert found(archive, "attention", Filters(source="elsewhere")) == set()
    assert found(archive, "attention", Filters(phrases=("vision", "robots"))) == {"2"}


def test_some_of_the_words_are_enough_when_that_is_asked(archive: Store) -> None:
    with archive.read() as tx:
        ids = find_any(tx, ["sparse", "vision", "nowhere"], Filters(), limit=5)

    assert set(ids) == {1, 2}


def test_an_empty_archive_finds_nothing(store: Store) -> None:
    assert found(store, "attention") == set()
    assert found(store, "attention", Filters(since=NOW)) == set()
