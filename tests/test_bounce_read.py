"""What came back is read by its structure, then by its words, and never guessed at."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.bounce import read_report
from digest.compose.links import Links
from digest.model import BounceKind, Report
from digest.tokens import Purpose, Tokens
from tests.bounce_samples import BOUNCE, MESSAGE_ID, NAMES, READER, UNSUBSCRIBE, sample

TOKENS = Tokens(["a secret of thirty-two characters!"])

#: sample → what it is, its code, whether it says for certain that there is no such address
EXPECTED = {
    "auth_failure": (BounceKind.POLICY, None, False),
    "complaint": (BounceKind.COMPLAINT, None, False),
    "complaint_redacted": (BounceKind.COMPLAINT, None, False),
    "exchange_online_gone": (BounceKind.HARD, "5.1.10", True),
    "exchange_online_rejected": (BounceKind.HARD, "5.4.1", False),
    "exim": (BounceKind.HARD, None, False),
    "forwarded_elsewhere": (BounceKind.HARD, "5.1.1", True),
    "generic_550": (BounceKind.SOFT, "5.0.0", False),
    "generic_550_unknown_user": (BounceKind.HARD, "5.0.0", False),
    "global_status": (BounceKind.HARD, "5.1.1", True),
    "not_spam": (BounceKind.AUTOMATIC, None, False),
    "policy_blocked": (BounceKind.POLICY, "5.7.26", False),
    "postfix_delayed": (BounceKind.DELAYED, "4.4.1", False),
    "postfix_full": (BounceKind.SOFT, "5.2.2", False),
    "postfix_unknown_user": (BounceKind.HARD, "5.1.1", True),
    "qmail": (BounceKind.HARD, "5.1.1", True),
    "receipt": (BounceKind.AUTOMATIC, None, False),
    "reply_of_a_person": (BounceKind.UNKNOWN, None, False),
    "spam": (BounceKind.UNKNOWN, None, False),
    "success": (BounceKind.AUTOMATIC, "2.1.5", False),
    "two_recipients": (BounceKind.HARD, "5.1.1", True),
    "unsubscribe": (BounceKind.UNSUBSCRIBE, None, False),
    "unsubscribe_by_machine": (BounceKind.UNSUBSCRIBE, None, False),
    "vacation": (BounceKind.AUTOMATIC, None, False),
    "vacation_exchange": (BounceKind.AUTOMATIC, None, False),
    "vacation_german": (BounceKind.AUTOMATIC, None, False),
    "words_only": (BounceKind.HARD, "5.1.1", True),
}


def test_every_sample_has_an_expectation() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_read(name: str) -> None:
    found = read_report(sample(name))

    gravest = next((f for f in found.failures if f.kind is found.kind), None)
    said = (gravest.status, gravest.is_certain) if gravest else (None, False)
    assert (found.kind, *said) == EXPECTED[name]
    assert bool(found.note) is (found.kind is BounceKind.UNKNOWN)


@pytest.mark.parametrize("name", ["postfix_unknown_user", "qmail", "exim", "exchange_online_gone"])
def test_a_bounce_names_reader_and_message_in_three_ways(name: str) -> None:
    found = read_report(sample(name))

    assert found.bounce_tokens == (BOUNCE,)
    assert found.message_ids == (MESSAGE_ID,)
    assert found.failures[0].addresses == (READER,)
    assert found.unsubscribe_tokens == ()


def test_line_ends_make_no_difference() -> None:
    raw = sample("postfix_unknown_user")

    assert read_report(raw.replace(b"\n", b"\r\n")) == read_report(raw)


def test_each_recipient_of_a_report_is_judged_alone() -> None:
    found = read_report(sample("two_recipients"))

    assert [(f.addresses, f.kind) for f in found.failures] == [
        (("old.account@example.com",), BounceKind.HARD),
        (("Reader@Example.NET",), BounceKind.SOFT),
        (("third@example.com",), BounceKind.AUTOMATIC),
    ]


def test_what_the_returned_message_says_is_not_held_against_its_reader() -> None:
    # its subject speaks of blocks and spam, the server of a mailbox that is not there
    assert read_report(sample("qmail")).kind is BounceKind.HARD


def test_a_complaint_is_matched_by_what_the_provider_left_in_it() -> None:
    whole, redacted = read_report(sample("complaint")), read_report(sample("complaint_redacted"))

    assert whole.bounce_tokens == (BOUNCE,)
    assert redacted.bounce_tokens == ()
    assert redacted.failures[0].addresses == (READER,)


def encode_part(raw: bytes, kind: bytes, encoding: bytes) -> bytes:
    """The same message with its part of that type encoded."""
    head, _, rest = raw.partition(b"\nContent-Type: " + kind)
    params, _, rest = rest.partition(b"\n\n")
    said, boundary, end = rest.partition(b"\n--")
    coded = base64.encodebytes(said) if encoding == b"base64" else quopri.encodestring(said)
    header = b"\nContent-Type: %s%s\nContent-Transfer-Encoding: %s\n\n" % (kind, params, encoding)
    return head + header + coded + boundary + end


@pytest.mark.parametrize("encoding", [b"base64", b"quoted-printable"])
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("complaint", b"message/rfc822"),
        ("complaint", b"message/feedback-report"),
        ("not_spam", b"message/feedback-report"),
        ("postfix_unknown_user", b"message/delivery-status"),
        ("postfix_unknown_user", b"text/rfc822-headers"),
    ],
)
def test_a_part_that_must_not_be_encoded_and_is_says_the_same(
    name: str, kind: bytes, encoding: bytes
) -> None:
    # without what else would tell the message
    raw = sample(name).replace(b"Delivered-To: bounce+" + BOUNCE.encode(), b"Delivered-To: bounce")

    coded = encode_part(raw, kind, encoding)

    assert coded != raw and kind in raw
    assert read_report(coded) == read_report(raw)


def test_a_part_that_says_it_is_encoded_and_is_not_is_read_as_it_stands() -> None:
    raw = sample("postfix_unknown_user")
    kind = b"Content-Type: message/delivery-status"

    told = raw.replace(kind, kind + b"\nContent-Transfer-Encoding: base64")

    assert told != raw
    assert read_report(told) == read_report(raw)


def test_an_encoded_part_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    coded = encode_part(sample("complaint"), b"message/rfc822", b"base64")
    end = coded.index(b"\n--", coded.index(b"base64"))

    for missing in (1, 2, 3):
        assert read_report(coded[: end - missing]).bounce_tokens == (BOUNCE,)


def test_a_reader_with_a_quoted_name_is_known_in_a_report() -> None:
    raw = sample("postfix_unknown_user", reader='"ada \\"l\\""@example.net')

    assert read_report(raw).failures[0].addresses == ('"ada \\"l\\""@example.net',)


def test_only_the_addressee_can_be_a_request_to_unsubscribe() -> None:
    assert read_report(sample("unsubscribe")).unsubscribe_tokens == (UNSUBSCRIBE,)
    assert read_report(sample("reply_of_a_person")).unsubscribe_tokens == ()


@pytest.mark.parametrize("number", [1, 2**31, 2**63 - 1])
def test_the_addresses_that_our_mails_carry_are_known_again(number: int) -> None:
    links = Links("https://digest.example.org", TOKENS)
    bounce = links.bounce_address(number, "bounces.example.org")
    leave = links.unsubscribe_address(links.unsubscribe(number), "bounces.example.org")

    returned = read_report(f"Delivered-To: {bounce}\n\nwhat?".encode())
    request = read_report(f"To: {leave}\nSubject: unsubscribe\n\n".encode())

    (token,) = returned.bounce_tokens
    assert TOKENS.read(Purpose.BOUNCE, token, count=1) == (number,)
    assert request.kind is BounceKind.UNSUBSCRIBE
    (token,) = request.unsubscribe_tokens
    assert TOKENS.read(Purpose.UNSUBSCRIBE, token, count=1) == (number,)


def test_a_bounce_of_a_request_is_no_request() -> None:
    raw = sample("postfix_full").replace(b"Delivered-To: bounce+", b"Delivered-To: unsub+")

    assert read_report(raw).kind is BounceKind.SOFT


def test_a_token_keeps_its_case_where_a_server_lowered_the_other() -> None:
    raw = sample("postfix_unknown_user")
    head, _, rest = raw.partition(b"\n\n")

    found = read_report(head.replace(BOUNCE.encode(), BOUNCE.lower().encode()) + b"\n\n" + rest)

    assert found.bounce_tokens == (BOUNCE.lower(), BOUNCE)


def test_a_status_in_a_returned_message_is_not_the_report_s() -> None:
    inner = sample("postfix_unknown_user").replace(b"\nMIME-Version", b"\nX-Old: 1\nMIME-Version")
    outer = sample("postfix_full").replace(
        b"Two papers match your interests.\n", b"--x\nContent-Type: text/plain\n\nx\n--x--\n"
    )
    nested = outer.replace(
        b"\n--sep--", b"\n--sep\nContent-Type: message/rfc822\n\n" + inner + b"\n--sep--"
    )

    found = read_report(nested)

    assert (found.kind, len(found.failures)) == (BounceKind.SOFT, 1)


def test_a_report_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    raw = sample("postfix_unknown_user")

    found = read_report(raw[: raw.index(b"--4ZkP", raw.index(b"Diagnostic-Code"))])

    assert found.kind is BounceKind.HARD


# strangers write these messages

HOSTILE = {
    "nothing": b"",
    "zeros": b"\0" * 300_000,
    "one long line": b"a@" * 1_000_000,
    "deep messages": b"Content-Type: message/rfc822\n\n" * 10_000,
    "deep multiparts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(5_000)
    ),
    "as deep as is read": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(55)
    )
    + b"x\n" * 100_000,
    "a parameter of quotes": b'Content-Type: multipart/mixed; a="'
    + (b";" * 990 + b"\n ") * 300
    + b"\n\nx",
    "fields without end": b"Content-Type: message/delivery-status\n\n"
    + b"Action: failed\n" * 20_000,
    "recipients without end": b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n\n" * 5_000,
    "headers without end": b"A: b\n" * 60_000,
    "brackets": b"X-Failed-Recipients: " + (b"(<" * 200 + b"\n ") * 500,
    "a charset with a zero": b"Content-Type: multipart/mixed; boundary*=a\0'b'%00c\n\nhello",
    "a charset that runs code": b"Content-Type: text/plain; charset=unicode_escape\n"
    b"From: postmaster\nSubject: failure\n\n\\N{X}\\q\\x",
    "tags": b"From: postmaster\nSubject: failure\nContent-Type: text/html\n\n" + b"<" * 250_000,
    "every phrase, then noise": b"From: postmaster\nSubject: failure\n\n"
    b"Your message could not be delivered to\nthe following addresses had\n"
    b"failed addresses follow:\nDid not reach the following recipient\n"
    b"A message that you sent could not be delivered\n" + (b"a." * 190 + b"\n") * 600,
    "tokens without end": b"To: x\n\n" + (b"bounce+" + b"a" * 50 + b"@x ") * 4_000,
    "ids without end": b"To: x\n\n" + b"Message-ID: <a@b>\n" * 20_000,
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_is_read_in_seconds_and_raises_nothing(name: str) -> None:
    found = read_report(HOSTILE[name])

    assert len(found.failures) <= 50
    assert len(found.bounce_tokens) <= 20 and len(found.message_ids) <= 20


def test_what_is_nested_too_deep_says_so() -> None:
    assert read_report(HOSTILE["deep messages"]) == Report(
        kind=BounceKind.UNKNOWN, note="it has more than 60 parts"
    )


@given(st.binary(max_size=2_000))
@settings(deadline=None, max_examples=200)
def test_any_bytes_are_read(raw: bytes) -> None:
    assert read_report(raw).kind in BounceKind


@given(st.sampled_from(NAMES), st.data())
@settings(deadline=None, max_examples=300)
def test_any_damage_to_a_real_message_is_survived(name: str, data: st.DataObject) -> None:
    raw = sample(name)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(raw)))
        end = data.draw(st.integers(start, min(len(raw), start + 200)))
        raw = raw[:start] + data.draw(st.binary(max_size=40)) + raw[end:]

    assert read_report(raw).kind in BounceKind


_LINES = st.sampled_from(
    [
        "Content-Type: multipart/report; boundary=a",
        "Content-Type: message/delivery-status",
        "Content-Type: message/feedback-report",
        "Content-Type: message/rfc822",
        'Content-Type: text/plain; charset="\x00"',
        "Content-Transfer-Encoding: base64",
        "Content-Transfer-Encoding: uuencode",
        "begin 644 x",
        "Subject: =?utf-8?b?%%%?= =?x?q?=",
        "From: MAILER-DAEMON <>",
        "Final-Recipient: rfc822;",
        "Final-Recipient: a@b",
        "Action: failed",
        "Status: 5.1.1",
        "Feedback-Type:",
        "X-Failed-Recipients: (((<@",
        "--a",
        "--a--",
        "",
        " ",
        "\udcff",
    ]
)


@given(st.lists(_LINES, max_size=40))
@settings(deadline=None, max_examples=300)
def test_any_order_of_mail_s_own_lines_is_survived(lines: list[str]) -> None:
    raw = "\n".join(lines).encode("utf-8", "surrogateescape")

    assert read_report(raw).kind in BounceKind
