"""TLS over whatever carries the bytes: a tunnel with four ends, and no socket.

Ours rather than asyncio's, because a sender must know when the last byte of a message has left,
and STARTTLS changes the connection in the middle. digest/mail/connection.py is its only user.
"""

from __future__ import annotations

import ssl

from digest.mail.base import TransportOptions
from digest.mail.handshake import NoConnection

#: a TLS record holds at most this many bytes
_RECORD = 16384


def make_context(options: TransportOptions) -> ssl.SSLContext:
    """What to trust. Raises NoConnection when the file of certificates cannot be read."""
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise NoConnection(
            f"cannot read certificates from {options.ca_file}: {error}", is_final=True
        ) from error
    if not options.verify_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Tunnel:
    """The client's end of a TLS connection."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._host = host
        self.is_open = False

    def start(self) -> bytes:
        """The first bytes to send."""
        return self._shake_hands()

    def receive(self, data: bytes) -> tuple[bytes, bytes]:
        """Take in what arrived: (what the server said, what to send now).

        Raises NoConnection when the handshake fails, and ssl.SSLError later on.
        """
        self._incoming.write(data)
        reply = b"" if self.is_open else self._shake_hands()
        return (self._read() if self.is_open else b""), reply + self._outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """What to send so that the server reads `data`."""
        view = memoryview(data)
        while view:
            # one call writes one record, however much it is given
            view = view[self._object.write(view[:_RECORD]) :]
        return self._outgoing.read()

    def _shake_hands(self) -> bytes:
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as error:
            raise NoConnection(
                f"the certificate of {self._host} is not trusted: {error.verify_message};"
                " check that host under [smtp] is the name in the certificate",
                is_final=True,
            ) from error
        except (ssl.SSLError, OSError) as error:
            raise NoConnection(
                f"no TLS with {self._host}: {error}; check port and security under [smtp]",
                is_final=True,
            ) from error
        else:
            self.is_open = True
        return self._outgoing.read()

    def _read(self) -> bytes:
        pieces = []
        try:
            while piece := self._object.read(_RECORD):
                pieces.append(piece)
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            # zero return: the server closes; the end of the connection follows by itself
            pass
        return b"".join(pieces)
