"""A small HTTP server on 127.0.0.1 that runs in threads and stops cleanly.

It speaks HTTP/1.1 with keep-alive, ETag and If-None-Match, gzip and HEAD; what is answered is one
function's business. Used by the sample's server and by the servers of the tests, never in
production: it has no limits of its own against the people who ask it.
"""

from __future__ import annotations

import gzip
import hashlib
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

#: how often the accepting thread looks whether it shall end
_POLL_S = 0.05
#: shorter bodies are not worth packing
_GZIP_BYTES_MIN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request."""

    method: str
    #: decoded, without the query
    path: str
    #: the last value of each parameter
    query: Mapping[str, str]
    #: names in lower case
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response."""

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    #: bytes are sent with their length, an ETag when the status is 200, and gzip where asked for;
    #: an iterable is sent as it comes, and the connection's end is its end
    body: bytes | Iterable[bytes] = b""
    headers: tuple[tuple[str, str], ...] = ()


#: says what to answer; None hangs up without a word. Called in several threads at once.
Responder = Callable[[Asked], Answer | None]


class LoopbackServer:
    """Serves `respond` at `url` while the context is open."""

    def __init__(self, respond: Responder) -> None:
        self._respond = respond
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Base address without a trailing slash. Only while the context is open."""
        assert self._server is not None, "the server is not running; use it in a with statement"
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.respond = self._respond
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_S,), name="loopback", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop accepting, cut the open connections, and wait for every thread to end."""
        assert self._server is not None and self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        self._server = self._thread = None


class _Server(ThreadingHTTPServer):
    """Keeps its connections, to end those that a client still holds open."""

    daemon_threads = False  # so that server_close waits for them
    request_queue_size = 64
    respond: Responder

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:  # Any: an address, as in the base class
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:  # Any: as in the base class
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # the client was first

    def handle_error(self, request: Any, client_address: Any) -> None:  # Any: as in the base class
        if not isinstance(sys.exception(), OSError):  # a client that went away is no error
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Turns the wire into Asked and Answer into the wire."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.respond(self._asked())
        if answer is None:
            self.close_connection = True
        elif isinstance(answer.body, bytes):
            self._send_whole(answer, answer.body)
        else:
            self._send_stream(answer, answer.body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: stderr belongs to the program."""

    def _asked(self) -> Asked:
        parts = urlsplit(self.path)
        return Asked(
            method=self.command,
            path=unquote(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
        )

    def _send_whole(self, answer: Answer, body: bytes) -> None:
        headers = list(answer.headers)
        status = answer.status
        if status == HTTPStatus.OK:
            etag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
            headers.append(("ETag", etag))
            if _names(self.headers.get("If-None-Match", ""), etag):
                status, body = HTTPStatus.NOT_MODIFIED, b""
        if status != HTTPStatus.NOT_MODIFIED:
            headers.append(("Content-Type", answer.content_type))
            if len(body) >= _GZIP_BYTES_MIN and "gzip" in self.headers.get("Accept-Encoding", ""):
                body = gzip.compress(body, 1, mtime=0)
                headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
            headers.append(("Content-Length", str(len(body))))
        self._send_head(status, headers)
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_stream(self, answer: Answer, chunks: Iterable[bytes]) -> None:
        self.close_connection = True
        headers = [*answer.headers, ("Content-Type", answer.content_type), ("Connection", "close")]
        self._send_head(answer.status, headers)
        if self.command != "HEAD":
            for chunk in chunks:
                self.wfile.write(chunk)

    def _send_head(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        self.send_response_only(status)  # no Date: the same question has the same answer
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the client already has it; weak comparison, as RFC 9110 §13.1.2 says."""
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in given or etag.removeprefix("W/") in given
