"""Encryption and login that fail, through the deliver stage: nothing leaves, all of it waits.

The operator is told, sending is paused, and no message and no password travels in the clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from digest.mail import TransportOptions
from digest.store import Store
from tests.aiosmtpd_server import AiosmtpdServer
from tests.fault_pieces import OPTIONS, Sending, at, usual
from tests.smtp_servers import Act, Rule, ScriptedServer, server_context
from tests.store_pieces import NOW

COUNT = 12
LOGIN = ("digest", "a long pass word")
AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def options(ca_file: Path) -> TransportOptions:
    """As a careful operator has it: encrypted, with a login."""
    return replace(
        OPTIONS, security="starttls", username=LOGIN[0], password=LOGIN[1], ca_file=ca_file
    )


Start = Callable[..., ScriptedServer]


@pytest.fixture(params=[AiosmtpdServer, ScriptedServer], ids=["aiosmtpd", "pipelining"])
def start(request: pytest.FixtureRequest) -> Iterator[Start]:
    """Starts a server of that kind."""
    started: list[ScriptedServer] = []

    def start(authority: trustme.CA | None = AUTHORITY, name: str = "127.0.0.1") -> ScriptedServer:
        tls = server_context(authority, name) if authority else None
        server = request.param(tls=tls, login=LOGIN if tls else None)
        started.append(server.__enter__())
        return started[-1]

    yield start
    for server in started:
        server.__exit__()


def check_nothing_left(sending: Sending) -> None:
    """Sending is paused, everything waits, and the server has not been told of any message."""
    assert sending.why_paused is not None
    assert sending.paused_until == NOW + timedelta(minutes=1)
    # the one that was in the transport's hands, and the others
    assert sending.world.states() == {"queued": COUNT - 1, "deferred": 1}
    assert not sending.server.received
    assert not any(line.startswith("MAIL") for _, line in sending.server.commands)


def check_all_goes_on(sending: Sending) -> None:
    """When the trouble is over, everybody gets it once."""
    sending.go_on()
    assert sending.why_paused is None
    sending.check_arrivals()


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (at("STARTTLS", "454 4.7.0 TLS not available"), "refuses STARTTLS: 454 4.7.0"),
        (at("STARTTLS", "501 5.5.1 not here"), "refuses STARTTLS: 501 5.5.1"),
        (at("STARTTLS", Act.CUT), ""),
        (at("AUTH", "535 5.7.8 wrong password"), "refuses the login: 535 5.7.8"),
        (at("AUTH", "454 4.7.0 try later"), "refuses the login: 454 4.7.0"),
        (at("AUTH", Act.CUT), ""),
    ],
    ids=["454", "501", "cut", "wrong password", "login later", "cut at login"],
)
def test_a_relay_that_does_not_let_us_in(
    store: Store, options: TransportOptions, start: Start, rule: Rule, told: str
) -> None:
    sending = Sending(store, start(), COUNT, options=options)
    sending.server.rule = rule

    report = sending.deliver()

    assert told in str(report.stopped)
    assert LOGIN[1] not in str(report.stopped)
    check_nothing_left(sending)
    sending.server.rule = usual
    check_all_goes_on(sending)


def test_a_wrong_password_is_mended_by_the_operator(
    store: Store, options: TransportOptions, start: Start
) -> None:
    sending = Sending(store, start(), COUNT, options=replace(options, password="another"))

    report = sending.deliver()

    assert "check username and password under [smtp]" in str(report.stopped)
    check_nothing_left(sending)
    sending.options = options
    check_all_goes_on(sending)


@pytest.mark.parametrize(
    ("authority", "name", "told"),
    [
        (STRANGER, "127.0.0.1", "the certificate of 127.0.0.1 is not trusted"),
        (AUTHORITY, "mail.example.org", "the certificate of 127.0.0.1 is not trusted"),
        (None, "", "does not offer STARTTLS"),
    ],
    ids=["of a stranger", "of another host", "no encryption at all"],
)
def test_a_relay_that_cannot_show_who_it_is_gets_nothing(
    store: Store,
    options: TransportOptions,
    start: Start,
    authority: trustme.CA | None,
    name: str,
    told: str,
) -> None:
    sending = Sending(store, start(authority, name), COUNT, options=options)

    report = sending.deliver()

    assert told in str(report.stopped)
    check_nothing_left(sending)
    sending.server = start()
    check_all_goes_on(sending)
