"""A list to enrol on, with two topics, and links as its mails carry them."""

from __future__ import annotations

from datetime import time

from sqlalchemy import select

from digest.enrol import Choices, Defaults, Enrolment
from digest.model import (
    CONFIRM_WITHIN,
    Cadence,
    InterestKind,
    Subscriber,
    Topic,
)
from digest.store import Store, people
from digest.store.schema import outbox as rows
from digest.store.topics import seed_topics
from digest.tokens import Purpose, Tokens
from tests.store_pieces import NOW

TOKENS = Tokens(["k" * 32])
DEFAULTS = Defaults(
    zone="Europe/Berlin", send_at=time(7, 30), cadence=Cadence.WEEKDAYS, max_items=12
)
TOPICS = (
    Topic(slug="language-models", name="Language models"),
    Topic(slug="vision", name="Vision"),
)


def enrolment_of(store: Store) -> Enrolment:
    """The list of that store, offering two topics."""
    seed_topics(store, TOPICS)
    return Enrolment(store, TOKENS, DEFAULTS, domain="example.org")


def person_of(store: Store, subscriber_id: int = 1) -> Subscriber:
    with store.read() as tx:
        found = people.get_subscriber(tx, subscriber_id)
    assert found is not None
    return found


def consents(store: Store, subscriber_id: int = 1) -> list[tuple[str, str]]:
    """What a person agreed to and took back, by which door."""
    with store.read() as tx:
        return [(c["action"], c["source"]) for c in people.consents_of(tx, subscriber_id)]


def wishes(store: Store, subscriber_id: int = 1) -> list[tuple[str, str]]:
    with store.read() as tx:
        found = people.wishes_of(tx, [subscriber_id]).get(subscriber_id, [])
    return [(wish.kind.value, wish.value) for wish, _ in found]


ANN = "ann@example.org"
NOTHING = Choices()
CHOSEN = Choices(
    zone="Asia/Tokyo",
    send_at=time(6, 0),
    cadence=Cadence.DAILY,
    max_items=5,
    rising=False,
    wishes={
        InterestKind.TOPIC: ("vision",),
        InterestKind.TEXT: ("  sparse\n attention ", "sparse attention"),
        InterestKind.LIKE: ("https://arxiv.org/abs/2603.00001v2",),
    },
)


def questions(store: Store) -> list[str]:
    """The states of all questions to confirm, in order."""
    with store.read() as tx:
        found = select(rows.c.state).where(rows.c.kind == "confirmation").order_by(rows.c.id)
        return list(tx.execute(found).scalars())


def link(subscriber_id: int = 1) -> str:
    """The token of a confirmation link."""
    return TOKENS.sign_until(Purpose.CONFIRM, NOW + CONFIRM_WITHIN, subscriber_id)
