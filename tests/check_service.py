"""A whole service that `digest check` finds nothing wrong with, on loopback: its name servers, its
relay, a source, its own pages behind TLS, its database and mailbox. Tests break one thing of it.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvicorn
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.app import App
from digest.check.alarms import SILENT_AFTER
from digest.check.sample import SampleMail
from digest.cli import run
from digest.clock import moment_text
from digest.config import load_settings
from digest.mail.dkim import load_signer
from digest.store import facts
from digest.web import build_web
from tests.dns_server import DnsZone, dns_zone
from tests.fetching import PROXY_VARIABLES
from tests.loopback import Served, pages, reply, serve
from tests.smtp_servers import ScriptedServer, server_context

SITE = "digest.example.org"
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Lab</title>
<item><title>One</title><link>https://blog.example.org/1</link></item></channel></rss>"""
EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000")
_KEY = generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)


@dataclass
class Service:
    """The parts, and the settings by section; change either before looking."""

    folder: Path
    dns: DnsZone
    relay: ScriptedServer
    source: Served
    #: section → key → value
    config: dict[str, dict[str, Any]]
    authority: trustme.CA
    records: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "config.toml"

    def write(self) -> None:
        """The settings into their file; the strings of JSON are strings of TOML."""
        lines = []
        for section, keys in self.config.items():
            lines.append(f"[[{section}]]" if section == "source" else f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in keys.items()]
        self.file.write_text("\n".join(lines) + "\n", "utf-8")

    def look(self, *options: str) -> int:
        """Run `digest check`; its exit code."""
        self.write()
        server = ["--nameserver", str(self.dns.name_server)]
        return run(["check", "--config", str(self.file), *server, *options])

    def arrived(self) -> Path:
        """A mail of this service, saved where it arrived."""
        app = self.open()
        file = self.folder / "arrived.eml"
        file.write_bytes(SampleMail(app).envelope.content)
        app.close()
        return file

    def open(self) -> App:
        """The program's parts, to be closed."""
        self.write()
        return App(load_settings(self.file, environ={}))


def _records(folder: Path) -> dict[str, dict[str, list[str]]]:
    signer = load_signer("example.org", "digest", folder / "dkim.pem")
    return {
        "example.org": {"MX": ["10 mail.example.org"], "TXT": ["v=spf1 mx -all"]},
        "bounces.example.org": {"MX": ["10 mail.example.org"], "TXT": ["v=spf1 mx -all"]},
        "mail.example.org": {"A": ["192.0.2.25"]},
        signer.dns_name: {"TXT": [signer.dns_record]},
        "_dmarc.example.org": {"TXT": ["v=DMARC1; p=none; rua=mailto:dmarc@example.org"]},
    }


def _config(relay: ScriptedServer, source: Served, port: int) -> dict[str, dict[str, Any]]:
    return {
        "site": {
            "url": f"https://{SITE}:{port}",
            "secret_key": "k" * 32,
            "operator_email": "op@example.org",
            "postal_address": "1 Example Street",
        },
        "smtp": {
            "host": "127.0.0.1",
            "port": relay.port,
            "security": "starttls",
            "username": "digest",
            "password": "secret word",
        },
        "mail": {
            "from": "Trending Papers <digest@example.org>",
            "bounce_domain": "bounces.example.org",
            "dkim_domain": "example.org",
            "dkim_selector": "digest",
            "dkim_key_file": "dkim.pem",
        },
        "bounces": {"kind": "maildir", "path": "Maildir"},
        "rank": {"model": "lexical"},
        "source": {"name": "lab", "kind": "feed", "url": f"{source.url}/feed.xml", "pause": "0s"},
    }


@contextlib.contextmanager
def running_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """The service, until the block ends. This process then trusts its certificates."""
    _prepare(folder, monkeypatch)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    with contextlib.ExitStack() as running:
        enter = running.enter_context
        tls = server_context(authority)
        relay = ScriptedServer(tls=tls, login=("digest", "secret word"), extensions=EXTENSIONS)
        relay = enter(relay)
        feed = reply(body=FEED, content_type="application/rss+xml")
        source = enter(serve(pages({"/feed.xml": feed})))
        listener = enter(socket.create_server(("127.0.0.1", 0)))
        port = listener.getsockname()[1]
        records = _records(folder)
        service = Service(
            folder=folder,
            dns=enter(dns_zone(records)),
            relay=relay,
            source=source,
            config=_config(relay, source, port),
            authority=authority,
            records=records,
        )
        app = service.open()
        running.callback(app.close)
        _live(app)
        enter(_web(app, listener, authority, folder))
        yield service


def _prepare(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    (folder / "dkim.pem").write_bytes(_KEY)
    for name in ("new", "cur", "tmp"):
        (folder / "Maildir" / name).mkdir(parents=True)
    # the site's name leads here, as /etc/hosts would have it
    ask = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **options: Any) -> Any:
        return ask("127.0.0.1" if host == SITE else host, *rest, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def _live(app: App) -> None:
    """Note what a daemon that runs notes."""
    now = moment_text(datetime.now(UTC))
    with app.store.write() as tx:
        for job in (*SILENT_AFTER, "bounces"):
            facts.put_fact(tx, f"heartbeat.{job}", now)


@contextlib.contextmanager
def _web(app: App, listener: socket.socket, authority: trustme.CA, folder: Path) -> Iterator[None]:
    """The real pages behind TLS."""
    certificate = authority.issue_cert(SITE)
    key, chain = folder / "site.key", folder / "site.pem"
    certificate.private_key_pem.write_to_path(key)
    for part in certificate.cert_chain_pems:
        part.write_to_path(chain, append=True)
    config = uvicorn.Config(
        build_web(app),
        ssl_keyfile=key,
        ssl_certfile=chain,
        ssl_version=ssl.PROTOCOL_TLS_SERVER,
        log_config=None,
        loop="asyncio",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started, "the pages did not start"
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)
