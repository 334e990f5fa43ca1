"""What a relay offers decides how a message is announced, or that it cannot go."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.mail.addresses import is_sendable
from digest.mail.capabilities import (
    Capabilities,
    mail_command,
    parse_ehlo,
    rcpt_command,
    refuse_message,
    stuff_dots,
)
from digest.mail.replies import Reply
from digest.model import Fate
from tests.mail_runs import make_envelope


def ehlo(*lines: bytes) -> Capabilities:
    return parse_ehlo(Reply(250, (b"relay.test", *lines)))


def test_an_ehlo_answer_is_read() -> None:
    found = ehlo(
        b"PIPELINING",
        b"size 1000",
        b"AUTH PLAIN login",
        b"STARTTLS",
        b"8BITMIME",
        b"SMTPUTF8",
        b"X",
    )

    assert found == Capabilities(
        pipelining=True,
        eight_bit_mime=True,
        smtputf8=True,
        starttls=True,
        size=True,
        size_max=1000,
        auth=frozenset({"PLAIN", "LOGIN"}),
    )


@pytest.mark.parametrize("line", [b"SIZE", b"SIZE 0", b"SIZE lots", b"SIZE \xb2"])
def test_a_size_without_a_limit_is_no_limit(line: bytes) -> None:
    found = ehlo(line)

    assert found.size
    assert found.size_max is None


def test_the_old_way_to_offer_a_login_is_understood() -> None:
    assert ehlo(b"AUTH=LOGIN PLAIN").auth == {"LOGIN", "PLAIN"}


@settings(deadline=None)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=10))
def test_no_ehlo_answer_is_too_odd(lines: list[bytes]) -> None:
    parse_ehlo(Reply(250, tuple(lines)))


def test_a_message_is_announced_with_what_it_needs_and_no_more() -> None:
    everything = Capabilities(size=True, eight_bit_mime=True, smtputf8=True)
    plain = make_envelope(1, content=b"Subject: a\r\n\r\nb\r\n")
    odd = make_envelope(1, "jörg@example.org", "Subject: a\r\n\r\nü\r\n".encode())

    assert mail_command(plain, Capabilities()) == b"MAIL FROM:<bounce+1@example.net>\r\n"
    assert mail_command(plain, everything) == b"MAIL FROM:<bounce+1@example.net> SIZE=17\r\n"
    assert mail_command(odd, everything) == (
        b"MAIL FROM:<bounce+1@example.net> SIZE=18 BODY=8BITMIME SMTPUTF8\r\n"
    )
    assert rcpt_command(odd) == "RCPT TO:<jörg@example.org>\r\n".encode()


@pytest.mark.parametrize(
    ("capabilities", "address", "content", "status"),
    [
        (Capabilities(size=True, size_max=10), "a@example.org", b"x" * 11, "5.3.4"),
        (Capabilities(eight_bit_mime=True), "jörg@example.org", b"x", "5.6.7"),
        (Capabilities(eight_bit_mime=True), "a@exämple.org", b"x", "5.6.7"),
        (Capabilities(smtputf8=True), "a@example.org", "ü".encode(), "5.6.3"),
        (Capabilities(), "a@example.org>\r\nRSET\r\nRCPT TO:<b", b"x", "5.1.3"),
    ],
)
def test_a_message_that_the_relay_cannot_carry_is_refused_with_a_reason(
    capabilities: Capabilities, address: str, content: bytes, status: str
) -> None:
    refused = refuse_message(make_envelope(3, address, content), capabilities)

    assert refused is not None
    assert (refused.outbox_id, refused.fate, refused.code) == (3, Fate.PERMANENT, None)
    assert refused.status == status
    assert refused.text


def test_a_message_that_asks_for_smtputf8_does_not_go_without() -> None:
    envelope = make_envelope(1, needs_smtputf8=True)

    assert refuse_message(envelope, Capabilities()) is not None
    assert refuse_message(envelope, Capabilities(smtputf8=True)) is None


def test_a_bad_sender_is_told_from_a_bad_recipient() -> None:
    refused = refuse_message(replace(make_envelope(1), envelope_from=""), Capabilities())

    assert refused is not None
    assert refused.status == "5.1.7"


@pytest.mark.parametrize(
    "address",
    [
        "a@b.org",
        "a+b.c_d-e=f@example.org",
        '"john smith"@example.org',
        '"a\\"b"@example.org',
        "jörg@exämple.org",
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "bounce+" + "x" * 57 + "@example.org",
    ],
)
def test_an_unusual_address_can_be_sent_to(address: str) -> None:
    assert is_sendable(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "a",
        "@",
        "a@",
        "@b",
        "a b@c.org",
        "a@b c.org",
        "<a@b.org>",
        "a@b.org>",
        "a@b.org\r\nDATA",
        "a@b.org\n",
        '"a\nb"@c.org',
        '"a@b.org',
        "a@b@c.org",
        "a\x00@b.org",
        "\ud800@b.org",
        "a@" + "x" * 260,
    ],
)
def test_an_address_that_would_break_the_command_is_not_sent(address: str) -> None:
    assert not is_sendable(address)


@settings(deadline=None)
@given(st.lists(st.sampled_from([b".", b"..", b"a", b"\r\n", b"\r\n.", b"\n", b"\r", b".\r\n"])))
def test_no_content_ends_itself_early_and_all_comes_back(pieces: list[bytes]) -> None:
    content = b"".join(pieces)

    wire = stuff_dots(content) + b".\r\n"

    assert wire.find(b"\r\n.\r\n") in (-1, len(wire) - 5)
    assert wire == b".\r\n" or not wire.startswith(b".\r\n")
    assert b"\n.\n" not in wire
    if b"\n" not in content.replace(b"\r\n", b""):
        lines = wire.removesuffix(b".\r\n").split(b"\r\n")
        received = b"\r\n".join(line.removeprefix(b".") for line in lines)
        assert received in (content, content + b"\r\n")
