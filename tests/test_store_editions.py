"""The shelf of editions: they come back as they were frozen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from digest.model import Section
from digest.store import Store, editions
from digest.store.schema import pick, wording
from tests.edition_pieces import edition_of, list_papers
from tests.store_pieces import add_person, count, item_of


def test_editions_come_back_as_they_were_stored(store: Store) -> None:
    list_papers(store)
    ann, ben = add_person(store), add_person(store, "ben@example.org")
    items = [item_of(store, f"arxiv:2603.0000{n}") for n in (3, 1, 2)]
    whole = edition_of(ann, *items)
    one, two, three = whole.entries
    rising = replace(three, pick=replace(three.pick, section=Section.RISING, position=1))
    made = [
        replace(whole, entries=(one, two), rising=(rising,), note="a note"),
        replace(edition_of(ben, *items), local_on=date(2026, 3, 12), zone="Asia/Tokyo"),
    ]

    with store.write() as tx:
        ids = editions.add_editions(tx, made)

    with store.read() as tx:
        loaded = editions.load_editions(tx, [*ids, 999])
    emails = ("ann@example.org", "ben@example.org")
    assert loaded == {
        i: replace(e, id=i, email=email) for i, e, email in zip(ids, made, emails, strict=True)
    }


def test_the_same_words_are_stored_once(store: Store) -> None:
    list_papers(store)
    item = item_of(store, "arxiv:2603.00001")
    ids = [add_person(store, f"reader{n}@example.org") for n in range(5)]

    with store.write() as tx:
        editions.add_editions(tx, [edition_of(i, item) for i in ids])

    assert count(store, wording) == 1


def test_nothing_made_is_nothing_stored(store: Store) -> None:
    with store.write() as tx:
        assert editions.add_editions(tx, []) == []


def test_an_item_stored_by_hand_without_its_wording_is_refused(store: Store) -> None:
    """Whatever is picked can be shown again: the wording is no option."""
    ann = add_person(store)
    with store.write() as tx:
        (edition_id,) = editions.add_editions(tx, [edition_of(ann)])
    values = {"edition_id": edition_id, "section": "pick", "position": 1, "subscriber_id": ann}

    with pytest.raises(IntegrityError), store.write() as tx:
        told = {"score": 0.5, "match": 0.5, "trend": 0.5, "freshness": 0.5, "shown": []}
        tx.execute(insert(pick).values(wording_id=None, **values, **told))
