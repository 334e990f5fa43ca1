"""The database's side of delivering: claims, settlements and leases, in transactions it is given.

Decides nothing about answers and knows no sockets. Used by run.py, which opens the transactions.
"""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from digest.clock import uptime_s
from digest.counting import Case, note_failure
from digest.deliver.pace import next_midnight, warm_up_allowance
from digest.deliver.rules import DeliveryRules
from digest.deliver.verdict import Answer
from digest.errors import StoreDamaged
from digest.model import Envelope, Failure, OutboxState, Sheet
from digest.store import Transaction, allowance, claims, people
from digest.store import editions as shelf
from digest.store.claims import Claimed
from digest.store.frozen import EditionReader

log = logging.getLogger(__name__)

#: so much of a lease is used; the rest is for clocks that differ and a slow commit
_USED = 0.8
#: leases are renewed so many times while they last
_RENEWALS = 3
#: one part in so many of what a day's warm-up leaves is claimed before we look again, since other
#: processes send too: at the end they may come to one message each too many
_SHARE = 4


@dataclass(slots=True, kw_only=True)
class Held:
    """A claimed message in this process's hands."""

    row: Claimed
    #: what it tells, or why that cannot be read; None for other mails than editions
    sheet: Sheet | StoreDamaged | None
    #: not to be put on the wire after that, by uptime_s
    good_until: float
    #: the message, or how it ends without one; None until it is made
    made: Envelope | Answer | None = None

    @property
    def is_ours(self) -> bool:
        """Whether nobody else can have taken it yet."""
        return uptime_s() < self.good_until


class Desk:
    """Claims and settles rows for one sender."""

    def __init__(self, rules: DeliveryRules, owner: str) -> None:
        self._rules = rules
        # a process that follows a dead one may have its name: a new sender is never an old one
        self._owner = f"{owner}:{secrets.token_hex(4)}"
        self._reader = EditionReader()
        #: heard and not committed; what the database refuses stays here from one run to the next
        self.unwritten: list[Answer] = []
        #: our share of what is left of a day's warm-up
        self._left = 0
        self._left_until: datetime | None = None

    @property
    def renewal_s(self) -> float:
        """How often leases are to be renewed, in seconds."""
        return self._rules.lease.total_seconds() / _RENEWALS

    def settle(self, tx: Transaction, answers: Sequence[Answer], now: datetime) -> set[int]:
        """Write down what became of messages, and what refusals say of their readers.

        Returns the ids of the messages that were still ours.
        """
        settlements = [answer.settlement for answer in answers]
        ours = claims.settle(tx, settlements, owner=self._owner, now=now)
        failed = [s.id for s in settlements if s.state is OutboxState.FAILED and s.id in ours]
        shelf.forget_picks(tx, outbox_ids=failed)
        sent = sum(s.state is OutboxState.SENT and s.id in ours for s in settlements)
        if sent and self._warms_up(now):
            allowance.add_handed_over(tx, _day_of(now), sent)
        for answer in answers:
            if answer.failure is not None:
                _note(tx, answer.row, answer.failure, now)
        return ours

    def claim(self, tx: Transaction, limit: int, now: datetime) -> list[Held]:
        """Take up to so many messages; fewer than asked: nothing more waits."""
        until = self._good_until()
        limit = self._allowed(tx, limit, now)
        rows = claims.claim(tx, owner=self._owner, now=now, limit=limit, lease=self._rules.lease)
        self._left -= len(rows)
        sheets = self._reader.each(tx, [r.edition_id for r in rows if r.edition_id is not None])
        return [
            Held(row=row, sheet=sheets.get(row.edition_id or 0), good_until=until) for row in rows
        ]

    def _warms_up(self, now: datetime) -> int | None:
        """How many messages may leave today; None when there is no limit."""
        began_on = self._rules.warm_up_from
        return warm_up_allowance(began_on, _day_of(now)) if began_on is not None else None

    def _allowed(self, tx: Transaction, limit: int, now: datetime) -> int:
        """How many of `limit` a new sending domain may claim today.

        When it may send no more, editions wait for the next day; questions to confirm, which
        somebody is waiting for, still go.
        """
        most = self._warms_up(now)
        if most is None:
            return limit
        midnight = next_midnight(now)
        if self._left <= 0 or self._left_until != midnight:
            left = most - allowance.handed_over(tx, _day_of(now))
            self._left = math.ceil(left / _SHARE)
            self._left_until = midnight
        if self._left > 0:
            return min(limit, self._left)
        self._postpone(tx, now, most)
        return limit

    def _postpone(self, tx: Transaction, now: datetime, most: int) -> None:
        """Have today's editions wait for tomorrow, and give up those that have waited for today."""
        midnight = next_midnight(now)
        given_up = claims.give_up_editions(
            tx,
            now=now,
            made_before=midnight - timedelta(days=1),
            reason=f"{claims.WARM_UP}given up, the {most} of a second day were gone too",
        )
        shelf.forget_picks(tx, outbox_ids=given_up)
        reason = f"{claims.WARM_UP}no more than {most} on this day"
        count = claims.postpone_editions(tx, now=now, until=midnight, reason=reason)
        if given_up:
            log.warning("%d editions of yesterday are given up: %s", len(given_up), reason)
        if count:
            log.warning("%d editions wait for tomorrow: %s", count, reason)

    def renew(self, tx: Transaction, held: Collection[Held]) -> None:
        """Prolong the leases of what is held; what has gone to another is ours no more."""
        until = self._good_until()
        ids = [one.row.id for one in held]
        kept = claims.renew_lease(tx, ids, owner=self._owner, lease=self._rules.lease)
        for one in held:
            one.good_until = until if one.row.id in kept else 0.0
        if len(kept) < len(ids):
            log.warning("%d messages have gone to another sender", len(ids) - len(kept))

    def recover(self, tx: Transaction, now: datetime, *, nobody_sends: bool = False) -> int:
        """Free the messages of senders that have died; returns how many."""
        # and look again what all senders have sent today
        self._left = 0
        return claims.release_stale(
            tx, now=now, resend=self._rules.resend, nobody_sends=nobody_sends
        )

    def _good_until(self) -> float:
        # counted from before the database reads its clock
        return uptime_s() + self._rules.lease.total_seconds() * _USED


def _day_of(now: datetime) -> date:
    return now.astimezone(UTC).date()


def _note(tx: Transaction, row: Claimed, failure: Failure, now: datetime) -> None:
    """Hold a refusal against the reader, as if it had come back by mail."""
    subscriber = people.get_subscriber(tx, row.subscriber_id)
    if subscriber is None or subscriber.email != row.email:
        # gone, or moved while it was on the wire: the new address has not refused anything
        return
    case = Case(
        subscriber=subscriber,
        failure=failure,
        outbox_id=row.id,
        # an operator who has it sent again begins to count its attempts anew
        fingerprint=f"outbox:{row.id}:{row.first_tried_at.isoformat()}:{row.attempts}",
        evidence=failure.diagnostic.encode(),
    )
    note_failure(tx, case, now=now)
