"""Tables of people: topics, subscribers and what they agreed to, and what pages keep of them."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
)

from digest.store.moments import UTCDateTime
from digest.store.schema.base import key_of, metadata

# --- people

topic = Table(
    "topic",
    metadata,
    Column("slug", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False, default=""),
    Column("text", Text, nullable=False, default=""),
    Column("keywords", JSON, nullable=False),
    Column("exclude", JSON, nullable=False),
    Column("position", Integer, nullable=False, default=0),  # order on the subscribe page
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("email", Text, nullable=False),  # as typed; empty after erasure
    Column("address_key", Text, nullable=False, unique=True),  # hash of the normalised address
    Column("status", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("send_at", Text, nullable=False),  # "07:30", the wall clock of zone
    Column("cadence", Text, nullable=False),
    Column("max_items", Integer, nullable=False),
    Column("rising", Boolean, nullable=False, default=True),
    Column("created_at", UTCDateTime, nullable=False),
    Column("confirmed_at", UTCDateTime),
    Column("ended_at", UTCDateTime),  # unsubscribed or suppressed
    Column("paused_until", UTCDateTime),
    Column("next_edition_at", UTCDateTime),  # null when none is due
    Index(None, "next_edition_at"),
    Index(None, "status"),
    # ids stand in signed links: one must never come to mean another person
    sqlite_autoincrement=True,
)

interest = Table(
    "interest",
    metadata,
    Column("id", Integer, primary_key=True),
    key_of("subscriber", nullable=False),
    Column("kind", Text, nullable=False),  # InterestKind
    Column("value", Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    UniqueConstraint("subscriber_id", "kind", "value"),
)

consent = Table(
    "consent",
    metadata,
    Column("id", Integer, primary_key=True),
    key_of("subscriber", nullable=False, index=True),
    Column("action", Text, nullable=False),  # asked, confirmed, ended, changed, vouched
    Column("at", UTCDateTime, nullable=False),
    Column("source", Text, nullable=False),  # web, operator, import, mail
    Column("detail", Text),  # form version, trimmed client address
    Index(None, "at"),
)

suppression = Table(
    "suppression",
    metadata,
    Column("address_key", Text, primary_key=True),  # hash only: it outlives erasure
    Column("reason", Text, nullable=False),
    Column("at", UTCDateTime, nullable=False),
)

# --- the pages

hit = Table(
    "hit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("bucket", Text, nullable=False),  # what is limited: "ask:address:<hash>"
    Column("at", UTCDateTime, nullable=False),  # forgotten after a day
    Index(None, "bucket", "at"),
    Index(None, "at"),
)

signup = Table(
    "signup",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UTCDateTime, nullable=False),
    Column("form", JSON, nullable=False),  # what was sent in; gone as soon as it is dealt with
    sqlite_autoincrement=True,
)

move = Table(
    "move",
    metadata,
    # the pending subscriber that the new address is, until it confirms
    key_of("subscriber", primary_key=True, autoincrement=False),
    # whose address it is to become
    Column("from_id", ForeignKey("subscriber.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("asked_at", UTCDateTime, nullable=False),
)
