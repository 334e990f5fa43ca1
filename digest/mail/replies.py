"""Reads what an SMTP server says: bytes in, replies out. No sockets, no meaning.

A reply is one code and one or more lines (RFC 5321 §4.2). A server is not trusted: a line or a
reply without end, or anything that is no reply, is a ParseError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from digest.errors import ParseError

#: RFC 5321 §4.5.3.1.5 allows 512 octets; some servers are more talkative
LINE_OCTETS_MAX = 2048
#: an EHLO answer has about 15 lines, a long-winded refusal about as many
LINES_MAX = 128
#: what is kept of a server's words
TEXT_CHARS_MAX = 400

_STATUS = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_CODES = frozenset(range(200, 600))


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a server."""

    code: int
    #: the text of each line, without its code; never empty
    lines: tuple[bytes, ...]

    @property
    def is_positive(self) -> bool:
        """The command was done (2xx)."""
        return 200 <= self.code < 300

    @property
    def status(self) -> str | None:
        """The enhanced status code (RFC 3463), e.g. "5.1.1"; None when there is none.

        One whose class contradicts the code is not believed.
        """
        found = _STATUS.match(self.lines[0])
        if found is None or found[1] != b"%d" % (self.code // 100):
            return None
        return found[0].decode("ascii")

    @property
    def text(self) -> str:
        """All lines as one, printable, the status code included."""
        words = b" ".join(self.lines).decode("utf-8", "replace")
        if not words.isprintable():
            words = "".join(char if char.isprintable() else " " for char in words)
        return " ".join(words.split())[:TEXT_CHARS_MAX]

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class ReplyReader:
    """Cuts a stream of bytes into replies."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[bytes] = []
        self._code = 0

    @property
    def is_empty(self) -> bool:
        """Nothing has been received that is not yet read."""
        return not self._buffer and not self._lines

    def feed(self, data: bytes) -> None:
        """Take in what the server sent."""
        self._buffer = self._buffer + data if self._buffer else data

    def next_reply(self) -> Reply | None:
        """The next whole reply; None until more is fed. Raises ParseError."""
        while True:
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > LINE_OCTETS_MAX:
                    raise ParseError("the server sends a line without end")
                return None
            line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            if (reply := self._take_line(line.removesuffix(b"\r"))) is not None:
                return reply

    def _take_line(self, line: bytes) -> Reply | None:
        """Add a line; the reply that it ends, if it does."""
        digits, mark, text = line[:3], line[3:4], line[4:]
        code = int(digits) if len(digits) == 3 and digits.isdigit() else 0
        if code not in _CODES or mark not in (b"", b" ", b"-") or len(line) > LINE_OCTETS_MAX:
            raise ParseError(f"the server sends what is no SMTP reply: {ascii_start(line)}")
        if self._lines and code != self._code:
            raise ParseError(f"a reply of the server begins as {self._code} and goes on as {code}")
        if mark != b"-":
            lines, self._lines = (*self._lines, text), []
            return Reply(code, lines)
        if len(self._lines) >= LINES_MAX:
            raise ParseError(f"the server sends a reply of more than {LINES_MAX} lines")
        self._lines.append(text)
        self._code = code
        return None


def ascii_start(line: bytes) -> str:
    """The beginning of what was received, safe to show."""
    return ascii(line[:40].decode("latin-1"))
