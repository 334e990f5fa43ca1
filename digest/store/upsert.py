"""Rows that may be there already: both databases say it in one statement, each in its dialect.

Looking first and inserting then would fail when another process inserts in between. Used within
digest/store/ only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Row, Table
from sqlalchemy.dialects import postgresql, sqlite


def _insert(tx: Connection, table: Table) -> Any:  # Any: the two dialects share no type
    return (sqlite if tx.dialect.name == "sqlite" else postgresql).insert(table)


def insert_new(
    tx: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *columns: Column[Any]
) -> Sequence[Row[Any]]:
    """Insert rows, leaving out those whose key is taken; what is there stays as it is.

    Returns those columns of the rows that were inserted.
    """
    if not rows:
        return ()
    statement = _insert(tx, table).on_conflict_do_nothing()
    if not columns:
        tx.execute(statement, list(rows))
        return ()
    return tx.execute(statement.returning(*columns), list(rows)).all()


def put_row(tx: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert a row, or make the one with its primary key say the same."""
    key = [column.name for column in table.primary_key.columns]
    told = {name: value for name, value in row.items() if name not in key}
    statement = _insert(tx, table).values(**row)
    tx.execute(statement.on_conflict_do_update(index_elements=key, set_=told))
