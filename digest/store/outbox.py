"""The outbox: every message is a row before it is a send, and every row ends somewhere.

    queued ──▶ sending ──▶ sent
       ▲          ├──────▶ failed
       │          ├──────▶ deferred ──▶ sending …
       │          └──(the sender died)──▶ uncertain ──▶ queued (resend) or held
       └── cancelled, when the person leaves before it does

skipped and suppressed are born final. A row is taken by an UPDATE of the state it still has, under
a lease by the database's clock; only the owner of a lease may settle it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, Row, bindparam, func, insert, or_, select, update

from digest.clock import day_bounds
from digest.model import MessageKind, OutboxState, Status
from digest.store.engine import db_now
from digest.store.items import batches
from digest.store.moments import UTCDateTime
from digest.store.schema import outbox, subscriber, suppression

_WAITING = (OutboxState.QUEUED, OutboxState.DEFERRED)
#: what a report shows for a state: on the wire is still queued, the sender is alive
_SHOWN_AS = {OutboxState.SENDING: OutboxState.QUEUED}
LEDGER_STATES = tuple(state for state in OutboxState if state not in _SHOWN_AS)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that this process may send now, until its lease ends."""

    id: int
    kind: MessageKind
    subscriber_id: int
    edition_id: int | None
    message_id: str
    attempts: int
    created_at: datetime
    first_tried_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a claimed message."""

    id: int
    state: OutboxState
    reason: str | None = None
    answer: str | None = None
    #: for deferred: not tried again before
    not_before: datetime | None = None


def add_messages(tx: Connection, messages: Sequence[NewMessage], *, now: datetime) -> None:
    """Put rows into the outbox. A dedupe key that is there already is an error of the caller."""
    rows = [
        {
            "kind": m.kind,
            "subscriber_id": m.subscriber_id,
            "edition_id": m.edition_id,
            "dedupe_key": m.dedupe_key,
            "message_id": m.message_id,
            "state": m.state,
            "reason": m.reason,
            "answer": m.detail,
            "due_at": m.due_at,
            "created_at": now,
            "not_before": now,
            "settled_at": now if m.state.is_final else None,
            "attempts": 0,
        }
        for m in messages
    ]
    if rows:
        tx.execute(insert(outbox), rows)


def known_keys(tx: Connection, dedupe_keys: Sequence[str]) -> set[str]:
    """Those of the keys that have a message already, whatever became of it."""
    found: set[str] = set()
    for batch in batches(dedupe_keys):
        known = select(outbox.c.dedupe_key).where(outbox.c.dedupe_key.in_(batch))
        found |= set(tx.execute(known).scalars())
    return found


def claim(
    tx: Connection, *, owner: str, now: datetime, limit: int, lease: timedelta
) -> list[Claimed]:
    """Take messages whose time has come: they become `sending`, leased to `owner`.

    Who has unsubscribed or been suppressed since is not among them: those rows are cancelled here,
    in the same transaction, for this is the last look before the wire.
    """
    due = (
        select(outbox.c.id)
        .where(outbox.c.state.in_(_WAITING), outbox.c.not_before <= now)
        .order_by(outbox.c.not_before, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = tx.execute(
        update(outbox)
        .where(outbox.c.id.in_(due), outbox.c.state.in_(_WAITING))
        .values(
            state=OutboxState.SENDING,
            lease_owner=owner,
            lease_until=db_now(tx) + lease,
            attempts=outbox.c.attempts + 1,
            first_tried_at=func.coalesce(outbox.c.first_tried_at, bindparam("tried", now)),
        )
        .returning(*_CLAIMED)
    ).all()
    unwanted = _unwanted(tx, taken)
    ended = [Settlement(id=i, state=state, reason=why) for i, (state, why) in unwanted.items()]
    settle(tx, ended, owner=owner, now=now)
    rows = [row for row in taken if row.id not in unwanted]
    return sorted((_claimed_from(row) for row in rows), key=lambda c: c.id)


_CLAIMED = [
    outbox.c[name]
    for name in (
        "id",
        "kind",
        "subscriber_id",
        "edition_id",
        "message_id",
        "attempts",
        "created_at",
        "first_tried_at",
    )
]


def _claimed_from(row: Row[Any]) -> Claimed:
    return Claimed(**row._asdict() | {"kind": MessageKind(row.kind)})


def _unwanted(
    tx: Connection, rows: Sequence[Row[Any]]
) -> dict[int, tuple[OutboxState, str | None]]:
    """Which of these messages must not leave, and how they end instead."""
    barred = suppression.c.address_key == subscriber.c.address_key
    readers = {
        row.id: row
        for row in tx.execute(
            select(subscriber.c.id, subscriber.c.status, suppression.c.reason)
            .outerjoin(suppression, barred)
            .where(subscriber.c.id.in_({row.subscriber_id for row in rows}))
        )
    }
    unwanted: dict[int, tuple[OutboxState, str | None]] = {}
    for row in rows:
        reader = readers.get(row.subscriber_id)
        if reader is None:
            unwanted[row.id] = (OutboxState.CANCELLED, "subscriber is gone")
        elif reader.status == Status.SUPPRESSED or reader.reason is not None:
            unwanted[row.id] = (OutboxState.SUPPRESSED, "address is suppressed")
        elif reader.status != _WANTED_BY[MessageKind(row.kind)]:
            unwanted[row.id] = (OutboxState.CANCELLED, f"subscriber is {reader.status}")
    return unwanted


#: the status of those to whom a message of that kind may go
_WANTED_BY = {
    MessageKind.EDITION: Status.CONFIRMED,
    MessageKind.CONFIRMATION: Status.PENDING,
}


def settle(
    tx: Connection, settlements: Sequence[Settlement], *, owner: str, now: datetime
) -> set[int]:
    """Write what became of claimed messages; returns the ids that were still ours to settle."""
    if not settlements:
        return set()
    mine = select(outbox.c.id).where(
        outbox.c.id.in_([s.id for s in settlements]),
        outbox.c.state == OutboxState.SENDING,
        outbox.c.lease_owner == owner,
    )
    ours = set(tx.execute(mine.with_for_update()).scalars())
    rows = [
        {
            "row_id": s.id,
            "new_state": s.state,
            "new_reason": s.reason,
            "new_answer": s.answer,
            "wait": s.not_before,
            "at": now if s.state.is_final else None,
            # given back unsent: that was no attempt
            "unsent": int(s.state is OutboxState.QUEUED),
        }
        for s in settlements
        if s.id in ours
    ]
    if rows:
        tx.execute(_SETTLE, rows)
    return ours


_SETTLE = (
    update(outbox)
    .where(outbox.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        answer=bindparam("new_answer"),
        not_before=func.coalesce(bindparam("wait", type_=UTCDateTime), outbox.c.not_before),
        settled_at=bindparam("at"),
        attempts=outbox.c.attempts - bindparam("unsent", type_=Integer),
        lease_owner=None,
        lease_until=None,
    )
)


def renew_lease(tx: Connection, ids: Sequence[int], *, owner: str, lease: timedelta) -> set[int]:
    """Prolong the lease of messages still ours; the others have gone to somebody else."""
    rows = tx.execute(
        update(outbox)
        .where(outbox.c.id.in_(ids), outbox.c.lease_owner == owner)
        .where(outbox.c.state == OutboxState.SENDING)
        .values(lease_until=db_now(tx) + lease)
        .returning(outbox.c.id)
    )
    return {row.id for row in rows}


def release_stale(tx: Connection, *, now: datetime, resend: bool) -> int:
    """Rows whose sender died become uncertain, and queued again when they are to be resent.

    Returns how many there were. The next attempt carries the same Message-ID.
    """
    stale = or_(outbox.c.lease_until < db_now(tx), outbox.c.lease_until.is_(None))
    state = OutboxState.QUEUED if resend else OutboxState.UNCERTAIN
    done = tx.execute(
        update(outbox)
        .where(outbox.c.state == OutboxState.SENDING, stale)
        .values(
            state=state,
            reason="the sender died while it was on the wire",
            lease_owner=None,
            lease_until=None,
        )
    )
    count = done.rowcount
    if resend:
        done = tx.execute(
            update(outbox)
            .where(outbox.c.state == OutboxState.UNCERTAIN)
            .values(state=OutboxState.QUEUED, not_before=now)
        )
        count += done.rowcount
    return count


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
    states = [state for state in OutboxState if not state.is_final]
    rows = tx.execute(
        select(outbox.c.state, func.count().label("n"))
        .where(outbox.c.state.in_(states))
        .group_by(outbox.c.state)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was due on one UTC day and where every message of it stands."""

    day: date
    due: int
    states: Mapping[OutboxState, int]
    #: state → reason → how many
    reasons: Mapping[OutboxState, Mapping[str, int]]

    @property
    def adds_up(self) -> bool:
        return self.due == sum(self.states.values())


def ledger(tx: Connection, day: date) -> Ledger:
    """The account of a day. What was due and what became of it are counted separately."""
    start, end = day_bounds(day)
    of_day = (outbox.c.due_at >= start, outbox.c.due_at < end)
    due = tx.execute(select(func.count()).select_from(outbox).where(*of_day)).scalar_one()
    rows = tx.execute(
        select(outbox.c.state, outbox.c.reason, func.count().label("n"))
        .where(*of_day)
        .group_by(outbox.c.state, outbox.c.reason)
        .order_by(outbox.c.state, outbox.c.reason)
    )
    states = dict.fromkeys(LEDGER_STATES, 0)
    reasons: dict[OutboxState, dict[str, int]] = defaultdict(dict)
    for row in rows:
        state = OutboxState(row.state)
        state = _SHOWN_AS.get(state, state)
        states[state] += row.n
        if row.reason:
            reasons[state][row.reason] = reasons[state].get(row.reason, 0) + row.n
    return Ledger(day=day, due=due, states=states, reasons=reasons)
