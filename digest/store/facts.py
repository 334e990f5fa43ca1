"""Small facts that outlive a process: sending paused, the last heartbeat of each stage."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from digest.store.schema import state
from digest.store.upsert import put_row


def get_fact(tx: Connection, name: str) -> Any:
    """The JSON value stored under that name; None when there is none."""
    return tx.execute(select(state.c.value).where(state.c.name == name)).scalar()


def put_fact(tx: Connection, name: str, value: Any) -> None:
    """Store a JSON value under a name."""
    put_row(tx, state, {"name": name, "value": value})


def drop_fact(tx: Connection, name: str) -> None:
    """Forget a value."""
    tx.execute(delete(state).where(state.c.name == name))
