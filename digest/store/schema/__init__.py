"""Every table and column, with its meaning. Migrations build the same thing step by step; a test
holds the two against each other on both databases. Only digest/store/ imports this.

papers.py is what collecting fills, people.py whom it is for, sending.py what they get.
"""

from digest.store.schema.base import metadata
from digest.store.schema.papers import (
    embedding,
    host,
    item,
    item_key,
    reading,
    sighting,
    source,
    standing,
    validator,
    wording,
)
from digest.store.schema.people import (
    consent,
    hit,
    interest,
    move,
    signup,
    subscriber,
    suppression,
    topic,
)
from digest.store.schema.sending import (
    OPEN,
    WAITING,
    bounce,
    edition,
    outbox,
    pick,
    state,
)

__all__ = [
    "OPEN",
    "WAITING",
    "bounce",
    "consent",
    "edition",
    "embedding",
    "hit",
    "host",
    "interest",
    "item",
    "item_key",
    "metadata",
    "move",
    "outbox",
    "pick",
    "reading",
    "sighting",
    "signup",
    "source",
    "standing",
    "state",
    "subscriber",
    "suppression",
    "topic",
    "validator",
    "wording",
]
