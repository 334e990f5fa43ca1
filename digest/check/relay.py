"""The relay: whether it can be reached, trusted and logged in to, and what it offers.

digest/mail/probe.py asks; here the answers are judged. No mail is sent.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from digest.check.findings import Finding, green, red, yellow
from digest.filters import plural
from digest.mail import TransportOptions
from digest.mail.capabilities import Capabilities
from digest.mail.probe import Probe

if TYPE_CHECKING:
    from digest.check.resolver import IPAddress

CONNECTION = "relay.connection"
TLS = "relay.tls"
LOGIN = "relay.login"
EXTENSIONS = "relay.extensions"

#: certificates that renew themselves do so a month ahead: so near to the end something is broken
_CERTIFICATE_DAYS = 14


def public_addresses(host: str) -> tuple[IPAddress, ...]:
    """The relay's addresses as the world sees them; none when it is on this machine or near it."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    addresses = {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}
    return tuple(sorted((a for a in addresses if a.is_global), key=lambda a: (a.version, int(a))))


def judge_relay(
    probe: Probe, options: TransportOptions, *, mail_bytes: int, now: datetime
) -> Iterator[Finding]:
    """What came of the probe, step by step; `mail_bytes` is the size of a usual mail."""
    where = f"{options.host}:{options.port}"
    said, _, advice = probe.reason.partition("; ")
    advice = advice or "ask who runs the relay"
    if probe.failed == "connection":
        yield red(CONNECTION, said, advice)
        return
    yield green(CONNECTION, f"{where} answers")
    if probe.failed == "tls":
        yield red(TLS, said, advice)
        return
    yield _judge_tls(probe, options, now)
    if probe.failed is not None:
        yield red(LOGIN, said, advice)
        return
    as_whom = f"logged in as {options.username}" if options.username else "no login is set"
    yield green(LOGIN, f"{where} takes mail from us, {as_whom}")
    if probe.capabilities is not None:
        yield from _judge_extensions(probe.capabilities, mail_bytes)


def _judge_tls(probe: Probe, options: TransportOptions, now: datetime) -> Finding:
    if probe.tls is None:
        if _is_here(options.host):
            return green(TLS, f"none is used to {options.host}, and none is needed on one machine")
        return yellow(
            TLS,
            f"mail travels to {options.host} unencrypted",
            'set security = "starttls" or "tls" under [smtp]',
        )
    until = probe.certificate_until
    if until is None:
        return green(TLS, probe.tls)
    days = (until - now) // timedelta(days=1)
    if days < _CERTIFICATE_DAYS:
        return yellow(
            TLS,
            f"the certificate of {options.host} ends in {plural(days, 'day')}, on {until:%Y-%m-%d}",
            "let whoever runs the relay renew it; after that day no mail leaves",
        )
    return green(TLS, f"{probe.tls}, the certificate of {options.host} is good for {days} days")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _judge_extensions(offered: Capabilities, mail_bytes: int) -> Iterator[Finding]:
    limit = offered.size_max
    if limit is not None and limit < mail_bytes:
        yield red(
            EXTENSIONS,
            f"the relay takes {limit:,} bytes at most (SIZE), our mails have {mail_bytes:,}",
            "let whoever runs the relay raise the limit, or lower max_items under [edition]",
        )
    lacking = [
        why
        for has, why in (
            (offered.pipelining, "PIPELINING (sending takes about four times as long)"),
            (offered.eight_bit_mime, "8BITMIME (mails with names beyond ASCII are refused)"),
            (offered.smtputf8, "SMTPUTF8 (addresses beyond ASCII cannot be written to)"),
        )
        if not has
    ]
    if lacking:
        yield yellow(
            EXTENSIONS,
            f"the relay does not offer {', '.join(lacking)}",
            "nothing breaks without; ask whoever runs the relay whether it can be switched on",
        )
    elif limit is None or limit >= mail_bytes:
        size = f"SIZE {limit:,}" if limit is not None else "no limit of size"
        yield green(EXTENSIONS, f"PIPELINING, 8BITMIME, SMTPUTF8, {size}")
