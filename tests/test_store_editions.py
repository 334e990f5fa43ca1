"""The shelf of editions: they come back as they were frozen."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.model import Reason, ReasonKind, Section, Sheet
from digest.store import Store, editions
from digest.store.frozen import EditionReader
from digest.store.schema import edition, pick, wording
from digest.store.shelving import EditionWriter
from tests.edition_pieces import edition_of, list_papers
from tests.store_pieces import add_person, count, item_of, merge, paper


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


def test_a_writer_whose_transaction_was_lost_writes_the_words_again(store: Store) -> None:
    list_papers(store)
    made = [edition_of(add_person(store), item_of(store, "arxiv:2603.00001"))]
    writer = EditionWriter()
    with pytest.raises(ZeroDivisionError), store.write() as tx:
        writer.add(tx, made)
        raise ZeroDivisionError

    with store.write() as tx:
        writer.add(tx, made)

    assert count(store, edition) == count(store, pick) == count(store, wording) == 1


def test_what_was_seen_among_candidates_is_what_was_seen_of_them(store: Store) -> None:
    """Old items that are listed anew are asked for in another way than the bulk of new ones."""
    list_papers(store, number=60)
    ids = [item_of(store, f"arxiv:2603.{n:05}").id for n in range(1, 61)]
    items = {i: item_of(store, f"arxiv:2603.{n:05}") for n, i in enumerate(ids, 1)}
    ann, ben, cem = (add_person(store, f"{name}@example.org") for name in ("ann", "ben", "cem"))
    had = {ann: set(ids[::3]), ben: set(ids[1::7])}
    with store.write() as tx:
        made = [edition_of(who, *(items[i] for i in sorted(had[who]))) for who in had]
        editions.add_editions(tx, made)

    for among in (ids, ids[:3] + ids[40:], ids[5::2], ids[-1:], [*ids[-2:], 9999], []):
        with store.read() as tx:
            seen = editions.seen_items(tx, [ann, ben, cem], among=among)
        assert {i: found for i, found in seen.items() if found} == {
            i: found & set(among) for i, found in had.items() if found & set(among)
        }
    with store.read() as tx:
        assert editions.seen_items(tx, [ann, ben, cem]) == had


def test_nothing_made_is_nothing_stored(store: Store) -> None:
    with store.write() as tx:
        assert editions.add_editions(tx, []) == []


_ODD = st.text(st.sampled_from('ab"[],\\{}: é稀\n'), max_size=8)
_REASONS = st.lists(
    st.builds(Reason, kind=st.sampled_from(ReasonKind), lead=_ODD, subject=_ODD), max_size=4
)


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(reasons=st.lists(_REASONS, min_size=1, max_size=4), votes=st.none() | st.integers(0, 99))
def test_whatever_reasons_say_they_come_back(
    store: Store, reasons: list[list[Reason]], votes: int | None
) -> None:
    merge(store, *[paper(f"2603.{n:05}") for n in range(1, 5)])
    items = [item_of(store, f"arxiv:2603.{n:05}") for n in range(1, 1 + len(reasons))]
    person = add_person(store, f"reader{uuid4().hex}@example.org")
    plain = edition_of(person, *items)
    entries = tuple(
        replace(entry, votes=votes, pick=replace(entry.pick, reasons=tuple(own)))
        for entry, own in zip(plain.entries, reasons, strict=True)
    )
    with store.write() as tx:
        ids = editions.add_editions(tx, [replace(plain, entries=entries)])
        # by one reader twice: what it has read before is no different
        reader = EditionReader()
        found = [reader.editions(tx, ids)[ids[0]] for _ in range(2)]
        sheets = reader.sheets(tx, ids)

    assert [made.entries for made in found] == [entries, entries]
    assert _told(sheets[ids[0]]) == _told(found[0].sheet())


def _told(sheet: Sheet) -> Any:
    """A sheet by what it says; what several readers share is compared by identity."""
    lines = [
        (line.position, line.why.reasons, asdict(line.seen))
        for line in (*sheet.items, *sheet.rising)
    ]
    return sheet._replace(items=(), rising=()), lines
