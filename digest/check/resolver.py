"""Asks DNS: the only module that does. dnspython is loaded when a resolver is made.

What is not there is an empty answer; what could not be found out is LookupFailed. Nothing is
remembered between two runs, so that a record that was just mended is seen.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.errors import BadInput, DigestError

if TYPE_CHECKING:
    from dns.rdataset import Rdataset

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

#: seconds for one question, all attempts together, and for one attempt
TIMEOUT_S = 6.0
_ATTEMPT_S = 2.0
#: largest answer by UDP that arrives everywhere (DNS flag day 2020); larger ones come by TCP
_UDP_BYTES_MAX = 1232
_DNS_PORT = 53


class LookupFailed(DigestError):
    """Whether a name has a record could not be found out; the text says what to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NameServer:
    """Whom to ask instead of the machine's own name servers."""

    address: str
    port: int = _DNS_PORT

    def __str__(self) -> str:
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{shown}:{self.port}"


def parse_name_server(text: str) -> NameServer:
    """Read `192.0.2.53`, `ns.example.org:5353` or `[2001:db8::53]:53`.

    Raises BadInput for what is none, and for a name that has no address.
    """
    host, port = _split_port(text.strip())
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise BadInput(f"the name server {host!r} has no address; give one like 1.1.1.1") from error
    return NameServer(address=str(found[0][4][0]), port=port)


def _split_port(text: str) -> tuple[str, int]:
    try:
        return str(ipaddress.ip_address(text.strip("[]"))), _DNS_PORT
    except ValueError:
        host, colon, port = text.rpartition(":")
    if not colon:
        host, port = port, str(_DNS_PORT)
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadInput(f"{text!r} is no name server; write it like 192.0.2.53 or 192.0.2.53:5353")
    return host.strip("[]"), int(port)


class Resolver:
    """Asks the machine's name servers, or the one given."""

    def __init__(self, server: NameServer | None = None, *, timeout_s: float = TIMEOUT_S) -> None:
        import dns.resolver

        try:
            self._resolver = dns.resolver.Resolver(configure=server is None)
        except dns.resolver.NoResolverConfiguration as error:
            raise LookupFailed(
                "this machine has no name server; add one to /etc/resolv.conf, or name one"
                " with --nameserver"
            ) from error
        if server is not None:
            self._resolver.nameservers = [server.address]
            self._resolver.port = server.port
        self._resolver.lifetime = timeout_s
        self._resolver.timeout = min(_ATTEMPT_S, timeout_s)
        self._resolver.use_edns(0, 0, _UDP_BYTES_MAX)

    def txt(self, name: str) -> tuple[str, ...]:
        """The TXT records of a name, the pieces of each joined."""
        found = self._ask(name, "TXT")
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in found or ())

    def mx(self, name: str) -> tuple[tuple[int, str], ...]:
        """Preference and host of each MX record, the preferred first; the host of none is ""."""
        found = self._ask(name, "MX")
        records = [(r.preference, r.exchange.to_text(True).rstrip(".")) for r in found or ()]
        return tuple(sorted(records))

    def addresses(self, name: str) -> tuple[IPAddress, ...]:
        """The IPv4 and IPv6 addresses of a name."""
        kinds = ("A", "AAAA")
        return tuple(
            ipaddress.ip_address(record.address)
            for kind in kinds
            for record in self._ask(name, kind) or ()
        )

    def _ask(self, name: str, kind: str) -> Rdataset | None:
        """The records of that kind; None when there are none."""
        import dns.exception
        import dns.resolver

        try:
            answer = self._resolver.resolve(
                f"{name.rstrip('.')}.", kind, search=False, raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return None
        except dns.resolver.LifetimeTimeout as error:
            raise LookupFailed(
                f"no name server answers what {kind} records {name} has (in"
                f" {self._resolver.lifetime:g} s); check the network, /etc/resolv.conf,"
                " and the name servers of that domain"
            ) from error
        except (dns.exception.DNSException, OSError, UnicodeError) as error:
            is_refused = isinstance(error, dns.resolver.NoNameservers)
            why = "its name servers fail" if is_refused else type(error).__name__
            raise LookupFailed(
                f"what {kind} records {name} has cannot be found out ({why}); check the name, and"
                " the name servers of that domain"
            ) from error
        return answer.rrset
