"""Replies of a server are read as sent, however they are cut, and nonsense is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ParseError
from digest.mail.replies import LINE_OCTETS_MAX, LINES_MAX, Reply, ReplyReader

codes = st.integers(200, 599)
texts = st.binary(max_size=60).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b""))
replies = st.builds(Reply, codes, st.lists(texts, min_size=1, max_size=6).map(tuple))


def encode(reply: Reply) -> bytes:
    *first, last = reply.lines
    return b"".join(b"%d-%s\r\n" % (reply.code, line) for line in first) + b"%d %s\r\n" % (
        reply.code,
        last,
    )


def read_all(reader: ReplyReader) -> list[Reply]:
    found = []
    while (reply := reader.next_reply()) is not None:
        found.append(reply)
    return found


@settings(deadline=None)
@given(st.lists(replies, max_size=5), st.data())
def test_replies_are_the_same_however_the_stream_is_cut(
    sent: list[Reply], data: st.DataObject
) -> None:
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    reader, found = ReplyReader(), []

    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.feed(stream[start:end])
        found += read_all(reader)

    assert found == sent
    assert reader.is_empty


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=20))
def test_any_bytes_give_replies_or_a_parse_error(pieces: list[bytes]) -> None:
    reader = ReplyReader()

    try:
        for piece in pieces:
            reader.feed(piece)
            for reply in read_all(reader):
                assert 200 <= reply.code < 600
                assert reply.text.isprintable()
    except ParseError as error:
        assert str(error).isprintable()


def test_a_bare_line_feed_ends_a_line_too() -> None:
    reader = ReplyReader()

    reader.feed(b"250-a\n250 b\n")

    assert reader.next_reply() == Reply(250, (b"a", b"b"))


def test_a_code_alone_is_a_reply() -> None:
    reader = ReplyReader()

    reader.feed(b"250\r\n354\r\n")

    assert [reply.code for reply in read_all(reader)] == [250, 354]


@pytest.mark.parametrize(
    "stream",
    [
        b"hello\r\n",
        b"25\r\n",
        b"2x0 no\r\n",
        b"150 too small\r\n",
        b"+25 sign\r\n",
        b"600 too big\r\n",
        b"250_ mark\r\n",
        b"250-a\r\n251 b\r\n",
        "２５０ wide\r\n".encode(),
        b"\r\n",
        b"2" * (LINE_OCTETS_MAX + 1),
        b"250 " + b"x" * LINE_OCTETS_MAX + b"\r\n",
        b"250-x\r\n" * (LINES_MAX + 1),
    ],
)
def test_what_is_no_reply_is_refused(stream: bytes) -> None:
    reader = ReplyReader()
    reader.feed(stream)

    with pytest.raises(ParseError):
        read_all(reader)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"5.1.1 unknown", "5.1.1"),
        (b"5.7.515 denied", "5.7.515"),
        (b"5.1.1", "5.1.1"),
        (b"4.2.2 other class", None),
        (b"5.1 two numbers", None),
        (b"5.1.1.1 an address", None),
        (b"5.1.1234 too long", None),
        (b"unknown 5.1.1", None),
    ],
)
def test_the_status_code_is_read_where_it_can_be_believed(line: bytes, status: str | None) -> None:
    assert Reply(550, (line,)).status == status


def test_the_text_is_one_short_printable_line() -> None:
    reply = Reply(550, (b"5.1.1 no\x1b[31m such", b"\xff user\t\x00 here" + b"x" * 4000))

    assert reply.text.startswith("5.1.1 no [31m such \ufffd user here")
    assert reply.text.isprintable()
    assert len(reply.text) <= 400
