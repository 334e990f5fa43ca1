"""What a subscriber does with a signed link: confirm, pause, come back, vote, take the data along.

Used by the pages. Joining and leaving themselves are enrol.py's; who may call this is decided by
the token of the link, before it gets here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from digest.addresses import parse_address
from digest.clock import moment_text, next_slot
from digest.enrol import INTERESTS_MAX, Enrolment
from digest.errors import BadInput, NotFound
from digest.model import Edition, InterestKind, Status, Subscriber
from digest.papers import parse_key
from digest.store import Transaction, bounces, people, signups
from digest.store import editions as shelf
from digest.store.mine import messages_of
from digest.store.people import Wish
from digest.tokens import Purpose, Tokens

PAUSE_MAX = timedelta(days=366)


class Vote(StrEnum):
    """What a reader says of a paper that was sent."""

    UP = "up"
    DOWN = "down"
    NONE = "none"  #: takes an earlier vote back


_KINDS = {Vote.UP: InterestKind.LIKE, Vote.DOWN: InterestKind.DISLIKE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """What the answer to the question led to."""

    subscriber: Subscriber
    #: the address has replaced an earlier one
    is_move: bool


class Accounts:
    """The subscribers of one list, each acting for itself."""

    def __init__(self, enrolment: Enrolment, tokens: Tokens) -> None:
        self._enrolment = enrolment
        self._store = enrolment.store
        self._tokens = tokens

    def asked(self, token: str, *, now: datetime) -> Subscriber:
        """Whom a confirmation link is for. Raises TokenError, or NotFound when nobody any more."""
        (subscriber_id,) = self._tokens.read_until(Purpose.CONFIRM, token, now=now, count=1)
        return self.find(subscriber_id)

    def find(self, subscriber_id: int) -> Subscriber:
        """The subscriber of a link. Raises NotFound when it was erased."""
        with self._store.read() as tx:
            found = people.get_subscriber(tx, subscriber_id)
        if found is None:
            raise NotFound(
                "This link belongs to a subscription that does not exist any more. Nothing of it "
                "is kept, and no mail will come."
            )
        return found

    def confirm(self, token: str, *, now: datetime, detail: str) -> Confirmed:
        """The POST of a confirmation link: a newcomer is in, or a new address replaces the old."""
        subscriber = self.asked(token, now=now)
        with self._store.write() as tx:
            from_id = signups.move_of(tx, subscriber.id)
            if from_id is not None and subscriber.status is Status.PENDING:
                self._complete_move(tx, subscriber.id, from_id, now=now, detail=detail)
        if from_id is not None:
            return Confirmed(subscriber=self.find(from_id), is_move=True)
        confirmed = self._enrolment.confirm(token, now=now)
        with self._store.write() as tx:
            signups.detail_consent(tx, subscriber.id, detail, at=now)
        return Confirmed(subscriber=confirmed, is_move=False)

    def _complete_move(
        self, tx: Transaction, subscriber_id: int, from_id: int, *, now: datetime, detail: str
    ) -> None:
        signups.complete_move(tx, subscriber_id, from_id)
        # what came back from the old address says nothing about the new one
        bounces.forgive(tx, from_id, now=now)
        mover = people.get_subscriber(tx, from_id)
        assert mover is not None  # the row of the move goes when either of the two goes
        self._take_back(tx, mover, now=now)
        people.note_consent(tx, [from_id], "changed", now=now, source="web", detail=detail)

    def come_back(self, subscriber_id: int, *, now: datetime, detail: str) -> Subscriber:
        """Start again after unsubscribing: the signed link shows that the mail arrived there."""
        with self._store.write() as tx:
            subscriber = people.get_subscriber(tx, subscriber_id)
            if subscriber is not None and subscriber.status is Status.UNSUBSCRIBED:
                self._take_back(tx, subscriber, now=now)
                people.note_consent(
                    tx, [subscriber_id], "confirmed", now=now, source="web", detail=detail
                )
        return self.find(subscriber_id)

    def _take_back(self, tx: Transaction, subscriber: Subscriber, *, now: datetime) -> None:
        if subscriber.status is Status.CONFIRMED:
            return
        due = next_slot(
            now, zone=subscriber.zone, send_at=subscriber.send_at, cadence=subscriber.cadence
        )
        people.change_subscriber(
            tx,
            subscriber.id,
            status=Status.CONFIRMED,
            confirmed_at=now,
            ended_at=None,
            next_edition_at=due,
        )

    def pause(self, subscriber_id: int, span: timedelta | None, *, now: datetime) -> None:
        """Send nothing for so long; None ends a pause. Raises BadInput for a pause without end."""
        if span is not None and not timedelta() < span <= PAUSE_MAX:
            raise BadInput("a pause lasts a year at most; unsubscribe to end it for good")
        until = now + span if span else None
        with self._store.write() as tx:
            people.change_subscriber(tx, subscriber_id, paused_until=until)

    # --- votes and examples

    def vote(self, subscriber_id: int, key: str, vote: Vote, *, now: datetime) -> None:
        """Record what a reader says of a paper; the last word counts. Twice is fine."""
        with self._store.write() as tx:
            for kind in _KINDS.values():
                people.remove_wishes(tx, subscriber_id, kind, key)
            if vote in _KINDS:
                wish = Wish(kind=_KINDS[vote], value=key)
                people.add_wishes(tx, [(subscriber_id, wish)], now=now)

    def vote_of(self, subscriber_id: int, key: str) -> Vote:
        """What a reader has said of a paper."""
        wishes = self.wishes(subscriber_id)
        return next((v for v, k in _KINDS.items() if Wish(kind=k, value=key) in wishes), Vote.NONE)

    def wishes(self, subscriber_id: int) -> tuple[Wish, ...]:
        """All interests of a subscriber, oldest first."""
        with self._store.read() as tx:
            found = people.wishes_of(tx, [subscriber_id])
        return tuple(wish for wish, _ in found.get(subscriber_id, []))

    def change_examples(
        self, subscriber_id: int, *, gone: Iterable[Wish], liked: Iterable[str], now: datetime
    ) -> None:
        """Take back some liked or disliked papers, and add others by their keys."""
        new = [Wish(kind=InterestKind.LIKE, value=key) for key in liked]
        with self._store.write() as tx:
            for wish in gone:
                if wish.kind in _KINDS.values():
                    people.remove_wishes(tx, subscriber_id, wish.kind, wish.value)
            people.add_wishes(tx, [(subscriber_id, wish) for wish in new], now=now)

    # --- the data

    def export(self, subscriber_id: int) -> dict[str, Any]:
        """Everything that is kept about a subscriber, as JSON can say it."""
        subscriber = self.find(subscriber_id)
        with self._store.read() as tx:
            wishes = people.wishes_of(tx, [subscriber_id]).get(subscriber_id, [])
            consents = people.consents_of(tx, subscriber_id)
            editions = shelf.load_editions(tx, shelf.edition_ids(tx, subscriber_id))
            messages = messages_of(tx, subscriber_id)
            wanted = signups.move_wanted(tx, subscriber_id)
            returned = bounces.latest_bounces(tx, address_key=_address_key(subscriber))
        return {
            "address": subscriber.email,
            "new_address_wanted": wanted,
            "status": subscriber.status,
            "zone": subscriber.zone,
            "send_at": f"{subscriber.send_at:%H:%M}",
            "cadence": subscriber.cadence,
            "max_items": subscriber.max_items,
            "rising": subscriber.rising,
            "created_at": moment_text(subscriber.created_at),
            "confirmed_at": _text(subscriber.confirmed_at),
            "paused_until": _text(subscriber.paused_until),
            "next_edition_at": _text(subscriber.next_edition_at),
            "interests": [
                {"kind": wish.kind, "value": wish.value, "since": moment_text(at)}
                for wish, at in wishes
            ],
            "consents": [c | {"at": moment_text(c["at"])} for c in consents],
            "editions": [_edition_data(edition) for edition in editions.values()],
            "messages": [
                {n: _text(v) if isinstance(v, datetime) else v for n, v in message.items()}
                for message in messages
            ],
            "bounces": [
                {
                    "at": moment_text(bounce.at),
                    "kind": bounce.kind,
                    "status": bounce.status,
                    "diagnostic": bounce.diagnostic,
                }
                for bounce in returned
            ],
        }


def read_papers(texts: Sequence[str]) -> tuple[str, ...]:
    """The keys of papers named by id or link. Raises BadInput for one that names none."""
    if len(texts) > INTERESTS_MAX:
        raise BadInput(f"at most {INTERESTS_MAX} papers can be named at once")
    return tuple(dict.fromkeys(parse_key(text) for text in texts))


def _address_key(subscriber: Subscriber) -> str:
    return parse_address(subscriber.email).key


def _edition_data(edition: Edition) -> dict[str, Any]:
    return {
        "for": edition.local_on.isoformat(),
        "made_at": moment_text(edition.made_at),
        "papers": [
            {
                "key": entry.wording.key,
                "title": entry.wording.title,
                "url": entry.wording.url,
                "section": entry.pick.section,
                "position": entry.pick.position,
                "score": entry.pick.score,
                "reasons": [str(reason) for reason in entry.pick.reasons],
            }
            for entry in (*edition.entries, *edition.rising)
        ],
    }


def _text(moment: datetime | None) -> str | None:
    return moment_text(moment) if moment else None
