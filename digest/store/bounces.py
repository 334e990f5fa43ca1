"""What came back, person by person, with its evidence; and the messages that it is about.

Evidence goes with the person: erasing a subscriber erases it too. What a bounce means is decided
in digest/returns.py; here it is looked up and written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, select, update

from digest.model import BounceKind, Mark, Status
from digest.store.schema import bounce, outbox, subscriber
from digest.store.upsert import insert_new

#: what is kept of a message as evidence
EVIDENCE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBounce:
    """A bounce to be written down."""

    #: the same message about the same person is one bounce, however often it is read
    fingerprint: str
    subscriber_id: int
    outbox_id: int | None
    kind: BounceKind
    status: str | None
    diagnostic: str
    #: a signed address or a Message-ID of ours says whom it is about; else only the address does
    is_proven: bool
    evidence: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounce:
    """A bounce as it is shown."""

    id: int
    subscriber_id: int
    email: str
    #: hash of the address: what a suppression knows it by
    address_key: str
    #: where the person stands now
    person: Status
    outbox_id: int | None
    kind: BounceKind
    status: str | None
    diagnostic: str
    is_proven: bool
    #: why the address was suppressed by it; None: it only counts
    effect: str | None
    at: datetime
    forgiven_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A message of ours that something came back for."""

    outbox_id: int
    #: None after erasure
    subscriber_id: int | None
    #: when it was sent or given up; None: not yet
    settled_at: datetime | None


def message_by_id(tx: Connection, outbox_id: int) -> Returned | None:
    """The message with that outbox id."""
    return _returned(tx, outbox.c.id == outbox_id)


def message_by_message_id(tx: Connection, message_id: str) -> Returned | None:
    """The message with that Message-ID, in angle brackets."""
    return _returned(tx, outbox.c.message_id == message_id)


def _returned(tx: Connection, is_it: Any) -> Returned | None:  # Any: SQLAlchemy's expression
    asked = select(outbox.c.id, outbox.c.subscriber_id, outbox.c.settled_at)
    row = tx.execute(asked.where(is_it).limit(1)).first()
    if row is None:
        return None
    return Returned(outbox_id=row.id, subscriber_id=row.subscriber_id, settled_at=row.settled_at)


def add_bounce(tx: Connection, new: NewBounce, *, now: datetime) -> int | None:
    """Write a bounce down; its id, or None when it was written down before."""
    mine = bounce.c.fingerprint == new.fingerprint
    if tx.execute(select(bounce.c.id).where(mine)).first():
        return None
    row = {
        "fingerprint": new.fingerprint,
        "subscriber_id": new.subscriber_id,
        "outbox_id": new.outbox_id,
        "kind": new.kind,
        "status": new.status,
        "diagnostic": new.diagnostic,
        "proven": new.is_proven,
        "at": now,
        "evidence": new.evidence[:EVIDENCE_BYTES_MAX],
    }
    # another process may read the same mailbox at this moment
    insert_new(tx, bounce, [row])
    return tx.execute(select(bounce.c.id).where(mine)).scalar()


def set_effect(tx: Connection, bounce_id: int, effect: str) -> None:
    """Note what a bounce led to."""
    tx.execute(update(bounce).where(bounce.c.id == bounce_id).values(effect=effect))


def marks_of(tx: Connection, subscriber_id: int) -> list[Mark]:
    """A person's bounces that were not forgiven, oldest first."""
    rows = tx.execute(
        select(bounce.c.kind, bounce.c.at)
        .where(bounce.c.subscriber_id == subscriber_id, bounce.c.forgiven_at.is_(None))
        .order_by(bounce.c.at)
    )
    return [Mark(kind=BounceKind(row.kind), at=row.at) for row in rows]


def forgive(tx: Connection, subscriber_id: int, *, now: datetime) -> int:
    """Count none of a person's bounces any more; returns how many there were."""
    done = tx.execute(
        update(bounce)
        .where(bounce.c.subscriber_id == subscriber_id, bounce.c.forgiven_at.is_(None))
        .values(forgiven_at=now)
    )
    return done.rowcount


def latest_bounces(
    tx: Connection,
    *,
    kinds: Sequence[BounceKind] = (),
    address_key: str | None = None,
    limit: int = 100,
) -> list[Bounce]:
    """The newest bounces first: all, or those of some kinds, or of one address."""
    query = _shown.order_by(bounce.c.id.desc()).limit(limit)
    if kinds:
        query = query.where(bounce.c.kind.in_(list(kinds)))
    if address_key is not None:
        query = query.where(subscriber.c.address_key == address_key)
    return [_bounce_from(row) for row in tx.execute(query)]


def get_bounce(tx: Connection, bounce_id: int) -> Bounce | None:
    """The bounce with that id."""
    row = tx.execute(_shown.where(bounce.c.id == bounce_id)).first()
    return _bounce_from(row) if row else None


def evidence_of(tx: Connection, bounce_id: int) -> bytes:
    """The message that a bounce was read from, as it came, its first 64 KB."""
    found = tx.execute(select(bounce.c.evidence).where(bounce.c.id == bounce_id)).scalar()
    return bytes(found or b"")


def count_bounces(tx: Connection, *, since: datetime) -> dict[BounceKind, int]:
    """How many of each kind came since then."""
    rows = tx.execute(
        select(bounce.c.kind, func.count().label("n"))
        .where(bounce.c.at >= since)
        .group_by(bounce.c.kind)
    )
    return {BounceKind(row.kind): row.n for row in rows}


def forget_bounces(tx: Connection, *, before: datetime) -> int:
    """Delete bounces older than that, but not of people who are suppressed: those say why."""
    kept = select(subscriber.c.id).where(subscriber.c.status == Status.SUPPRESSED)
    done = tx.execute(
        delete(bounce).where(bounce.c.at < before, bounce.c.subscriber_id.not_in(kept))
    )
    return done.rowcount


_shown: Select[Any] = select(  # Any: columns of several types
    *(column for column in bounce.c if column.name not in ("fingerprint", "evidence")),
    subscriber.c.email,
    subscriber.c.address_key,
    subscriber.c.status.label("person"),
).join_from(bounce, subscriber, bounce.c.subscriber_id == subscriber.c.id)


def _bounce_from(row: Row[Any]) -> Bounce:
    return Bounce(
        id=row.id,
        subscriber_id=row.subscriber_id,
        email=row.email,
        address_key=row.address_key,
        person=Status(row.person),
        outbox_id=row.outbox_id,
        kind=BounceKind(row.kind),
        status=row.status,
        diagnostic=row.diagnostic,
        is_proven=row.proven,
        effect=row.effect,
        at=row.at,
        forgiven_at=row.forgiven_at,
    )
