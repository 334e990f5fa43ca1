"""A message as its receiver reads it."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.compose.message import boundary_for, build_message
from tests.mail_pieces import MESSAGE_ID, part, receive

BODIES = st.text(st.one_of(st.sampled_from("a.-= \né稀"), st.characters(codec="utf-8", exclude_characters="\r\x01\x02\ufdd0\ufdd1\ufdd2")), max_size=400)  # fmt: skip


def built(text: str, html: str) -> bytes:
    return build_message([b"Subject: x\r\n"], message_id=MESSAGE_ID, text=text, html=html)


@settings(deadline=None)
@given(BODIES, BODIES)
def test_both_parts_come_back(text: str, html: str) -> None:
    message = receive(built(text, html))

    text_part, html_part = message.iter_parts()
    assert text_part.get_payload(decode=True) == text.replace("\n", "\r\n").encode()
    assert html_part.get_payload(decode=True) == html.replace("\n", "\r\n").encode()


@settings(deadline=None)
@given(BODIES, BODIES)
def test_every_line_is_legal_for_any_relay(text: str, html: str) -> None:
    content = built(text, html)

    assert content.isascii()
    assert content.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    assert max(map(len, content.split(b"\r\n"))) <= 78


def test_the_text_comes_first_and_both_are_utf_8() -> None:
    message = receive(built("Grüße", "<p>Grüße</p>"))

    assert message["MIME-Version"] == "1.0"
    assert message.get_content_type() == "multipart/alternative"
    assert [p.get_content_type() for p in message.iter_parts()] == ["text/plain", "text/html"]
    assert [p.get_content_charset() for p in message.iter_parts()] == ["utf-8", "utf-8"]
    assert part(message, "plain") == "Grüße"


def test_the_same_message_has_the_same_bytes() -> None:
    assert built("a", "b") == built("a", "b")


def test_the_boundary_follows_the_message_id_and_no_text_can_hold_it() -> None:
    assert boundary_for("<a@b>") != boundary_for("<c@b>")
    assert boundary_for("<a@b>").startswith(b"=_")
    assert built(boundary_for(MESSAGE_ID).decode(), "").count(boundary_for(MESSAGE_ID)) == 4
