"""Searching by meaning: other words for the same thing, over the whole archive, within filters."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.embed import Meaning
from digest.find import Finder, Found
from digest.rank import Ranker
from digest.store import Store
from digest.store.schema import embedding
from digest.store.searching import Filters
from tests.model_files import WORDS, write_onnx
from tests.store_pieces import HOUR, NOW, count, item_of, merge, paper

pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")

#: robot, android and gripper mean nearly the same; their words share nothing
MEANT = dict(WORDS) | {"android": (0, 0, 4, 0.5), "tokens": (3, 1, 0, 0)}
TITLES = ("Sparse attention", "Android arm", "Gripper", "Video pixels", "Robot", "Video")


@pytest.fixture
def meaning(store: Store, tmp_path: Path) -> Meaning:
    for n, title in enumerate(TITLES):
        entry = paper(f"2603.{n:05}", title=title, abstract="")
        merge(store, entry, now=NOW + n * HOUR, source="hf" if n % 2 else "arxiv")
    folder = write_onnx(tmp_path / "model", MEANT)
    return Meaning(store, setting=str(folder), models=Path("none"), now=lambda: NOW)


@pytest.fixture
def finder(store: Store, meaning: Meaning) -> Iterator[Finder]:
    meaning.catch_up(None)
    ranker = Ranker.lexical([])
    return Finder(store, lambda now: ranker, meaning.vectors)


def search(finder: Finder, query: str, filters: Filters | None = None, limit: int = 9) -> Found:
    return finder.search(query, filters or Filters(), now=NOW, limit=limit, meaning=limit)


def meant(found: Found) -> list[str]:
    return [item.title for item in found.by_meaning]


def test_other_words_for_the_same_are_found(finder: Finder) -> None:
    found = search(finder, "robot")

    assert [item.title for item in found.by_words] == ["Robot"]
    assert sorted(meant(found)) == ["Android arm", "Gripper"]


def test_a_query_whose_words_nobody_wrote_still_means_something(finder: Finder) -> None:
    found = search(finder, "tokens")

    assert found.by_words == ()
    assert meant(found) == ["Sparse attention"]


@pytest.mark.parametrize("query", ["", "   ", "quux", "🙂", '"', "robot " * 500])
def test_whatever_is_typed_is_answered(finder: Finder, query: str) -> None:
    found = search(finder, query)

    assert not {i.id for i in found.by_meaning} & {i.id for i in found.by_words}
    if not query.strip() or query == "quux":
        assert found.by_meaning == ()


def test_what_is_searched_is_not_kept(store: Store, finder: Finder) -> None:
    search(finder, "robot gripper")

    assert count(store, embedding) == len(TITLES)


def test_filters_hold_for_what_is_meant_too(finder: Finder) -> None:
    assert meant(search(finder, "robot", Filters(source="hf"))) == ["Android arm"]
    assert meant(search(finder, "robot", Filters(since=NOW + 2 * HOUR))) == ["Gripper"]
    assert meant(search(finder, "robot", Filters(until=NOW + 2 * HOUR))) == ["Android arm"]
    assert meant(search(finder, "robot", Filters(phrases=("gripper", "video")))) == ["Gripper"]
    assert meant(search(finder, "robot", Filters(source="nowhere"))) == []


def test_similar_papers_mean_the_same(store: Store, finder: Finder) -> None:
    robot = item_of(store, "arxiv:2603.00004")

    alike = finder.similar(robot, now=NOW)

    assert sorted(item.title for item in alike) == ["Android arm", "Gripper"]


def test_no_more_are_found_than_asked_for(finder: Finder) -> None:
    assert len(meant(search(finder, "robot", limit=1))) == 1


def test_new_papers_are_found_as_soon_as_they_have_vectors(
    store: Store, finder: Finder, meaning: Meaning
) -> None:
    search(finder, "robot")

    merge(store, paper("2603.00099", title="Another gripper", abstract=""), now=NOW + 9 * HOUR)
    meaning.catch_up(None)

    assert "Another gripper" in meant(search(finder, "robot"))


def test_without_vectors_words_alone_are_compared(store: Store, meaning: Meaning) -> None:
    ranker = Ranker.lexical([])
    finder = Finder(store, lambda now: ranker, meaning.vectors)

    assert [item.title for item in search(finder, "robot").by_words] == ["Robot"]
    assert meant(search(finder, "gripper")) == []
