"""The why-line of the text part: how reasons stand on its lines, and the same put together encoded.

A reader's own reasons are encoded once, and so is what an item says to everybody; each mail joins
the two. Used by pages.py, which gives the text, and fragments.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from digest.columns import wrap
from digest.compose.quoted import OCTETS_MAX, encode_piece, encode_within
from digest.compose.view import OwnView, ReasonView

#: where its lines begin, and how many columns they have
_INDENT = len("    Why: ")
_COLUMNS = 72 - _INDENT
#: what stands between two reasons on a line, and where a line of them ends
_BETWEEN = " · "
_BREAK = _BETWEEN.rstrip() + "\n" + " " * _INDENT
#: octets of the second on the line that ends
_END_OCTETS = encode_within(_BREAK).index(b"\r\n")
#: under which a reader's own reasons keep theirs, see OwnView.encoded
_KEY = "why"


def why_lines(reasons: Sequence[ReasonView]) -> list[list[ReasonView]]:
    """The reasons line by line: what does not fit beside others goes below."""
    lines: list[list[ReasonView]] = []
    left = 0
    for reason in reasons:
        # the dot behind a reason stays on its line
        if lines and reason.columns + len(_BETWEEN) <= left:
            lines[-1].append(reason)
            left -= reason.columns + len(_BETWEEN)
        else:
            lines.append([reason])
            left = _COLUMNS - reason.columns - len(_BETWEEN.rstrip())
    return lines


def why_text(reasons: Sequence[ReasonView]) -> str:
    """The line as text: subjects between asterisks, parts joined by a middle dot."""
    return _lay_out(why_lines(reasons))


def _lay_out(lines: Sequence[Sequence[ReasonView]]) -> str:
    """Those lines of reasons as one text."""
    texts = [_BETWEEN.join([reason.text for reason in line]) for line in lines]
    return _BREAK.join([wrap(text, _COLUMNS, indent=_INDENT) for text in texts])


class Fact(NamedTuple):
    """What an item says to everybody, encoded."""

    #: as the whole line, behind a reader's own reasons on their line, and on the next line
    alone: bytes
    beside: bytes
    below: bytes
    #: that it takes beside others
    columns: int


class OwnLine(NamedTuple):
    """A line of a reader's own reasons, encoded."""

    text: bytes
    #: columns left on its last line
    left: int
    #: octets that may be added as they are: on its last line, and with a new one
    beside_max: int
    below_max: int


def encode_fact(reason: ReasonView) -> Fact:
    """What an item says to everybody, in all ways in which it can stand."""
    return Fact(
        alone=encode_piece(why_text((reason,))),
        beside=encode_within(_BETWEEN + reason.text),
        below=encode_within(_BREAK + wrap(reason.text, _COLUMNS, indent=_INDENT)),
        columns=len(_BETWEEN) + reason.columns,
    )


def join_why(own: OwnView, fact: Fact) -> bytes | None:
    """Encoded why_text of a reader's own reasons and the fact; None when joining is not enough."""
    if not own.reasons:
        return fact.alone
    line = own.encoded.get(_KEY) or _encode_own(own)
    if fact.columns <= line.left:
        return line.text + fact.beside if len(fact.beside) <= line.beside_max else None
    return line.text + fact.below if len(fact.below) <= line.below_max else None


def _encode_own(own: OwnView) -> OwnLine:
    """A reader's own reasons as a line; kept with them."""
    lines = why_lines(own.reasons)
    text = encode_piece(_lay_out(lines))
    columns = sum([len(_BETWEEN) + reason.columns for reason in lines[-1]])
    # its beginning is escaped only when there is more than one line
    stays = not text.startswith(b"From ")
    room = OCTETS_MAX - len(text) + text.rfind(b"\n") if stays else -1
    has_end = room >= _END_OCTETS
    line = own.encoded[_KEY] = OwnLine(
        text=text,
        # what ends a line is shorter than what stands within
        left=_COLUMNS - columns + len(_BETWEEN) - len(_BETWEEN.rstrip()),
        beside_max=room,
        below_max=OCTETS_MAX - 1 + _END_OCTETS + len(b"\r\n") if has_end else -1,
    )
    return line
