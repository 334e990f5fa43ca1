"""Messages in the outbox, and short ways to move them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import select, update

from digest.model import MessageKind, OutboxState
from digest.store import Store, claims, outbox
from digest.store.claims import Claimed, Settlement
from digest.store.ledger import Ledger
from digest.store.ledger import ledger as ledger_of
from digest.store.outbox import NewMessage
from digest.store.schema import outbox as rows
from tests.store_pieces import DAY, NOW

LEASE = timedelta(minutes=15)
OVER = timedelta(seconds=-1)
FINAL = [state for state in OutboxState if state.is_final]
MOVING = [state for state in OutboxState if not state.is_final]


def queue(
    store: Store,
    subscriber_id: int,
    key: str = "edition:1:2026-03-11",
    *,
    kind: MessageKind = MessageKind.EDITION,
    state: OutboxState = OutboxState.QUEUED,
    due_at: datetime = NOW,
    reason: str | None = None,
    now: datetime = NOW,
) -> None:
    message = NewMessage(
        kind=kind,
        subscriber_id=subscriber_id,
        dedupe_key=key,
        message_id=f"<{key}@example.org>",
        due_at=due_at,
        state=state,
        reason=reason,
    )
    with store.write() as tx:
        outbox.add_messages(tx, [message], now=now)


def claim(
    store: Store,
    owner: str = "one",
    *,
    now: datetime = NOW,
    limit: int = 16,
    lease: timedelta = LEASE,
) -> list[Claimed]:
    with store.write() as tx:
        return claims.claim(tx, owner=owner, now=now, limit=limit, lease=lease)


def settle(
    store: Store, *settlements: Settlement, owner: str = "one", now: datetime = NOW
) -> set[int]:
    with store.write() as tx:
        return claims.settle(tx, settlements, owner=owner, now=now)


def release(store: Store, *, resend: bool = True, now: datetime = NOW) -> int:
    with store.write() as tx:
        return claims.release_stale(tx, now=now, resend=resend)


def row_of(store: Store, row_id: int = 1) -> Mapping[str, object]:
    with store.read() as tx:
        return tx.execute(select(rows).where(rows.c.id == row_id)).mappings().one()


def ledger(store: Store) -> Ledger:
    with store.read() as tx:
        return ledger_of(tx, NOW.date())


def put_in(store: Store, state: OutboxState, *, owner: str | None = None) -> None:
    """Make the first row be in that state, however it may have come there."""
    lease = NOW + DAY if owner else None
    with store.write() as tx:
        tx.execute(update(rows).values(state=state, lease_owner=owner, lease_until=lease))
