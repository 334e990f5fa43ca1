"""Tries the relay without sending a mail: connects, starts TLS, logs in, and says goodbye.

Says the same words as the transport does (handshake.py), over a plain blocking socket, and
keeps what the transport has no use for: how long the certificate is good. For `digest check`.
"""

from __future__ import annotations

import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from digest.errors import ParseError
from digest.mail.base import TransportOptions
from digest.mail.capabilities import Capabilities
from digest.mail.handshake import NoConnection, Talk, greet, log_in
from digest.mail.replies import Reply, ReplyReader
from digest.mail.tls import make_context

_PIECE_BYTES = 65_536
#: seconds that a relay has to answer QUIT
_QUIT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How far it came."""

    #: where it ended; None: it is ready for mail
    failed: Literal["connection", "tls", "login"] | None = None
    #: why, and what to check; empty when nothing failed
    reason: str = ""
    #: e.g. "TLSv1.3"; None without
    tls: str | None = None
    #: until when the relay's certificate is good; None without TLS
    certificate_until: datetime | None = None
    #: what it offers; None when it did not come so far
    capabilities: Capabilities | None = None


def probe_relay(options: TransportOptions, *, timeout_s: float) -> Probe:
    """Make a connection ready for mail and end it; `timeout_s` is for all of it."""
    try:
        sock = socket.create_connection((options.host, options.port), timeout_s)
    except (OSError, UnicodeError) as error:
        reason = (
            f"no connection to the relay {options.host}:{options.port}: {_words(error)};"
            " check host and port under [smtp], and that this machine may go there"
        )
        return Probe(failed="connection", reason=reason)
    attempt = _Attempt(options, sock, time.monotonic() + timeout_s)
    try:
        return attempt.run()
    finally:
        attempt.close()


class _Attempt:
    """One connection on its way to be ready."""

    def __init__(self, options: TransportOptions, sock: socket.socket, until: float) -> None:
        self._options = options
        self._sock = sock
        self._until = until
        self._reader = ReplyReader()
        #: the part that fails if something fails now
        self._part: Literal["connection", "tls", "login"] = "connection"
        self._tls: str | None = None
        self._certificate_until: datetime | None = None

    def run(self) -> Probe:
        """Every step; what goes wrong ends it."""
        options = self._options
        capabilities: Capabilities | None = None
        reason = ""
        try:
            if options.security == "tls":
                self._start_tls()
            self._drive(greet(options), "tls")
            if options.security == "starttls":
                self._start_tls()
            is_encrypted = options.security != "none"
            capabilities = self._drive(log_in(options, is_encrypted=is_encrypted), "login")
            self._say_goodbye()
        except (NoConnection, ParseError) as error:
            reason = str(error)
        except (OSError, ValueError) as error:
            reason = (
                f"the connection to {options.host}:{options.port} was lost: {_words(error)};"
                " check port and security under [smtp]"
            )
        return Probe(
            failed=self._part if reason else None,
            reason=reason,
            tls=self._tls,
            certificate_until=self._certificate_until,
            capabilities=capabilities,
        )

    def close(self) -> None:
        self._sock.close()

    def _drive(self, talk: Talk, later: Literal["tls", "login"]) -> Capabilities | None:
        """Hold one part of the handshake; once we are introduced, what fails is called `later`."""
        self._part = "connection"
        try:
            line = next(talk)
            while True:
                self._say(line)
                reply = self._hear()
                if line.startswith((b"EHLO", b"HELO")) and reply.is_positive:
                    self._part = later
                line = talk.send(reply)
        except StopIteration as done:
            capabilities: Capabilities | None = done.value
            return capabilities

    def _start_tls(self) -> None:
        self._part = "tls"
        host = self._options.host
        if not self._reader.is_empty:
            # bytes that came before the encryption could be anybody's (CVE-2011-0411)
            raise NoConnection(f"the relay {host} speaks before TLS has begun; do not trust it")
        context = make_context(self._options)
        self._sock.settimeout(self._left_s())
        try:
            secure = context.wrap_socket(self._sock, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise NoConnection(
                f"the certificate of {host} is not trusted: {error.verify_message};"
                " check that host under [smtp] is the name in the certificate"
            ) from error
        except (OSError, ValueError) as error:
            raise NoConnection(
                f"no TLS with {host}: {_words(error)}; check port and security under [smtp]"
            ) from error
        self._sock = secure
        self._tls = secure.version()
        until = (secure.getpeercert() or {}).get("notAfter")
        if isinstance(until, str):
            self._certificate_until = datetime.fromtimestamp(ssl.cert_time_to_seconds(until), UTC)

    def _say_goodbye(self) -> None:
        """QUIT and its answer, for a moment: nothing depends on it any more."""
        self._until = min(self._until, time.monotonic() + _QUIT_S)
        with suppress(OSError, ParseError):
            self._say(b"QUIT\r\n")
            self._hear()

    def _say(self, line: bytes) -> None:
        if line:
            self._sock.settimeout(self._left_s())
            self._sock.sendall(line)

    def _hear(self) -> Reply:
        while (reply := self._reader.next_reply()) is None:
            self._sock.settimeout(self._left_s())
            data = self._sock.recv(_PIECE_BYTES)
            if not data:
                raise ConnectionError("the relay closed it")
            self._reader.feed(data)
        return reply

    def _left_s(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("it did not answer in time")
        return left


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
