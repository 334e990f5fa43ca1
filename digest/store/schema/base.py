"""What the tables share: where they are known, and how one names a row of another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, ForeignKey, MetaData

metadata = MetaData(
    naming_convention={
        # batch mode can only change SQLite constraints that have names
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key_of(table: str, **options: Any) -> Column[int]:
    """A column that names a row of that table and goes with it; `options` are the column's."""
    return Column(f"{table}_id", ForeignKey(f"{table}.id", ondelete="CASCADE"), **options)
