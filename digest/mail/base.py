"""What every transport is, and the plain values it is built from.

The deliver stage gives messages one by one and hears what became of each; how they leave is not
its business. Nothing here touches a socket or a file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from digest.model import Envelope, Outcome

#: gives the next message to hand over, waiting for one if need be; None: there are no more
Take = Callable[[], Awaitable[Envelope | None]]
#: hears what became of messages, of all that were answered since it was last called
Report = Callable[[Sequence[Outcome]], Awaitable[None]]
#: whether a message is still ours to send; asked in the instant before its end may leave
MayLeave = Callable[[Envelope], bool]

Security = Literal["starttls", "tls", "none"]


def always(envelope: Envelope) -> bool:
    """Every message is ours, whatever happens."""
    return True


class Transport(Protocol):
    """A way out for messages."""

    async def run(self, take: Take, report: Report, may_leave: MayLeave = always) -> None:
        """Hand over every message that take() gives until it gives None; report each one once.

        take() and report() are each called by one task at a time, but a take() that waits holds
        up neither reports nor messages under way; nor is it cut short when the relay fails, and
        what it gives then is reported TEMPORARY. Only the end of run() itself, by a cancellation
        or an error of report(), cancels a take(). At most `TransportOptions.connections` messages
        are ever in doubt: on the wire in full, or answered and not yet through report(). What
        `may_leave` says no to is not sent, and reported TEMPORARY.

        Raises TransportError when no mail can be handed over at all (relay unreachable, TLS or
        login refused, 5.7.x, disk full). What was taken is reported before that, TEMPORARY or
        UNKNOWN, so nothing is forgotten. An error of take() or report() climbs likewise.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportOptions:
    """Everything a transport needs to know, as plain values."""

    kind: Literal["smtp", "maildir", "folder"] = "smtp"
    #: the relay's name or address; its certificate must carry it
    host: str = "localhost"
    port: int = 25
    #: "starttls": refuse to go on without it; "tls": from the first byte; "none": plain text
    security: Security = "starttls"
    #: None: no login
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    #: most connections at once
    connections: int = 8
    #: messages that one connection carries before another takes its place; 0 is no limit
    messages_per_connection: int = 0
    #: seconds for one answer of the relay; the answer to a whole message may take twice that
    timeout_s: float = 60.0
    #: how we introduce ourselves (EHLO): a full domain name, or an address in brackets
    hostname: str = "localhost"
    #: where the maildir and folder transports write; unused by smtp
    path: Path | None = None
    #: PEM file of certificates to trust instead of the system's; None: the system's
    ca_file: Path | None = None
    #: False accepts any certificate: only for a relay on the same host
    verify_certificate: bool = True
