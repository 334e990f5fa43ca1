"""The transport against a real Postfix: STARTTLS, pipelining, refusals, every message once."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from digest.mail import TransportOptions, build_transport
from digest.model import Fate
from tests.mail_runs import make_envelope, run_mail
from tests.smtp_servers import closed_port

pytestmark = [
    pytest.mark.mailchain,
    pytest.mark.skipif(
        os.geteuid() != 0 or shutil.which("postfix", path="/usr/sbin") is None,
        reason="needs root and Postfix (apt-get install postfix)",
    ),
]

MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {root}/spool
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/maillog
maillog_file_prefixes = {root}
myhostname = relay.test
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
default_transport = error:5.4.4 nothing leaves this machine
virtual_mailbox_domains = example.org
virtual_mailbox_maps = regexp:{root}/people
virtual_transport = discard:
local_recipient_maps =
message_size_limit = 100000
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_security_level = encrypt
smtpd_tls_cert_file = {root}/cert.pem
smtpd_tls_key_file = {root}/key.pem
"""
MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 discard
defer unix - - n - 0 discard
error unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A running Postfix."""

    port: int
    ca_file: Path
    log: Path

    def delivered(self, count: int) -> list[str]:
        """Whom it delivered to, once it has done so `count` times (or 20 s have passed)."""
        until = time.monotonic() + 20
        while True:
            found = re.findall(r"to=<([^>]+)>.*status=sent", self.log.read_text())
            if len(found) >= count or time.monotonic() > until:
                return sorted(found)
            time.sleep(0.1)


@pytest.fixture(scope="module")
def relay() -> Iterator[Relay]:
    # its daemons run as another user and must be able to walk in
    root = Path(tempfile.mkdtemp(prefix="digest-postfix-"))
    root.chmod(0o755)
    with closed_port() as port:
        pass
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(root / "ca.pem")
    certificate.private_key_pem.write_to_path(root / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(root / "cert.pem")
    (root / "key.pem").chmod(0o600)
    (root / "people").write_text("/^p[0-9]+@/ box/\n")
    for folder in ("etc", "spool", "data"):
        (root / folder).mkdir()
    shutil.chown(root / "data", "postfix", "postfix")
    (root / "etc/dynamicmaps.cf").write_text("")
    (root / "etc/main.cf").write_text(MAIN_CF.format(root=root))
    (root / "etc/master.cf").write_text(MASTER_CF.format(port=port))
    _postfix(root, "start")
    try:
        _wait_for(port)
        yield Relay(port=port, ca_file=root / "ca.pem", log=root / "maillog")
    finally:
        _postfix(root, "stop")
        shutil.rmtree(root, ignore_errors=True)


def _postfix(root: Path, command: str) -> None:
    # its daemons inherit what they are started with, so a pipe would be waited for for ever
    with (root / "console").open("ab") as console:
        subprocess.run(
            ["/usr/sbin/postfix", "-c", str(root / "etc"), command],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            timeout=60,
            check=True,
        )


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("Postfix did not start")


def test_postfix_gets_every_message_once_and_its_refusals_are_understood(relay: Relay) -> None:
    options = TransportOptions(
        host="127.0.0.1",
        port=relay.port,
        security="starttls",
        connections=8,
        timeout_s=30,
        hostname="digest.test",
        ca_file=relay.ca_file,
    )
    envelopes = [make_envelope(n, f"p{n}@example.org") for n in range(1, 301)]
    envelopes[50] = make_envelope(51, "stranger@example.org")
    envelopes[100] = make_envelope(
        101, "p101@example.org", b"Subject: x\r\n\r\n" + b"y\r\n" * 40_000
    )
    envelopes[150] = make_envelope(151, "p151@example.org", b"Subject: x\r\n\r\n.\r\n..\r\n.x\r\n")
    envelopes[200] = make_envelope(201, "stranger@example.org")

    run = asyncio.run(run_mail(build_transport(options), envelopes))

    assert run.error is None
    assert run.with_fate(Fate.PERMANENT) == [51, 101, 201]
    assert run.outcome(51).status == "5.1.1"
    assert run.outcome(101).status == "5.3.4"
    accepted = run.with_fate(Fate.ACCEPTED)
    assert len(accepted) == 297
    assert relay.delivered(297) == sorted(f"p{n}@example.org" for n in accepted)


def test_a_relay_that_denies_us_stops_the_sending(relay: Relay) -> None:
    options = TransportOptions(
        host="127.0.0.1", port=relay.port, security="none", connections=2, timeout_s=30
    )

    run = asyncio.run(run_mail(build_transport(options), [make_envelope(n) for n in (1, 2, 3)]))

    assert "refuses us as a sender: 530" in str(run.error)
    assert run.with_fate(Fate.TEMPORARY) == run.taken
