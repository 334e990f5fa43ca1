"""Vectors out of the store: each computed once, by whoever comes first, and never mixed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from digest.clock import uptime_s
from digest.embed.model import Floats, Text
from digest.embed.vectors import Vectors
from digest.errors import StoreFull
from digest.store import Store, Transaction, embeddings
from digest.store.schema import embedding
from digest.text import text_key
from tests.databases import Databases
from tests.store_pieces import NOW, count

ONE, TWO, THREE = ("Sparse attention", "Few tokens."), ("Robot", "A gripper"), ("mine", "")


class CountingModel:
    """Gives each text a vector made of its letters, and remembers what it was asked."""

    def __init__(self, name: str = "counting", dimension: int = 8) -> None:
        self.name = name
        self.dimension = dimension
        self.asked: list[Text] = []

    def embed(self, texts: Sequence[Text]) -> Floats:
        self.asked += texts
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for at, text in enumerate(texts):
            for letter in "".join(text):
                rows[at, ord(letter) % self.dimension] += 1
            rows[at] *= np.nan if "broken" in text else 1
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class FullStore(Store):
    """A store whose disk is full."""

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        raise StoreFull("the disk is full")
        yield  # a generator


def vectors(store: Store, model: CountingModel) -> Vectors:
    return Vectors(store, model, lambda: NOW)


def test_a_text_is_computed_once_and_then_looked_up(store: Store) -> None:
    model = CountingModel()

    first = vectors(store, model).embed([ONE, TWO, ONE])
    again = vectors(store, model).embed([TWO, ONE])

    assert model.asked == [ONE, TWO]
    assert first[[1, 0]].tolist() == again.tolist()
    assert first[0].tolist() == first[2].tolist()
    assert count(store, embedding) == 2


def test_rows_are_single_precision_and_of_length_one(store: Store) -> None:
    rows = vectors(store, CountingModel()).embed([ONE, TWO, THREE])

    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-3)


def test_a_model_never_gets_the_vectors_of_another(store: Store) -> None:
    old, new = CountingModel("old", 4), CountingModel("new", 8)
    vectors(store, old).embed([ONE])

    rows = vectors(store, new).embed([ONE])

    assert rows.shape == (1, 8)
    assert new.asked == [ONE]


def test_a_text_without_a_vector_is_zeros_and_not_tried_again(store: Store) -> None:
    model = CountingModel()
    texts = [("", ""), ("broken", ""), ONE]

    rows = vectors(store, model).embed(texts)
    vectors(store, model).embed(texts)

    assert not rows[:2].any()
    assert rows[2].any()
    assert model.asked == texts


def test_no_texts_are_no_rows(store: Store) -> None:
    assert vectors(store, CountingModel()).embed([]).shape == (0, 8)


def test_bytes_that_are_no_vector_of_this_model_match_nothing(store: Store) -> None:
    bad = {text_key(*ONE): b"short", text_key(*TWO): np.full(8, np.inf, "<f2").tobytes()}
    with store.write() as tx:
        embeddings.put_vectors(tx, "counting", bad, now=NOW)

    assert not vectors(store, CountingModel()).embed([ONE, TWO]).any()


def test_what_would_have_to_be_computed_can_be_counted(store: Store) -> None:
    made = vectors(store, CountingModel())
    made.embed([ONE])

    assert made.count_lacking([ONE, TWO, TWO, THREE]) == 2


def test_a_disk_that_takes_nothing_costs_nobody_the_answer(
    sqlite_databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    store = FullStore(sqlite_databases.fresh())
    model = CountingModel()

    rows = vectors(store, model).embed([ONE, TWO])

    assert rows.any(axis=1).all()
    assert "2 vectors are not kept and will be made again: the disk is full" in caplog.text
    with pytest.raises(StoreFull):
        vectors(store, model).embed([ONE], must_keep=True)
    store.close()


def test_what_people_search_with_is_not_kept(store: Store) -> None:
    made = vectors(store, CountingModel())

    row = made.embed_query("Robot")

    assert count(store, embedding) == 0
    assert row.tolist() == made.embed([("Robot", "")])[0].tolist()


def test_many_texts_are_looked_up_in_few_questions(store: Store) -> None:
    texts = [(f"Paper {n}", "") for n in range(1200)]
    model = CountingModel()

    rows = vectors(store, model).embed(texts)

    assert len(model.asked) == 1200
    assert rows.tolist() == vectors(store, model).embed(texts).tolist()


def test_two_that_want_the_same_at_once_compute_it_once(sqlite_store: Store) -> None:
    model = CountingModel()
    made = vectors(sqlite_store, model)
    ready = threading.Barrier(4)
    rows: list[list[float]] = []

    def ask() -> None:
        ready.wait(10)
        rows.append(made.embed([ONE, TWO]).ravel().tolist())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(model.asked) == sorted([ONE, TWO])
    assert len(rows) == 4
    assert all(row == rows[0] for row in rows)


class BesetModel(CountingModel):
    """While it computes its first texts, somebody else asks and is made to wait."""

    made: Vectors
    asker: threading.Thread | None = None

    def embed(self, texts: Sequence[Text]) -> Floats:
        if self.asker is None:
            self.asker = threading.Thread(target=self.made.embed, args=([ONE],))
            self.asker.start()
            until = uptime_s() + 30
            while not self.made._turns.are_awaited and uptime_s() < until:
                time.sleep(0.001)
        return super().embed(texts)


def test_a_short_request_has_its_turn_within_a_long_one(sqlite_store: Store) -> None:
    model = BesetModel()
    model.made = vectors(sqlite_store, model)
    many = [(f"paper {n}", "") for n in range(100)]

    rows = model.made.embed(many)

    assert model.asker is not None
    model.asker.join(30)
    assert 0 < model.asked.index(ONE) < 10
    assert len(model.asked) == 101
    assert len(rows) == 100


@pytest.mark.parametrize("name", ["counting", "other"])
def test_the_same_text_by_two_models_has_two_vectors(store: Store, name: str) -> None:
    vectors(store, CountingModel("counting")).embed([ONE])
    vectors(store, CountingModel(name)).embed([ONE])

    assert count(store, embedding) == (1 if name == "counting" else 2)
