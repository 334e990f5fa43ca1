"""Header lines as bytes: cleaned, encoded where they must be, folded where they may be.

RFC 5322 for the form, RFC 2047 for words that are not ASCII. Lines with links are never folded or
encoded: the standard library does both to a long List-Unsubscribe, and one-click dies of it.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote

from digest.addresses import parse_address
from digest.errors import BadInput
from digest.text import clean

#: RFC 5322 §2.1.1: a line may have that many octets, without its CRLF
LINE_OCTETS_MAX = 998
_FOLD_AT = 76
#: RFC 2047 §2: an encoded word has at most 75 octets; these are left for its text
_WORD_OCTETS = 75 - len("=?utf-8?q??=")
_PLAIN_IN_WORD = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
#: what needs no further thought, nearly all of them
_PLAIN_ADDRESS = re.compile(
    r"[a-zA-Z0-9_+-]+(?:\.[a-zA-Z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}"
)
_PLAIN_ADDRESS_MAX = 63
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split()
_SENDER_LEAST, _SENDER_MOST = 5, 15
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


@lru_cache(maxsize=2_048)
def text_line(name: str, text: str) -> bytes:
    """A line of free text, e.g. Subject; what strangers wrote is cleaned, never refused."""
    text = clean(text)
    if text.isascii() and "=?" not in text:
        return _fold(f"{name}:", text.split(" "))
    return _fold(f"{name}:", encoded_words(text, first=_FOLD_AT - len(name) - 2))


def raw_line(name: str, value: str) -> bytes:
    """A line written as it is, unfolded: links, ids, fixed words.

    Raises BadInput when the value could end the line or is too long: settings make these values.
    """
    line = f"{name}: {value}"
    if not (line.isascii() and line.isprintable()):
        raise BadInput(f"the mail header {name} would hold a line break or a non-ASCII character")
    if len(line) > LINE_OCTETS_MAX:
        raise BadInput(f"the mail header {name} would be longer than {LINE_OCTETS_MAX} octets")
    return f"{line}\r\n".encode("ascii")


def address_line(name: str, address: str, display: str = "") -> bytes:
    """`Name: "display" <address>`; the domain in ASCII, the name encoded when it must be.

    Raises BadInput for what is no address. A local part that is not ASCII stays as it is: such a
    message needs SMTPUTF8 (RFC 6532).
    """
    mailbox = ascii_domain(address)
    display = clean(display)
    if not display:
        return f"{name}: {mailbox}\r\n".encode()
    words = _phrase(display, first=_FOLD_AT - len(name) - 2)
    return _fold(f"{name}:", [*words, f"<{mailbox}>"])


def list_id_line(display: str, identifier: str) -> bytes:
    """List-Id (RFC 2919): a phrase and the identifier in angle brackets."""
    return _fold("List-Id:", [*_phrase(clean(display), first=60), f"<{identifier}>"])


def date_line(moment: datetime) -> bytes:
    """Date, in UTC and whatever the locale."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return (
        f"Date: {day}, {moment.day:02d} {month} {moment.year:04d} "
        f"{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d} +0000\r\n"
    ).encode()


def ascii_domain(address: str) -> str:
    """The address with its domain in ASCII. Raises BadInput for what is no address."""
    if _PLAIN_ADDRESS.fullmatch(address) and len(address) <= _PLAIN_ADDRESS_MAX:
        return address
    parsed = parse_address(address)
    return f"{parsed.local}@{parsed.domain}"


def mailto(address: str) -> str:
    """The link to write to an address (RFC 6068): what would end it or begin a query is escaped.

    Raises BadInput for what is no address.
    """
    return f"mailto:{quote(ascii_domain(address), safe='@+!$*=')}"


def feedback_sender(domain: str) -> str:
    """Who sends, as the last field of Feedback-ID says it: the domain in 5 to 15 characters.

    Source: Gmail's feedback loop passes over a Feedback-ID whose sender is shorter or longer.
    """
    name = domain.replace(".", "-")
    if len(name) < _SENDER_LEAST:
        name += "-digest"
    return name[:_SENDER_MOST].rstrip("-")


def encoded_words(text: str, *, first: int) -> list[str]:
    """The text as RFC 2047 words in UTF-8 and Q, none with half a character.

    The first has at most `first` octets, if that leaves room, since it follows the header's name.
    """
    words: list[str] = []
    room = max(min(_WORD_OCTETS, first - 12), 12)
    word = ""
    for char in text:
        code = _q(char)
        if len(word) + len(code) > room:
            words.append(f"=?utf-8?q?{word}?=")
            word, room = "", _WORD_OCTETS
        word += code
    words.append(f"=?utf-8?q?{word}?=")
    return words


def _q(char: str) -> str:
    """One character in the Q encoding that is allowed everywhere (RFC 2047 §5 (3))."""
    if char == " ":
        return "_"
    data = char.encode()
    if data[0] in _PLAIN_IN_WORD:
        return char
    return "".join(f"={octet:02X}" for octet in data)


def _phrase(display: str, *, first: int) -> list[str]:
    """A display name as words: atoms, a quoted string, or encoded words."""
    if not display.isascii() or "=?" in display:
        return encoded_words(display, first=first)
    if _ATOMS.fullmatch(display):
        return display.split(" ")
    quoted = display.replace("\\", "\\\\").replace('"', '\\"')
    return [f'"{quoted}"']


def _fold(start: str, words: list[str]) -> bytes:
    """The words after `start`, broken before words that would pass column 76 (RFC 5322 §2.2.3)."""
    lines, line = [], start
    for word in words:
        if len(line) + 1 + len(word) > _FOLD_AT and line != start and line.strip():
            lines.append(line)
            line = ""
        while len(word) > LINE_OCTETS_MAX - 80:
            lines.append(f"{line} {word[: LINE_OCTETS_MAX - 80]}")
            line, word = "", word[LINE_OCTETS_MAX - 80 :]
        line += f" {word}"
    lines.append(line)
    return ("\r\n".join(lines) + "\r\n").encode()
