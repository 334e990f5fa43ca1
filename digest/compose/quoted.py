"""Quoted-printable (RFC 2045 §6.7) in pieces, so that what all messages share is encoded once.

A template's personal values are its slots, marked by noncharacters that no cleaned text can hold
(digest/text.py strips them). Every slot stands on encoded lines of its own, between soft breaks
that a reader's program takes out again; so a piece's encoding never depends on its neighbours.
"""

from __future__ import annotations

import binascii
import re

#: around a slot; within one, JOINT parts what is encoded apart
OPEN, CLOSE, JOINT = "\ufdd0", "\ufdd1", "\ufdd2"
SOFT_BREAK = b"=\r\n"
#: RFC 2045 §6.7 (5): an encoded line, the sign of its soft break included
OCTETS_MAX = 76

_SLOT = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
_MARKS = re.compile(f"[{OPEN}{CLOSE}{JOINT}]")
_FROM = re.compile("^From ", re.MULTILINE)
_DOT = re.compile(r"^\.", re.MULTILINE)
#: one octet as it is written in quoted-printable
_OCTET = re.compile(rb"=[0-9A-F]{2}|[^=]")
#: control characters, so never in a cleaned text, that stand for an F and for a dot
_F, _STOP = "\x01", "\x02"


def slot(*parts: str) -> str:
    """The parts as one slot. None may be empty, or begin or end with a line break."""
    return f"{OPEN}{JOINT.join(parts)}{CLOSE}"


def without_marks(text: str) -> str:
    """The text as it is read."""
    return _MARKS.sub("", text)


def encode_piece(text: str) -> bytes:
    """One piece, from the start of an encoded line on; ends without a line break of its own.

    Lines of at most 76 octets; CRLF; a dot and `From ` at a line's start are escaped, since old
    mail programs change them; and without dots a message needs no stuffing on the wire.
    """
    if text.startswith("."):
        text = _STOP + text[1:]
    if "\n" not in text:
        encoded = binascii.b2a_qp(text.encode())
        if encoded.startswith(b"=02"):
            encoded = b"=2E" + encoded[3:]
        if len(encoded) < OCTETS_MAX:
            return encoded
        # without a line to learn from, b2a_qp breaks lines with a bare LF
        return _finish(encoded.replace(b"\n", b"\r\n"))
    if "From " in text:
        text = _FROM.sub(f"{_F}rom ", text)
    if "\n." in text:
        text = _DOT.sub(_STOP, text)
    encoded = binascii.b2a_qp(text.encode().replace(b"\n", b"\r\n"))
    return _finish(encoded.replace(b"=01rom ", b"=46rom ").replace(b"=02", b"=2E"))


def encode_within(text: str) -> bytes:
    """A short text that stands within a line: before and behind it there is more."""
    return encode_piece(f"-{text}-")[1:-1]


def _finish(encoded: bytes) -> bytes:
    return _shorten_last(_break_anew(encoded) if b"\n." in encoded else encoded)


def _break_anew(encoded: bytes) -> bytes:
    """Break those lines otherwise that a soft break has made begin with a dot."""
    lines = []
    for line in encoded.replace(SOFT_BREAK, b"").split(b"\r\n"):
        broken = [b""]
        for octet in _OCTET.findall(line):
            # room for the sign of a soft break
            if len(broken[-1]) + len(octet) >= OCTETS_MAX:
                broken.append(b"")
                octet = b"=2E" if octet == b"." else octet
            broken[-1] += octet
        lines.append(SOFT_BREAK.join(broken))
    return b"\r\n".join(lines)


def _shorten_last(encoded: bytes) -> bytes:
    """Leave room for a soft break on the last line, which b2a_qp may have filled."""
    if len(encoded) - encoded.rfind(b"\n") - 1 < OCTETS_MAX:
        return encoded
    at = -3 if encoded[-3:-2] == b"=" else -1
    last = b"=2E" if encoded[at:] == b"." else encoded[at:]
    return encoded[:at] + SOFT_BREAK + last


def split_slots(text: str) -> tuple[list[str], list[str]]:
    """Literal texts and slots between them; there is one more literal than slots."""
    parts = _SLOT.split(text)
    return parts[::2], parts[1::2]


def encode_literals(literals: list[str]) -> list[bytes]:
    """Each literal with the soft breaks that part it from the slots beside it."""
    last = len(literals) - 1
    encoded = []
    for at, literal in enumerate(literals):
        data = encode_piece(literal)
        if at > 0 and not literal.startswith("\n"):
            data = SOFT_BREAK + data
        if at < last and literal and not literal.endswith("\n"):
            data += SOFT_BREAK
        encoded.append(data)
    return encoded


def encode_slot(content: str) -> bytes:
    """What stands between OPEN and CLOSE."""
    return SOFT_BREAK.join(map(encode_piece, content.split(JOINT)))


def encode(text: str) -> bytes:
    """A whole text with its slots."""
    literals, slots = split_slots(text)
    encoded = encode_literals(literals)
    for at, content in enumerate(slots):
        encoded[at] += encode_slot(content)
    return b"".join(encoded)
