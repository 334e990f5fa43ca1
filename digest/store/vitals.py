"""How the service is doing, in a few numbers that cost little to ask, however large it is.

Read by /health, /metrics and the operator's first page; what the numbers mean is decided in
digest/vitals.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from digest.model import MessageKind, OutboxState, Status
from digest.store.engine import db_now
from digest.store.facts import get_fact
from digest.store.schema import consent, outbox, source, state, subscriber

_WAITING = (OutboxState.QUEUED, OutboxState.DEFERRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVital:
    """How one source is doing."""

    name: str
    next_fetch_at: datetime | None
    last_read_at: datetime | None
    #: passes in a row in which nothing could be read
    failures: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vitals:
    """The numbers of one moment."""

    sources: tuple[SourceVital, ...]
    #: the longest due edition that was not made; None when none is due
    oldest_due_at: datetime | None
    #: since when the longest waiting message could have been sent; None when none waits
    oldest_waiting_at: datetime | None
    #: messages whose sender died and that nobody has taken back
    abandoned: int
    #: messages that may have arrived and wait for the operator
    uncertain: int
    #: why and since when sending is paused; None when it is not
    paused: Mapping[str, Any] | None
    #: stage → last sign of life
    heartbeats: Mapping[str, datetime]


def read_vitals(tx: Connection) -> Vitals:
    """Ask for the numbers of now."""
    rows = tx.execute(select(source).order_by(source.c.name))
    waiting = (outbox.c.state == s for s in _WAITING)
    oldest = [tx.execute(select(func.min(outbox.c.not_before)).where(w)).scalar() for w in waiting]
    abandoned = (outbox.c.state == OutboxState.SENDING, outbox.c.lease_until < db_now(tx))
    uncertain = outbox.c.state == OutboxState.UNCERTAIN
    return Vitals(
        sources=tuple(
            SourceVital(
                name=row.name,
                next_fetch_at=row.next_fetch_at,
                last_read_at=row.last_read_at,
                failures=row.failures,
                error=row.last_error,
            )
            for row in rows
        ),
        oldest_due_at=_oldest_due(tx),
        oldest_waiting_at=min((at for at in oldest if at is not None), default=None),
        abandoned=_count(tx, *abandoned),
        uncertain=_count(tx, uncertain),
        paused=get_fact(tx, "sending_paused"),
        heartbeats=_heartbeats(tx),
    )


def _oldest_due(tx: Connection) -> datetime | None:
    return tx.execute(
        select(subscriber.c.next_edition_at)
        .where(subscriber.c.next_edition_at.is_not(None), subscriber.c.status == Status.CONFIRMED)
        .order_by(subscriber.c.next_edition_at)
        .limit(1)
    ).scalar()


def _count(tx: Connection, *conditions: Any) -> int:  # Any: SQLAlchemy's expressions
    return tx.execute(select(func.count()).select_from(outbox).where(*conditions)).scalar_one()


def _heartbeats(tx: Connection) -> dict[str, datetime]:
    rows = tx.execute(select(state).where(state.c.name.like("heartbeat.%")))
    return {
        row.name.partition(".")[2]: datetime.fromisoformat(row.value)
        for row in rows
        if isinstance(row.value, str)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How many addresses were asked to confirm, and how many did."""

    #: questions within the last hour
    last_hour: int
    #: questions an hour over the week before, on average
    usual: float
    #: confirmations within the last day
    confirmed_today: int
    #: questions within the last day
    asked_today: int


def read_asking(tx: Connection, now: datetime) -> Asking:
    """The numbers that show whether strangers' addresses are being typed into the form."""
    hour, day, week = timedelta(hours=1), timedelta(days=1), timedelta(days=7)

    def asked(since: datetime, until: datetime) -> int:
        return _count(
            tx,
            outbox.c.kind == MessageKind.CONFIRMATION,
            outbox.c.due_at >= since,
            outbox.c.due_at < until,
        )

    # the bound is open: a question of this very moment counts
    end = now + timedelta(seconds=1)
    confirmed = select(func.count()).select_from(consent)
    confirmed = confirmed.where(consent.c.at >= now - day, consent.c.action == "confirmed")
    return Asking(
        last_hour=asked(now - hour, end),
        usual=asked(now - hour - week, now - hour) / (week / hour),
        confirmed_today=tx.execute(confirmed).scalar_one(),
        asked_today=asked(now - day, end),
    )
