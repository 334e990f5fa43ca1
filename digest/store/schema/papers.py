"""Tables of collecting: what was asked and read, and the items that came of it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from digest.store.moments import UTCDateTime
from digest.store.schema.base import key_of, metadata

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
    key_of("item", nullable=False, index=True),
)

standing = Table(
    "standing",
    metadata,
    key_of("item", primary_key=True, autoincrement=False),
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
    key_of("item", primary_key=True, autoincrement=False),
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
