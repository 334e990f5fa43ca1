"""The archive as one matrix: it finds what is nearest, grows, and follows what changes."""

from __future__ import annotations

import numpy as np
import pytest

from digest.embed.atlas import Atlas
from digest.embed.model import Floats
from digest.embed.vectors import Vectors
from digest.store import Store
from tests.store_pieces import DAY, HOUR, NOW, merge, paper
from tests.test_embed_vectors import CountingModel

SUBJECTS = ("aaaa", "bbbb", "cccc")


def fill(store: Store, *titles: str, start: int = 0, hours: int = 0) -> None:
    for n, title in enumerate(titles, start):
        now = NOW + (n + hours) * HOUR
        merge(store, paper(f"2603.{n:05}", title=title, abstract=""), now=now)


@pytest.fixture
def vectors(store: Store) -> Vectors:
    return Vectors(store, CountingModel(), lambda: NOW)


def embed_all(vectors: Vectors, *titles: str) -> None:
    vectors.embed([(title, "") for title in titles])


def near(atlas: Atlas, query: str, **how: object) -> list[int]:
    toward = atlas.vectors.embed_query(query)
    return [i for i, _ in atlas.nearest(toward, **({"limit": 9} | how))]  # type: ignore[arg-type]


def test_the_nearest_come_first_and_equal_ones_by_id(store: Store, vectors: Vectors) -> None:
    fill(store, "aab", "bbb", "aaa", "bbb")
    embed_all(vectors, "aab", "bbb", "aaa")
    atlas = Atlas(store, vectors)
    atlas.refresh()

    assert near(atlas, "aaa")[:2] == [3, 1]
    assert near(atlas, "bbb")[:2] == [2, 4]
    assert near(atlas, "aaa", limit=1) == [3]
    assert near(atlas, "aaa", but={3}) == [1, 2, 4]


def test_likeness_is_the_cosine_about_the_middle(sqlite_store: Store) -> None:
    rng = np.random.default_rng(5)
    titles = ["".join(rng.choice(list("abcdefgh"), 12)) for _ in range(700)]
    vectors = Vectors(sqlite_store, CountingModel(), lambda: NOW)
    with sqlite_store.write() as tx:
        from digest.store.items import merge_listing

        entries = [paper(f"2603.{n:05}", title=t, abstract="") for n, t in enumerate(titles)]
        merge_listing(tx, entries, source="s", kind="feed", now=NOW)
    rows: Floats = vectors.embed([(title, "") for title in titles])
    atlas = Atlas(sqlite_store, vectors)
    atlas.refresh()
    query = vectors.embed_query("abcabc")

    found = atlas.nearest(query, limit=700)

    middle = rows.sum(axis=0) / (len(rows) + 20)
    away, toward = rows - middle, query - middle
    cosine = away @ toward / np.linalg.norm(away, axis=1) / np.linalg.norm(toward)
    assert len(found) == 700
    for item_id, likeness in found:
        assert likeness == pytest.approx(cosine[item_id - 1], abs=2e-3)
    assert [likeness for _, likeness in found] == sorted((x for _, x in found), reverse=True)


def test_what_comes_later_and_what_changes_is_taken_up(store: Store, vectors: Vectors) -> None:
    fill(store, "aaa", "bbb")
    embed_all(vectors, "aaa", "bbb", "ccc", "ddd")
    atlas = Atlas(store, vectors)
    atlas.refresh()

    fill(store, "ccc", start=2)
    merge(store, paper("2603.00000", title="ddd", abstract=""), now=NOW + DAY)
    atlas.refresh()

    assert len(atlas) == 3
    assert near(atlas, "ccc")[0] == 3
    assert near(atlas, "ddd")[0] == 1


def test_what_got_its_vector_late_is_taken_up(store: Store, vectors: Vectors) -> None:
    fill(store, "aaa", "bbb")
    fill(store, "ccc", start=2, hours=200)
    embed_all(vectors, "ccc")
    atlas = Atlas(store, vectors)
    atlas.refresh()
    assert len(atlas) == 1

    embed_all(vectors, "aaa", "bbb")
    atlas.refresh()

    assert near(atlas, "aaa")[0] == 1


def test_an_empty_archive_has_nothing_near(store: Store, vectors: Vectors) -> None:
    atlas = Atlas(store, vectors)
    atlas.refresh()

    assert (len(atlas), near(atlas, "aaa")) == (0, [])


def test_what_says_nothing_is_near_nothing(store: Store, vectors: Vectors) -> None:
    fill(store, "aaa", "broken")
    embed_all(vectors, "aaa", "broken")
    atlas = Atlas(store, vectors)
    atlas.refresh()

    assert near(atlas, "aaa") == [1]
    assert near(atlas, "") == []


def test_what_says_nothing_may_come_alone(store: Store, vectors: Vectors) -> None:
    fill(store, "aaa", "bbb")
    embed_all(vectors, "aaa", "bbb", "broken")
    atlas = Atlas(store, vectors)
    atlas.refresh()

    fill(store, "broken", start=2)
    atlas.refresh()

    assert near(atlas, "aaa") == [1, 2]


def test_vectors_of_another_model_are_not_seen(store: Store, vectors: Vectors) -> None:
    fill(store, "aaa")
    embed_all(vectors, "aaa")
    other = Atlas(store, Vectors(store, CountingModel("other"), lambda: NOW))

    other.refresh()

    assert len(other) == 0


def test_it_grows_beyond_its_first_size(sqlite_store: Store) -> None:
    from digest.store.items import merge_listing

    vectors = Vectors(sqlite_store, CountingModel(), lambda: NOW)
    atlas = Atlas(sqlite_store, vectors)
    for start in (0, 900, 1800):
        titles = [f"{SUBJECTS[n % 3]} {n}" for n in range(start, start + 900)]
        entries = [paper(f"2603.{start + n:05}", title=t) for n, t in enumerate(titles)]
        with sqlite_store.write() as tx:
            merge_listing(tx, entries, source="s", kind="feed", now=NOW + start * HOUR)
        vectors.embed([(entry.title, entry.abstract) for entry in entries])
        atlas.refresh()

    assert len(atlas) == 2700
    assert all((i - 1) % 3 == 1 for i in near(atlas, "bbbbbbbbbbbbbbbb"))


def test_what_is_much_is_not_read_again_at_every_search(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digest.embed import atlas as module
    from digest.store.items import merge_listing

    uptime = 0.0
    monkeypatch.setattr(module, "uptime_s", lambda: uptime)
    vectors = Vectors(sqlite_store, CountingModel(), lambda: NOW)
    atlas = Atlas(sqlite_store, vectors)
    entries = [paper(f"2603.{n:05}", title=f"{SUBJECTS[n % 3]} {n}") for n in range(2_500)]
    with sqlite_store.write() as tx:
        merge_listing(tx, entries, source="s", kind="feed", now=NOW)
    atlas.refresh()
    vectors.embed([(entry.title, entry.abstract) for entry in entries])

    atlas.refresh()
    assert len(atlas) == 0

    uptime = 3.0
    atlas.refresh()
    assert len(atlas) == 2_500
