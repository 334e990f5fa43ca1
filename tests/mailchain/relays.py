"""What the tests of relays share: a server with its mailboxes, messages for it, and the account.

What we believe to have been accepted must be there, once and byte for byte, and nothing else.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from digest.mail import TransportOptions, build_transport, run_to_end
from digest.model import Envelope, Fate
from tests.mail_runs import MailRun, make_envelope, run_mail
from tests.mailchain.chain import READERS
from tests.mailchain.dovecot import Dovecot
from tests.mailchain.neighbours import Neighbour

#: a reader of Exim's
JOERG = "jörg@example.net"
#: headers that servers would otherwise add
HEAD = (
    "From: digest@example.org\r\nTo: reader@example.net\r\nMessage-ID: <1@example.org>\r\n"
    "Date: Sat, 14 Mar 2026 10:00:00 +0000\r\n"
)
_TRACE = re.compile(
    rb"(?:received|return-path|delivered-to|envelope-to|delivery-date):.*\n(?:[ \t].*\n)*", re.I
)


class Relay:
    """A server to send to, and the place where what it took can be found."""

    def __init__(self, options: TransportOptions, mailboxes: Dovecot | Neighbour) -> None:
        self.options = options
        self.mailboxes = mailboxes

    def send(self, envelopes: Sequence[Envelope], **changes: object) -> MailRun:
        """Hand over the messages; each is reported once, or the test fails."""
        options = replace(self.options, **changes)  # type: ignore[arg-type]
        return run_to_end(run_mail(build_transport(options), envelopes))

    def check_arrivals(self, envelopes: Sequence[Envelope], run: MailRun) -> None:
        """What was accepted is in the mailboxes, whole and once; what was refused is not."""
        accepted = {e.outbox_id: e for e in envelopes if run.fates[e.outbox_id] is Fate.ACCEPTED}
        for reader in READERS:
            due = sorted(unix(e.content) for e in accepted.values() if e.envelope_to == reader)
            found = self.mailboxes.take(reader, len(due))
            cut = sorted(without_trace(letter) for letter in found)
            assert cut == due, f"what {reader} has is not what was accepted"


def unix(content: bytes) -> bytes:
    """With the line ends of a Maildir."""
    return content.replace(b"\r\n", b"\n")


def without_trace(letter: bytes) -> bytes:
    """A letter as it was handed over: without the headers that servers put on top."""
    text = unix(letter)
    while match := _TRACE.match(text):
        text = text[match.end() :]
    return text


def options_for(port: int, authority: Path | None = None) -> TransportOptions:
    """How to reach a server on the loopback, with STARTTLS, trusting that authority."""
    return TransportOptions(
        host="localhost",
        port=port,
        security="starttls",
        connections=4,
        timeout_s=30,
        hostname="example.org",
        ca_file=authority,
    )


def mixed(count: int, recipients: Sequence[str]) -> list[Envelope]:
    """Small messages to recipients in no order; the first and the last go to the last of them."""
    chance = random.Random(2920)
    chosen = [recipients[-1], *chance.choices(recipients, k=count - 2), recipients[-1]]
    return [
        make_envelope(n, to, f"Subject: {n}\r\n{HEAD}\r\n.\r\n..\r\n.{n}\r\n".encode())
        for n, to in enumerate(chosen, 1)
    ]
