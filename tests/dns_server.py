"""A real DNS server on loopback, by UDP and TCP, that knows what a test tells it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence

from dnslib import AAAA, MX, QTYPE, RCODE, RR, TXT, A, DNSRecord
from dnslib.server import DNSHandler, DNSLogger, TCPServer, UDPServer

from digest.check.resolver import NameServer, Resolver

#: what a zone may hold instead of records: no answer at all, or "server failure"
SILENT = "SILENT"
BROKEN = "BROKEN"
#: one string of a TXT record holds no more
_STRING_MAX = 255
#: larger answers are cut by UDP, so that they are asked for by TCP, as with real servers
_UDP_BYTES_MAX = 1232

#: name → record kind → values; an MX value is "10 host"
Zone = Mapping[str, Mapping[str, Sequence[str]] | str]


class _Handler(DNSHandler):
    def handle(self) -> None:
        with contextlib.suppress(_Silence, OSError):
            super().handle()


class _Silence(Exception):
    """No answer is to be given."""


class DnsZone:
    """What the server says, and what it was asked."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        #: (kind, name) of every question
        self.asked: list[tuple[str, str]] = []
        self.by_tcp = 0
        self.port = 0

    @property
    def name_server(self) -> NameServer:
        return NameServer(address="127.0.0.1", port=self.port)

    def resolver(self, timeout_s: float = 5.0) -> Resolver:
        return Resolver(self.name_server, timeout_s=timeout_s)

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        """What dnslib asks for each question."""
        name, kind = str(request.q.qname).rstrip(".").lower(), QTYPE[request.q.qtype]
        self.asked.append((kind, name))
        self.by_tcp += handler.protocol == "tcp"
        reply = request.reply()
        known = self.zone.get(name)
        if known is None:
            below = any(other.endswith(f".{name}") for other in self.zone)
            reply.header.rcode = RCODE.NOERROR if below else RCODE.NXDOMAIN
        elif known == SILENT:
            raise _Silence
        elif known == BROKEN:
            reply.header.rcode = RCODE.SERVFAIL
        else:
            assert not isinstance(known, str)
            for value in known.get(kind, ()):
                reply.add_answer(RR(name, request.q.qtype, ttl=60, rdata=_data(kind, value)))
        if handler.protocol == "udp" and len(reply.pack()) > _UDP_BYTES_MAX:
            reply.rr.clear()
            reply.header.tc = 1
        return reply


def _data(kind: str, value: str) -> object:
    if kind == "MX":
        preference, _, host = value.partition(" ")
        return MX(host, int(preference))
    if kind == "TXT":
        data = value.encode()
        pieces = [data[at : at + _STRING_MAX] for at in range(0, len(data), _STRING_MAX)]
        return TXT(pieces)
    return {"A": A, "AAAA": AAAA}[kind](value)


@contextlib.contextmanager
def dns_zone(zone: Zone) -> Iterator[DnsZone]:
    """The server, until the block ends."""
    answers = DnsZone(zone)
    with contextlib.ExitStack() as running:
        udp, tcp = _servers()
        answers.port = udp.server_address[1]
        for server in (udp, tcp):
            server.resolver = answers
            server.logger = DNSLogger(log="error")
            running.enter_context(server)
            thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
            thread.start()
            running.callback(thread.join, 5)
            running.callback(server.shutdown)
        yield answers


def _servers() -> tuple[UDPServer, TCPServer]:
    """Both on one port; another is taken when TCP's is in use."""
    for _ in range(20):
        udp = UDPServer(("127.0.0.1", 0), _Handler)
        try:
            return udp, TCPServer(udp.server_address, _Handler)
        except OSError:
            udp.server_close()
    raise AssertionError("no port is free for both UDP and TCP")
