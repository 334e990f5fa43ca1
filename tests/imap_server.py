"""An IMAP server on loopback that holds a few folders in memory, and misbehaves on command."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

_PATIENCE_S = 10
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\([^)]*\))|(\S+)')


@dataclass(slots=True)
class Kept:
    """One letter in a folder."""

    uid: int
    content: bytes
    flags: set[str] = field(default_factory=set)


@dataclass(slots=True)
class ImapServer:
    """What it holds, what it says it can, what it does wrong, and what it was told."""

    letters: dict[str, list[Kept]] = field(default_factory=lambda: {"INBOX": []})
    able: str = "IMAP4rev1 UIDPLUS MOVE AUTH=PLAIN"
    #: told after the login, if it is more
    able_later: str | None = None
    prefix: str = ""
    user: str = "bounce@example.org"
    password: str = "secret"
    #: command → the bytes said instead of an answer; b"" closes the connection; None stays silent
    faults: dict[str, bytes | None] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    greeting: bytes = b"* OK at your service\r\n"
    starttls: ssl.SSLContext | None = None
    port: int = 0
    _next_uid: int = 100

    def put(self, content: bytes, folder: str = "INBOX", *flags: str) -> None:
        self._next_uid += 1
        self.letters.setdefault(folder, []).append(Kept(self._next_uid, content, set(flags)))

    def contents(self, folder: str) -> list[bytes]:
        return [letter.content for letter in self.letters.get(folder, [])]

    def talk(self, connection: socket.socket) -> None:
        """Answer one client until it leaves."""
        session = _Session(self, connection)
        connection.sendall(self.greeting)
        while (line := session.read_line()) is not None and session.answer(line):
            pass
        session.close()


class _Session:
    def __init__(self, server: ImapServer, connection: socket.socket) -> None:
        self._server = server
        self._connection = connection
        self._file = connection.makefile("rb")
        self._folder = ""
        self._is_in = False

    def read_line(self) -> bytes | None:
        line = self._file.readline()
        return line.rstrip(b"\r\n") if line else None

    def close(self) -> None:
        self._file.close()
        self._connection.close()

    def say(self, text: bytes) -> None:
        self._connection.sendall(text + b"\r\n")

    def answer(self, line: bytes) -> bool:
        """Act on one command; False ends the connection."""
        tag, *words = [
            re.sub(rb"\\(.)", rb"\1", quoted) or listed or word
            for quoted, listed, word in _WORD.findall(line)
        ]
        name = words[0].upper().decode()
        if name == "UID":
            name = "UID " + words[1].upper().decode()
            words = words[1:]
        arguments = [word.decode("utf-8") for word in words[1:]]
        self._server.heard.append(name)
        if name in self._server.faults:
            fault = self._server.faults[name]
            if fault is None:
                self._connection.settimeout(_PATIENCE_S)
                return self.read_line() is not None and False
            self._connection.sendall(fault.replace(b"TAG", tag))
            return bool(fault)
        said = getattr(self, "do_" + name.lower().replace(" ", "_"))(arguments)
        self.say(tag + b" " + (said or b"OK done"))
        if name == "STARTTLS":
            assert self._server.starttls is not None
            self._connection = self._server.starttls.wrap_socket(self._connection, server_side=True)
            self._file = self._connection.makefile("rb")
        return name != "LOGOUT"

    def do_capability(self, _: list[str]) -> None:
        later = self._server.able_later if self._is_in else None
        self.say(b"* CAPABILITY " + (later or self._server.able).encode())

    def do_starttls(self, _: list[str]) -> bytes | None:
        return None if self._server.starttls else b"BAD not here"

    def do_login(self, arguments: list[str]) -> bytes | None:
        return self._log_in(*arguments)

    def do_authenticate(self, _: list[str]) -> bytes | None:
        self.say(b"+ ")
        answer = base64.b64decode(self.read_line() or b"").decode().split("\0")
        return self._log_in(answer[1], answer[2])

    def _log_in(self, user: str, password: str) -> bytes | None:
        self._is_in = (user, password) == (self._server.user, self._server.password)
        return None if self._is_in else b"NO [AUTHENTICATIONFAILED] wrong"

    def do_namespace(self, _: list[str]) -> None:
        self.say(b'* NAMESPACE (("%s" ".")) NIL NIL' % self._server.prefix.encode())

    def do_select(self, arguments: list[str]) -> bytes | None:
        if arguments[0] not in self._server.letters:
            return b"NO there is no such folder"
        self._folder = arguments[0]
        self.say(b"* %d EXISTS" % len(self._server.letters[self._folder]))
        return b"OK [READ-WRITE] selected"

    def do_create(self, arguments: list[str]) -> bytes | None:
        if not arguments[0].startswith(self._server.prefix):
            return b"NO names begin otherwise here"
        if arguments[0] in self._server.letters:
            return b"NO it is there already"
        self._server.letters[arguments[0]] = []
        return None

    def do_subscribe(self, _: list[str]) -> None:
        return None

    def do_logout(self, _: list[str]) -> None:
        self.say(b"* BYE")

    def do_uid_search(self, _: list[str]) -> None:
        here = self._server.letters[self._folder]
        found = [str(k.uid) for k in here if r"\Deleted" not in k.flags]
        self.say(b"* SEARCH " + " ".join(reversed(found)).encode())

    def do_uid_fetch(self, arguments: list[str]) -> None:
        found = self._find(arguments[0])
        if found is not None:
            limit = int(re.findall(r"<0\.(\d+)>", arguments[1])[0])
            content = found.content[:limit]
            self.say(b"* 1 FETCH (FLAGS (\\Recent))")
            self.say(
                b"* 1 FETCH (UID %d BODY[]<0> {%d}\r\n" % (found.uid, len(content)) + content + b")"
            )

    def do_uid_copy(self, arguments: list[str]) -> bytes | None:
        found = self._find(arguments[0])
        if arguments[1] not in self._server.letters:
            return b"NO [TRYCREATE] there is no such folder"
        if found is not None:
            self._server.put(found.content, arguments[1])
        return None

    def do_uid_move(self, arguments: list[str]) -> bytes | None:
        refused = self.do_uid_copy(arguments)
        if refused is None:
            self._forget(arguments[0])
        return refused

    def do_uid_store(self, arguments: list[str]) -> None:
        found = self._find(arguments[0])
        if found is not None:
            found.flags.add(arguments[2].strip("()"))

    def do_uid_expunge(self, arguments: list[str]) -> None:
        found = self._find(arguments[0])
        if found is not None and r"\Deleted" in found.flags:
            self._forget(arguments[0])

    def do_expunge(self, _: list[str]) -> None:
        raise AssertionError("this would delete what others have marked")

    def _find(self, uid: str) -> Kept | None:
        here = self._server.letters[self._folder]
        return next((kept for kept in here if str(kept.uid) == uid), None)

    def _forget(self, uid: str) -> None:
        here = self._server.letters[self._folder]
        here[:] = [kept for kept in here if str(kept.uid) != uid]


@contextlib.contextmanager
def serving(server: ImapServer, tls: ssl.SSLContext | None) -> Iterator[ImapServer]:
    """Run it until the block ends; every connection gets a thread. `tls` is from the first byte."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def work(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(_PATIENCE_S)
            if tls is not None:
                with tls.wrap_socket(connection, server_side=True) as wrapped:
                    server.talk(wrapped)
            else:
                server.talk(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]

        def accept() -> None:
            while True:
                connection, _ = listener.accept()
                if over.is_set():
                    connection.close()
                    return
                thread = threading.Thread(target=work, args=(connection,))
                thread.start()
                threads.append(thread)

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield server
        finally:
            over.set()
            socket.create_connection(("127.0.0.1", server.port)).close()
            for thread in (acceptor, *threads):
                thread.join(_PATIENCE_S + 5)
