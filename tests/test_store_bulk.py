"""Rows written as plain tuples are the rows that SQLAlchemy would have written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from digest.store import Store
from digest.store.bulk import insert_tuples
from digest.store.engine import json_text
from digest.store.schema import item, suppression, topic

COLUMNS = (suppression.c.address_key, suppression.c.reason, suppression.c.at)


def test_moments_keep_their_instant(store: Store) -> None:
    at = datetime(2026, 3, 12, 7, 0, 0, 125, tzinfo=timezone(timedelta(hours=2)))

    with store.write() as tx:
        insert_tuples(tx, COLUMNS, [("a", "bounced", at), ("b", "asked", at + timedelta(days=1))])

    with store.read() as tx:
        rows = tx.execute(select(suppression).order_by(suppression.c.address_key)).all()
    assert [tuple(row) for row in rows] == [
        ("a", "bounced", at.astimezone(UTC)),
        ("b", "asked", at.astimezone(UTC) + timedelta(days=1)),
    ]


def test_a_moment_without_a_zone_is_refused(store: Store) -> None:
    naive = datetime(2026, 3, 12)

    with pytest.raises(ValueError, match="without a zone"), store.write() as tx:
        insert_tuples(tx, COLUMNS, [("a", "bounced", naive)])


def test_json_is_given_as_its_text(store: Store) -> None:
    keywords = ["größer", 'a "quoted" phrase', "50 %"]
    columns = tuple(topic.c)

    with store.write() as tx:
        row = ("slug", "Name", "", "", json_text(keywords), json_text([]), 3)
        insert_tuples(tx, columns, [row])

    with store.read() as tx:
        (found,) = tx.execute(select(topic)).all()
    assert (found.slug, found.keywords, found.exclude, found.position) == ("slug", keywords, [], 3)


def test_no_rows_are_no_statement(store: Store) -> None:
    with store.write() as tx:
        insert_tuples(tx, COLUMNS, [])


def test_a_forgotten_default_is_a_mistake_of_the_caller(store: Store) -> None:
    with pytest.raises(AssertionError, match="name these columns"), store.write() as tx:
        insert_tuples(tx, (item.c.key, item.c.url), [("k", "u")])
