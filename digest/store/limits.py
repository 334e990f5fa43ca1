"""How often something may be done: counted in the database, so that all processes share a limit.

Only what was allowed is counted, so nobody can fill the table; what is a day old is forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, insert, select, text

from digest.store.schema import hit

_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most `times` within any span of that length, at most a day."""

    times: int
    within: timedelta


def allow(tx: Connection, bucket: str, limit: Limit, *, now: datetime) -> bool:
    """Count one more, if that is within the limit; False when it is not."""
    if tx.dialect.name != "sqlite":
        # two at once would both see the same count; on SQLite a writer is alone anyway
        tx.execute(text("SELECT pg_advisory_xact_lock(hashtext(:bucket))"), {"bucket": bucket})
    if used(tx, bucket, limit, now=now) >= limit.times:
        return False
    tx.execute(delete(hit).where(hit.c.at < now - _KEPT))
    tx.execute(insert(hit).values(bucket=bucket, at=now))
    return True


def used(tx: Connection, bucket: str, limit: Limit, *, now: datetime) -> int:
    """How often it was done within the limit's span."""
    mine = (hit.c.bucket == bucket, hit.c.at > now - limit.within)
    return tx.execute(select(func.count()).select_from(hit).where(*mine)).scalar_one()
