"""What failures to reach a person come to: written down with their evidence, counted, acted on.

One rule for what comes back by mail and for what a relay refuses at once. The caller opens the
transaction. Called by digest/returns.py, and fit for any stage that hears a refusal.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from digest.bounce import is_too_much
from digest.model import BounceKind, Failure, Status, Subscriber
from digest.store import Transaction, bounces, people
from digest.store.bounces import NewBounce

log = logging.getLogger(__name__)

#: what the suppression of an address is put down to
HARD_BOUNCE, TOO_MANY, COMPLAINED = "hard bounce", "bounces", "complaint"
_COUNTED = (BounceKind.HARD, BounceKind.SOFT, BounceKind.COMPLAINT)
_NOTED = (*_COUNTED, BounceKind.POLICY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A failure and the person it is about."""

    subscriber: Subscriber
    failure: Failure
    #: the message of ours that it is proven to be about; None: only the address says so
    outbox_id: int | None
    #: it names this person's own address, or none at all, and not one that mail is forwarded to
    names_them: bool = True
    #: the same failure told twice is one: a hash of the report, the number of the attempt
    fingerprint: str
    #: what was said, as it came
    evidence: bytes = field(repr=False)


def note_failure(tx: Transaction, case: Case, *, now: datetime) -> str | None:
    """Write a failure down and act on it; why the address is suppressed by it, None when it is not.

    Being told the same twice changes nothing more.
    """
    failure, person = case.failure, case.subscriber
    if failure.kind not in _NOTED:
        return None
    bounce_id = bounces.add_bounce(tx, _new_bounce(case), now=now)
    if bounce_id is None or person.status is Status.SUPPRESSED:
        return None
    reason = _reason_to_suppress(tx, case, now)
    if reason is None:
        return None
    if reason == COMPLAINED:
        people.note_consent(tx, [person.id], "complained", now=now, source="mail")
    people.suppress_subscriber(tx, person.id, reason=reason, now=now)
    bounces.set_effect(tx, bounce_id, reason)
    log.info("subscriber %d is suppressed: %s", person.id, reason)
    return reason


def _new_bounce(case: Case) -> NewBounce:
    failure = case.failure
    return NewBounce(
        fingerprint=f"{case.fingerprint}:{case.subscriber.id}",
        subscriber_id=case.subscriber.id,
        outbox_id=case.outbox_id,
        kind=failure.kind,
        status=failure.status,
        diagnostic=failure.diagnostic,
        is_proven=case.outbox_id is not None,
        evidence=case.evidence,
    )


def _reason_to_suppress(tx: Transaction, case: Case, now: datetime) -> str | None:
    """Why the address must not be mailed any more; None while it may be.

    Only what is proven to be about a message of ours acts at once: anybody can write a report
    that names an address. And 5.1.x about another address, where this one forwards to, only counts.
    """
    is_proven = case.outbox_id is not None
    if is_proven and case.failure.kind is BounceKind.COMPLAINT:
        return COMPLAINED
    if is_proven and case.failure.is_certain and case.names_them:
        return HARD_BOUNCE
    if case.failure.kind in _COUNTED:
        marks = bounces.marks_of(tx, case.subscriber.id)
        return TOO_MANY if is_too_much(marks, now) else None
    return None
