"""The outbox: every message is a row before it is a send, and every row ends somewhere.

    queued ──▶ sending ──▶ sent
       ▲          ├──────▶ failed
       │          ├──────▶ deferred ──▶ sending …
       │          └──(the sender died)──▶ uncertain ──▶ queued (resend) or held
       └── cancelled, when the person leaves before it does

skipped and suppressed are born final. Rows are put in here, looked at, and moved by hand; claims.py
takes them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from sqlalchemy import Connection, func, select, update

from digest.model import MessageKind, OutboxState
from digest.store.bulk import insert_tuples
from digest.store.items import batches
from digest.store.schema import OPEN, outbox

_WAITING = (OutboxState.QUEUED, OutboxState.DEFERRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A row to be put into the outbox."""

    kind: MessageKind
    subscriber_id: int
    edition_id: int | None = None
    #: one message for one purpose, ever
    dedupe_key: str
    message_id: str
    state: OutboxState = OutboxState.QUEUED
    #: in few words, the same for all alike: the ledger counts by it
    reason: str | None = None
    #: the reason in full, for this one
    detail: str | None = None
    due_at: datetime


_NAMES = (
    "kind", "subscriber_id", "edition_id", "dedupe_key", "message_id", "state", "reason", "due_at",
    "created_at", "not_before", "attempts", "settled_at", "answer",
)  # fmt: skip
_COLUMNS = tuple(outbox.c[name] for name in _NAMES)


def add_messages(tx: Connection, messages: Sequence[NewMessage], *, now: datetime) -> None:
    """Put rows into the outbox. A dedupe key that is there already is an error of the caller."""
    rows = [
        (
            m.kind.value,
            m.subscriber_id,
            m.edition_id,
            m.dedupe_key,
            m.message_id,
            m.state.value,
            m.reason,
            m.due_at,
            now,
            now,
            0,
            now if m.state.is_final else None,
            m.detail,
        )
        # as they are claimed, see claims.py: those that leave together stand together, and a claim
        # touches a sixth of the pages
        for m in sorted(messages, key=attrgetter("message_id"))
    ]
    insert_tuples(tx, _COLUMNS, rows)


def known_keys(tx: Connection, dedupe_keys: Sequence[str]) -> set[str]:
    """Those of the keys that have a message already, whatever became of it."""
    found: set[str] = set()
    for batch in batches(dedupe_keys):
        known = select(outbox.c.dedupe_key).where(outbox.c.dedupe_key.in_(batch))
        found |= set(tx.execute(known).scalars())
    return found


def cancel_waiting(tx: Connection, subscriber_id: int, *, reason: str, now: datetime) -> int:
    """Cancel what waits for a person who leaves; returns how many messages that were."""
    done = tx.execute(
        update(outbox)
        .where(outbox.c.subscriber_id == subscriber_id)
        .where(outbox.c.state.in_((*_WAITING, OutboxState.UNCERTAIN)))
        .values(state=OutboxState.CANCELLED, reason=reason, settled_at=now)
    )
    return done.rowcount


def waiting(tx: Connection) -> dict[OutboxState, int]:
    """How many messages are in each state that can still move."""
    rows = tx.execute(
        select(outbox.c.state, func.count().label("n")).where(OPEN).group_by(outbox.c.state)
    )
    return {OutboxState(row.state): row.n for row in rows}


def last_confirmation(tx: Connection, subscriber_id: int) -> datetime | None:
    """When that address was last asked to confirm."""
    return tx.execute(
        select(func.max(outbox.c.created_at)).where(
            outbox.c.subscriber_id == subscriber_id,
            outbox.c.kind == MessageKind.CONFIRMATION,
        )
    ).scalar()
