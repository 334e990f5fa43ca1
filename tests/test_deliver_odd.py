"""Odd input through the deliver stage: what a source, an address or a clock can do to a message.

Everything goes by a real socket to a real server, and is read as a receiver would.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage

import pytest

from digest.model import OutboxState, PaperData, Status
from digest.store import Store
from tests.aiosmtpd_server import AiosmtpdServer
from tests.cli_pieces import CONFIG, Operator
from tests.deliver_pieces import World
from tests.fault_pieces import Sending, at, usual
from tests.mail_pieces import part, receive
from tests.smtp_servers import ScriptedServer
from tests.store_pieces import HOUR, NOW, paper

#: MAIL_RULES §4.7: beyond that Gmail clips
HTML_BYTES_MAX = 90_000
ASCII_ONLY = ("PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES")


@pytest.fixture(params=[AiosmtpdServer, ScriptedServer], ids=["aiosmtpd", "pipelining"])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    with request.param() as started:
        yield started


@pytest.fixture
def sending(sqlite_store: Store, server: ScriptedServer) -> Sending:
    """Two readers of usual editions."""
    return Sending(sqlite_store, server, 2)


def arrival(sending: Sending, email: str, *papers: PaperData) -> EmailMessage:
    """What reaches that reader of an edition of those papers; the two others get theirs too."""
    sending.queue(email, *papers)
    sending.deliver()
    assert sending.world.states() == {"sent": 3}
    (found,) = (m for m in sending.server.received if m.envelope_to == email)
    return receive(found.content)


def test_an_abstract_of_four_megabytes_is_cut_to_what_a_mail_can_hold(sending: Sending) -> None:
    endless = paper("2603.00004", abstract="We study what was not studied. " * 130_000)
    assert len(endless.abstract) > 4_000_000

    mail = arrival(sending, "ann@example.org", endless)

    assert "We study what was not studied." in part(mail, "plain")
    assert len(mail.as_bytes()) < HTML_BYTES_MAX


def test_three_hundred_picks_are_told_as_far_as_a_mail_can_hold(sending: Sending) -> None:
    many = [paper(f"2603.{n:05}", position=n, abstract="Word " * 200) for n in range(1, 301)]

    mail = arrival(sending, "ann@example.org", *many)

    body = mail.get_body(("html",))
    assert body is not None
    assert len(body.as_bytes()) <= HTML_BYTES_MAX
    assert "more" in part(mail, "plain")


def test_a_title_cannot_break_out_of_the_subject(sending: Sending) -> None:
    title = (
        "🙂 A study\r\nBcc: everybody@example.org\r\n\r\n‮of \u05e9\u05dc\u05d5\u05dd\x00 attention"
    )

    mail = arrival(sending, "ann@example.org", paper("2603.00005", title=title))

    subject = str(mail["Subject"])
    assert "🙂 A study" in subject
    assert not {"\r", "\n", "\x00", "\u202e"} & set(subject)
    assert mail["Bcc"] is None
    assert mail.is_multipart()


@pytest.mark.parametrize(
    ("email", "envelope_to"),
    [
        ('"ann b"@example.org', '"ann b"@example.org'),
        ('"a@b"@example.org', '"a@b"@example.org'),
        ("o'neil+list@example.org", "o'neil+list@example.org"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ],
)
def test_an_unusual_address_gets_its_mail(
    sqlite_store: Store, email: str, envelope_to: str
) -> None:
    with ScriptedServer(extensions=ASCII_ONLY) as server:
        sending = Sending(sqlite_store, server, 2)
        sending.queue(email)
        sending.deliver()

    assert sending.world.states() == {"sent": 3}
    assert envelope_to in server.recipients
    (found,) = (m for m in server.received if m.envelope_to == envelope_to)
    assert receive(found.content)["To"].addresses[0].addr_spec == envelope_to


def test_an_address_that_needs_smtputf8_fails_alone_where_it_is_not_offered(store: Store) -> None:
    with ScriptedServer(extensions=ASCII_ONLY) as server:
        sending = Sending(store, server, 2)
        sending.queue("jörg@example.org")
        report = sending.deliver()

    assert report.stopped is None
    assert sending.world.states() == {"sent": 2, "failed": 1}
    assert sending.rows_in(OutboxState.FAILED) == ["refused: 5.6.7"]
    row = sending.world.row(3)
    assert row.answer == "5.6.7 the address needs SMTPUTF8, which the relay does not offer"
    # the relay's lack is nothing against the reader
    assert sending.world.person(3).status is Status.CONFIRMED


def test_an_address_that_needs_smtputf8_gets_its_mail_where_it_is_offered(
    sending: Sending,
) -> None:
    arrival(sending, "jörg@example.org")

    (found,) = (m for m in sending.server.received if m.envelope_to == "jörg@example.org")
    assert "SMTPUTF8" in found.parameters
    assert "\r\nTo: jörg@example.org\r\n".encode() in found.content


def test_a_key_file_that_is_no_key_holds_everything_back(site: Operator) -> None:
    signing = 'dkim_domain = "example.org"\ndkim_selector = "x"\ndkim_key_file = "dkim.pem"\n'
    site.gets("migrate")
    store = Store(f"sqlite:///{site.folder}/digest.db")
    world = World(store)
    world.queue_editions(3)
    site.config.write_text(CONFIG.replace("[mail]\n", f"[mail]\n{signing}"))
    (site.folder / "dkim.pem").write_text("-----BEGIN PRIVATE KEY-----\nno key\n")

    told = site.types("send", "--at", "2026-03-11T07:00:00Z")

    assert told.code == 2
    assert "mail.dkim_key_file: this is no private key in PEM form; make one with:" in told.err
    assert world.states() == {"queued": 3}
    site.config.write_text(CONFIG)
    site.gets("send", "--at", "2026-03-11T07:00:00Z")
    assert world.states() == {"sent": 3}
    store.close()


# A clock that is set back by an hour


def test_a_clock_set_back_doubles_nobody_and_loses_nobody(sending: Sending) -> None:
    sending.server.rule = at("RCPT", "451 4.3.0 later", lambda m: "reader1@" in m.argument)
    sending.deliver()
    assert sending.world.states() == {"sent": 1, "deferred": 1}
    sending.server.rule = usual
    sending.world.clock.at = NOW - HOUR

    sending.deliver()
    assert sending.world.states() == {"sent": 1, "deferred": 1}
    sending.go_on()

    assert sending.world.clock.at == NOW + timedelta(minutes=5)
    sending.check_arrivals()


def test_a_clock_set_back_does_not_prolong_a_pause(sending: Sending) -> None:
    sending.server.rule = at("CONNECT", "421 4.3.2 not now")
    sending.deliver()
    assert sending.paused_until == NOW + timedelta(minutes=1)

    sending.world.clock.at = NOW - HOUR

    assert sending.paused_until is None
