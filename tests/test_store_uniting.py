"""Two items that turn out to be one keep all that hung on them."""

from __future__ import annotations

import threading

from sqlalchemy import select

from digest.store import Store, catalogue, editions
from digest.store.editions import load_editions, seen_items
from digest.store.items import Merged
from digest.store.schema import item, item_key, pick, standing
from tests.edition_pieces import edition_of
from tests.item_pieces import by_doi, series
from tests.store_pieces import DAY, HOUR, NOW, add_person, count, item_of, merge, paper

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
