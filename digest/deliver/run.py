"""One run through a transport: what is claimed, what is under way, what is not written down yet.

Two sides meet here. The transport takes messages and reports what became of them; a task keeps the
books: claims ahead of the transport, writes outcomes down, renews leases. Statements run here, on
the loop's thread; only the waits for the disk (BEGIN, COMMIT) are spent on another, while the
network goes on. Statements there would fight this thread for the interpreter at every row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import TypeVar

from digest.clock import Clock, uptime_s
from digest.deliver.desk import Desk, Held
from digest.deliver.making import MessageMaker
from digest.deliver.pace import DomainPace, ServerPatience, domain_of
from digest.deliver.rules import DeliveryReport, DeliveryRules, Progress
from digest.deliver.verdict import Answer, answer_of, words_of
from digest.errors import RelayBusy, StoreError
from digest.mail import Transport
from digest.model import Envelope, OutboxState, Outcome
from digest.store import Store
from digest.store.claims import Settlement

T = TypeVar("T")

#: an outcome is written down that soon, in seconds, even if no group comes together
_SETTLE_WITHIN_S = 0.2
#: most messages made in a row, for what one needs is at hand for the next; and, when one is asked
#: for, what part of those under way, or few connections would soon have nothing to do
_MADE_TOGETHER, _OF_THOSE_AWAY = 8, 4
#: how soon a wait notices that it should stop, in seconds
_NAP_S = 0.5


class Run:
    """Use once."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        maker: MessageMaker,
        rules: DeliveryRules,
        *,
        pace: DomainPace,
        clock: Clock,
        stop: Callable[[], bool],
        progress: Progress,
    ) -> None:
        self._store = store
        self._desk = desk
        self._maker = maker
        self._rules = rules
        self._pace = pace
        self._patience = ServerPatience()
        self._clock = clock
        self._stop = stop
        self._progress = progress
        self.report = DeliveryReport()
        self._aside = ThreadPoolExecutor(1, "digest-commit")
        #: claimed, not given to the transport
        self._ready: deque[Held] = deque()
        self._on_the_wire: dict[int, Held] = {}
        #: heard and not committed: with what is on the wire, what a crash leaves in doubt
        self._answers = desk.unwritten
        self._settle_by = 0.0
        #: the pace lets the next message leave
        self._next_at = 0.0
        self._renew_at = uptime_s() + desk.renewal_s
        #: the last claim found nothing, and it is not time to look again
        self._is_dry = False
        self._look_again_at = 0.0
        #: the transport will ask for no more
        self._has_given_all = False
        self._is_over = False
        self._makes_ahead = not (rules.rate_per_minute or rules.domain_rate_per_minute)
        #: the transport has wanted nothing in this round of the loop
        self._is_quiet = False
        #: there is something for the books / for take() / for report()
        self._work = asyncio.Event()
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    def recover(self, nobody_sends: bool) -> None:
        """Before it begins: write down what an earlier run could not, and free what dead senders
        had.
        """
        # first, or what was ours would be sent again
        self._write_left()
        with self._store.write() as tx:
            now = self._clock.now()
            self.report.recovered = self._desk.recover(tx, now, nobody_sends=nobody_sends)

    async def through(self, transport: Transport) -> None:
        """Run until the transport has taken all; whatever happens, nothing claimed is forgotten."""
        self._books = asyncio.create_task(self._keep_books())
        self._books.add_done_callback(self._wake)
        try:
            await transport.run(self._take, self._hear, self._may_leave)
        finally:
            self._is_over = True
            self._work.set()
            try:
                await _outwait(self._books)
                self._books.result()
            finally:
                self._aside.shutdown()
                self._close_books()
        if (said := self._patience.last_straw) is not None:
            raise RelayBusy(f"the relay takes no mail for now: {words_of(said)}")

    # -- what the transport calls

    async def _take(self) -> Envelope | None:
        while not (self._stop() or self._books.done() or self._patience.last_straw):
            if self._ready:
                if (left := self._next_at - uptime_s()) > 0:
                    await asyncio.sleep(min(left, _NAP_S))
                    continue
                made = self._next_made()
                held = self._ready.popleft()
                if self._wants_more():
                    self._work.set()
                if isinstance(made, Envelope):
                    self._on_the_wire[held.row.id] = held
                    self._next_at = max(self._next_at, uptime_s()) + self._rules.seconds_between
                    return made
                if made is not None:
                    self._note(made)
            elif self._is_dry:
                break
            else:
                self._work.set()
                self._news.clear()
                await self._news.wait()
        self._has_given_all = True
        return None

    async def _hear(self, outcomes: Sequence[Outcome]) -> None:
        self._is_quiet = False
        for outcome in outcomes:
            self._learn(outcome)
        # what the transport has not got back, it counts as being on the wire: no more than a group
        # is in doubt besides, however long the disk takes
        while len(self._answers) > self._rules.group and not self._books.done():
            self._room.clear()
            await self._room.wait()

    def _learn(self, outcome: Outcome) -> None:
        row, now = self._on_the_wire.pop(outcome.outbox_id).row, self._clock.now()
        self._patience.hear(outcome)
        self._pace.hear(domain_of(row.email), outcome, now)
        self._note(answer_of(outcome, row, now, resend=self._rules.resend))

    def _may_leave(self, envelope: Envelope) -> bool:
        self._is_quiet = False
        held = self._on_the_wire.get(envelope.outbox_id)
        return held is not None and held.is_ours

    # -- parts of it

    def _wait_for_turn(self, held: Held) -> Answer | None:
        """When its reader's domain has had enough for now, it is given back until it has not."""
        domain = domain_of(held.row.email)
        turn = self._pace.turn(domain, self._clock.now(), promised=held.row.promised)
        if turn is None:
            return None
        ended = Settlement(
            id=held.row.id,
            state=OutboxState.DEFERRED,
            reason=f"pace: waits its turn at {domain}",
            not_before=turn,
            was_tried=False,
        )
        return Answer(row=held.row, settlement=ended)

    def _next_made(self) -> Envelope | Answer | None:
        """The first message that is ready, or how its row ends without; None when it is ours no
        more. It stays where it is, so that an error forgets nobody.
        """
        held = self._ready[0]
        if not held.is_ours:
            return None
        if (waits := self._wait_for_turn(held)) is not None:
            return waits
        if held.made is None:
            self._make_next(1 + min(_MADE_TOGETHER - 1, len(self._on_the_wire) // _OF_THOSE_AWAY))
        return held.made

    def _could_make(self) -> bool:
        """Whether messages could be made before they are asked for; a pace leaves time enough."""
        has_unmade = bool(self._ready) and self._ready[-1].made is None
        ends = self._has_given_all or self._stop() or self._patience.last_straw is not None
        return self._makes_ahead and has_unmade and not ends

    def _make_next(self, count: int) -> None:
        """Make the next messages that are not made."""
        together = list(islice((one for one in self._ready if one.made is None), count))
        self._maker.make(together, self._clock.now())

    def _note(self, answer: Answer) -> None:
        if not self._answers:
            self._settle_by = uptime_s() + _SETTLE_WITHIN_S
            self._work.set()
        self._answers.append(answer)
        if len(self._answers) >= self._rules.group:
            self._work.set()

    def _wants_more(self) -> bool:
        """Whether to claim, so that the next messages are here when they are asked for."""
        has_few = len(self._ready) <= self._rules.at_hand
        return has_few and not (self._is_dry or self._has_given_all)

    def _wake(self, books: asyncio.Task[None]) -> None:
        self._news.set()
        self._room.set()

    # -- the books

    async def _keep_books(self) -> None:
        while not self._is_over:
            if self._has_work():
                await self._exchange()
            elif self._could_make():
                # while all connections wait for answers there is nothing better to do
                if self._is_quiet:
                    self._make_next(_MADE_TOGETHER)
                self._is_quiet = True
                await asyncio.sleep(0)
            else:
                await self._rest()
            self._news.set()

    def _has_work(self) -> bool:
        now = uptime_s()
        if now >= self._look_again_at:
            self._is_dry = False
        return (
            len(self._answers) >= self._rules.group
            or (bool(self._answers) and now >= self._settle_by)
            or (self._wants_more() and not self._stop())
            or now >= self._renew_at
        )

    async def _rest(self) -> None:
        """Wait for work, or until there is some by itself."""
        wake_at = min(self._renew_at, self._settle_by if self._answers else self._renew_at)
        delay = min(max(wake_at - uptime_s(), 0), _NAP_S)
        self._work.clear()
        timer = asyncio.get_running_loop().call_later(delay, self._work.set)
        await self._work.wait()
        timer.cancel()

    async def _exchange(self) -> None:
        """Write down what is known and claim the next group, in one transaction: each costs a
        flush to the disk.
        """
        now, at = self._clock.now(), uptime_s()
        answers = tuple(self._answers)
        limit = self._rules.claims_max
        claims = self._wants_more() and not self._stop()
        claimed: list[Held] = []
        with ExitStack() as stack:
            tx = await self._spend(lambda: stack.enter_context(self._store.write()))
            ours = self._desk.settle(tx, answers, now)
            if at >= self._renew_at:
                self._desk.renew(tx, [*self._ready, *self._on_the_wire.values()])
                self.report.recovered += self._desk.recover(tx, now)
                self._renew_at = at + self._desk.renewal_s
            if claims:
                claimed = self._desk.claim(tx, limit, now)
            is_committed = False

            def commit() -> None:
                nonlocal is_committed
                stack.close()
                is_committed = True

            try:
                await self._spend(commit)
            finally:
                # also when cancelled meanwhile: what is claimed is to be given back
                if is_committed:
                    self._ready.extend(claimed)
                    if claims:
                        self._is_dry = not claimed
                        self._look_again_at = at + self._rules.look_again.total_seconds()
                    self._written(answers, ours)

    def _written(self, answers: tuple[Answer, ...], ours: set[int]) -> None:
        """Answers are committed."""
        del self._answers[: len(answers)]
        self._settle_by = uptime_s() + _SETTLE_WITHIN_S
        self._room.set()
        for answer in answers:
            settlement = answer.settlement
            if settlement.id in ours and settlement.was_tried:
                self.report.count(settlement.state)
        self._progress(self.report)

    async def _spend(self, call: Callable[[], T]) -> T:
        """Wait for the disk on the other thread. A cancellation waits too: a transaction that was
        begun must not be left open.
        """
        future = self._aside.submit(call)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            _finish(future)
            raise

    def _close_books(self) -> None:
        """Write down the last outcomes, and give back what was not sent.

        What the database still refuses waits for the next run.
        """
        for held in self._ready:
            back = Settlement(id=held.row.id, state=OutboxState.QUEUED, was_tried=False)
            self._answers.append(Answer(row=held.row, settlement=back))
        self._ready.clear()
        self._write_left()

    def _write_left(self) -> None:
        """Write down what is known and not written."""
        if not self._answers:
            return
        answers = tuple(self._answers)
        try:
            with self._store.write() as tx:
                ours = self._desk.settle(tx, answers, self._clock.now())
        except StoreError:
            raise
        except BaseException:
            # a mistake in what follows for a reader must not have others mailed again and again
            self._answers[:] = [answer._replace(failure=None) for answer in answers]
            if any(answer.failure is not None for answer in answers):
                self._write_left()
            raise
        self._written(answers, ours)


async def _outwait(task: asyncio.Task[None]) -> None:
    """Wait for the end of a task that ends by itself; a cancellation comes after it."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _finish(future: Future[T]) -> None:
    """Wait for a call that was begun; not begun, it never will be."""
    if not future.cancel():
        future.exception()
