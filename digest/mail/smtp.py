"""Hands messages to a relay by SMTP.

The path of a message: Pool.run takes it, Connection.offer moves it to a socket, Session decides
what is said and reads the answer, Pool reports it. The handshake comes before, TLS in between.
"""

from __future__ import annotations

import ssl

from digest.mail.base import MayLeave, Report, Take, TransportOptions, always
from digest.mail.pool import Pool
from digest.mail.tls import make_context


class SmtpTransport:
    """Sends over up to `options.connections` connections, opened as they are needed."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._context: ssl.SSLContext | None = None

    async def run(self, take: Take, report: Report, may_leave: MayLeave = always) -> None:
        """Send every message that take() gives; see Transport.run."""
        if self._options.security != "none" and self._context is None:
            self._context = make_context(self._options)
        await Pool(self._options, self._context, may_leave).run(take, report)
