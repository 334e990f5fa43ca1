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
from digest.errors import BadInput, TemplateError, TransportError
from digest.mail import Transport
from digest.mail.dkim import DkimSigner
from digest.model import (
    CONFIRM_WITHIN,
    Edition,
    Envelope,
    MessageKind,
    OutboxState,
    Outcome,
    Subscriber,
)
from digest.store import Store, Transaction, claims, facts, people
from digest.store import editions as shelf
from digest.store.claims import Claimed, Settlement
from digest.verdict import decide, is_hard_bounce, later, refuse_late

log = logging.getLogger(__name__)

#: rows claimed, and outcomes settled, in one transaction
GROUP = 16
#: how long a claimed message is ours
LEASE = timedelta(minutes=15)
_PAUSE_FIRST = timedelta(minutes=1)
_PAUSE_MAX = timedelta(minutes=30)
_PAUSED = "sending_paused"
#: how soon a wait notices that it should stop, in seconds
_NAP_S = 0.5


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
            report.recovered = claims.release_stale(tx, now=now, resend=self._rules.resend)
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
    ) -> tuple[list[tuple[Claimed, Envelope]], list[Settlement]]:
        """Write down what became of messages and claim the next group, in one transaction.

        The second value settles, with the next exchange, the claimed rows that have waited too
        long or that no message can be made of. Both are empty when nothing waits.
        """
        now = self._clock.now()
        with self._store.write() as tx:
            self._settle(tx, settlements, bounced, now)
            if not claim:
                return [], []
            claimed = claims.claim(tx, owner=self._owner, now=now, limit=self.group, lease=LEASE)
            editions = self._reader.load(tx, [c.edition_id or 0 for c in claimed])
            asked = [c for c in claimed if c.kind is MessageKind.CONFIRMATION]
            readers = people.subscribers_by_id(tx, [c.subscriber_id for c in asked])
        ready: list[tuple[Claimed, Envelope]] = []
        unfit: list[Settlement] = []
        for row in claimed:
            try:
                refuse_late(row, now)
                ready.append((row, self._compose(row, editions, readers)))
            except BadInput as error:
                unfit.append(Settlement(id=row.id, state=OutboxState.FAILED, reason=str(error)))
            except TemplateError as error:
                # the operator's to mend; it was never on the wire, and others may still go
                log.error("message %d cannot be written: %s", row.id, error)
                unfit.append(later(row, now, reason=f"template: {error}"))
        return ready, unfit

    def _settle(
        self,
        tx: Transaction,
        settlements: Sequence[Settlement],
        bounced: Sequence[Claimed],
        now: datetime,
    ) -> None:
        """Write down what became of messages, and suppress the addresses that do not exist."""
        ours = claims.settle(tx, settlements, owner=self._owner, now=now)
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
    def group(self) -> int:
        """How many rows to claim at once: no more than can leave well before the lease ends."""
        rate = self._rules.rate_per_minute
        in_time = rate * LEASE // timedelta(minutes=4)
        return max(1, min(GROUP, in_time)) if rate else GROUP

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
        if self._stop():
            return None
        row, envelope = self._ready.popleft()
        self._on_the_wire[row.id] = row
        return envelope

    async def _keep_pace(self) -> None:
        between = self._deliverer.seconds_between
        if between:
            time = asyncio.get_running_loop().time
            self._next_at = max(self._next_at, time())
            while (left := self._next_at - time()) > 0 and not self._stop():
                await asyncio.sleep(min(left, _NAP_S))
            self._next_at += between

    async def _hear(self, outcome: Outcome) -> None:
        row = self._on_the_wire.pop(outcome.outbox_id)
        settlement = self._deliverer.decide(outcome, row)
        self._report.count(settlement.state)
        self._answered.append(settlement)
        if is_hard_bounce(outcome):
            self._bounced.append(row)
        if len(self._answered) >= self._deliverer.group:
            # one transaction for both: each costs a flush to the disk
            self._exchange(claim=len(self._ready) < self._deliverer.group and not self._stop())

    def _exchange(self, *, claim: bool) -> None:
        while claim or self._answered:
            answered, bounced = len(self._answered), len(self._bounced)
            ready, unfit = self._deliverer.exchange(self._answered, self._bounced, claim=claim)
            # only now: what a full disk kept from being written is tried once more at the end
            del self._answered[:answered], self._bounced[:bounced]
            self._answered += unfit
            for settlement in unfit:
                self._report.count(settlement.state)
            self._ready.extend(ready)
            if ready or not unfit:
                return
