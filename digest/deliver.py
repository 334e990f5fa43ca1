"""Delivering: take what waits in the outbox, hand it to the relay, write down what became of it.

A tick calls Deliverer.deliver → take() claims rows and composes → the transport sends → report()
settles. Rows are `sending` in the database before they are on the wire and settled in small
groups: what a crash leaves in doubt is what was on the wire and one group at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from digest.clock import Clock
from digest.compose.composer import Composer, Question
from digest.errors import BadInput, TransportError
from digest.mail import Transport
from digest.mail.dkim import DkimSigner
from digest.model import (
    CONFIRM_WITHIN,
    Edition,
    Envelope,
    Fate,
    MessageKind,
    OutboxState,
    Outcome,
    Subscriber,
)
from digest.store import Store, Transaction, facts, outbox, people
from digest.store import editions as shelf
from digest.store.outbox import Claimed, Settlement

log = logging.getLogger(__name__)

#: rows claimed, and outcomes settled, in one transaction
GROUP = 16
#: how long a claimed message is ours
LEASE = timedelta(minutes=15)
#: a message that could not be handed over in this time is given up
GIVE_UP_AFTER = timedelta(hours=20)
_RETRY_FIRST = timedelta(minutes=5)
_RETRY_MAX = timedelta(hours=3)
_PAUSE_FIRST = timedelta(minutes=1)
_PAUSE_MAX = timedelta(minutes=30)
_PAUSED = "sending_paused"
_LATE = "too late: not handed over within 20 h"
_GAVE_UP = "gave up: no success within 20 h"

#: 5.1.x that speak of our own address, not of the reader's (RFC 3463)
_OUR_OWN = ("5.1.7", "5.1.8")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """The settings that delivering follows."""

    #: whether a message in doubt is sent again (with the same Message-ID) or waits for the operator
    resend: bool
    #: messages a minute over all connections; 0 is no limit
    rate_per_minute: int = 0


@dataclass(slots=True)
class DeliveryReport:
    """What one run of delivering came to."""

    states: dict[OutboxState, int] = field(default_factory=dict)
    #: rows found whose sender had died
    recovered: int = 0
    #: why nothing more could be handed over; None when all was tried
    stopped: str | None = None

    def count(self, state: OutboxState) -> None:
        self.states[state] = self.states.get(state, 0) + 1


class Deliverer:
    """One process's way from the outbox to the relay."""

    def __init__(
        self,
        store: Store,
        composer: Composer,
        rules: DeliveryRules,
        *,
        clock: Clock,
        owner: str,
        signer: DkimSigner | None = None,
    ) -> None:
        self._store = store
        self._composer = composer
        self._rules = rules
        self._clock = clock
        self._owner = owner
        self._signer = signer
        self._reader = shelf.EditionReader()

    def paused_until(self, now: datetime) -> datetime | None:
        """When sending goes on after trouble with the relay; None when it is not paused."""
        with self._store.read() as tx:
            pause = facts.get_fact(tx, _PAUSED)
        until = datetime.fromisoformat(pause["until"]) if pause else None
        return until if until is not None and until > now else None

    def deliver(
        self, transport: Transport, *, stop: Callable[[], bool] = lambda: False
    ) -> DeliveryReport:
        """Hand over all that waits, until nothing does, `stop` says so, or the relay fails us.

        A relay that takes nothing pauses sending for growing times, and loses nothing.
        """
        report = DeliveryReport()
        now = self._clock.now()
        with self._store.write() as tx:
            report.recovered = outbox.release_stale(tx, now=now, resend=self._rules.resend)
        try:
            asyncio.run(_Run(self, report, stop).through(transport))
        except TransportError as error:
            report.stopped = str(error)
            self._pause(str(error))
        else:
            self._go_on()
        return report

    def exchange(
        self, settlements: Sequence[Settlement], bounced: Sequence[Claimed], *, claim: bool
    ) -> list[tuple[Claimed, Envelope]]:
        """Write down what became of messages and claim the next group, in one transaction.

        Rows that have waited too long, or that no message can be made of, end here as failed.
        Empty when nothing waits, or when nothing was to be claimed.
        """
        while True:
            now = self._clock.now()
            claimed: list[Claimed] = []
            with self._store.write() as tx:
                self._settle(tx, settlements, bounced, now)
                if claim:
                    claimed = outbox.claim(tx, owner=self._owner, now=now, limit=GROUP, lease=LEASE)
                    editions = self._reader.load(tx, [c.edition_id or 0 for c in claimed])
                    asked = [c for c in claimed if c.kind is MessageKind.CONFIRMATION]
                    readers = people.subscribers_by_id(tx, [c.subscriber_id for c in asked])
            if not claimed:
                return []
            ready: list[tuple[Claimed, Envelope]] = []
            failed: list[Settlement] = []
            for row in claimed:
                try:
                    if now - row.created_at > GIVE_UP_AFTER and row.attempts == 1:
                        raise BadInput(_LATE)
                    ready.append((row, self._compose(row, editions, readers)))
                except BadInput as error:
                    ended = Settlement(id=row.id, state=OutboxState.FAILED, reason=str(error))
                    failed.append(ended)
            if ready:
                if failed:
                    self.exchange(failed, (), claim=False)
                return ready
            settlements, bounced = failed, ()

    def _settle(
        self,
        tx: Transaction,
        settlements: Sequence[Settlement],
        bounced: Sequence[Claimed],
        now: datetime,
    ) -> None:
        """Write down what became of messages, and suppress the addresses that do not exist."""
        ours = outbox.settle(tx, settlements, owner=self._owner, now=now)
        lost = [s.id for s in settlements if s.state is OutboxState.FAILED and s.id in ours]
        shelf.forget_picks(tx, outbox_ids=lost)
        for row in bounced:
            people.suppress_subscriber(tx, row.subscriber_id, reason="hard bounce", now=now)

    def _compose(
        self,
        row: Claimed,
        editions: Mapping[int, Edition],
        readers: Mapping[int, Subscriber],
    ) -> Envelope:
        if row.kind is MessageKind.CONFIRMATION:
            question = Question(
                subscriber_id=row.subscriber_id,
                email=readers[row.subscriber_id].email,
                made_at=row.created_at,
                until=row.created_at + CONFIRM_WITHIN,
            )
            envelope = self._composer.confirmation(
                question, outbox_id=row.id, message_id=row.message_id
            )
        else:
            assert row.edition_id is not None
            envelope = self._composer.edition(
                editions[row.edition_id], outbox_id=row.id, message_id=row.message_id
            )
        if self._signer is None:
            return envelope
        # by the row's own time: an attempt repeated hours later has the same bytes
        return replace(envelope, content=self._signer.sign(envelope.content, row.created_at))

    def decide(self, outcome: Outcome, row: Claimed) -> Settlement:
        """What a relay's answer means for a row."""
        return decide(outcome, row, self._clock.now(), resend=self._rules.resend)

    @property
    def seconds_between(self) -> float:
        """The pace that the rate asks for; 0 for none."""
        rate = self._rules.rate_per_minute
        return 60 / rate if rate else 0.0

    def _pause(self, reason: str) -> None:
        now = self._clock.now()
        with self._store.write() as tx:
            before = facts.get_fact(tx, _PAUSED) or {"times": 0, "since": now.isoformat()}
            pause = min(_PAUSE_FIRST * 2 ** min(before["times"], 10), _PAUSE_MAX)
            value = {
                "times": before["times"] + 1,
                "since": before["since"],
                "until": (now + pause).isoformat(),
                "reason": reason,
            }
            facts.put_fact(tx, _PAUSED, value)
        log.error("sending is paused for %d s: %s", pause.total_seconds(), reason)

    def _go_on(self) -> None:
        with self._store.read() as tx:
            was_paused = facts.get_fact(tx, _PAUSED) is not None
        if was_paused:
            with self._store.write() as tx:
                facts.drop_fact(tx, _PAUSED)


class _Run:
    """One run through a transport: what is claimed, what is answered, what is not settled yet."""

    def __init__(
        self, deliverer: Deliverer, report: DeliveryReport, stop: Callable[[], bool]
    ) -> None:
        self._deliverer = deliverer
        self._report = report
        self._stop = stop
        self._ready: deque[tuple[Claimed, Envelope]] = deque()
        self._on_the_wire: dict[int, Claimed] = {}
        self._answered: list[Settlement] = []
        self._bounced: list[Claimed] = []
        self._next_at = 0.0

    async def through(self, transport: Transport) -> None:
        """Run until the transport has taken all; whatever happens, nothing claimed is forgotten."""
        try:
            await transport.run(self._take, self._hear)
        finally:
            self._answered += [
                Settlement(id=row.id, state=OutboxState.QUEUED) for row, _ in self._ready
            ]
            self._exchange(claim=False)

    async def _take(self) -> Envelope | None:
        if not self._ready:
            self._exchange(claim=not self._stop())
        if self._stop() or not self._ready:
            return None
        await self._keep_pace()
        row, envelope = self._ready.popleft()
        self._on_the_wire[row.id] = row
        return envelope

    async def _keep_pace(self) -> None:
        between = self._deliverer.seconds_between
        if between:
            moment = asyncio.get_running_loop().time()
            await asyncio.sleep(max(self._next_at - moment, 0))
            self._next_at = max(self._next_at, moment) + between

    async def _hear(self, outcome: Outcome) -> None:
        row = self._on_the_wire.pop(outcome.outbox_id)
        settlement = self._deliverer.decide(outcome, row)
        self._report.count(settlement.state)
        self._answered.append(settlement)
        if is_hard_bounce(outcome):
            self._bounced.append(row)
        if len(self._answered) >= GROUP:
            # one transaction for both: each costs a flush to the disk
            self._exchange(claim=len(self._ready) < GROUP and not self._stop())

    def _exchange(self, *, claim: bool) -> None:
        if not (claim or self._answered):
            return
        answered, self._answered = self._answered, []
        bounced, self._bounced = self._bounced, []
        self._ready.extend(self._deliverer.exchange(answered, bounced, claim=claim))


def decide(outcome: Outcome, row: Claimed, now: datetime, *, resend: bool) -> Settlement:
    """What a relay's answer means for a row. Pure.

    Temporary is not permanent: 4xx and lost connections wait, longer each time, for 20 hours.
    5.7.x is the operator's trouble and waits too.
    """
    answer = " ".join(str(part) for part in (outcome.code, outcome.status, outcome.text) if part)
    match outcome.fate:
        case Fate.ACCEPTED:
            return Settlement(id=row.id, state=OutboxState.SENT, answer=answer)
        case Fate.UNKNOWN if not resend:
            reason = "the relay's answer was lost"
            return Settlement(id=row.id, state=OutboxState.UNCERTAIN, reason=reason, answer=answer)
        case Fate.PERMANENT if not _is_ours(outcome):
            reason = f"refused: {outcome.status or outcome.code or 'by us'}"
            return Settlement(id=row.id, state=OutboxState.FAILED, reason=reason, answer=answer)
    if now - row.first_tried_at >= GIVE_UP_AFTER:
        return Settlement(id=row.id, state=OutboxState.FAILED, reason=_GAVE_UP, answer=answer)
    pause = min(_RETRY_FIRST * 2 ** min(row.attempts - 1, 10), _RETRY_MAX)
    return Settlement(
        id=row.id,
        state=OutboxState.DEFERRED,
        reason=f"temporary: {outcome.status or outcome.code or 'connection'}",
        answer=answer,
        not_before=now + pause,
    )


def is_hard_bounce(outcome: Outcome) -> bool:
    """Whether an answer says that the reader's address does not exist (RFC 3463, X.1.X)."""
    status = outcome.status or ""
    return outcome.fate is Fate.PERMANENT and status.startswith("5.1.") and not _is_ours(outcome)


def _is_ours(outcome: Outcome) -> bool:
    """Whether a refusal speaks of us and not of the reader: policy, or our own address."""
    status = outcome.status or ""
    return status.startswith("5.7.") or status in _OUR_OWN
