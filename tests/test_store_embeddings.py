"""Vectors in the store: one for one text and one model, found by whatever says the same."""

from __future__ import annotations

from sqlalchemy import select, text

from digest.store import Store, embeddings
from digest.store.schema import embedding
from digest.text import text_key
from tests.store_pieces import DAY, HOUR, NOW, count, item_of, merge, paper

ONE = paper("2603.00001", title="Sparse attention", abstract="Few tokens.")
TWO = paper("2603.00002", title="Dense vision", abstract="Many pixels.")
KEY = text_key("Sparse attention", "Few tokens.")


def put(store: Store, model: str, *keys: str, vector: bytes = b"\x00<\x00\x00") -> None:
    with store.write() as tx:
        embeddings.put_vectors(tx, model, dict.fromkeys(keys, vector), now=NOW)


def lacking(store: Store, model: str = "m", **limits: object) -> list[str]:
    with store.read() as tx:
        found = embeddings.lacking(tx, model, **({"limit": 10} | limits))  # type: ignore[arg-type]
    return [row.title for row in found]


def test_a_vector_is_given_back_to_the_model_that_made_it_and_to_no_other(store: Store) -> None:
    put(store, "m", KEY, vector=b"mine")
    put(store, "other", KEY, vector=b"its")

    with store.read() as tx:
        assert embeddings.vectors_of(tx, "m", [KEY, "unknown"]) == {KEY: b"mine"}
        assert embeddings.vectors_of(tx, "other", [KEY]) == {KEY: b"its"}
        assert embeddings.vectors_of(tx, "third", [KEY]) == {}
        assert embeddings.known_keys(tx, "m", [KEY, "unknown"]) == {KEY}


def test_two_processes_may_keep_the_same_vector(store: Store) -> None:
    put(store, "m", KEY, vector=b"first")
    put(store, "m", KEY, vector=b"again")

    with store.read() as tx:
        assert embeddings.vectors_of(tx, "m", [KEY]) == {KEY: b"first"}


def test_items_without_a_vector_of_this_model_are_found_the_newest_first(store: Store) -> None:
    merge(store, ONE)
    merge(store, TWO, now=NOW + HOUR)
    put(store, "other", KEY)

    assert lacking(store) == ["Dense vision", "Sparse attention"]
    assert lacking(store, limit=1) == ["Dense vision"]
    assert lacking(store, since=NOW + HOUR) == ["Dense vision"]
    assert lacking(store, "other") == ["Dense vision"]

    put(store, "m", KEY)

    assert lacking(store) == ["Dense vision"]
    with store.read() as tx:
        assert embeddings.count_lacking(tx, "m") == 1


def test_an_item_that_says_something_else_lacks_a_vector_again(store: Store) -> None:
    merge(store, ONE)
    put(store, "m", KEY)
    assert lacking(store) == []

    merge(store, paper("2603.00001", title="Sparse attention", abstract="Fewer."), now=NOW + HOUR)

    assert lacking(store) == ["Sparse attention"]


def test_items_that_turn_out_to_be_one_are_found_by_what_the_one_says(store: Store) -> None:
    merge(
        store,
        paper(None, title="Short", abstract="", url="https://example.org/x", doi="10.1000/xyz"),
    )
    merge(store, paper("2603.00009", title="In full", abstract="All of it."))
    merge(
        store,
        paper("2603.00009", title="In full", abstract="All of it.", doi="10.1000/xyz"),
        kind="arxiv",
        source="arxiv",
        now=NOW + HOUR,
    )
    item = item_of(store, "arxiv:2603.00009")

    put(store, "m", text_key(item.title, item.abstract))

    assert lacking(store) == []


def test_every_item_is_told_with_its_vector_or_without(store: Store) -> None:
    merge(store, ONE)
    merge(store, TWO, now=NOW + HOUR)
    put(store, "m", KEY, vector=b"mine")

    with store.read() as tx:
        told = {v.item_id: v.vector for v in embeddings.item_vectors(tx, "m")}
        news = [v.item_id for v in embeddings.item_vectors(tx, "m", since=NOW + HOUR)]
        asked = [v.item_id for v in embeddings.vectors_of_items(tx, "m", {2, 77})]

    assert told == {1: b"mine", 2: None}
    assert news == asked == [2]


def test_texts_can_be_forgotten_but_not_what_a_paper_says_too(store: Store) -> None:
    merge(store, paper("2603.00001", title="robots", abstract=""))
    put(store, "m", text_key("my rare illness", ""), text_key("robots", ""))
    put(store, "old", text_key("my rare illness", ""))

    with store.write() as tx:
        embeddings.forget_texts(tx, [text_key("my rare illness", ""), text_key("robots", "")])

    with store.read() as tx:
        left = tx.execute(select(embedding.c.text_key)).scalars().all()
    assert left == [text_key("robots", "")]


def test_words_that_are_no_items_are_forgotten_after_a_while(store: Store) -> None:
    merge(store, ONE)
    put(store, "m", KEY, text_key("somebody's question", ""))

    with store.write() as tx:
        assert embeddings.forget_unused(tx, NOW) == 0
        assert embeddings.forget_unused(tx, NOW + DAY) == 1

    with store.read() as tx:
        assert embeddings.known_keys(tx, "m", [KEY]) == {KEY}


def test_what_another_model_made_goes_in_bounded_portions(store: Store) -> None:
    put(store, "old", "a", "b", "c")
    put(store, "m", "a")

    with store.write() as tx:
        deleted = [
            embeddings.forget_other_models(tx, "m", unused_for=DAY, limit=2) for _ in range(3)
        ]

    assert deleted == [2, 1, 0]
    assert count(store, embedding) == 1


def test_what_another_model_made_stays_as_long_as_somebody_uses_it(store: Store) -> None:
    put(store, "theirs", "a")
    with store.write() as tx:
        embeddings.note_use(tx, "theirs", owner="host:2")

    with store.write() as tx:
        assert embeddings.forget_other_models(tx, "m", unused_for=DAY, limit=9) == 0
        (use,) = embeddings.models_in_use(tx, within=DAY)
        assert (use.model, use.owner) == ("theirs", "host:2")
        # the database's clock has gone on since
        assert embeddings.forget_other_models(tx, "m", unused_for=-DAY, limit=9) == 1
        assert embeddings.models_in_use(tx, within=DAY) == (), "and nothing is left of it"


def test_looking_for_what_lacks_a_vector_reads_no_item(sqlite_store: Store) -> None:
    asked = (
        "EXPLAIN QUERY PLAN SELECT id FROM item WHERE text_key <> '' AND changed_at >= '2026'"
        " AND NOT EXISTS (SELECT 1 FROM embedding WHERE embedding.text_key = item.text_key"
        " AND model = 'm') ORDER BY changed_at DESC LIMIT 5"
    )

    with sqlite_store.read() as tx:
        plan = " / ".join(row[3] for row in tx.execute(text(asked)))

    assert "item USING COVERING INDEX ix_item_changed_at_text_key" in plan
    assert "TEMP B-TREE" not in plan
