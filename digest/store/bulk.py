"""Many rows at once, as plain tuples: what SQLAlchemy does for each row costs more than storing it.

The statement is built once and handed to the driver with all rows; values still go through their
columns' own types. Used within digest/store/ where a row is written for every reader.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, Column, Connection, Dialect, Float, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.sql.compiler import SQLCompiler

Columns = tuple[Column[Any], ...]
Convert = Callable[[Any], Any]

#: values by place, as both drivers take them
_DIALECTS: dict[str, Dialect] = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="qmark"),
    "postgresql": PGDialect_psycopg(paramstyle="format"),  # type: ignore[no-untyped-call]  # theirs
}


def insert_tuples(tx: Connection, columns: Columns, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows whose values stand in the order of `columns`, all of one table.

    A JSON column takes its text, a Float column floats. Columns that are not named stay empty, so a
    column with a default of ours must be named.
    """
    if not rows:
        return
    statement, converts = _prepared(tx.dialect.name, columns)
    if converts:
        values: list[Any] = list(zip(*rows, strict=True))
        for at, convert in converts:
            # moments mostly, and many rows have the same
            known = {value: convert(value) for value in set(values[at])}
            values[at] = map(known.__getitem__, values[at])
        rows = list(zip(*values, strict=True))
    tx.exec_driver_sql(statement, list(rows))


@lru_cache(maxsize=100)
def _prepared(database: str, columns: Columns) -> tuple[str, tuple[tuple[int, Convert], ...]]:
    """The statement in the driver's own words, and which values need converting, by place."""
    names = [column.name for column in columns]
    dialect = _DIALECTS[database]
    compiled = insert(columns[0].table).compile(dialect=dialect, column_keys=names)
    assert isinstance(compiled, SQLCompiler)
    order = compiled.positiontup
    assert order == names, f"name these columns, in this order: {order}"
    converts = (
        (at, column.type.dialect_impl(dialect).bind_processor(dialect))
        for at, column in enumerate(columns)
        if not isinstance(column.type, (JSON, Float))
    )
    return str(compiled), tuple((at, convert) for at, convert in converts if convert is not None)
