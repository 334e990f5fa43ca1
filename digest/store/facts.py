"""Small facts that outlive a process: sending paused, the last heartbeat of each stage."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, select, text

from digest.store.engine import db_now
from digest.store.schema import state
from digest.store.upsert import put_row


def get_fact(tx: Connection, name: str) -> Any:
    """The JSON value stored under that name; None when there is none."""
    return tx.execute(select(state.c.value).where(state.c.name == name)).scalar()


def put_fact(tx: Connection, name: str, value: Any) -> None:
    """Store a JSON value under a name."""
    put_row(tx, state, {"name": name, "value": value})


def facts_like(tx: Connection, prefix: str) -> tuple[tuple[str, Any], ...]:
    """Names that begin so, and their values, by name."""
    named = state.c.name.startswith(prefix, autoescape=True)
    rows = tx.execute(select(state.c.name, state.c.value).where(named).order_by(state.c.name))
    return tuple((row.name, row.value) for row in rows)


def change_alone(tx: Connection, name: str) -> None:
    """Have nobody else change a value, who does this too, until the transaction ends."""
    if tx.dialect.name != "sqlite":
        # two at once would both build on what was there; on SQLite a writer is alone anyway
        tx.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})


def hold(tx: Connection, name: str, *, owner: str, lease: timedelta) -> bool:
    """Take or keep for `owner` what only one process may do; False while another has it."""
    change_alone(tx, name)
    now, held = db_now(tx), get_fact(tx, name)
    if held is not None and held["owner"] != owner and datetime.fromisoformat(held["until"]) > now:
        return False
    put_fact(tx, name, {"owner": owner, "until": (now + lease).isoformat()})
    return True


def let_go(tx: Connection, name: str, *, owner: str) -> None:
    """Give back what `owner` holds; what another holds stays its own."""
    held = get_fact(tx, name)
    if held is not None and held["owner"] == owner:
        drop_fact(tx, name)


def drop_fact(tx: Connection, name: str) -> None:
    """Forget a value."""
    tx.execute(delete(state).where(state.c.name == name))
