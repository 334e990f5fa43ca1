"""Forms that were sent in and answered, until they are dealt with; and addresses to be replaced.

A sign-up is stored before it is answered, the same for known and unknown addresses, and acted on
afterwards: so the answer tells nothing, and a crash loses nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, text, update

from digest.store.engine import Store
from digest.store.schema import consent, move, signup, subscriber
from digest.store.upsert import insert_new

# any number, the same in every process: one at a time deals with sign-ups
_ADVISORY_LOCK = 7031932


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A form that waits to be dealt with."""

    id: int
    at: datetime
    form: dict[str, Any]


def add_signup(tx: Connection, form: dict[str, Any], *, now: datetime) -> None:
    """Keep a form until it is dealt with."""
    tx.execute(insert(signup).values(at=now, form=form))


def waiting_signups(tx: Connection, *, limit: int = 100) -> list[Waiting]:
    """The forms that wait, oldest first."""
    rows = tx.execute(select(signup).order_by(signup.c.id).limit(limit))
    return [Waiting(id=row.id, at=row.at, form=row.form) for row in rows]


def drop_signup(tx: Connection, signup_id: int) -> None:
    """Forget a form that was dealt with."""
    tx.execute(delete(signup).where(signup.c.id == signup_id))


@contextmanager
def one_at_a_time(store: Store) -> Iterator[bool]:
    """True for one process at a time, False for the others meanwhile.

    On SQLite always True: there every step of dealing with a form has the database to itself.
    """
    if store.is_sqlite:
        yield True
        return
    with store.read() as tx:
        question = text("SELECT pg_try_advisory_xact_lock(:number)")
        yield bool(tx.execute(question, {"number": _ADVISORY_LOCK}).scalar())


def detail_consent(tx: Connection, subscriber_id: int, detail: str, *, at: datetime) -> None:
    """Add by which form and client somebody agreed to what was written down at that moment."""
    tx.execute(
        update(consent)
        .where(consent.c.subscriber_id == subscriber_id, consent.c.at == at)
        .where(consent.c.detail.is_(None))
        .values(detail=detail)
    )


# --- a new address for a subscription


def put_move(tx: Connection, subscriber_id: int, from_id: int, *, now: datetime) -> None:
    """Note that the pending subscriber is to be the new address of another one."""
    drop_move(tx, subscriber_id)
    # of several addresses named one after the other, the last one counts
    tx.execute(delete(move).where(move.c.from_id == from_id))
    insert_new(tx, move, [{"subscriber_id": subscriber_id, "from_id": from_id, "asked_at": now}])


def drop_move(tx: Connection, subscriber_id: int) -> None:
    """Forget that the pending subscriber was to be somebody's new address."""
    tx.execute(delete(move).where(move.c.subscriber_id == subscriber_id))


def move_of(tx: Connection, subscriber_id: int) -> int | None:
    """Whose new address the pending subscriber is to be; None when it is a newcomer."""
    return tx.execute(select(move.c.from_id).where(move.c.subscriber_id == subscriber_id)).scalar()


def move_wanted(tx: Connection, from_id: int) -> str | None:
    """The new address that a subscriber has asked for and not confirmed yet."""
    return tx.execute(
        select(subscriber.c.email)
        .join(move, move.c.subscriber_id == subscriber.c.id)
        .where(move.c.from_id == from_id)
    ).scalar()


def complete_move(tx: Connection, subscriber_id: int, from_id: int) -> None:
    """Give the pending subscriber's address to the one it is for, and drop the pending one."""
    new = tx.execute(
        select(subscriber.c.email, subscriber.c.address_key).where(subscriber.c.id == subscriber_id)
    ).one()
    tx.execute(delete(subscriber).where(subscriber.c.id == subscriber_id))
    tx.execute(
        update(subscriber)
        .where(subscriber.c.id == from_id)
        .values(email=new.email, address_key=new.address_key)
    )
