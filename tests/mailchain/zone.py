"""The DNS of the test: what receivers look up about us, told by a server on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from dnslib import QTYPE, RR, TXT, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

from digest.mail.dkim import DkimSigner
from tests.mailchain.chain import BOUNCE_DOMAIN
from tests.mailchain.site import FROM_DOMAIN

#: where our relay pretends to stand: the loopback is trusted by every judge, and proves nothing
RELAY_IP = "93.184.215.14"
_STRING_MAX = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """TXT records by name; nothing else exists."""

    records: Mapping[str, str]
    #: names that were asked for while it was served
    asked: set[str] = field(default_factory=set)

    def as_json(self) -> str:
        """In the form of mailauth's --dns-cache."""
        return json.dumps({name: {"TXT": [[text]]} for name, text in self.records.items()})

    @contextmanager
    def served(self) -> Iterator[int]:
        """A DNS server for it; gives its port."""
        quiet = DNSLogger(logf=lambda _: None)
        server = DNSServer(_Resolver(self), address="127.0.0.1", port=0, logger=quiet)
        server.start_thread()
        try:
            yield server.server.server_address[1]
        finally:
            server.stop()
            server.thread.join(10)
            server.server.server_close()


def zone_of(signer: DkimSigner, **changes: str) -> Zone:
    """What docs/install.md tells an operator to publish; `changes` replace the SPF or the DMARC.

    SPF is asked for the bounce domain, and for the name that the relay is greeted with.
    """
    spf = changes.get("spf", f"v=spf1 ip4:{RELAY_IP} -all")
    return Zone(
        records={
            signer.dns_name: signer.dns_record,
            BOUNCE_DOMAIN: spf,
            FROM_DOMAIN: spf,
            f"_dmarc.{FROM_DOMAIN}": changes.get("dmarc", "v=DMARC1; p=reject; aspf=r; adkim=r"),
        }
    )


class _Resolver(BaseResolver):
    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        name = str(request.q.qname).rstrip(".").lower()
        self._zone.asked.add(name)
        reply = request.reply()
        text = self._zone.records.get(name)
        if text is not None and QTYPE[request.q.qtype] == "TXT":
            pieces = [text[i : i + _STRING_MAX] for i in range(0, len(text), _STRING_MAX)]
            reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(pieces)))
        return reply
