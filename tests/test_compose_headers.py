"""Header lines."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.compose import headers
from digest.errors import BadInput
from digest.text import clean

NAMES = st.text(st.one_of(st.sampled_from('ab é稀😀ש"\\,;:=?_ '), st.characters()), max_size=300)


def unfolded(line: bytes) -> str:
    return line.decode().removesuffix("\r\n").replace("\r\n ", " ").partition(": ")[2]


@settings(deadline=None)
@given(NAMES)
def test_any_subject_comes_back_cleaned(text: str) -> None:
    line = headers.text_line("Subject", text)

    assert str(make_header(decode_header(unfolded(line)))) == clean(text)


@settings(deadline=None)
@given(NAMES)
def test_a_subject_is_one_header_of_legal_lines(text: str) -> None:
    line = headers.text_line("Subject", text)

    assert line.endswith(b"\r\n")
    lines = line[:-2].split(b"\r\n")
    assert all(re.match(rb" \S", part) for part in lines[1:])
    assert all(len(part) <= headers.LINE_OCTETS_MAX for part in lines)
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", line)
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ ]*\?=", line))


def test_an_encoded_word_never_holds_half_a_character() -> None:
    for word in headers.encoded_words("稀疏😀" * 40, first=60):
        assert decode_header(word)[0][0].decode("utf-8")


def test_a_plain_subject_stays_readable_in_the_source() -> None:
    assert headers.text_line("Subject", "8 papers") == b"Subject: 8 papers\r\n"


def test_a_subject_cannot_begin_another_header() -> None:
    line = headers.text_line("Subject", "Hello\r\nBcc: all@example.org")

    assert line == b"Subject: Hello Bcc: all@example.org\r\n"


def test_links_are_written_raw_and_unfolded() -> None:
    url = "<https://digest.example.org/" + "a" * 300 + ">"

    assert headers.raw_line("List-Unsubscribe", url) == f"List-Unsubscribe: {url}\r\n".encode()


@pytest.mark.parametrize("value", ["a\r\nBcc: b", "a\nb", "a\rb", "é", "a\x00", "a" * 999])
def test_a_raw_value_that_would_break_the_header_is_refused(value: str) -> None:
    with pytest.raises(BadInput):
        headers.raw_line("List-Help", value)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Trending Papers", b"From: Trending Papers <a@example.org>\r\n"),
        ("Papers, Inc. \"P\"", b'From: "Papers, Inc. \\"P\\"" <a@example.org>\r\n'),
        ("Bücher", b"From: =?utf-8?q?B=C3=BCcher?= <a@example.org>\r\n"),
        ("", b"From: a@example.org\r\n"),
        ("=?utf-8?q?evil?=", b"From: =?utf-8?q?=3D=3Futf-8=3Fq=3Fevil=3F=3D?= <a@example.org>\r\n"),
    ],
)  # fmt: skip
def test_names_are_atoms_quoted_or_encoded(name: str, line: bytes) -> None:
    assert headers.address_line("From", "a@example.org", name) == line


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("Ada.L+x@Example.org", "Ada.L+x@example.org"),
        ('"ada l"@example.org', '"ada l"@example.org'),
        ("grüße@example.org", "grüße@example.org"),
    ],
)
def test_domains_are_written_in_ascii(address: str, written: str) -> None:
    assert headers.ascii_domain(address) == written


@pytest.mark.parametrize("address", ["", "ada", "a@b\r\nc@example.org", "a b@example.org", "a@b"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput):
        headers.address_line("To", address)


def test_the_date_is_in_utc() -> None:
    line = headers.date_line(datetime(2026, 3, 2, 7, 5, 9, tzinfo=UTC))

    assert line == b"Date: Mon, 02 Mar 2026 07:05:09 +0000\r\n"


def test_a_list_id_has_a_phrase_and_an_identifier() -> None:
    line = headers.list_id_line("Trending Papers", "digest.example.org")

    assert line == b"List-Id: Trending Papers <digest.example.org>\r\n"


@pytest.mark.parametrize(
    ("address", "link"),
    [
        ("ops@example.org", "mailto:ops@example.org"),
        ("ops+digest@bücher.example", "mailto:ops+digest@xn--bcher-kva.example"),
        ("who?cc=all@example.org", "mailto:who%3Fcc=all@example.org"),
        ("a%b&c@example.org", "mailto:a%25b%26c@example.org"),
        ('"ada l"@example.org', "mailto:%22ada%20l%22@example.org"),
    ],
)
def test_an_address_in_a_link_cannot_end_it_or_ask_for_more(address: str, link: str) -> None:
    assert headers.mailto(address) == link


@pytest.mark.parametrize(
    ("domain", "sender"),
    [
        ("example.org", "example-org"),
        ("trending-papers.research.example.org", "trending-papers"),
        ("digest-papers1.example.org", "digest-papers1"),
        ("t.co", "t-co-digest"),
        ("a.org", "a-org"),
    ],
)
def test_the_sender_of_complaints_has_the_length_that_gmail_takes(domain: str, sender: str) -> None:
    assert headers.feedback_sender(domain) == sender
    assert 5 <= len(sender) <= 15
