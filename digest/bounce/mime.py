"""A stranger's message taken apart within limits: size, line length, parts, depth.

The standard library's parser does the work; what it raises on broken mail, and what would keep it
busy for minutes, stops here. Knows nothing of bounces. Called by the readers beside it.
"""

from __future__ import annotations

import codecs
import re
from binascii import a2b_base64, a2b_qp
from collections.abc import Callable, Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from html import unescape

from digest.text import clean

#: what is read of a message; a report's own parts come before the message that it returns
MESSAGE_BYTES_MAX = 256 * 1024
#: RFC 5322 allows 998; time in many patterns grows with the square of a line
_LINE_BYTES_MAX = 1_000
_FOLDS_MAX = 40
#: every level of nesting needs a Content-Type somewhere; real reports have fewer than ten
_PARTS_MAX = 60
_TEXT_MAX = 64 * 1024
_TAG = re.compile(r"<[^<>]{0,500}>")
#: they run what a stranger wrote as Python's escapes
_NO_CHARSETS = ("unicode-escape", "raw-unicode-escape")
#: what the standard library is known to raise on broken mail
BROKEN_MAIL = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    RecursionError,
    MessageError,
)


class Unreadable(Exception):
    """This is no message that can be taken apart; the text says why."""


def tame(
    raw: bytes, *, bytes_max: int = MESSAGE_BYTES_MAX, line_max: int = _LINE_BYTES_MAX
) -> bytes:
    """The beginning of a message with bounded lines and folds, its line ends all LF."""
    lines = []
    folds = 0
    for line in raw[:bytes_max].splitlines():
        folds = folds + 1 if line[:1] in (b" ", b"\t") else 0
        if folds <= _FOLDS_MAX:
            lines.append(line[:line_max])
    return b"\n".join(lines) + b"\n"


def parse_message(tamed: bytes) -> Message:
    """The message in a tamed text. Raises Unreadable."""
    if tamed.lower().count(b"content-type") > _PARTS_MAX:
        raise Unreadable(f"it has more than {_PARTS_MAX} parts")
    try:
        message = message_from_bytes(tamed)
        # what is wrong with the structure shows when it is walked
        list(message.walk())
    except BROKEN_MAIL as error:
        raise Unreadable(f"its structure is broken: {type(error).__name__}") from error
    return message


def own_parts(message: Message) -> Iterator[Message]:
    """The parts of a message in order, without those of messages that it carries."""
    yield message
    if message.get_content_maintype() == "multipart" and message.is_multipart():
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from own_parts(part)


def decoded(part: Message) -> bytes:
    """What an encoded part says, tamed; empty when it is not encoded.

    A message within a message must not be encoded (RFC 2046 §5.2.1), and by some servers it is;
    the standard library leaves such a one as it stands.
    """
    decode = _DECODERS.get(header(part, "content-transfer-encoding").lower())
    if decode is None:
        return b""
    payload = part.get_payload()
    inner = payload if isinstance(payload, list) else [payload]
    texts = (one.as_bytes() if isinstance(one, Message) else str(one).encode() for one in inner)
    try:
        return tame(decode(b"\n".join(texts)))
    except BROKEN_MAIL:
        return b""


def _decode_base64(text: bytes) -> bytes:
    letters = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
    # of a report that was cut off the last group may be missing
    return a2b_base64(letters[: len(letters) // 4 * 4])


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "base64": _decode_base64,
    "quoted-printable": lambda text: a2b_qp(text),
}


def header(message: Message, name: str) -> str:
    """The first header of that name as one clean line; empty when there is none."""
    return next(iter(headers(message, name)), "")


def headers(message: Message, name: str) -> list[str]:
    """All headers of that name (in lower case), each as one clean line."""
    return [_line(value) for found, value in message.raw_items() if found.lower() == name]


def header_items(message: Message) -> Iterator[tuple[str, str]]:
    """All headers in order: the name in lower case, the value as one clean line."""
    return ((name.lower(), _line(value)) for name, value in message.raw_items())


def _line(value: object) -> str:
    """A header's value; what was raw UTF-8 in it is read as such."""
    return clean(str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def subject_of(message: Message) -> str:
    """The subject with its encoded words decoded."""
    raw = header(message, "subject")
    try:
        return clean(str(make_header(decode_header(raw))))
    except BROKEN_MAIL:
        return raw


def text_of(part: Message) -> str:
    """The text of a part, decoded, tags taken out; empty for what is not text."""
    if part.get_content_maintype() != "text" or part.is_multipart():
        return ""
    try:
        content = part.get_payload(decode=True)
        charset = part.get_content_charset("utf-8")
    except BROKEN_MAIL:
        return ""
    if not isinstance(content, bytes):
        return ""
    text = _decode(content[:_TEXT_MAX], charset)
    return unescape(_TAG.sub(" ", text)) if part.get_content_subtype() == "html" else text


def _decode(content: bytes, charset: str) -> str:
    try:
        if codecs.lookup(charset).name not in _NO_CHARSETS:
            return content.decode(charset, "replace")
    except (LookupError, ValueError):
        pass  # a charset that does not exist, or one that is none: base64, rot13
    return content.decode("utf-8", "replace")
