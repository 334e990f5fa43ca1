"""Taking messages from the outbox and writing down what became of them.

A row is taken by an UPDATE of the state it still has, under a lease by the database's clock; only
the owner of a lease may settle it. Called by digest/deliver/, several times a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
    true,
    update,
)

from digest.model import MessageKind, OutboxState, Status
from digest.store.engine import db_now
from digest.store.items import batches
from digest.store.moments import UTCDateTime
from digest.store.schema import OPEN, WAITING, outbox, subscriber, suppression

#: how the reasons of those begin that a warm-up has postponed
WARM_UP = "warm-up: "
_DIED = "the sender died while it was on the wire"


class Claimed(NamedTuple):
    """A message that this process may send now, until its lease ends."""

    id: int
    kind: MessageKind
    subscriber_id: int
    #: where the reader wants it now
    email: str
    edition_id: int | None
    message_id: str
    attempts: int
    created_at: datetime
    first_tried_at: datetime
    #: when its turn was, after it had been put off; None when it is here for the first time
    promised: datetime | None = None


class Settlement(NamedTuple):
    """What becomes of a claimed message."""

    id: int
    state: OutboxState
    reason: str | None = None
    answer: str | None = None
    #: for deferred, and for queued when it has to wait: not tried before
    not_before: datetime | None = None
    #: False: it has not left, so this was no attempt
    was_tried: bool = True


# statements of the sending loop are built once: building one costs more than running it
#: the longest waiting first; among equals a lot that is drawn anew each day, for a Message-ID is a
#: hash of person and day: nobody is always last, and no domain gets all of its mail in one burst
_DUE = (
    select(outbox.c.id)
    .where(WAITING, outbox.c.not_before <= bindparam("now"))
    .order_by(outbox.c.not_before, outbox.c.message_id)
    .limit(bindparam("room"))
    .with_for_update(skip_locked=True)
    .cte("due")
)
_CLAIM = (
    update(outbox)
    .where(outbox.c.id.in_(select(_DUE.c.id)), WAITING)
    .values(
        state=OutboxState.SENDING,
        lease_owner=bindparam("owner"),
        lease_until=bindparam("lease_end"),
        attempts=outbox.c.attempts + 1,
        first_tried_at=func.coalesce(
            outbox.c.first_tried_at, bindparam("tried", type_=UTCDateTime)
        ),
    )
    .returning(
        outbox.c.id,
        outbox.c.kind,
        outbox.c.subscriber_id,
        outbox.c.edition_id,
        outbox.c.message_id,
        outbox.c.attempts,
        outbox.c.not_before,
        outbox.c.created_at,
        outbox.c.first_tried_at,
    )
)
_IN_TURN = attrgetter("not_before", "message_id")
_KINDS = {kind.value: kind for kind in MessageKind}
_READERS: Select[Any] = (
    select(subscriber.c.id, subscriber.c.email, subscriber.c.status, suppression.c.reason)
    .outerjoin(suppression, suppression.c.address_key == subscriber.c.address_key)
    .where(subscriber.c.id.in_(bindparam("ids", expanding=True)))
)


_DUE_EDITION = and_(
    WAITING, outbox.c.not_before <= bindparam("now"), outbox.c.kind == MessageKind.EDITION
)


def claim(
    tx: Connection, *, owner: str, now: datetime, limit: int, lease: timedelta
) -> list[Claimed]:
    """Take messages whose time has come: they become `sending`, leased to `owner`.

    Who has unsubscribed or been suppressed since is not among them: those rows are cancelled here,
    in the same transaction, for this is the last look before the wire. Empty when nothing waits.
    """
    values = {"now": now, "room": limit, "owner": owner, "tried": now}
    while True:
        taken = tx.execute(_CLAIM, values | {"lease_end": db_now(tx) + lease}).all()
        ids = {row.subscriber_id for row in taken}
        readers = {row.id: row for row in tx.execute(_READERS, {"ids": tuple(ids)})} if ids else {}
        unwanted = {row.id: end for row in taken if (end := _unwanted(row, readers))}
        ended = [Settlement(id=i, state=state, reason=why) for i, (state, why) in unwanted.items()]
        settle(tx, ended, owner=owner, now=now)
        wanted = [row for row in taken if row.id not in unwanted]
        if wanted or not taken:
            wanted.sort(key=_IN_TURN)
            return [_claimed_from(row, readers[row.subscriber_id].email) for row in wanted]


def _claimed_from(row: Sequence[Any], email: str) -> Claimed:
    id_, kind, subscriber_id, edition_id, message_id, attempts, not_before, created_at, tried = row
    return Claimed(
        id=id_,
        kind=_KINDS[kind],
        subscriber_id=subscriber_id,
        email=email,
        edition_id=edition_id,
        message_id=message_id,
        attempts=attempts,
        created_at=created_at,
        promised=not_before if not_before > created_at else None,
        first_tried_at=tried,
    )


#: the status of those to whom a message of that kind may go
_WANTED_BY = {
    MessageKind.EDITION: Status.CONFIRMED,
    MessageKind.CONFIRMATION: Status.PENDING,
}


def _unwanted(row: Row[Any], readers: dict[int, Row[Any]]) -> tuple[OutboxState, str] | None:
    """How a message that must not leave ends instead; None when it may leave."""
    reader = readers.get(row.subscriber_id)
    if reader is None:
        return OutboxState.CANCELLED, "subscriber is gone"
    if reader.status == Status.SUPPRESSED or reader.reason is not None:
        return OutboxState.SUPPRESSED, "address is suppressed"
    if reader.status != _WANTED_BY[row.kind]:
        return OutboxState.CANCELLED, f"subscriber is {reader.status}"
    return None


_MINE = (
    select(outbox.c.id)
    .where(
        outbox.c.id.in_(bindparam("ids", expanding=True)),
        outbox.c.state == OutboxState.SENDING,
        outbox.c.lease_owner == bindparam("owner"),
    )
    .with_for_update()
)
_LEFT = outbox.c.attempts - bindparam("unsent", type_=Integer)
_SETTLE = (
    update(outbox)
    .where(outbox.c.id == bindparam("row_id"))
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        answer=bindparam("new_answer"),
        not_before=func.coalesce(bindparam("wait", type_=UTCDateTime), outbox.c.not_before),
        settled_at=bindparam("at"),
        attempts=_LEFT,
        first_tried_at=case((_LEFT > 0, outbox.c.first_tried_at)),
        lease_owner=None,
        lease_until=None,
    )
)


def settle(
    tx: Connection, settlements: Sequence[Settlement], *, owner: str, now: datetime
) -> set[int]:
    """Write what became of claimed messages; returns the ids that were still ours to settle."""
    if not settlements:
        return set()
    ids = [s.id for s in settlements]
    ours = set(tx.execute(_MINE, {"ids": ids, "owner": owner}).scalars())
    rows = [
        {
            "row_id": s.id,
            "new_state": s.state,
            "new_reason": s.reason,
            "new_answer": s.answer,
            "wait": s.not_before,
            "at": now if s.state.is_final else None,
            "unsent": int(not s.was_tried),
        }
        for s in settlements
        if s.id in ours
    ]
    if rows:
        tx.execute(_SETTLE, rows)
    return ours


def give_up_editions(
    tx: Connection, *, now: datetime, made_before: datetime, reason: str
) -> list[int]:
    """Fail every edition that is due, was made before then and has waited for a warm-up; returns
    the ids of the messages.
    """
    has_waited = outbox.c.reason.startswith(WARM_UP)
    old = select(outbox.c.id).where(_DUE_EDITION, has_waited, outbox.c.created_at < made_before)
    done = tx.execute(
        update(outbox)
        .where(outbox.c.id.in_(old.with_for_update(skip_locked=True)))
        .values(state=OutboxState.FAILED, reason=reason, settled_at=now)
        .returning(outbox.c.id),
        {"now": now},
    )
    return list(done.scalars())


def postpone_editions(tx: Connection, *, now: datetime, until: datetime, reason: str) -> int:
    """Have every edition that is due wait until then; returns how many there were."""
    due = select(outbox.c.id).where(_DUE_EDITION)
    done = tx.execute(
        update(outbox)
        .where(outbox.c.id.in_(due.with_for_update(skip_locked=True)))
        .values(state=OutboxState.DEFERRED, reason=reason, not_before=until),
        {"now": now},
    )
    return done.rowcount


def renew_lease(tx: Connection, ids: Sequence[int], *, owner: str, lease: timedelta) -> set[int]:
    """Prolong the lease of messages still ours; the others have gone to somebody else."""
    until = db_now(tx) + lease
    kept: set[int] = set()
    for batch in batches(ids):
        rows = tx.execute(
            update(outbox)
            .where(outbox.c.id.in_(batch), outbox.c.lease_owner == owner)
            .where(outbox.c.state == OutboxState.SENDING)
            .values(lease_until=until)
            .returning(outbox.c.id)
        )
        kept |= {row.id for row in rows}
    return kept


def release_stale(
    tx: Connection, *, now: datetime, resend: bool, nobody_sends: bool = False
) -> int:
    """Rows whose sender died become uncertain, and queued again when they are to be resent.

    Returns how many there were. The next attempt carries the same Message-ID. `nobody_sends` says
    that no sender is alive, whatever the leases say.
    """
    is_over = or_(outbox.c.lease_until < db_now(tx), outbox.c.lease_until.is_(None))
    # a frozen sender may hold locks: what it holds comes back when the database has cut it off
    stale = (
        select(outbox.c.id)
        .where(OPEN, outbox.c.state == OutboxState.SENDING, true() if nobody_sends else is_over)
        .with_for_update(skip_locked=True)
    )
    done = tx.execute(
        update(outbox)
        .where(outbox.c.id.in_(stale), outbox.c.state == OutboxState.SENDING)
        .values(
            state=OutboxState.QUEUED if resend else OutboxState.UNCERTAIN,
            reason=_DIED,
            lease_owner=None,
            lease_until=None,
        )
    )
    count = done.rowcount
    if resend:
        done = tx.execute(
            update(outbox)
            .where(OPEN, outbox.c.state == OutboxState.UNCERTAIN)
            .values(state=OutboxState.QUEUED, not_before=now)
        )
        count += done.rowcount
    return count
