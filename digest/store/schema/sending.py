"""Tables of editions and messages: what was picked, sent and returned, and facts of a process."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from digest.store.moments import UTCDateTime
from digest.store.schema.base import key_of, metadata

# --- editions and messages

#: the conditions of two indexes; SQLite uses them only for queries that say the same, word by word
WAITING = text("state IN ('queued', 'deferred')")
OPEN = text("state IN ('queued', 'deferred', 'sending', 'uncertain')")

edition = Table(
    "edition",
    metadata,
    Column("id", Integer, primary_key=True),
    key_of("subscriber", nullable=False),
    Column("local_on", Date, nullable=False),
    Column("due_at", UTCDateTime, nullable=False),
    Column("made_at", UTCDateTime, nullable=False),
    Column("zone", Text, nullable=False),
    Column("considered", Integer, nullable=False),
    Column("interests", Integer, nullable=False),
    Column("note", Text),
    # what its mail tells: a line of JSON for each item, in order; picks, an empty line, rising
    Column("reasons", Text, nullable=False, server_default=""),  # the reader's own
    Column("shown", Text, nullable=False, server_default=""),  # the item as all saw it then
    UniqueConstraint("subscriber_id", "local_on"),
    sqlite_autoincrement=True,
)

pick = Table(
    "pick",
    metadata,
    key_of("edition", primary_key=True, autoincrement=False),
    Column("section", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    key_of("subscriber", nullable=False),
    # null when the item was later found to be the same as another pick of this person
    Column("item_id", ForeignKey("item.id", ondelete="SET NULL"), nullable=True),
    Column("score", Float, nullable=False),
    Column("match", Float, nullable=False),  # the parts of the score
    Column("trend", Float, nullable=False),
    Column("freshness", Float, nullable=False),
    UniqueConstraint("subscriber_id", "item_id"),  # nothing is ever sent twice to one person
    Index(None, "item_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Text, nullable=False),  # MessageKind
    # both null after erasure: the ledger of past days does not change when a person leaves
    Column("subscriber_id", ForeignKey("subscriber.id", ondelete="SET NULL"), index=True),
    Column("edition_id", ForeignKey("edition.id", ondelete="SET NULL"), index=True),
    Column("dedupe_key", Text, nullable=False, unique=True),  # one message for one purpose, ever
    Column("message_id", Text, nullable=False),  # the same on every attempt
    Column("state", Text, nullable=False),  # OutboxState
    Column("reason", Text),  # why skipped, failed, deferred, cancelled, suppressed
    Column("due_at", UTCDateTime, nullable=False),  # its UTC day is the day of the ledger
    Column("created_at", UTCDateTime, nullable=False),
    Column("not_before", UTCDateTime, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("first_tried_at", UTCDateTime),
    Column("settled_at", UTCDateTime),
    Column("answer", Text),  # the relay's last words, or the reason in full
    Column("lease_owner", Text),
    Column("lease_until", UTCDateTime),  # by the database's clock
    # what can still move is little beside what has: both stay small when millions have been sent
    Index(
        "ix_outbox_waiting",
        "not_before",
        "message_id",
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    ),
    Index("ix_outbox_open", "state", sqlite_where=OPEN, postgresql_where=OPEN),
    Index(None, "due_at"),
    Index(None, "message_id"),  # a bounce may know a message by nothing else
    sqlite_autoincrement=True,
)

bounce = Table(
    "bounce",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", Text, nullable=False, unique=True),  # SHA-256 of evidence and person
    key_of("subscriber", nullable=False),
    Column("outbox_id", ForeignKey("outbox.id", ondelete="SET NULL"), index=True),
    Column("kind", Text, nullable=False),  # BounceKind
    Column("status", Text),  # enhanced status code
    Column("diagnostic", Text, nullable=False),  # the other server's words, one line
    Column("proven", Boolean, nullable=False),  # it is about a message of ours, not only by address
    Column("effect", Text),  # what it led to: why the address was suppressed; null: it only counts
    Column("at", UTCDateTime, nullable=False, index=True),  # when it was read
    Column("forgiven_at", UTCDateTime),  # undone by the operator: counts no more
    Column("evidence", LargeBinary, nullable=False),  # the message as it came, its first 64 KB
    Index(None, "subscriber_id", "at"),
    sqlite_autoincrement=True,
)

state = Table(
    "state",
    metadata,
    Column("name", Text, primary_key=True),  # "sending_paused", "heartbeat.collect", …
    Column("value", JSON, nullable=False),
)
