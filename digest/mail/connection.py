"""One connection to the relay: moves bytes between a socket and the handshake or the session.

Owns the socket, TLS, the time limits, and the knowledge of what has left. What to say is decided
in handshake.py and session.py; which message goes where, in pool.py, the only user of this.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Protocol

from digest.errors import ParseError, TransportError
from digest.mail.base import TransportOptions
from digest.mail.capabilities import Capabilities
from digest.mail.handshake import NoConnection, Talk, greet, log_in
from digest.mail.replies import Reply, ReplyReader
from digest.mail.session import END, Delivery, Session, Step
from digest.mail.tls import Tunnel

#: RFC 5321 §4.5.3.2 gives the answer to a whole message twice the time of other answers
_VERDICT_FACTOR = 2
#: seconds that a server has to answer QUIT; nothing depends on it any more
_QUIT_S = 5.0


class Owner(Protocol):
    """Who uses the connection and hears from it."""

    def may_send(self, connection: Connection, delivery: Delivery) -> bool:
        """Whether the content of a message may go out now; if not, `resume` is called later."""
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
        #: to be written, in order; what was given to the transport is no longer here
        self._unsent: deque[bytes] = deque()
        self._will_flush = False
        #: the transport has bytes that the kernel has not taken
        self._is_paused = False
        #: larger writes, and all writes to a slow server, go piece by piece, see _flush
        self._joined_max = 0
        #: the end of a message is the last thing that the transport was given
        self._ends_message = False
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._backlog = 0
        self._reason: str | None = None
        #: nothing more can be sent
        self._is_cut = False

    # -- what the fleet and the pool do with it

    async def attach(self, sock: socket.socket) -> None:
        """Begin on a connected socket, which is ours from here on."""
        try:
            await self._loop.create_connection(lambda: self, sock=sock)
        except BaseException:
            sock.close()
            raise

    @property
    def session(self) -> Session:
        assert self._session is not None, "the connection is not open"
        return self._session

    @property
    def is_usable(self) -> bool:
        """Whether it can be offered a message."""
        session = self._session
        return not (
            session is None or self._is_cut or session.has_quit or session.farewell is not None
        )

    def offer(self, delivery: Delivery) -> None:
        """Hand the session a message."""
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
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        # tells us of every byte that the kernel does not take at once
        transport.set_write_buffer_limits(high=0)
        self._joined_max = _send_buffer(transport) // 2
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
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._ends_message:
            self.session.is_handed_over = True
        self._flush()

    # -- opening

    def _start_tls(self) -> None:
        assert self._context is not None, "TLS without a context"
        if not self._reader.is_empty:
            # bytes that came before the encryption could be anybody's (CVE-2011-0411)
            raise NoConnection("the server speaks before TLS has begun", is_final=True)
        self._tunnel = Tunnel(self._context, self._options.host)
        if self._transport is not None:
            self._transport.write(self._tunnel.start())

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
            self._unsent.append(line)
            self._flush()

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
        if self._is_cut or not session.out:
            return
        self._unsent.extend(session.out)
        session.out.clear()
        self._move_deadline()
        self._flush()

    def _flush(self) -> None:
        """Write what is to be written.

        Small things go together in one packet. Large ones, and everything once the server has
        been slow, go piece by piece, each only when the one before has left: then it is known
        whether the end of a message left or not when the connection dies.
        """
        unsent = self._unsent
        if not unsent or self._is_paused or self._is_cut:
            return
        if sum(map(len, unsent)) <= self._joined_max:
            has_end = END in unsent
            if self._write(b"".join(unsent)) and has_end:
                self.session.is_handed_over = True
            unsent.clear()
            if self._is_paused:
                self._joined_max = 0
            return
        while unsent and not self._is_paused:
            piece = unsent.popleft()
            self._ends_message = piece == END
            if self._write(piece) and self._ends_message and not self._is_paused:
                self.session.is_handed_over = True

    def _write(self, data: bytes) -> bool:
        """Give bytes to the transport; False when the connection is found dead."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        transport.write(data if self._tunnel is None else self._tunnel.encrypt(data))
        return not transport.is_closing()

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
        backlog = self._count_backlog()
        if backlog and backlog != self._backlog:
            # a long message on a slow line: it moves, so it may go on
            self._backlog = backlog
            self._move_deadline()
        elif self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look_at_clock)
        else:
            self.abort(f"the server did not answer within {self._options.timeout_s:g} s")

    def _count_backlog(self) -> int:
        """Bytes that have not left."""
        waiting = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return waiting + sum(map(len, self._unsent))

    def _fail(self, error: Exception) -> None:
        if isinstance(error, NoConnection) and not self.opened.done():
            self.opened.set_exception(error)
        self.abort(str(error))


def _send_buffer(transport: asyncio.Transport) -> int:
    """How many bytes the kernel takes at once, roughly."""
    sock = transport.get_extra_info("socket")
    return int(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)) if sock is not None else 0
