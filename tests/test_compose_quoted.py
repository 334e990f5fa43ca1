"""Quoted-printable in pieces."""

from __future__ import annotations

import quopri
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.compose.quoted import (
    CLOSE,
    JOINT,
    OPEN,
    encode,
    encode_literals,
    encode_piece,
    encode_slot,
    slot,
    split_slots,
    without_marks,
)

TEXTS = st.text(
    st.one_of(st.sampled_from("ab =.\n\t é稀😀F"), st.characters(codec="utf-8", exclude_characters=[OPEN, CLOSE, JOINT, "\r", "\x01", "\x02"])),
    max_size=200,
)  # fmt: skip


def decoded(data: bytes) -> str:
    return quopri.decodestring(data).decode().replace("\r\n", "\n")


@settings(deadline=None)
@given(TEXTS)
def test_every_text_comes_back(text: str) -> None:
    assert decoded(encode_piece(text)) == text


@settings(deadline=None)
@given(TEXTS, TEXTS, TEXTS)
def test_lines_are_short_ascii_and_end_in_crlf(before: str, value: str, after: str) -> None:
    data = encode(before + slot(value.strip("\n")) + after)

    assert data.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|[ \t]\r\n|[ \t]$", data)
    assert not re.search(rb"^\.", data, re.MULTILINE), "the wire would need it doubled"
    assert all(len(line) <= 76 for line in data.split(b"\r\n"))


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), TEXTS)
def test_slots_leave_no_trace(values: list[str], between: str) -> None:
    text = between.join(slot(value.strip("\n"), "tail") for value in values)

    assert decoded(encode(text)) == without_marks(text)


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=5))
def test_lines_encode_the_same_alone_and_together(lines: list[str]) -> None:
    lines = [line + "\n" for line in lines]

    assert b"".join(map(encode_piece, lines)) == encode_piece("".join(lines))


@settings(deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=4), TEXTS)
def test_a_filled_pattern_equals_the_whole(literals: list[str], value: str) -> None:
    value = value.strip("\n")

    pattern = encode_literals(literals)

    assert encode_slot(value).join(pattern) == encode(slot(value).join(literals))


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        (".\n..\n", b"=2E\r\n=2E.\r\n"),
        (". after a slot", b"=2E after a slot"),
        ("From here\nand From there\n", b"=46rom here\r\nand From there\r\n"),
        ("ends in a blank \n", b"ends in a blank=20\r\n"),
        ("a=b", b"a=3Db"),
    ],
)
def test_what_old_programs_change_is_escaped(text: str, encoded: bytes) -> None:
    assert encode_piece(text) == encoded


def test_slots_are_told_from_literals() -> None:
    assert split_slots(f"a{slot('b', 'c')}d") == (["a", "d"], [f"b{JOINT}c"])


def test_a_slot_stands_on_lines_of_its_own() -> None:
    assert encode(f"see {slot('x')} there\n{slot('y')}\n") == b"see=20=\r\nx=\r\n there\r\ny\r\n"


@pytest.mark.parametrize("before", range(60, 90))
def test_no_soft_break_puts_a_dot_first(before: int) -> None:
    text = "a" * before + "." * 200

    data = encode_piece(text)

    assert not re.search(rb"^\.", data, re.MULTILINE)
    assert decoded(data) == text


@pytest.mark.parametrize("before", range(140, 160))
@pytest.mark.parametrize("start", ["", "a line\n"])
def test_no_last_line_is_a_dot_alone(before: int, start: str) -> None:
    """What is moved from a full last line may be one."""
    for text in (
        f"{start}{'a' * (before // 2)}.",
        f"{start}{'a' * before}.",
        f"{start}{'é' * 25}.",
    ):
        for encoding in (encode_piece, encode):
            data = encoding(text)
            assert not re.search(rb"^\.", data, re.MULTILINE)
            assert decoded(data) == text
