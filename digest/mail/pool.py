"""Carries messages over several connections at once, from the first take() to the last report().

Two tasks meet here: one takes messages and places them on connections, one reports what became of
them; in between, connections work by callbacks. Owns what happens to a message whose connection
died before it left, and how many messages may be in doubt. Used by digest/mail/smtp.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Sequence

from digest.errors import TransportError
from digest.mail.base import MayLeave, Report, Take, TransportOptions
from digest.mail.connection import Connection
from digest.mail.fleet import Fleet
from digest.mail.handshake import NoConnection
from digest.mail.outcomes import NOT_OURS, is_operators_problem, not_sent
from digest.mail.session import Delivery
from digest.model import Outcome

#: a message is tried on so many connections that die under it, then it is reported
_TRIES_MAX = 3
#: so many connections in a row that die before anything was answered: the relay is not working
_BARREN_MAX = 3
_INTERRUPTED = "the sending was interrupted"


class Pool:
    """One run over the messages of one take(). Not to be used twice."""

    def __init__(
        self, options: TransportOptions, context: ssl.SSLContext | None, may_leave: MayLeave
    ) -> None:
        self._may_leave = may_leave
        self._relay = f"the relay {options.host}:{options.port}"
        self._fleet = Fleet(
            options, context, owner=self, changed=self._fleet_changed, failed=self._fail
        )
        #: messages that no connection has taken on
        self._pending: deque[Delivery] = deque()
        #: messages whose connection died before they left; the next may be as near its end
        self._returned: deque[Delivery] = deque()
        #: outcomes on their way to report()
        self._settled: list[tuple[Delivery, Outcome]] = []
        #: messages taken and not yet through report()
        self._outstanding = 0
        #: how many more contents may go out, see Transport.run
        self._credits = options.connections
        #: connections that wait for one
        self._gated: deque[Connection] = deque()
        self._barren = 0
        self._is_placing = False
        self._has_all = False
        self._failure: TransportError | None = None
        #: there is room for a message / there is something to report
        self._room = asyncio.Event()
        self._news = asyncio.Event()

    async def run(self, take: Take, report: Report) -> None:
        """Carry all messages; see Transport.run."""
        feeder = asyncio.create_task(self._feed(take))
        try:
            await self._report_all(report, feeder)
            feeder.result()
        except asyncio.CancelledError:
            await self._give_up(report, feeder)
            raise
        finally:
            feeder.cancel()
            await self._fleet.close()
            await asyncio.gather(feeder, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    # -- the two tasks

    async def _feed(self, take: Take) -> None:
        """Take messages as long as there is room for them."""
        try:
            while self._failure is None:
                if self._outstanding >= self._fleet.capacity:
                    self._room.clear()
                    await self._room.wait()
                    continue
                envelope = await take()
                if envelope is None:
                    break
                self._outstanding += 1
                self._pending.append(Delivery(envelope))
                self._place()
        finally:
            self._has_all = True
            self._news.set()

    async def _report_all(self, report: Report, feeder: asyncio.Task[None]) -> None:
        """Report outcomes until all messages are through."""
        while not (self._has_all and self._outstanding == 0):
            await self._news.wait()
            self._news.clear()
            while self._settled:
                settled, self._settled = self._settled, []
                try:
                    await report([outcome for _, outcome in settled])
                finally:
                    self._finish([delivery for delivery, _ in settled])
        await asyncio.wait([feeder])

    async def _give_up(self, report: Report, feeder: asyncio.Task[None]) -> None:
        """We were cancelled: cut everything, and report what is known."""
        feeder.cancel()
        self._fail(TransportError(_INTERRUPTED))
        self._fleet.abort(_INTERRUPTED)
        with contextlib.suppress(asyncio.CancelledError):
            await self._report_all(report, feeder)

    # -- what connections tell us (connection.Owner)

    def may_send(self, connection: Connection, delivery: Delivery) -> bool:
        """Whether one more message may come to be in doubt; if not, it is resumed later."""
        if self._credits == 0:
            self._gated.append(connection)
            return False
        self._credits -= 1
        delivery.has_credit = True
        return True

    def is_ours(self, delivery: Delivery) -> bool:
        """Whether a message has not become another process's meanwhile."""
        return self._may_leave(delivery.envelope)

    def progressed(self, connection: Connection) -> None:
        """Messages of a connection are settled."""
        self._settle_all(connection)
        self._fleet.sort(connection)
        if connection.is_spent and connection.session.load == 0:
            connection.quit()
        self._place()

    def lost(self, connection: Connection, returned: list[Delivery], reason: str) -> None:
        """A connection is gone: send what never left by another one, or report it."""
        session = connection.session
        self._fleet.remove(connection)
        had_work = bool(returned or session.settled)
        self._settle_all(connection)
        self._barren = 0 if session.answered else self._barren + had_work
        for delivery in reversed(returned):
            if session.answered and delivery.tries < _TRIES_MAX:
                self._returned.appendleft(delivery)
            else:
                text = f"{reason}, before the message was sent"
                self._settle(delivery, not_sent(delivery.envelope, text, session.farewell))
        if self._barren >= _BARREN_MAX:
            self._fail(NoConnection(f"{self._relay} takes no mail: {reason}; ask its operator"))
        self._place()

    # -- placing

    def _fleet_changed(self) -> None:
        self._room.set()
        self._place()

    def _place(self) -> None:
        """Give waiting messages to connections: idle ones, new ones, busy ones, in that order."""
        if self._is_placing:
            return
        self._is_placing = True
        if self._failure is not None:
            self._drop_pending(self._failure)
        self._fill_idle()
        self._fleet.grow(len(self._returned) + len(self._pending))
        if self._returned and not self._fleet.opening:
            # no new connection can be had for them: any will do
            self._pending.extendleft(reversed(self._returned))
            self._returned.clear()
            self._fill_idle()
        self._fill_busy(leaving=max(0, self._fleet.opening - len(self._returned)))
        if self._has_all and not self._pending and not self._returned:
            self._fleet.quit_idle()
        self._is_placing = False

    def _fill_idle(self) -> None:
        """Give a message to each idle connection; those that were returned need a new one."""
        while (found := self._fleet.find(0)) is not None:
            is_new = found.session.answered == 0
            queue = self._returned if self._returned and is_new else self._pending
            if not queue:
                return
            self._offer(found, queue.popleft())

    def _fill_busy(self, *, leaving: int) -> None:
        """Give a second message to connections, but leave as many for those that are opening."""
        while len(self._pending) > leaving and (found := self._fleet.find(1)) is not None:
            self._offer(found, self._pending.popleft())

    def _offer(self, connection: Connection, delivery: Delivery) -> None:
        if self.is_ours(delivery):
            connection.offer(delivery)
            self._fleet.sort(connection)
        else:
            self._settle(delivery, not_sent(delivery.envelope, NOT_OURS))

    # -- settling

    def _settle_all(self, connection: Connection) -> None:
        settled = connection.session.settled
        for delivery, outcome in settled:
            self._settle(delivery, outcome)
        # 421 says nothing of the message, and nothing good of the relay
        answers = sum(outcome.code not in (None, 421) for _, outcome in settled)
        if answers:
            self._barren = 0
            self._fleet.note_answers(answers)
        settled.clear()

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        self._settled.append((delivery, outcome))
        self._news.set()
        if self._failure is None and is_operators_problem(outcome):
            self._fail(
                TransportError(
                    f"{self._relay} refuses us as a sender: {outcome.code} {outcome.text};"
                    " check the login, the sender's domain and the relay's rules"
                )
            )

    def _finish(self, deliveries: Sequence[Delivery]) -> None:
        """Messages are through report()."""
        self._outstanding -= len(deliveries)
        self._room.set()
        self._credits += sum(delivery.has_credit for delivery in deliveries)
        while self._gated and self._credits:
            self._gated.popleft().resume()

    def _fail(self, error: TransportError) -> None:
        """No more mail can be handed over; what is under way is finished."""
        if self._failure is None:
            self._failure = error
        self._fleet.stop_opening()
        self._drop_pending(error)
        self._room.set()
        self._news.set()

    def _drop_pending(self, error: TransportError) -> None:
        for delivery in (*self._returned, *self._pending):
            self._settle(delivery, not_sent(delivery.envelope, str(error)))
        self._returned.clear()
        self._pending.clear()
