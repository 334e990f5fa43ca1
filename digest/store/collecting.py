"""What collecting remembers: due sources, past readings, validators, and the pause of each host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from statistics import median
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from digest.model import Reading, ReadingState
from digest.store.engine import Store, db_now
from digest.store.schema import host, reading, source, validator
from digest.store.upsert import insert_new, put_row

#: how many earlier lists make the usual length, and how few make none yet
_USUAL_OF = 14
_USUAL_MIN = 3
#: no server may send us away for longer than this
_HOLD_MAX = timedelta(hours=24)
_READ_WELL = (ReadingState.OK, ReadingState.UNCHANGED, ReadingState.SHORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How a source is doing."""

    name: str
    kind: str
    next_fetch_at: datetime | None
    last_read_at: datetime | None
    #: passes in a row in which nothing could be read
    failures: int
    last_error: str | None
    #: usual length of its lists; None while there are too few to say
    usual: float | None
    last_reading: Reading | None


def sync_sources(store: Store, kinds: Mapping[str, str]) -> None:
    """Have a row for every configured source. Those of others stay: a process on another host
    may have other settings, and what was read from a source that is gone is still true.
    """
    with store.read() as tx:
        known = {row.name: row.kind for row in tx.execute(select(source.c.name, source.c.kind))}
    new = {name: kind for name, kind in kinds.items() if known.get(name) != kind}
    if not new:
        return
    with store.write() as tx:
        rows = [{"name": name, "kind": kind, "failures": 0} for name, kind in sorted(new.items())]
        insert_new(tx, source, rows)
        for name, kind in sorted(new.items()):
            tx.execute(update(source).where(source.c.name == name).values(kind=kind))


def due_sources(tx: Connection, every: Mapping[str, timedelta], now: datetime) -> tuple[str, ...]:
    """Names of those sources whose time has come, the longest waiting first.

    `every` has the sources of this process, and how often each is read.
    """
    rows = tx.execute(select(source.c.name, source.c.next_fetch_at)).all()
    due = [
        (row.next_fetch_at or now, row.name)
        for row in rows
        if row.name in every and _is_due(row.next_fetch_at, every[row.name], now)
    ]
    return tuple(name for _, name in sorted(due))


def _is_due(next_at: datetime | None, every: timedelta, now: datetime) -> bool:
    # later than one period ahead was never planned: the clock has been set back
    return next_at is None or next_at <= now or next_at > now + every + _HOLD_MAX


def claim_source(tx: Connection, name: str, *, owner: str, lease: timedelta) -> bool:
    """Take a source for reading; False when another process is reading it now."""
    moment = db_now(tx)
    free = or_(source.c.lease_until.is_(None), source.c.lease_until < moment)
    taken = tx.execute(
        update(source)
        .where(source.c.name == name, free)
        .values(lease_owner=owner, lease_until=moment + lease)
    )
    return taken.rowcount == 1


def finish_source(
    tx: Connection,
    name: str,
    *,
    next_fetch_at: datetime,
    read_at: datetime | None,
    error: str | None,
) -> None:
    """Give a source back after a pass, with its next due time and what went wrong, if anything.

    `read_at` is None when nothing could be read.
    """
    outcome: dict[str, Any] = {"last_error": error}
    outcome["failures"] = source.c.failures + 1 if read_at is None else 0
    if read_at is not None:
        outcome["last_read_at"] = read_at
    tx.execute(
        update(source)
        .where(source.c.name == name)
        .values(next_fetch_at=next_fetch_at, lease_owner=None, lease_until=None, **outcome)
    )


def memory(tx: Connection, name: str, *, since: datetime) -> dict[str, datetime]:
    """For each label of a source: when it was last read well."""
    rows = tx.execute(
        select(reading.c.label, func.max(reading.c.read_at).label("read_at"))
        .where(reading.c.source == name, reading.c.read_at >= since)
        .where(reading.c.state.in_(_READ_WELL))
        .group_by(reading.c.label)
    )
    return {row.label: row.read_at for row in rows}


def usual_length(tx: Connection, name: str) -> float | None:
    """Median length of a source's recent settled lists, one for each label; None for too few."""
    recent = list(_lengths(tx, name).values())[:_USUAL_OF]
    return median(recent) if len(recent) >= _USUAL_MIN else None


def count_empty(tx: Connection, name: str, *, before: str) -> int:
    """How many settled lists in a row, back from the one with the label `before`, had no entry."""
    lengths = _lengths(tx, name)
    lengths.pop(f"{before}/", None)
    return sum(1 for _ in takewhile(lambda length: length == 0, lengths.values()))


def _lengths(tx: Connection, name: str) -> dict[str, int]:
    """Entries of a source's recent settled lists, each as last read, the newest first."""
    rows = tx.execute(
        select(reading.c.label, reading.c.entries)
        .where(reading.c.source == name, reading.c.settled)
        .where(reading.c.state.in_((ReadingState.OK, ReadingState.SHORT)))
        .order_by(reading.c.read_at.desc(), reading.c.id.desc())
        .limit(10 * _USUAL_OF)
    )
    lengths: dict[str, int] = {}
    for count, row in enumerate(rows):
        # a feed is asked under one label for ever: there each reading counts
        lengths.setdefault(f"{row.label}/{count if row.label == name else ''}", row.entries)
    return lengths


def add_reading(tx: Connection, record: Reading, *, settled: bool) -> None:
    """Write one line of the collecting ledger."""
    tx.execute(insert(reading).values(**asdict(record), settled=settled))


def get_validator(tx: Connection, url: str) -> Row[Any] | None:
    """The stored `etag` and `last_modified` of a URL."""
    return tx.execute(select(validator).where(validator.c.url == url)).first()


def put_validator(tx: Connection, url: str, *, etag: str | None, last_modified: str | None) -> None:
    """Remember, or forget when both are None, what makes the next reading of a URL conditional."""
    if etag or last_modified:
        put_row(tx, validator, {"url": url, "etag": etag, "last_modified": last_modified})
    else:
        tx.execute(delete(validator).where(validator.c.url == url))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDay:
    """What one source gave on one day."""

    name: str
    read: int
    new: int
    merged: int
    broken: int
    #: the last error of the day; None when there was none
    error: str | None


def source_days(
    tx: Connection, names: Iterable[str], start: datetime, end: datetime
) -> tuple[SourceDay, ...]:
    """What those sources, and all others read then, gave between two moments, by name."""
    totals: dict[str, dict[str, Any]] = {
        name: {"read": 0, "new": 0, "merged": 0, "broken": 0, "error": None} for name in names
    }
    rows = tx.execute(
        select(reading)
        .where(reading.c.read_at >= start, reading.c.read_at < end)
        .order_by(reading.c.read_at, reading.c.id)
    )
    for row in rows:
        day = totals.setdefault(
            row.source, {"read": 0, "new": 0, "merged": 0, "broken": 0, "error": None}
        )
        day["read"] += row.entries
        for name in ("new", "merged", "broken"):
            day[name] += getattr(row, name)
        day["error"] = f"{row.label}: {row.error}" if row.error else day["error"]
    return tuple(SourceDay(name=name, **totals[name]) for name in sorted(totals))


def source_states(tx: Connection, names: Iterable[str]) -> tuple[SourceState, ...]:
    """How each of those sources is doing."""
    rows = {row.name: row for row in tx.execute(select(source))}
    return tuple(
        SourceState(
            name=name,
            kind=rows[name].kind,
            next_fetch_at=rows[name].next_fetch_at,
            last_read_at=rows[name].last_read_at,
            failures=rows[name].failures,
            last_error=rows[name].last_error,
            usual=usual_length(tx, name),
            last_reading=_last_reading(tx, name),
        )
        for name in names
        if name in rows
    )


def _last_reading(tx: Connection, name: str) -> Reading | None:
    row = tx.execute(
        select(reading)
        .where(reading.c.source == name)
        .order_by(reading.c.read_at.desc(), reading.c.id.desc())
        .limit(1)
    ).first()
    return reading_from(row) if row else None


def reading_from(row: Row[Any]) -> Reading:
    """The record of a row of readings."""
    values = {name: getattr(row, name) for name in Reading.__dataclass_fields__}
    return Reading(**values | {"state": ReadingState(row.state)})


class StoreGate:
    """The pause of each host, shared by all processes through the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def wait_s(self, name: str, pause_s: float, now: datetime) -> float:
        """Reserve the host's next turn; says how many seconds from now it begins."""
        pause = timedelta(seconds=pause_s)
        with self._store.write() as tx:
            row = _held_host(tx, name)
            held = row.held_until
            first = held if held and now < held <= now + _HOLD_MAX else now
            # never longer than one pause for each process in line: clocks can be set back
            start = min(max(row.free_at or first, first), first + 10 * pause)
            tx.execute(update(host).where(host.c.name == name).values(free_at=start + pause))
        return (start - now).total_seconds()

    def hold(self, name: str, until: datetime) -> None:
        """Nobody asks this host before then; an earlier, longer hold stays."""
        with self._store.write() as tx:
            row = _held_host(tx, name)
            if row.held_until is None or row.held_until < until:
                tx.execute(update(host).where(host.c.name == name).values(held_until=until))


def _held_host(tx: Connection, name: str) -> Row[Any]:
    """The row of a host, ours until the transaction ends."""
    insert_new(tx, host, [{"name": name}])
    return tx.execute(select(host).where(host.c.name == name).with_for_update()).one()
