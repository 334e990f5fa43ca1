"""Sign-ups from the web: taken in at once, alike for every address, and dealt with afterwards.

A request path is Intake.take → one transaction (limits, the form's row) → the answer; then
Intake.deal → Enrolment.join, out of the reader's sight. Whoever watches answers or clocks learns
nothing about who is on the list. A form outlives a crash between the two.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from digest.addresses import Address, parse_address
from digest.clock import parse_send_at
from digest.enrol import Choices, Enrolment, check_choices, read_wishes
from digest.errors import BadInput
from digest.model import Cadence, InterestKind, Status
from digest.store import Transaction, people, signups
from digest.store.limits import Limit, allow

log = logging.getLogger(__name__)

#: noted with each consent: which form, in which wording, somebody agreed to
FORM_VERSION = "2026-11"
#: questions that one client may cause; an institute behind one address fits in
PER_CLIENT = Limit(times=20, within=timedelta(hours=1))
#: forms for one address; the question itself goes out at most once an hour (enrol.py)
PER_ADDRESS = Limit(times=6, within=timedelta(hours=1))
#: new addresses that one subscriber may name
PER_MOVER = Limit(times=3, within=timedelta(days=1))


class Taken(Enum):
    """How a form was taken in."""

    YES = "yes"
    TOO_OFTEN = "too often"  #: this client has reached its limit; nothing was kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who sent a form, as a mark that is no address (web/client.py)."""

    client: str

    @property
    def detail(self) -> str:
        return f"form {FORM_VERSION}; client {self.client}"


class Intake:
    """Takes in the forms of one list."""

    def __init__(self, enrolment: Enrolment) -> None:
        self._enrolment = enrolment
        self._store = enrolment.store

    def check(self, choices: Choices) -> None:
        """Raise BadInput for choices that cannot be used; asks nothing about any address."""
        check_choices(choices)
        with self._store.read() as tx:
            read_wishes(tx, choices)

    def take(self, email: str, choices: Choices, sender: Sender, *, now: datetime) -> Taken:
        """Keep a wish to join. Raises BadInput for an address or choices that cannot be used.

        Does the same work for every address.
        """
        address = parse_address(email)
        self.check(choices)
        form = {"email": address.text, "choices": _pack(choices), "detail": sender.detail}
        return self._keep(address, form, sender, now=now)

    def take_move(self, subscriber_id: int, email: str, sender: Sender, *, now: datetime) -> Taken:
        """Keep a wish to get the mail at another address. Raises BadInput like take."""
        address = parse_address(email)
        with self._store.write() as tx:
            if not allow(tx, f"move:{subscriber_id}", PER_MOVER, now=now):
                return Taken.TOO_OFTEN
        form = {"email": address.text, "from_id": subscriber_id, "detail": sender.detail}
        return self._keep(address, form, sender, now=now)

    def _keep(
        self, address: Address, form: dict[str, Any], sender: Sender, *, now: datetime
    ) -> Taken:
        with self._store.write() as tx:
            if not allow(tx, f"ask:client:{sender.client}", PER_CLIENT, now=now):
                return Taken.TOO_OFTEN
            # beyond its limit an address gets nothing more, and nobody is told so
            if allow(tx, f"ask:address:{address.key}", PER_ADDRESS, now=now):
                signups.add_signup(tx, form, now=now)
        return Taken.YES

    def deal(self, now: datetime) -> int:
        """Act on the forms that wait; returns how many there were. One process at a time does."""
        with signups.one_at_a_time(self._store) as is_ours:
            if not is_ours:
                return 0
            with self._store.read() as tx:
                waiting = signups.waiting_signups(tx)
            for form in waiting:
                self._deal_one(form.form, now)
                with self._store.write() as tx:
                    signups.drop_signup(tx, form.id)
            return len(waiting)

    def _deal_one(self, form: Mapping[str, Any], now: datetime) -> None:
        try:
            if "from_id" in form:
                self._move(form, now)
            else:
                self._join(form, now)
        except BadInput as error:
            # a topic was removed meanwhile, the person is gone
            log.info("a form from the web could not be used any more: %s", error)

    def _join(self, form: Mapping[str, Any], now: datetime) -> None:
        joined = self._enrolment.join(
            form["email"], _unpack(form["choices"]), now=now, source="web"
        )
        subscriber = joined.subscriber
        with self._store.write() as tx:
            signups.detail_consent(tx, subscriber.id, form["detail"], at=now)
            if subscriber.status is Status.PENDING:
                # somebody who signs up is not somebody's new address
                signups.drop_move(tx, subscriber.id)

    def _move(self, form: Mapping[str, Any], now: datetime) -> None:
        """Ask the new address, as a newcomer; its answer makes it the old subscriber's."""
        from_id: int = form["from_id"]
        with self._store.read() as tx:
            mover = people.get_subscriber(tx, from_id)
            known = people.find_subscriber(tx, parse_address(form["email"]).key)
        if mover is None or (known and known.status in (Status.CONFIRMED, Status.SUPPRESSED)):
            return
        choices = Choices(zone=mover.zone, send_at=mover.send_at, cadence=mover.cadence)
        joined = self._enrolment.join(form["email"], choices, now=now, source="web")
        with self._store.write() as tx:
            self._note_move(tx, joined.subscriber.id, from_id, form["detail"], now)

    def _note_move(
        self, tx: Transaction, subscriber_id: int, from_id: int, detail: str, now: datetime
    ) -> None:
        signups.detail_consent(tx, subscriber_id, detail, at=now)
        if subscriber_id != from_id:
            signups.put_move(tx, subscriber_id, from_id, now=now)


def _pack(choices: Choices) -> dict[str, Any]:
    """Choices as JSON."""
    return {
        "zone": choices.zone,
        "send_at": f"{choices.send_at:%H:%M}" if choices.send_at else None,
        "cadence": choices.cadence,
        "max_items": choices.max_items,
        "rising": choices.rising,
        # pairs, for the database sorts the keys of an object
        "wishes": [[kind, list(values)] for kind, values in choices.wishes.items()],
    }


def _unpack(packed: Mapping[str, Any]) -> Choices:
    return Choices(
        zone=packed["zone"],
        send_at=parse_send_at(packed["send_at"]) if packed["send_at"] else None,
        cadence=Cadence(packed["cadence"]) if packed["cadence"] else None,
        max_items=packed["max_items"],
        rising=packed["rising"],
        wishes={InterestKind(kind): tuple(values) for kind, values in packed["wishes"]},
    )
