"""What the operator looks up and sets right: single messages, single readers, suppressions.

A message changes only where it still stands as it was shown: somebody else may have been quicker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, func, select, update

from digest.clock import day_bounds
from digest.model import MessageKind, OutboxState, Status, Subscriber
from digest.store.editions import load_editions
from digest.store.items import items_by_key
from digest.store.people import subscriber_from
from digest.store.schema import outbox, pick, subscriber, suppression

#: states from which the operator may send again
RETRIED = (OutboxState.FAILED, OutboxState.DEFERRED, OutboxState.UNCERTAIN)
#: states from which the operator may cancel
CANCELLED = (OutboxState.QUEUED, OutboxState.DEFERRED, OutboxState.UNCERTAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageLine:
    """A message as the operator sees it."""

    id: int
    kind: MessageKind
    state: OutboxState
    reason: str | None
    #: the relay's last words
    answer: str | None
    #: empty after erasure
    email: str
    subscriber_id: int | None
    due_at: datetime
    not_before: datetime
    settled_at: datetime | None
    attempts: int

    @property
    def can_retry(self) -> bool:
        return self.state in RETRIED and self.subscriber_id is not None

    @property
    def can_cancel(self) -> bool:
        return self.state in CANCELLED


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSearch:
    """Which messages are looked for; None is any."""

    state: OutboxState | None = None
    kind: MessageKind | None = None
    #: the UTC day on which it was due
    day: date | None = None
    #: hash of the address
    address_key: str | None = None
    #: words of the reason or of the relay's answer
    words: str = ""
    #: ids below this: the next page
    before: int | None = None


def _shown() -> Select[Any]:  # Any: columns of several types
    return select(outbox, subscriber.c.email).join_from(
        outbox, subscriber, subscriber.c.id == outbox.c.subscriber_id, isouter=True
    )


def find_messages(tx: Connection, search: MessageSearch, *, limit: int) -> tuple[MessageLine, ...]:
    """The newest messages that the search means."""
    query = _shown().order_by(outbox.c.id.desc()).limit(limit)
    if search.state is not None:
        query = query.where(outbox.c.state == search.state)
    if search.kind is not None:
        query = query.where(outbox.c.kind == search.kind)
    if search.day is not None:
        start, end = day_bounds(search.day)
        query = query.where(outbox.c.due_at >= start, outbox.c.due_at < end)
    if search.address_key is not None:
        query = query.where(subscriber.c.address_key == search.address_key)
    if search.words:
        told = func.coalesce(outbox.c.reason, "").concat(func.coalesce(outbox.c.answer, ""))
        query = query.where(told.icontains(search.words, autoescape=True))
    if search.before is not None:
        query = query.where(outbox.c.id < search.before)
    return tuple(map(_line, tx.execute(query)))


def messages_to(tx: Connection, subscriber_id: int, *, limit: int) -> tuple[MessageLine, ...]:
    """The newest messages to one reader."""
    mine = outbox.c.subscriber_id == subscriber_id
    rows = tx.execute(_shown().where(mine).order_by(outbox.c.id.desc()).limit(limit))
    return tuple(map(_line, rows))


def _line(row: Row[Any]) -> MessageLine:
    return MessageLine(
        id=row.id,
        kind=MessageKind(row.kind),
        state=OutboxState(row.state),
        reason=row.reason,
        answer=row.answer,
        email=row.email or "",
        subscriber_id=row.subscriber_id,
        due_at=row.due_at,
        not_before=row.not_before,
        settled_at=row.settled_at,
        attempts=row.attempts,
    )


def retry_message(tx: Connection, message_id: int, *, now: datetime) -> bool:
    """Queue a message again; False when it is in no state for that.

    What a failed edition gave back to be picked is taken again, so that nothing comes twice; when
    some of it has been sent since, the message cannot be sent any more.
    """
    row = tx.execute(
        select(outbox.c.state, outbox.c.edition_id, outbox.c.subscriber_id)
        .where(outbox.c.id == message_id, outbox.c.state.in_(RETRIED))
        .with_for_update()
    ).first()
    if row is None or row.subscriber_id is None:
        return False
    if row.state == OutboxState.FAILED and row.edition_id is not None:
        if not _take_picks_again(tx, row.edition_id, row.subscriber_id):
            return False
    tx.execute(
        update(outbox)
        .where(outbox.c.id == message_id)
        .values(
            state=OutboxState.QUEUED,
            reason="sent again by the operator",
            not_before=now,
            # the time that it may take begins anew
            created_at=now,
            first_tried_at=None,
            settled_at=None,
            attempts=0,
        )
    )
    return True


def _take_picks_again(tx: Connection, edition_id: int, subscriber_id: int) -> bool:
    edition = load_editions(tx, [edition_id]).get(edition_id)
    if edition is None:
        return False
    entries = [e for e in (*edition.entries, *edition.rising) if not e.pick.item_id]
    known = items_by_key(tx, [entry.wording.key for entry in entries])
    ids = {entry: known[entry.wording.key].id for entry in entries if entry.wording.key in known}
    taken = select(pick.c.item_id).where(
        pick.c.subscriber_id == subscriber_id, pick.c.item_id.in_(list(ids.values()))
    )
    if len(set(ids.values())) < len(ids) or tx.execute(taken).first() is not None:
        return False
    for entry, item_id in ids.items():
        tx.execute(
            update(pick)
            .where(pick.c.edition_id == edition_id, pick.c.section == entry.pick.section)
            .where(pick.c.position == entry.pick.position)
            .values(item_id=item_id)
        )
    return True


def cancel_message(tx: Connection, message_id: int, *, now: datetime) -> bool:
    """Keep a message from being sent; False when it is in no state for that."""
    done = tx.execute(
        update(outbox)
        .where(outbox.c.id == message_id, outbox.c.state.in_(CANCELLED))
        .values(state=OutboxState.CANCELLED, reason="cancelled by the operator", settled_at=now)
    )
    return done.rowcount == 1


# --- readers


def find_readers(
    tx: Connection,
    *,
    status: Status | None = None,
    begins: str = "",
    before: int | None = None,
    limit: int,
) -> tuple[Subscriber, ...]:
    """The newest subscribers, perhaps of one status, or with addresses that begin like this."""
    query = select(subscriber).order_by(subscriber.c.id.desc()).limit(limit)
    if status is not None:
        query = query.where(subscriber.c.status == status)
    if begins:
        escaped = begins.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        query = query.where(func.lower(subscriber.c.email).like(f"{escaped}%", escape="\\"))
    if before is not None:
        query = query.where(subscriber.c.id < before)
    return tuple(map(subscriber_from, tx.execute(query)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """An address that must not be mailed. Only its hash is certain to be known."""

    address_key: str
    reason: str
    at: datetime
    #: None when no subscriber has it any more
    email: str | None
    subscriber_id: int | None


def latest_suppressions(tx: Connection, *, limit: int) -> tuple[Suppressed, ...]:
    """The addresses suppressed last."""
    rows = tx.execute(
        select(suppression, subscriber.c.email, subscriber.c.id)
        .join_from(
            suppression,
            subscriber,
            subscriber.c.address_key == suppression.c.address_key,
            isouter=True,
        )
        .order_by(suppression.c.at.desc(), suppression.c.address_key)
        .limit(limit)
    )
    return tuple(
        Suppressed(
            address_key=row.address_key,
            reason=row.reason,
            at=row.at,
            email=row.email,
            subscriber_id=row.id,
        )
        for row in rows
    )


def count_suppressions(tx: Connection) -> int:
    """How many addresses must not be mailed."""
    return tx.execute(select(func.count()).select_from(suppression)).scalar_one()
