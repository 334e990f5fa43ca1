"""The beginning of a connection: greeting, EHLO, STARTTLS, login. No sockets.

Each part is a generator that yields what to send and is given the reply to it; it ends when its
part is done, or raises NoConnection. digest/mail/connection.py drives them over the wire, with
the TLS handshake between or before them.
"""

from __future__ import annotations

import base64
from collections.abc import Generator

from digest.errors import TransportError
from digest.mail.base import TransportOptions
from digest.mail.capabilities import Capabilities, parse_ehlo
from digest.mail.replies import Reply


class NoConnection(TransportError):
    """A connection to the relay could not be made ready for mail.

    `is_final`: trying again at once cannot help (login refused, bad certificate, no STARTTLS).
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.is_final = is_final


#: yields bytes to send (empty: just wait), is given the reply, returns its result
Talk = Generator[bytes, Reply, Capabilities | None]


def greet(options: TransportOptions) -> Talk:
    """Wait for the greeting and, with STARTTLS, ask for encryption; TLS may start after it."""
    greeting = yield b""
    if greeting.code != 220:
        raise NoConnection(f"{_name(options)} does not want us now: {greeting}")
    if options.security != "starttls":
        return None
    capabilities = yield from _introduce(options)
    if not capabilities.starttls:
        raise NoConnection(
            f"{_name(options)} does not offer STARTTLS; check host and port, or set"
            ' security = "tls" (or "none", without a password) under [smtp]',
            is_final=True,
        )
    answer = yield b"STARTTLS\r\n"
    if answer.code != 220:
        # 454: "TLS not available due to temporary reason" (RFC 3207 §4)
        raise NoConnection(
            f"{_name(options)} refuses STARTTLS: {answer}", is_final=answer.code != 454
        )
    return None


def log_in(options: TransportOptions, *, is_encrypted: bool) -> Talk:
    """Introduce ourselves (again: RFC 3207 §4.2) and log in; gives what the relay can do."""
    capabilities = yield from _introduce(options)
    if options.username is None:
        return capabilities
    if not is_encrypted:
        raise NoConnection(
            'a password never travels unencrypted; set security = "starttls" or "tls"'
            " under [smtp], or take username and password away",
            is_final=True,
        )
    yield from _authenticate(options, capabilities)
    return capabilities


def _introduce(options: TransportOptions) -> Generator[bytes, Reply, Capabilities]:
    answer = yield f"EHLO {options.hostname}\r\n".encode()
    if answer.is_positive:
        return parse_ehlo(answer)
    if answer.code in (500, 501, 502, 504):
        answer = yield f"HELO {options.hostname}\r\n".encode()
        if answer.is_positive:
            return Capabilities()
    raise NoConnection(f"{_name(options)} refuses our introduction as {options.hostname}: {answer}")


def _authenticate(
    options: TransportOptions, capabilities: Capabilities
) -> Generator[bytes, Reply, None]:
    """AUTH PLAIN (RFC 4616), or LOGIN where that is all there is."""
    user, password = options.username or "", options.password or ""
    if "PLAIN" in capabilities.auth:
        answer = yield b"AUTH PLAIN " + _base64(f"\0{user}\0{password}") + b"\r\n"
    elif "LOGIN" in capabilities.auth:
        answer = yield b"AUTH LOGIN\r\n"
        for secret in (user, password):
            if answer.code == 334:
                answer = yield _base64(secret) + b"\r\n"
    else:
        offered = ", ".join(sorted(capabilities.auth)) or "none"
        raise NoConnection(
            f"{_name(options)} offers no login that we know (PLAIN, LOGIN); it offers {offered}",
            is_final=True,
        )
    if not answer.is_positive:
        raise NoConnection(
            f"{_name(options)} refuses the login: {answer};"
            " check username and password under [smtp]",
            is_final=answer.code >= 500,
        )


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())


def _name(options: TransportOptions) -> str:
    return f"the relay {options.host}:{options.port}"
