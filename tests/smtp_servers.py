"""A real SMTP server on loopback that misbehaves on command.

It runs in a thread of its own, so it serves an asyncio client, a blocking one and another process
alike. A `rule` is asked before every answer and may give another one, cut the connection, stay
silent, or dribble. What arrived is kept, and so is every command that came before it was allowed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

import trustme


class Act(Enum):
    """What a rule may have the server do instead of answering."""

    CUT = "cut"  #: reset the connection
    CLOSE = "close"  #: end it in an orderly way
    SILENCE = "silence"  #: never answer, and read no more
    DRIBBLE = "dribble"  #: begin an answer, one byte now and then, and never end it
    FLOOD = "flood"  #: one reply without end


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """What the server is about to answer."""

    #: CONNECT, a command's verb, CONTENT (first bytes of a message), or END (all of it is here)
    verb: str
    #: the rest of the command, or the login that was tried
    argument: str
    #: this connection's number, from 1
    connection: int
    #: connections open now, this one included
    open_connections: int
    #: messages that were accepted on this connection so far
    accepted_here: int
    #: messages that were accepted in all
    accepted: int


#: None: the usual answer. Bytes or text: said instead (text without its line end)
Rule = Callable[[Moment], "str | bytes | Act | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message that the server took."""

    envelope_from: str
    envelope_to: str
    content: bytes
    #: parameters of MAIL, e.g. "SIZE=30 BODY=8BITMIME"
    parameters: str
    connection: int


@dataclass(slots=True)
class _State:
    """One connection's state."""

    number: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    envelope_from: str | None = None
    parameters: str = ""
    envelope_to: list[str] = field(default_factory=list)
    accepted: int = 0
    is_encrypted: bool = False


class _End(Exception):
    """The connection is over."""


class ScriptedServer:
    """Listens on 127.0.0.1 between `with` and its end."""

    def __init__(
        self,
        rule: Rule = lambda moment: None,
        *,
        extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"),
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        login: tuple[str, str] | None = None,
        port: int = 0,
        pause_s: float = 0.0,
    ) -> None:
        self.rule = rule
        self.port = port
        #: between any two bytes that it says
        self.pause_s = pause_s
        self.received: list[Received] = []
        #: every command line, as (connection number, line)
        self.commands: list[tuple[int, str]] = []
        #: commands that came together with an earlier one though PIPELINING was not offered
        self.early: list[str] = []
        #: pieces that arrived holding both the end of a message and a command
        self.joined = 0
        self.connections = 0
        self.open_connections = 0
        self.most_open = 0
        self._extensions = extensions
        self._tls = tls
        self._implicit_tls = implicit_tls
        self._login = login
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._is_up = threading.Event()

    def __enter__(self) -> ScriptedServer:
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        assert self._is_up.wait(10), "the test server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the test server did not stop"

    @property
    def contents(self) -> list[bytes]:
        return [message.content for message in self.received]

    @property
    def recipients(self) -> list[str]:
        return sorted(message.envelope_to for message in self.received)

    # -- the thread

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve_connection(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        def protocol() -> asyncio.Protocol:
            return asyncio.StreamReaderProtocol(asyncio.StreamReader(), serve)

        tls = self._tls if self._implicit_tls else None
        async with listening(self.port, protocol, tls) as self.port:
            self._is_up.set()
            await self._stopped.wait()

    async def _serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connections += 1
        self.open_connections += 1
        self.most_open = max(self.most_open, self.open_connections)
        state = _State(self.connections, reader, writer, is_encrypted=self._implicit_tls)
        try:
            with contextlib.suppress(
                _End, ConnectionError, asyncio.IncompleteReadError, ssl.SSLError
            ):
                await self._talk(state)
        finally:
            self.open_connections -= 1
            state.writer.close()

    async def _talk(self, state: _State) -> None:
        await self._answer(state, "CONNECT", "", "220 scripted.test ESMTP")
        while True:
            line = (await state.reader.readuntil(b"\n")).decode("utf-8", "replace").rstrip("\r\n")
            self.commands.append((state.number, line))
            waiting = bytes(state.reader._buffer)  # type: ignore[attr-defined]
            if waiting and "PIPELINING" not in self._extensions:
                self.early.append(waiting.decode("utf-8", "replace"))
            verb, _, argument = line.partition(" ")
            handler = getattr(self, f"_do_{verb.lower()}", None)
            if handler is None:
                await self._answer(state, verb.upper(), argument, "500 5.5.1 what?")
            else:
                await handler(state, argument)

    # -- commands

    async def _do_ehlo(self, state: _State, argument: str) -> None:
        lines = ["scripted.test", *self._extensions]
        if self._tls is not None and not state.is_encrypted:
            lines.append("STARTTLS")
        if self._login is not None and state.is_encrypted:
            lines.append("AUTH PLAIN LOGIN")
        said = "\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"])
        await self._answer(state, "EHLO", argument, said)

    async def _do_helo(self, state: _State, argument: str) -> None:
        await self._answer(state, "HELO", argument, "250 scripted.test")

    async def _do_starttls(self, state: _State, argument: str) -> None:
        said = await self._answer(state, "STARTTLS", argument, "220 2.0.0 go ahead")
        if said.startswith("220") and self._tls is not None:
            await state.writer.start_tls(self._tls)
            state.is_encrypted = True

    async def _do_auth(self, state: _State, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if mechanism == "PLAIN":
            _, user, password = base64.b64decode(initial).decode().split("\0")
        else:
            state.writer.write(b"334 VXNlcm5hbWU6\r\n")
            user = base64.b64decode(await state.reader.readline()).decode()
            state.writer.write(b"334 UGFzc3dvcmQ6\r\n")
            password = base64.b64decode(await state.reader.readline()).decode()
        is_right = (user, password) == self._login
        said = "235 2.7.0 welcome" if is_right else "535 5.7.8 wrong user or password"
        await self._answer(state, "AUTH", f"{mechanism} {user} {password}", said)

    async def _do_mail(self, state: _State, argument: str) -> None:
        if state.envelope_from is not None:
            await self._answer(state, "MAIL", argument, "503 5.5.1 nested MAIL")
            return
        said = await self._answer(state, "MAIL", argument, "250 2.1.0 sender ok")
        if said.startswith("2"):
            path, _, state.parameters = argument.removeprefix("FROM:").partition("> ")
            state.envelope_from = path.strip("<>")

    async def _do_rcpt(self, state: _State, argument: str) -> None:
        usual = "250 2.1.5 recipient ok"
        if state.envelope_from is None:
            usual = "503 5.5.1 MAIL first"
        said = await self._answer(state, "RCPT", argument, usual)
        if said.startswith("2"):
            state.envelope_to.append(argument.removeprefix("TO:").strip("<>"))

    async def _do_data(self, state: _State, argument: str) -> None:
        usual = "354 go ahead" if state.envelope_to else "554 5.5.1 no valid recipients"
        if not (await self._answer(state, "DATA", argument, usual)).startswith("354"):
            return
        content = await self._read_content(state)
        usual = f"250 2.0.0 taken as {len(self.received)}" if content else "554 5.6.0 empty"
        said = await self._answer(state, "END", "", usual, accepts=(state, content))
        assert said
        self._reset(state)

    async def _do_rset(self, state: _State, argument: str) -> None:
        self._reset(state)
        await self._answer(state, "RSET", argument, "250 2.0.0 forgotten")

    async def _do_quit(self, state: _State, argument: str) -> None:
        await self._answer(state, "QUIT", argument, "221 2.0.0 bye")
        raise _End

    # -- parts

    async def _read_content(self, state: _State) -> bytes:
        """A message's content, dots removed; the rule hears of its first bytes."""
        lines: list[bytes] = []
        has_begun = False
        while True:
            line = await state.reader.readuntil(b"\n")
            if line == b".\r\n":
                break
            if not has_begun:
                has_begun = True
                await self._answer(state, "CONTENT", "", "")
            lines.append(line.removeprefix(b"."))
        if state.reader._buffer:  # type: ignore[attr-defined]
            self.joined += 1
        return b"".join(lines)

    def _reset(self, state: _State) -> None:
        state.envelope_from = None
        state.envelope_to.clear()

    def _keep(self, state: _State, content: bytes) -> None:
        for envelope_to in state.envelope_to:
            self.received.append(
                Received(
                    envelope_from=state.envelope_from or "",
                    envelope_to=envelope_to,
                    content=content,
                    parameters=state.parameters,
                    connection=state.number,
                )
            )
        state.accepted += bool(state.envelope_to)

    async def _answer(
        self,
        state: _State,
        verb: str,
        argument: str,
        usual: str,
        accepts: tuple[_State, bytes] | None = None,
    ) -> str:
        """Say what the rule wants, or the usual; gives what was said.

        `accepts` is a message that is kept before a positive answer is on its way, and also when
        the rule loses the answer: it cuts the connection after the message was taken.
        """
        wanted = self.rule(
            Moment(
                verb=verb,
                argument=argument,
                connection=state.number,
                open_connections=self.open_connections,
                accepted_here=state.accepted,
                accepted=len(self.received),
            )
        )
        said = usual if wanted is None else wanted
        if isinstance(said, Act):
            if accepts is not None:
                self._keep(*accepts)
            await self._misbehave(state, said)
        if isinstance(said, bytes):
            state.writer.write(said)
            return said.decode("latin-1")
        if accepts is not None and str(said).startswith("2"):
            self._keep(*accepts)
        if said:
            await self._say(state, f"{said}\r\n".encode())
        if str(said).startswith("421"):
            raise _End
        return str(said)

    async def _say(self, state: _State, line: bytes) -> None:
        if not self.pause_s:
            state.writer.write(line)
            return
        for place in range(len(line)):
            state.writer.write(line[place : place + 1])
            await asyncio.sleep(self.pause_s)

    async def _misbehave(self, state: _State, act: Act) -> None:
        if act is Act.CUT:
            state.writer.transport.abort()
        elif act is Act.SILENCE:
            await self._stopped.wait()
        elif act in (Act.DRIBBLE, Act.FLOOD):
            piece = b"2" if act is Act.DRIBBLE else b"250-more\r\n" * 100
            while not state.writer.is_closing():
                state.writer.write(piece)
                await state.writer.drain()
                await asyncio.sleep(0.005)
        raise _End


@contextlib.asynccontextmanager
async def listening(
    port: int, protocol: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Listen on 127.0.0.1, on the port that is given back.

    At the end every other task of the loop is over and every connection closed; asyncio's own
    servers leave those open that they have accepted and not begun.
    """
    loop = asyncio.get_running_loop()
    accepted: list[socket.socket] = []
    connections: list[asyncio.Task[None]] = []

    async def hold(sock: socket.socket) -> None:
        transport, _ = await loop.connect_accepted_socket(protocol, sock, ssl=tls)
        try:
            await asyncio.Event().wait()
        finally:
            transport.abort()

    def accept(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.setblocking(False)
        # every answer a packet at once, as asyncio's own servers do it
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.append(sock)
        connections.append(asyncio.create_task(hold(sock)))

    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.setblocking(False)
        loop.add_reader(listener, accept, listener)
        yield listener.getsockname()[1]
        loop.remove_reader(listener)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in others:
                task.cancel()
            await asyncio.wait(others)
        # a socket is closed one round of the loop after its transport
        await asyncio.sleep(0)
    for sock in accepted:
        sock.close()


def server_context(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """A TLS context for a server of those names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
    return context


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port on which nobody listens, kept from others meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
