"""Who is on the list: joining, confirming, changing, leaving. Used by the commands and the pages.

Nobody is mailed who did not confirm: joining queues one question, and only the answer to it, or an
operator who vouches, makes a subscriber. Reading and writing many at once is in enrol_many.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from digest.addresses import Address, parse_address
from digest.clock import find_zone, next_slot
from digest.errors import BadInput, TokenError
from digest.model import (
    Cadence,
    InterestKind,
    MessageKind,
    Status,
    Subscriber,
)
from digest.papers import parse_key
from digest.store import Store, Transaction, outbox, people
from digest.store.embeddings import forget_texts
from digest.store.people import Wish
from digest.store.profiles import profiles_of
from digest.store.topics import topics_by_slug
from digest.text import clean, text_key
from digest.tokens import Purpose, Tokens

#: an address is asked to confirm at most once in this time
_ASK_AGAIN_AFTER = timedelta(hours=1)
INTEREST_CHARACTERS_MAX = 2_000
INTERESTS_MAX = 200
MAX_ITEMS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person chose; what is None was not said and stays, or starts as the default."""

    zone: str | None = None
    send_at: time | None = None
    cadence: Cadence | None = None
    max_items: int | None = None
    rising: bool | None = None
    #: kind → values as typed; kinds not named stay as they are
    wishes: dict[InterestKind, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a subscriber starts with."""

    zone: str
    send_at: time
    cadence: Cadence
    max_items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What came of a request to join."""

    subscriber: Subscriber
    #: a question to confirm was queued
    asked: bool


class Enrolment:
    """The list of one store."""

    def __init__(self, store: Store, tokens: Tokens, defaults: Defaults, *, domain: str) -> None:
        self.store = store
        self._tokens = tokens
        self.defaults = defaults
        self._domain = domain

    def join(
        self,
        email: str,
        choices: Choices,
        *,
        now: datetime,
        source: str,
        vouched: bool = False,
    ) -> Joined:
        """Put an address on the list: pending until it answers, or confirmed when vouched for.

        A confirmed address keeps what it has: whoever types it here need not be its owner. One
        that is not gets the new choices and is asked again, at most once an hour. Raises BadInput
        for anything that cannot be used, before storing anything.
        """
        address = parse_address(email)
        with self.store.write() as tx:
            wishes = read_wishes(tx, choices)
            check_choices(choices)
            if vouched:
                refuse_suppressed(tx, address)
            row = new_row(address, choices, self.defaults, now)
            people.add_subscribers(tx, [row])  # unless it is there already
            known = people.find_subscriber(tx, address.key)
            assert known is not None
            if known.status in (Status.PENDING, Status.UNSUBSCRIBED):
                _apply(tx, known.id, choices, wishes, now)
            asked = self._welcome(tx, known.id, now=now, source=source, vouched=vouched)
            subscriber = _existing(tx, known.id)
        return Joined(subscriber=subscriber, asked=asked)

    def _welcome(
        self, tx: Transaction, subscriber_id: int, *, now: datetime, source: str, vouched: bool
    ) -> bool:
        """Confirm who is vouched for, ask who is not; True when a question was queued."""
        subscriber = _existing(tx, subscriber_id)
        if subscriber.status in (Status.CONFIRMED, Status.SUPPRESSED):
            return False
        if vouched:
            self._confirm(tx, subscriber, now=now, action="vouched", source=source)
            return False
        if people.suppression_of(tx, parse_address(subscriber.email).key) is not None:
            # erased since, but never to be mailed again: not even with a question
            people.change_subscriber(tx, subscriber_id, status=Status.SUPPRESSED, ended_at=now)
            return False
        if subscriber.status is Status.UNSUBSCRIBED:
            people.change_subscriber(tx, subscriber_id, status=Status.PENDING, ended_at=None)
        last = outbox.last_confirmation(tx, subscriber_id)
        if last is not None and now - last < _ASK_AGAIN_AFTER:
            return False
        people.note_consent(tx, [subscriber_id], "asked", now=now, source=source)
        self.ask_many(tx, [subscriber_id], now)
        return True

    def ask_many(self, tx: Transaction, subscriber_ids: Iterable[int], now: datetime) -> None:
        """Queue the question whether an address wants our mail."""
        questions = []
        for subscriber_id in subscriber_ids:
            key = f"confirm:{subscriber_id}:{int(now.timestamp())}"
            name = hashlib.sha256(f"{key}@{self._domain}".encode()).hexdigest()[:32]
            questions.append(
                outbox.NewMessage(
                    kind=MessageKind.CONFIRMATION,
                    subscriber_id=subscriber_id,
                    dedupe_key=key,
                    message_id=f"<{name}@{self._domain}>",
                    due_at=now,
                )
            )
        outbox.add_messages(tx, questions, now=now)

    def confirm(self, token: str, *, now: datetime, source: str = "web") -> Subscriber:
        """Act on the answer to the question: the POST of a confirmation link.

        Doing it twice is fine. Raises TokenError for a link that is wrong or too old, or whose
        person is gone.
        """
        (subscriber_id,) = self._tokens.read_until(Purpose.CONFIRM, token, now=now, count=1)
        with self.store.write() as tx:
            subscriber = people.get_subscriber(tx, subscriber_id, hold=True)
            if subscriber is None:
                raise TokenError("this link belongs to a subscription that does not exist any more")
            if subscriber.status is Status.PENDING:
                self._confirm(tx, subscriber, now=now, action="confirmed", source=source)
            return _existing(tx, subscriber_id)

    def _confirm(
        self, tx: Transaction, subscriber: Subscriber, *, now: datetime, action: str, source: str
    ) -> None:
        people.change_subscriber(
            tx,
            subscriber.id,
            status=Status.CONFIRMED,
            confirmed_at=now,
            ended_at=None,
            next_edition_at=_next_for(subscriber, now),
        )
        people.note_consent(tx, [subscriber.id], action, now=now, source=source)

    def change(self, subscriber_id: int, choices: Choices, *, now: datetime) -> Subscriber:
        """Change what a person gets and when. Kinds of interests that are named are replaced.

        A new zone, hour or cadence moves the next edition; a local date that already had one does
        not get a second.
        """
        with self.store.write() as tx:
            wishes = read_wishes(tx, choices)
            check_choices(choices)
            _existing(tx, subscriber_id)
            _apply(tx, subscriber_id, choices, wishes, now)
            changed = _existing(tx, subscriber_id)
            if changed.status is Status.CONFIRMED and _moves_the_hour(choices):
                people.change_subscriber(tx, subscriber_id, next_edition_at=_next_for(changed, now))
            return _existing(tx, subscriber_id)

    def unsubscribe(self, subscriber_id: int, *, now: datetime, source: str) -> None:
        """End all mail to a person at once, also what is waiting. Doing it twice is fine."""
        with self.store.write() as tx:
            subscriber = people.get_subscriber(tx, subscriber_id, hold=True)
            if subscriber is None or subscriber.status is Status.UNSUBSCRIBED:
                return
            if subscriber.status is not Status.SUPPRESSED:
                _end(tx, subscriber_id, now)
            elif _has_left(tx, subscriber_id):
                return
            # noted of who is suppressed too: should that be lifted one day, this person has left
            people.note_consent(tx, [subscriber_id], "ended", now=now, source=source)
            outbox.cancel_waiting(tx, subscriber_id, reason="unsubscribed", now=now)

    def erase(self, subscriber_id: int, *, now: datetime) -> None:
        """Forget a person. A suppression stays, as a hash; the ledger keeps its numbers."""
        with self.store.write() as tx:
            outbox.cancel_waiting(tx, subscriber_id, reason="erased", now=now)
            _forget_words(tx, subscriber_id)
            people.delete_subscriber(tx, subscriber_id)

    def forget_unanswered(self, now: datetime, within: timedelta) -> int:
        """Erase pending people whose question was not answered in time; returns how many.

        Who had left and was only asked again has left still: forgotten, the address could be
        imported as a new one.
        """
        with self.store.read() as tx:
            stale = people.pending_since(tx, now - within)
        return sum(self._forget(subscriber_id, now) for subscriber_id in stale)

    def _forget(self, subscriber_id: int, now: datetime) -> bool:
        with self.store.write() as tx:
            subscriber = people.get_subscriber(tx, subscriber_id, hold=True)
            if subscriber is None or subscriber.status is not Status.PENDING:
                # the answer came just now
                return False
            outbox.cancel_waiting(tx, subscriber_id, reason="not confirmed in time", now=now)
            if subscriber.confirmed_at is None:
                _forget_words(tx, subscriber_id)
                people.delete_subscriber(tx, subscriber_id)
            else:
                _end(tx, subscriber_id, now)
            return True


def _forget_words(tx: Transaction, subscriber_id: int) -> None:
    """Delete the vectors of what a person has written; what others need is made again."""
    # only who changes or leaves pays for loading the ranker, which knows what it reads
    from digest.rank import own_texts

    profile = profiles_of(tx, [subscriber_id])[subscriber_id]
    forget_texts(tx, [text_key(*text) for text in own_texts(profile)])


def _has_left(tx: Transaction, subscriber_id: int) -> bool:
    return [act["action"] for act in people.consents_of(tx, subscriber_id)][-1:] == ["ended"]


def _end(tx: Transaction, subscriber_id: int, now: datetime) -> None:
    ended = {"status": Status.UNSUBSCRIBED, "ended_at": now, "next_edition_at": None}
    people.change_subscriber(tx, subscriber_id, **ended)


def new_row(
    address: Address, choices: Choices, defaults: Defaults, now: datetime
) -> dict[str, object]:
    """The columns of a new, pending subscriber."""
    return {
        "email": address.text,
        "address_key": address.key,
        "status": Status.PENDING,
        "zone": choices.zone or defaults.zone,
        "send_at": (choices.send_at or defaults.send_at).strftime("%H:%M"),
        "cadence": choices.cadence or defaults.cadence,
        "max_items": choices.max_items or defaults.max_items,
        "rising": True if choices.rising is None else choices.rising,
        "created_at": now,
    }


def columns_of(choices: Choices) -> dict[str, object]:
    """The columns that choices change."""
    said: dict[str, object | None] = {
        "zone": choices.zone,
        "send_at": choices.send_at.strftime("%H:%M") if choices.send_at else None,
        "cadence": choices.cadence,
        "max_items": choices.max_items,
        "rising": choices.rising,
    }
    return {name: value for name, value in said.items() if value is not None}


def check_choices(choices: Choices) -> None:
    """Raise BadInput for a zone that does not exist or a number out of range."""
    if choices.zone is not None:
        find_zone(choices.zone)
    if choices.max_items is not None and not 1 <= choices.max_items <= MAX_ITEMS_MAX:
        raise BadInput(f"max-items must be between 1 and {MAX_ITEMS_MAX}")


def read_wishes(tx: Transaction, choices: Choices) -> list[Wish]:
    """The interests in choices, cleaned and checked: topics exist, items have keys."""
    slugs = topics_by_slug(tx) if choices.wishes.get(InterestKind.TOPIC) else {}
    return clean_wishes(choices, slugs)


def clean_wishes(choices: Choices, slugs: Iterable[str]) -> list[Wish]:
    """Like read_wishes, with the topics' slugs already at hand."""
    wishes: list[Wish] = []
    for kind, values in choices.wishes.items():
        for value in dict.fromkeys(clean(v) for v in values):
            if not value:
                continue
            if len(value) > INTEREST_CHARACTERS_MAX:
                raise BadInput(f"{kind}: {INTEREST_CHARACTERS_MAX} characters at most")
            if kind in (InterestKind.LIKE, InterestKind.DISLIKE):
                value = parse_key(value)
            if kind is InterestKind.TOPIC and value not in slugs:
                known = ", ".join(slugs) or "none yet; add one with `digest topics add`"
                raise BadInput(f"there is no topic {value!r}; topics: {known}")
            wishes.append(Wish(kind=kind, value=value))
    if len(wishes) > INTERESTS_MAX:
        raise BadInput(f"at most {INTERESTS_MAX} interests fit on one subscription")
    return wishes


def refuse_suppressed(tx: Transaction, address: Address) -> None:
    """Raise BadInput when an address must not be mailed: nobody can vouch for it."""
    reason = people.suppression_of(tx, address.key)
    if reason is not None:
        raise BadInput(f"that address is suppressed ({reason}); lift that first, if you are sure")


def first_edition(choices: Choices, defaults: Defaults, now: datetime) -> datetime:
    """When a person who is confirmed now gets the first edition."""
    return next_slot(
        now,
        zone=choices.zone or defaults.zone,
        send_at=choices.send_at or defaults.send_at,
        cadence=choices.cadence or defaults.cadence,
    )


def _apply(
    tx: Transaction, subscriber_id: int, choices: Choices, wishes: Iterable[Wish], now: datetime
) -> None:
    people.change_subscriber(tx, subscriber_id, **columns_of(choices))
    if choices.wishes:
        _forget_words(tx, subscriber_id)
    for kind in choices.wishes:
        people.remove_wishes(tx, subscriber_id, kind)
    people.add_wishes(tx, [(subscriber_id, wish) for wish in wishes], now=now)


def _next_for(subscriber: Subscriber, now: datetime) -> datetime:
    return next_slot(
        now, zone=subscriber.zone, send_at=subscriber.send_at, cadence=subscriber.cadence
    )


def _moves_the_hour(choices: Choices) -> bool:
    return any(v is not None for v in (choices.zone, choices.send_at, choices.cadence))


def _existing(tx: Transaction, subscriber_id: int) -> Subscriber:
    subscriber = people.get_subscriber(tx, subscriber_id, hold=True)
    if subscriber is None:
        raise BadInput("that subscription does not exist any more")
    return subscriber
