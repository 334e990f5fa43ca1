"""What comes back: letters from the mailbox of bounces become marks, suppressions and farewells.

A tick calls Returns.read → letters of the mailbox → read_report → the store; then the letter is put
away. A letter read twice, after a crash in between, changes nothing more.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from digest.addresses import parse_address
from digest.bounce import read_report
from digest.clock import next_slot
from digest.counting import Case, note_failure
from digest.errors import BadInput, NotFound, TokenError
from digest.mailbox import Mailbox
from digest.model import BounceKind, Failure, Report, Status, Subscriber
from digest.store import Store, Transaction, bounces, people
from digest.store.bounces import Bounce, Returned
from digest.tokens import Purpose, Tokens

log = logging.getLogger(__name__)

#: evidence of people who are still mailed is kept that long
KEEP_FOR = timedelta(days=180)
#: what a suppression is put down to that no bounce has caused
_OPERATOR = "operator"


@dataclass(slots=True)
class ReturnsReport:
    """What one pass over the mailbox came to."""

    kinds: Counter[BounceKind] = field(default_factory=Counter)
    #: addresses that are not mailed any more because of it
    suppressed: int = 0
    unsubscribed: int = 0
    #: letters left for a person to read
    kept: int = 0

    @property
    def letters(self) -> int:
        return sum(self.kinds.values())

    def add(self, other: ReturnsReport) -> None:
        """Count what another pass came to as well."""
        self.kinds += other.kinds
        self.suppressed += other.suppressed
        self.unsubscribed += other.unsubscribed
        self.kept += other.kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one letter."""

    kind: BounceKind
    #: False: a person should read it
    understood: bool
    suppressed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone:
    """What lifting a suppression changed."""

    reason: str | None
    #: the person as it stands now; None when only the suppression was left of it
    subscriber: Subscriber | None
    forgiven: int


class Returns:
    """Reads what comes back for one store."""

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        *,
        unsubscribe: Callable[[int, datetime], None],
    ) -> None:
        """`unsubscribe` ends a subscription, by its subscriber's id; doing it twice is fine."""
        self._store = store
        self._tokens = tokens
        self._unsubscribe = unsubscribe

    def read(
        self, mailbox: Mailbox, now: datetime, *, stop: Callable[[], bool] = lambda: False
    ) -> ReturnsReport:
        """Take in every letter and put it away. Raises MailboxError; what was put away stays so."""
        report = ReturnsReport()
        for letter in mailbox.letters():
            verdict = self.take_in(letter.content, now)
            mailbox.put_away(letter, understood=verdict.understood)
            report.kinds[verdict.kind] += 1
            report.suppressed += verdict.suppressed
            report.unsubscribed += int(verdict.kind is BounceKind.UNSUBSCRIBE)
            report.kept += int(not verdict.understood)
            if stop():
                break
        self.forget_old(now)
        return report

    def read_all(self, mailbox: Mailbox, now: datetime) -> ReturnsReport:
        """Pass after pass, until one finds nothing more."""
        total = ReturnsReport()
        while (report := self.read(mailbox, now)).letters:
            total.add(report)
        return total

    def forget_old(self, now: datetime) -> int:
        """Let go of evidence that is old and says nothing any more; returns how much."""
        with self._store.write() as tx:
            return bounces.forget_bounces(tx, before=now - KEEP_FOR)

    def take_in(self, raw: bytes, now: datetime) -> Verdict:
        """Act on one letter."""
        report = read_report(raw)
        match report.kind:
            case BounceKind.UNKNOWN:
                return Verdict(kind=report.kind, understood=False)
            case BounceKind.AUTOMATIC:
                return Verdict(kind=report.kind, understood=True)
            case BounceKind.UNSUBSCRIBE:
                return self._end_subscription(report, now)
        with self._store.write() as tx:
            cases = list(self._cases(tx, report, raw))
            reasons = [note_failure(tx, case, now=now) for case in cases]
            understood = bool(cases) or self._message(tx, report) is not None
        if understood and report.kind is BounceKind.POLICY:
            log.warning("we are refused as a sender: %s", _codes(report))
        return Verdict(
            kind=report.kind if understood else BounceKind.UNKNOWN,
            understood=understood,
            suppressed=sum(reason is not None for reason in reasons),
        )

    def _end_subscription(self, report: Report, now: datetime) -> Verdict:
        for token in report.unsubscribe_tokens:
            try:
                (subscriber_id,) = self._tokens.read(Purpose.UNSUBSCRIBE, token, count=1)
            except TokenError:
                continue
            self._unsubscribe(subscriber_id, now)
            return Verdict(kind=report.kind, understood=True)
        return Verdict(kind=BounceKind.UNKNOWN, understood=False)

    def _cases(self, tx: Transaction, report: Report, raw: bytes) -> Iterator[Case]:
        """Whom the report is about: by our message, else by the addresses it names."""
        about = partial(Case, fingerprint=hashlib.sha256(raw).hexdigest(), evidence=raw)
        message = self._message(tx, report)
        if message is not None:
            person = message.subscriber_id and people.get_subscriber(tx, message.subscriber_id)
            if person and not _has_moved_since(tx, person, message):
                failure, names_them = _failure_for(tx, person, report)
                yield about(
                    subscriber=person,
                    failure=failure,
                    outbox_id=message.outbox_id,
                    names_them=names_them,
                )
            return
        for failure in report.failures:
            for key in _address_keys(failure):
                if person := people.find_subscriber(tx, key):
                    yield about(subscriber=person, failure=failure, outbox_id=None)

    def _message(self, tx: Transaction, report: Report) -> Returned | None:
        """The message of ours that it is about: by its signed address, else by its Message-ID."""
        for token in report.bounce_tokens:
            try:
                (outbox_id,) = self._tokens.read(Purpose.BOUNCE, token, count=1)
            except TokenError:
                continue
            if found := bounces.message_by_id(tx, outbox_id):
                return found
        for message_id in report.message_ids:
            if found := bounces.message_by_message_id(tx, message_id):
                return found
        return None

    def suppress(self, email: str, now: datetime) -> str:
        """Never mail an address again, whether it is on the list or not; `undo` lifts that.

        Returns why it is suppressed: the first reason stays. Raises BadInput for what is none.
        """
        key = parse_address(email).key
        with self._store.write() as tx:
            if person := people.find_subscriber(tx, key):
                people.suppress_subscriber(tx, person.id, reason=_OPERATOR, now=now)
            people.suppress(tx, key, reason=_OPERATOR, now=now)
            return people.suppression_of(tx, key) or _OPERATOR

    def undo(self, whom: str | int, now: datetime) -> Undone:
        """Lift a suppression, by address or by the id of a bounce, and forgive the bounces.

        The person stands again where it stood. Raises NotFound when there is nothing to lift.
        """
        with self._store.write() as tx:
            key = _key_of_bounce(tx, whom) if isinstance(whom, int) else parse_address(whom).key
            reason = people.suppression_of(tx, key)
            person = people.find_subscriber(tx, key)
            forgiven = bounces.forgive(tx, person.id, now=now) if person else 0
            was_suppressed = person is not None and person.status is Status.SUPPRESSED
            if reason is None and not was_suppressed and not forgiven:
                raise NotFound("that address is not suppressed, and no bounce counts against it")
            people.lift_suppression(tx, key)
            if person is not None and was_suppressed:
                _restore(tx, person, now)
            after = people.find_subscriber(tx, key)
        return Undone(reason=reason, subscriber=after, forgiven=forgiven)

    def bounce(self, bounce_id: int) -> tuple[Bounce, bytes]:
        """A bounce and the message it was read from. Raises NotFound."""
        with self._store.read() as tx:
            found = bounces.get_bounce(tx, bounce_id)
            if found is None:
                raise NotFound(f"there is no bounce {bounce_id}")
            return found, bounces.evidence_of(tx, bounce_id)


def _failure_for(tx: Transaction, person: Subscriber, report: Report) -> tuple[Failure, bool]:
    """What a report on a message to one person says of that person, and whether it names it.

    Every message of ours has one recipient; others in a report are where it was forwarded to.
    """
    for failure in report.failures:
        for key in _address_keys(failure):
            named = people.find_subscriber(tx, key)
            if named is not None and named.id == person.id:
                return failure, True
    gravest = next(f for f in report.failures if f.kind is report.kind)
    return gravest, not gravest.addresses


def _has_moved_since(tx: Transaction, person: Subscriber, message: Returned) -> bool:
    """Whether a message went to an address that is this person's no more.

    What becomes of the old address says nothing about the new one.
    """
    sent_at = message.settled_at
    return sent_at is not None and any(
        act["action"] == "changed" and act["at"] >= sent_at
        for act in people.consents_of(tx, person.id)
    )


def _address_keys(failure: Failure) -> list[str]:
    keys = []
    for text in failure.addresses:
        try:
            keys.append(parse_address(text).key)
        except BadInput:
            continue
    return keys


def _key_of_bounce(tx: Transaction, bounce_id: int) -> str:
    found = bounces.get_bounce(tx, bounce_id)
    if found is None:
        raise NotFound(f"there is no bounce {bounce_id}")
    return found.address_key


def _restore(tx: Transaction, person: Subscriber, now: datetime) -> None:
    """Put a suppressed person back where its own acts had left it."""
    status = _status_by_consent(tx, person)
    is_back = status is Status.CONFIRMED
    slot = next_slot(now, zone=person.zone, send_at=person.send_at, cadence=person.cadence)
    people.change_subscriber(
        tx,
        person.id,
        status=status,
        next_edition_at=slot if is_back else None,
        ended_at=now if status is Status.UNSUBSCRIBED else None,
    )
    people.note_consent(tx, [person.id], "restored", now=now, source="operator")


def _status_by_consent(tx: Transaction, person: Subscriber) -> Status:
    """Where a person's own acts leave it: bounces and complaints are no acts of leaving."""
    status = Status.PENDING
    for act in people.consents_of(tx, person.id):
        match act["action"]:
            case "confirmed" | "vouched":
                status = Status.CONFIRMED
            case "ended":
                status = Status.UNSUBSCRIBED
            case "asked" if status is Status.UNSUBSCRIBED:
                status = Status.PENDING
    return status


def _codes(report: Report) -> str:
    return ", ".join(sorted({f.status or "no code" for f in report.failures}))
