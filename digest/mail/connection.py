"""One connection to the relay: moves bytes between a socket and the handshake or the session.

Owns the socket, TLS, the time limits, and the knowledge of what has left. What to say is decided
in handshake.py and session.py; which message goes where, in pool.py, the only user of this.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import ExitStack
from typing import Protocol, cast

from digest.errors import ParseError, TransportError
from digest.mail.base import TransportOptions
from digest.mail.capabilities import Capabilities
from digest.mail.handshake import NoConnection, Talk, greet, log_in
from digest.mail.outcomes import NOT_OURS
from digest.mail.replies import Reply, ReplyReader
from digest.mail.session import Delivery, Session, Step
from digest.mail.tls import Tunnel
from digest.mail.writer import Writer

#: RFC 5321 §4.5.3.2 gives the answer to a whole message twice the time of other answers
_VERDICT_FACTOR = 2
#: seconds that a server has to answer QUIT; nothing depends on it any more
_QUIT_S = 5.0


class Owner(Protocol):
    """Who uses the connection and hears from it."""

    def may_send(self, connection: Connection, delivery: Delivery) -> bool:
        """Whether the content of a message may go out now; if not, `resume` is called later."""
        ...

    def is_ours(self, delivery: Delivery) -> bool:
        """Whether a message has not become another process's meanwhile."""
        ...

    def progressed(self, connection: Connection) -> None:
        """The session has settled messages."""
        ...

    def lost(self, connection: Connection, returned: list[Delivery], reason: str) -> None:
        """A connection that was ready is gone; `returned` never left."""
        ...


class Connection(asyncio.Protocol):
    """A connection; `opened` is done when it is ready for mail, or has failed."""

    def __init__(
        self, owner: Owner, options: TransportOptions, context: ssl.SSLContext | None
    ) -> None:
        self._owner = owner
        self._options = options
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._reader = ReplyReader()
        self._tunnel: Tunnel | None = None
        self._talk: Talk | None = None
        self._transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[Session] = self._loop.create_future()
        #: done when the socket is closed
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self._session: Session | None = None
        #: messages it was ever offered
        self._offered = 0
        self._writer: Writer | None = None
        self._will_flush = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._backlog = 0
        self._reason: str | None = None
        #: nothing more can be sent
        self._is_cut = False

    # -- what the fleet and the pool do with it

    async def attach(self, sock: socket.socket) -> None:
        """Begin on a connected socket, which is ours from here on."""
        with ExitStack() as undo:
            undo.callback(sock.close)
            await self._loop.create_connection(lambda: self, sock=sock)
            undo.pop_all()

    @property
    def session(self) -> Session:
        assert self._session is not None, "the connection is not open"
        return self._session

    @property
    def writer(self) -> Writer:
        assert self._writer is not None, "the connection has not begun"
        return self._writer

    @property
    def is_usable(self) -> bool:
        """Whether it can be offered a message."""
        session = self._session
        return not (
            session is None
            or self._is_cut
            or self.is_spent
            or session.has_quit
            or session.farewell is not None
        )

    @property
    def is_spent(self) -> bool:
        """Whether it has been given all that one connection may carry."""
        return 0 < self._options.messages_per_connection <= self._offered

    def offer(self, delivery: Delivery) -> None:
        """Hand the session a message."""
        self._offered += 1
        self.session.offer(delivery)
        self._after_input()

    def resume(self) -> None:
        """Go on after the owner's `may_send` said no."""
        self.session.resume()
        self._after_input()

    def quit(self) -> None:
        """Say goodbye, when nothing is under way."""
        self.session.quit()
        self._after_input()

    def abort(self, reason: str) -> None:
        """Cut the connection; what is under way comes back through `lost`."""
        if self._reason is None:
            self._reason = reason
        self._is_cut = True
        if self._transport is not None:
            self._transport.abort()

    def give_up(self) -> None:
        """Cut it because nobody waits for it to open."""
        self.opened.cancel()
        self.abort("nobody waits for it")

    # -- what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one without being derived from it
        transport = cast(asyncio.Transport, transport)
        self._transport = transport
        self._writer = Writer(transport, self._end_left)
        self._move_deadline()
        try:
            if self._options.security == "tls":
                self._start_tls()
            else:
                self._start_talk(greet(self._options))
        except (NoConnection, ValueError) as error:
            self._fail(error)

    def data_received(self, data: bytes) -> None:
        has_answered = False
        try:
            if self._tunnel is not None:
                was_open = self._tunnel.is_open
                data, reply = self._tunnel.receive(data)
                if reply and self._transport is not None:
                    # TLS's own words: the handshake, or an answer to a change of keys
                    self._transport.write(reply)
                if not was_open and self._tunnel.is_open:
                    self._begin_inside()
            self._reader.feed(data)
            while not self._is_cut and (answer := self._reader.next_reply()) is not None:
                self._take(answer)
                has_answered = True
        except (TransportError, ParseError, ssl.SSLError) as error:
            self._fail(error)
        if has_answered:
            self._move_deadline()
        self._after_input()

    def eof_received(self) -> bool:
        self.abort("the server closed the connection")
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None and self._reason is None:
            self._reason = f"the connection was lost ({exc})"
        reason = self._reason or "the connection was closed"
        self._is_cut = True
        if self._timer is not None:
            self._timer.cancel()
        self.closed.set_result(None)
        session = self._session
        if session is None:
            self._refuse_opening(reason)
            return
        returned = session.lose(reason)
        self._owner.lost(self, returned, reason)

    def pause_writing(self) -> None:
        self.writer.pause()

    def resume_writing(self) -> None:
        if self._has_lost_message():
            return
        # what was sent is all there; the time for the answer begins
        self._move_deadline()
        self.writer.resume()

    # -- opening

    def _start_tls(self) -> None:
        assert self._context is not None, "TLS without a context"
        if not self._reader.is_empty:
            # bytes that came before the encryption could be anybody's (CVE-2011-0411)
            raise NoConnection("the server speaks before TLS has begun", is_final=True)
        self._tunnel = Tunnel(self._context, self._options.host)
        self.writer.write([self._tunnel.start()])
        self.writer.encrypt = self._tunnel.encrypt

    def _begin_inside(self) -> None:
        """TLS is up: with STARTTLS introduce ourselves again, else wait for the greeting."""
        if self._options.security == "tls":
            self._start_talk(greet(self._options))
        else:
            self._start_talk(log_in(self._options, is_encrypted=True))

    def _start_talk(self, talk: Talk) -> None:
        self._talk = talk
        self._say(next(talk))

    def _take(self, reply: Reply) -> None:
        """Pass a reply to whoever is waiting for it."""
        if self._session is not None:
            self._session.receive(reply)
            return
        if self._talk is None:
            raise ParseError("the server speaks out of turn")
        try:
            self._say(self._talk.send(reply))
        except StopIteration as done:
            self._next_part(done.value)

    def _next_part(self, capabilities: Capabilities | None) -> None:
        """A part of the handshake is done: the next one, or mail."""
        self._talk = None
        if capabilities is not None:
            self._session = Session(capabilities, self._may_send)
            self.opened.set_result(self._session)
        elif self._options.security == "starttls" and self._tunnel is None:
            self._start_tls()
        else:
            is_encrypted = self._tunnel is not None
            self._start_talk(log_in(self._options, is_encrypted=is_encrypted))

    def _may_send(self, delivery: Delivery) -> bool:
        return self._owner.may_send(self, delivery)

    def _say(self, line: bytes) -> None:
        if line:
            self.writer.write([line])

    def _refuse_opening(self, reason: str) -> None:
        if not self.opened.done():
            relay = f"the relay {self._options.host}:{self._options.port}"
            self.opened.set_exception(NoConnection(f"no connection to {relay}: {reason}"))

    # -- writing

    def _after_input(self) -> None:
        """After any change: pass on outcomes, and send in one go two rounds of the loop later.

        In the first the owner reports, in the second it takes and offers the next message, whose
        commands then leave together with the end of this one.
        """
        session = self._session
        if session is None:
            return
        if session.settled:
            self._owner.progressed(self)
        if session.farewell is not None and not self._is_cut:
            self.abort(f"the server closed the connection: {session.farewell}")
        elif session.has_quit and session.awaited is None:
            self.abort("we said goodbye")
        elif session.out and not self._will_flush:
            self._will_flush = True
            self._loop.call_soon(self._loop.call_soon, self._send_out)

    def _send_out(self) -> None:
        self._will_flush = False
        session = self.session
        if self._is_cut or not session.out or self._has_lost_message():
            return
        pieces = session.out
        session.out = []
        self._move_deadline()
        self.writer.write(pieces)

    def _has_lost_message(self) -> bool:
        """Cut the line if the message on it has become another's; its end must not leave."""
        leaving = self._session.leaving if self._session is not None else None
        if leaving is None or self._owner.is_ours(leaving):
            return False
        # DATA cannot be taken back, and an empty message would be one
        self.abort(NOT_OURS)
        return True

    def _end_left(self) -> None:
        self.session.is_handed_over = True

    # -- time

    def _move_deadline(self) -> None:
        """Allow the next answer its time, counted from now."""
        limit = self._options.timeout_s
        session = self._session
        if session is not None:
            if session.awaited is Step.CONTENT:
                limit *= _VERDICT_FACTOR
            elif session.awaited is Step.QUIT:
                limit = min(limit, _QUIT_S)
        self._deadline = self._loop.time() + limit
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        session = self._session
        if session is not None and session.awaited is None:
            return  # nothing is expected; the next message starts the clock again
        backlog = self.writer.backlog
        if backlog and backlog != self._backlog:
            # a long message on a slow line: it moves, so it may go on
            self._backlog = backlog
            self._move_deadline()
        elif self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
        else:
            self.abort(f"the server did not answer within {self._options.timeout_s:g} s")

    def _fail(self, error: Exception) -> None:
        if isinstance(error, NoConnection) and not self.opened.done():
            self.opened.set_exception(error)
        self.abort(str(error))
