"""Every table and column, with its meaning. Migrations build the same thing step by step; a test
holds the two against each other on both databases. Only digest/store/ imports this.
"""

from __future__ import annotations

from typing import Any

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
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from digest.store.moments import UTCDateTime

metadata = MetaData(
    naming_convention={
        # batch mode can only change SQLite constraints that have names
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _key(table: str, **options: Any) -> Column[int]:
    return Column(f"{table}_id", ForeignKey(f"{table}.id", ondelete="CASCADE"), **options)


# --- collecting

source = Table(
    "source",
    metadata,
    Column("name", Text, primary_key=True),  # as in the configuration
    Column("kind", Text, nullable=False),
    Column("next_fetch_at", UTCDateTime),  # null: as soon as possible
    Column("last_read_at", UTCDateTime),  # last time anything was read well
    Column("failures", Integer, nullable=False, default=0),  # passes in a row without a reading
    Column("last_error", Text),  # of the last pass; null when it went well
    Column("lease_owner", Text),  # the process that is reading it now
    Column("lease_until", UTCDateTime),  # by the database's clock
)

reading = Table(
    "reading",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("label", Text, nullable=False),  # what was asked: a day, a category
    Column("url", Text, nullable=False),
    Column("read_at", UTCDateTime, nullable=False),
    Column("state", Text, nullable=False),  # ReadingState
    Column("settled", Boolean, nullable=False, default=False),  # may be held against the usual
    Column("entries", Integer, nullable=False, default=0),
    Column("new", Integer, nullable=False, default=0),
    Column("merged", Integer, nullable=False, default=0),
    Column("broken", Integer, nullable=False, default=0),
    Column("error", Text),
    Index(None, "source", "label", "read_at"),
    Index(None, "read_at"),
)

validator = Table(
    "validator",
    metadata,
    Column("url", Text, primary_key=True),
    Column("etag", Text),
    Column("last_modified", Text),
)

host = Table(
    "host",
    metadata,
    Column("name", Text, primary_key=True),
    Column("free_at", UTCDateTime),  # when the next request may leave, for all processes
    Column("held_until", UTCDateTime),  # the server asked us to stay away until then
)

# --- items

item = Table(
    "item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # the best key known
    Column("arxiv_id", Text),
    Column("version", Integer),  # highest arXiv version seen
    Column("doi", Text),
    Column("url", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("abstract", Text, nullable=False),
    Column("authors", JSON, nullable=False),
    Column("categories", JSON, nullable=False),
    Column("organization", Text),
    Column("published_at", UTCDateTime),
    Column("pdf_url", Text),
    Column("code_url", Text),
    Column("project_url", Text),
    Column("discussion_url", Text),
    Column("told_by", Text, nullable=False),  # kind of the source that title and abstract are from
    Column("withdrawn", Boolean, nullable=False, default=False),
    Column("offered", Boolean, nullable=False, default=True),  # false: only ever seen as replaced
    Column("first_seen_at", UTCDateTime, nullable=False),
    Column("changed_at", UTCDateTime, nullable=False),  # last change of the columns above
    # digest.text.text_key of title and abstract: what its vectors are found by
    Column("text_key", Text, nullable=False, server_default=""),
    Index(None, "first_seen_at"),
    # both together answer, without a look at the item, which texts have no vector yet
    Index(None, "changed_at", "text_key"),
    Index(None, "text_key"),
)

embedding = Table(
    "embedding",
    metadata,
    Column("text_key", Text, primary_key=True),  # of an item, a topic, somebody's own words
    Column("model", Text, primary_key=True),  # what made it; others' are never compared with it
    Column("vector", LargeBinary, nullable=False),  # float16, of unit length
    Column("made_at", UTCDateTime, nullable=False),
)

item_key = Table(
    "item_key",
    metadata,
    Column("key", Text, primary_key=True),  # every key under which the item was ever seen
    _key("item", nullable=False, index=True),
)

standing = Table(
    "standing",
    metadata,
    _key("item", primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("first_seen_at", UTCDateTime, nullable=False),
    Column("last_seen_at", UTCDateTime, nullable=False),
    Column("listed_at", UTCDateTime),
    Column("position", Integer),
    Column("votes", Integer),
    Column("comments", Integer),
    Column("stars", Integer),
    Index(None, "last_seen_at"),
    Index(None, "first_seen_at"),
    Index(None, "source", "first_seen_at"),
)

sighting = Table(
    "sighting",
    metadata,
    _key("item", primary_key=True, autoincrement=False),
    Column("source", Text, primary_key=True),
    Column("seen_at", UTCDateTime, primary_key=True),
    Column("position", Integer),
    Column("votes", Integer),
    Column("comments", Integer),
    Column("stars", Integer),
)

wording = Table(
    "wording",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("fingerprint", Text, nullable=False, unique=True),  # SHA-256 of data
    Column("data", JSON, nullable=False),  # what an item said when it was picked
)

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
    _key("subscriber", nullable=False),
    Column("kind", Text, nullable=False),  # InterestKind
    Column("value", Text, nullable=False),
    Column("created_at", UTCDateTime, nullable=False),
    UniqueConstraint("subscriber_id", "kind", "value"),
)

consent = Table(
    "consent",
    metadata,
    Column("id", Integer, primary_key=True),
    _key("subscriber", nullable=False, index=True),
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
    _key("subscriber", primary_key=True, autoincrement=False),
    # whose address it is to become
    Column("from_id", ForeignKey("subscriber.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("asked_at", UTCDateTime, nullable=False),
)

# --- editions and messages

#: the conditions of two indexes; SQLite uses them only for queries that say the same, word by word
WAITING = text("state IN ('queued', 'deferred')")
OPEN = text("state IN ('queued', 'deferred', 'sending', 'uncertain')")

edition = Table(
    "edition",
    metadata,
    Column("id", Integer, primary_key=True),
    _key("subscriber", nullable=False),
    Column("local_on", Date, nullable=False),
    Column("due_at", UTCDateTime, nullable=False),
    Column("made_at", UTCDateTime, nullable=False),
    Column("zone", Text, nullable=False),
    Column("considered", Integer, nullable=False),
    Column("interests", Integer, nullable=False),
    Column("note", Text),
    UniqueConstraint("subscriber_id", "local_on"),
    sqlite_autoincrement=True,
)

pick = Table(
    "pick",
    metadata,
    _key("edition", primary_key=True, autoincrement=False),
    Column("section", Text, primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    _key("subscriber", nullable=False),
    # null when the item was later found to be the same as another pick of this person
    Column("item_id", ForeignKey("item.id", ondelete="SET NULL"), nullable=True),
    Column("wording_id", ForeignKey("wording.id"), nullable=False),
    Column("score", Float, nullable=False),
    Column("match", Float, nullable=False),  # the parts of the score
    Column("trend", Float, nullable=False),
    Column("freshness", Float, nullable=False),
    Column("shown", JSON, nullable=False),  # reasons and numbers as the reader saw them
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
    _key("subscriber", nullable=False),
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
