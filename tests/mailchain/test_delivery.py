"""The whole way with real software: `digest send` → Postfix → Dovecot → what a reader fetches.

And the ways back: a refusal at the last hop as a returned message, the one-click POST, a mailed
request to leave.
"""

from __future__ import annotations

import contextlib
import email.policy
import re
import smtplib
import sqlite3
import ssl
from datetime import timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from digest.bounce import read_report
from digest.model import BounceKind
from digest.tokens import Purpose, Tokens
from tests.mailchain.chain import BOUNCE_DOMAIN, BOUNCES, READERS, REFUSED_LATER, UNKNOWN, Chain
from tests.mailchain.pages import served
from tests.mailchain.site import SECRET, URL, Site

pytestmark = pytest.mark.mailchain

TOKENS = Tokens([SECRET])


def receive(content: bytes) -> EmailMessage:
    """The message as a mail program reads it."""
    message = BytesParser(policy=email.policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def outbox_id_of(message: EmailMessage, header: str) -> int:
    """Which of our messages an address of the form bounce+TOKEN@… in a header names."""
    found = re.fullmatch(rf"<?bounce\+([^@]+)@{re.escape(BOUNCE_DOMAIN)}>?", str(message[header]))
    assert found, message[header]
    (outbox_id,) = TOKENS.read(Purpose.BOUNCE, found[1], count=1)
    return outbox_id


def outbox_row(site: Site, outbox_id: int) -> tuple[str, str, str]:
    """Whom a message of the outbox is for, its Message-ID and its state."""
    with contextlib.closing(sqlite3.connect(site.folder / "digest.db")) as database:
        row = database.execute(
            "SELECT s.email, o.message_id, o.state FROM outbox o"
            " JOIN subscriber s ON s.id = o.subscriber_id WHERE o.id = ?",
            (outbox_id,),
        ).fetchone()
    return tuple(row)


class Sent:
    """A pass of `digest send` to five readers, and what a twin of it would have written to disk."""

    def __init__(self, site: Site, chain: Chain, folder: Path) -> None:
        self.site = site.copy(folder / "site")
        self.site.enrol(*READERS, REFUSED_LATER, UNKNOWN)
        twin = self.site.copy(folder / "twin")
        options = {"DIGEST_SMTP__TRANSPORT": "folder", "DIGEST_SMTP__PATH": "mail"}
        twin.ask("send", at=site.now, settings=options)
        self.written = [path.read_bytes() for path in (twin.folder / "mail").glob("*.eml")]
        self.told = self.site.ask("send", at=site.now)
        self.arrived = {reader: chain.dovecot.take(reader, 1)[0] for reader in READERS}
        (self.returned,) = chain.dovecot.take(BOUNCES, 1)


@pytest.fixture(scope="module")
def sent(site: Site, running: Chain, tmp_path_factory: pytest.TempPathFactory) -> Sent:
    running.dovecot.tidy()
    return Sent(site, running, tmp_path_factory.mktemp("sent"))


def test_the_program_tells_what_became_of_each_message(sent: Sent) -> None:
    assert sent.told["made"] == 7
    assert sent.told["delivered"] == {"sent": 6, "failed": 1}
    assert sent.told["stopped"] is None


@pytest.mark.parametrize("reader", READERS)
def test_every_byte_arrives_as_it_left(sent: Sent, reader: str) -> None:
    (left,) = (one for one in sent.written if f"\r\nTo: {reader}\r\n".encode() in one)

    arrived = sent.arrived[reader]

    trace = arrived.removesuffix(left)
    assert trace != arrived, "what arrived does not end with what was sent"
    names = {line.partition(b":")[0] for line in trace.splitlines() if not line[:1].isspace()}
    assert names == {b"Return-Path", b"Delivered-To", b"Received"}


def test_it_travelled_encrypted(sent: Sent) -> None:
    arrived = receive(sent.arrived[READERS[0]])

    assert any("ESMTPS" in hop and "using TLSv1.3" in hop for hop in arrived.get_all("Received"))


def test_headers_that_programs_act_on_arrive_unfolded(sent: Sent) -> None:
    head = sent.arrived[READERS[0]].partition(b"\r\n\r\n")[0].decode("ascii")

    (unsubscribe,) = re.findall(r"^List-Unsubscribe: (.*)$", head, re.M)

    assert re.fullmatch(
        rf"<{URL}/unsubscribe/\S+>, <mailto:\S+@{BOUNCE_DOMAIN}\?subject=unsubscribe>\r",
        unsubscribe,
    )
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in head
    assert "=?" not in unsubscribe


def test_the_envelope_sender_names_the_message(sent: Sent) -> None:
    for reader, content in sent.arrived.items():
        arrived = receive(content)

        row = outbox_row(sent.site, outbox_id_of(arrived, "Return-Path"))

        assert row == (reader, arrived["Message-ID"], "sent")


def test_a_mail_program_reads_it(sent: Sent) -> None:
    arrived = receive(sent.arrived[READERS[0]])

    bodies = {kind: arrived.get_body((kind,)).get_content() for kind in ("plain", "html")}

    assert arrived.get_content_type() == "multipart/alternative"
    assert arrived["DKIM-Signature"]
    assert re.search(r"\d+ papers for \w+day$", arrived["Subject"])
    for text in bodies.values():
        assert "https://arxiv.org/abs/" in text
        assert f"{URL}/unsubscribe/" in text
        assert "Efficient models" in text


def test_who_the_relay_does_not_know_is_suppressed_at_once(sent: Sent) -> None:
    assert sent.site.ask("subscribers", "show", UNKNOWN)["status"] == "suppressed"


def test_the_ledger_adds_up(sent: Sent) -> None:
    due_on = (sent.site.now - timedelta(hours=1)).date()

    ledger = sent.site.ask("report", "--date", str(due_on))["ledger"]

    assert ledger.pop("due") == 7 == sum(ledger.values())
    assert (ledger["sent"], ledger["failed"]) == (6, 1)


def test_a_refusal_at_the_last_hop_comes_back_and_names_the_message(sent: Sent) -> None:
    returned = receive(sent.returned)

    report = read_report(sent.returned)

    row = outbox_row(sent.site, outbox_id_of(returned, "To"))
    assert (row[0], row[2]) == (REFUSED_LATER, "sent")
    assert returned.get_content_type() == "multipart/report"
    assert report.kind is BounceKind.HARD
    (failure,) = report.failures
    assert (failure.addresses, failure.status) == ((REFUSED_LATER,), "5.1.1")
    assert report.bounce_tokens[0] in str(returned["To"])
    assert row[1] in report.message_ids


def test_what_came_back_suppresses_the_address_and_says_why(
    site: Site, chain: Chain, tmp_path: Path
) -> None:
    site = site.copy(tmp_path / "site")
    site.enrol(REFUSED_LATER)

    assert site.ask("send", at=site.now)["delivered"] == {"sent": 1}
    (returned,) = chain.dovecot.wait_for(BOUNCES, 1)
    told = site.ask("bounces", "read")

    assert (told["kinds"], told["suppressed"]) == ({"hard": 1}, 1)
    person = site.ask("subscribers", "show", REFUSED_LATER)
    assert (person["status"], person["next_edition_at"]) == ("suppressed", None)
    (bounce,) = site.ask("bounces", "list", REFUSED_LATER)
    assert (bounce["kind"], bounce["status"], bounce["proven"]) == ("hard", "5.1.1", True)
    assert chain.dovecot.letters(BOUNCES) == []
    assert returned in chain.dovecot.letters(BOUNCES, "digest-done")


def test_a_relay_whose_certificate_is_not_trusted_gets_nothing(
    site: Site, chain: Chain, tmp_path: Path
) -> None:
    twin = site.copy(tmp_path / "site")
    twin.enrol(READERS[0])

    done = twin.run("send", at=twin.now, settings={"SSL_CERT_FILE": "/dev/null"})

    assert done.returncode == 1
    assert "certificate" in done.stderr and "not trusted" in done.stderr
    waiting = twin.ask("send", "--dry-run", at=twin.now)["waiting"]
    assert sum(waiting.values()) == 1
    assert chain.dovecot.letters(READERS[0]) == []


# -- leaving


FORMS = {
    "urlencoded": {"data": {"List-Unsubscribe": "One-Click"}},
    "multipart": {"files": {"List-Unsubscribe": (None, "One-Click")}},
}


@pytest.mark.parametrize("form", FORMS)
def test_the_one_click_of_an_arrived_mail_ends_the_subscription(
    sent: Sent, chain: Chain, form: str, tmp_path: Path
) -> None:
    site = sent.site.copy(tmp_path / "site")
    reader = READERS[0]
    arrived = receive(sent.arrived[reader])
    link = re.match(r"<(https://[^>]+)>", str(arrived["List-Unsubscribe"]))
    assert link and str(arrived["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"

    with served(site, chain.identity) as client:
        looked = client.get(link[1])
        before = site.ask("subscribers", "show", reader)["status"]
        posted = client.post(link[1], **FORMS[form])
        again = client.post(link[1], **FORMS[form])

    assert (looked.status_code, before) == (200, "confirmed")
    assert (posted.status_code, again.status_code) == (200, 200)
    assert site.ask("subscribers", "show", reader)["status"] == "unsubscribed"


def test_a_mailed_request_to_leave_is_obeyed(sent: Sent, chain: Chain, tmp_path: Path) -> None:
    site = sent.site.copy(tmp_path / "site")
    reader = READERS[1]
    header = str(receive(sent.arrived[reader])["List-Unsubscribe"])
    address = re.search(r"<mailto:([^?>]+)\?subject=unsubscribe>", header)
    assert address
    request = f"From: {reader}\r\nTo: {address[1]}\r\nSubject: unsubscribe\r\n\r\n\r\n"

    # how a mail program does it when the button is pressed
    with smtplib.SMTP("localhost", chain.postfix.ports["relay"], timeout=20) as relay:
        relay.starttls(context=ssl.create_default_context(cafile=chain.identity.authority))
        relay.sendmail(reader, [address[1]], request)
    chain.dovecot.wait_for(BOUNCES, 1)
    told = site.ask("bounces", "read")

    assert told["unsubscribed"] == 1
    assert site.ask("subscribers", "show", reader)["status"] == "unsubscribed"
