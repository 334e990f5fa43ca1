"""Serving the pages: uvicorn in a thread of the daemon, started and stopped with it.

Clients that are slow on purpose are cut off: a request's head must arrive within ten seconds, a
form within twenty (forms.py); how many may be connected at once is limited.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from digest.errors import DigestError
from digest.web.crowd import Crowd

log = logging.getLogger(__name__)

#: the head of a request must be there that long after the connection or its first byte, in seconds
HEAD_WITHIN_S = 10.0
#: an idle connection is kept that long for a next request, in seconds
KEEP_ALIVE_S = 20
#: connections at once; further ones are answered 503
CONNECTIONS_MAX = 1_000
_HEAD_BYTES_MAX = 32_768
#: what is being answered when the daemon ends has that long, in seconds
_FINISH_S = 8
_START_S = 30.0


class WebServer:
    """Pages on one address. `start` returns when they can be read, `stop` when they are gone."""

    def __init__(self, web: Starlette, *, host: str, port: int, crowd: Crowd | None = None) -> None:
        """Take the address. Raises DigestError when it cannot be had."""
        self._socket = _listen(host, port)
        self.host, self.port = self._socket.getsockname()[:2]
        config = uvicorn.Config(
            web,
            http=protocol(crowd or Crowd()),
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            # paths carry tokens: they are written down nowhere
            access_log=False,
            # who is asking is decided by client.py, which knows the trusted proxies
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=_FINISH_S,
            limit_concurrency=CONNECTIONS_MAX,
            h11_max_incomplete_event_size=_HEAD_BYTES_MAX,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._ended = threading.Event()

    @property
    def url(self) -> str:
        """Where the pages are, as seen from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def start(self) -> None:
        """Serve from a thread. Raises DigestError when the application cannot start."""
        self._thread.start()
        waited = 0.0
        while not self._server.started and waited < _START_S:
            if self._ended.wait(0.01):
                break
            waited += 0.01
        if not self._server.started:
            raise DigestError("the web pages could not be started; the log says why")
        log.info("pages are served at %s", self.url)

    def stop(self) -> None:
        """Answer what was asked, close, and wait for the end."""
        self._server.should_exit = True
        self._thread.join(_FINISH_S + 5)
        if self._thread.is_alive():
            log.warning("the web pages did not end in %d s", _FINISH_S + 5)

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except SystemExit:
            # uvicorn's way to say that the application did not start; it has logged why
            log.error("the web server gave up")
        finally:
            self._socket.close()
            self._ended.set()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # the protocol is named: asyncio turns Nagle's algorithm off only where it is, and without that
    # head and body of an answer are 40 ms apart (seen with wrk: 3 times fewer requests a second)
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(512)
        return listener
    except OSError as error:
        listener.close()
        raise DigestError(
            f"the pages cannot be served at {host}:{port}: {error.strerror}; choose another host"
            " or port under [web], or end the program that has it"
        ) from error


class _Patience:
    """Closes a connection whose next request does not arrive, or that is one too many of a client.

    Stands in front of a uvicorn protocol.
    """

    crowd: Crowd
    # what uvicorn's protocols have
    cycle: Any
    transport: Any
    loop: asyncio.AbstractEventLoop
    _patience: asyncio.TimerHandle | None = None
    _name: str | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)  # type: ignore[misc]  # the protocol's
        peer = transport.get_extra_info("peername")
        self._name = self.crowd.enter(peer[0] if peer else "")
        if self._name is None:
            transport.abort()
        else:
            self._be_patient()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)  # type: ignore[misc]  # the protocol's
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._patience is None:
            self._be_patient()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_waiting()
        if self._name is not None:
            self.crowd.leave(self._name)
        super().connection_lost(error)  # type: ignore[misc]  # the protocol's

    def _be_patient(self) -> None:
        self._patience = self.loop.call_later(HEAD_WITHIN_S, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def protocol(crowd: Crowd) -> type[asyncio.Protocol]:
    """HTTP by httptools where it is installed, which takes half the time, else by h11."""
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Chosen
    except ImportError:
        Chosen = H11Protocol  # type: ignore[assignment,misc]  # it has the same parts
    return type("Patient", (_Patience, Chosen), {"crowd": crowd})
