"""A server on the loopback that answers as rudely as a test wants, over a real socket."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

#: what a server does with a connection once it has read the head of a request
Behaviour = Callable[[socket.socket, str], None]

_PATIENCE_S = 10.0


@dataclass
class Served:
    """A running server: where it is, and what it was asked."""

    host: str
    url: str
    #: the head of each request, in order of arrival
    heads: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    @property
    def paths(self) -> list[str]:
        return [head.split(" ")[1] for head in self.heads]

    def header(self, name: str, index: int = -1) -> str | None:
        for line in self.heads[index].split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


def reply(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    """A whole answer; header names with _ for -. content_length can be made to lie."""
    fields = {"content_length": str(len(body)), "connection": "close"} | headers
    lines = [f"HTTP/1.1 {status}", *(f"{k.replace('_', '-')}: {v}" for k, v in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def pages(answers: dict[str, bytes]) -> Behaviour:
    """Answers by path; 404 for all others."""

    def behave(connection: socket.socket, head: str) -> None:
        connection.sendall(answers.get(head.split(" ")[1], reply("404 Not Found")))

    return behave


def drip(connection: socket.socket, data: bytes) -> None:
    """Send twenty bytes a second, one by one, as long as the client stays."""
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


@contextlib.contextmanager
def serve(
    behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, reads_head: bool = True
) -> Iterator[Served]:
    """Run it until the block ends; every connection gets a thread and is then closed."""
    threads: list[threading.Thread] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        served = Served(host=host, url=f"{'https' if tls else 'http'}://{host}")

        def work(connection: socket.socket) -> None:
            with contextlib.suppress(OSError), connection:
                connection.settimeout(_PATIENCE_S)
                if tls:
                    connection = tls.wrap_socket(connection, server_side=True)
                with connection:
                    head = _read_head(connection) if reads_head else ""
                    if reads_head:
                        served.heads.append(head)
                    behaviour(connection, head)

        def accept() -> None:
            while True:
                connection = listener.accept()[0]
                if over.is_set():
                    connection.close()
                    return
                thread = threading.Thread(target=work, args=(connection,))
                thread.start()
                threads.append(thread)

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield served
        finally:
            over.set()
            socket.create_connection(listener.getsockname()).close()
            for thread in (acceptor, *threads):
                thread.join(_PATIENCE_S + 5)


def _read_head(connection: socket.socket) -> str:
    data = b""
    while b"\r\n\r\n" not in data and len(data) < 65_536:
        part = connection.recv(4096)
        if not part:
            raise ConnectionError("the client went away")
        data += part
    return data.partition(b"\r\n\r\n")[0].decode("latin-1")
