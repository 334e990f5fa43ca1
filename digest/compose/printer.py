"""Letters as encoded parts: from fragments when the templates allow it, else rendered whole.

The two ways give the same bytes. Whether an operator's templates allow fragments is tried once, on
letters that have everything a letter can have; templates that do not (an item that knows its
number in the loop, say) still work, at a tenth of the speed, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date

from digest.compose.fragments import Assembler, NotAssembled
from digest.compose.pages import Kind, Letter, Pages, Placed
from digest.compose.quoted import encode, without_marks
from digest.compose.regions import mark_items, without_regions
from digest.compose.view import OwnView, Shared, reason_view
from digest.model import Section, Site, Wording
from digest.templates import Templates

log = logging.getLogger(__name__)


class Printer:
    """Turns letters into the parts of a message."""

    def __init__(self, site: Site, templates: Templates) -> None:
        self._pages = Pages(site, templates.wrapped(mark_items))
        self._assemblers: dict[Kind, Assembler | None] = {}

    def read(self, kind: Kind, letter: Letter) -> str:
        """The part as its reader gets it."""
        return without_marks(without_regions(self._pages.whole(kind, letter)))

    def prepare(self, on: date, items: Sequence[Shared]) -> None:
        """Have these items at hand for both parts of letters of that day."""
        for kind in Kind:
            if (assembler := self._assembler(kind)) is not None:
                try:
                    assembler.prepare(on, items)
                except NotAssembled as error:
                    log.warning("an edition.%s is rendered whole: %s", kind, error)

    def encode(self, kind: Kind, letter: Letter) -> Sequence[bytes]:
        """The part in quoted-printable pieces, to be joined."""
        assembler = self._assembler(kind)
        if assembler is not None:
            try:
                return assembler.assemble(letter)
            except NotAssembled as error:
                log.warning("an edition.%s is rendered whole: %s", kind, error)
        return (self.encode_whole(kind, letter),)

    def encode_whole(self, kind: Kind, letter: Letter) -> bytes:
        """The part rendered whole and then encoded: the measure for encode()."""
        return encode(without_regions(self._pages.whole(kind, letter)))

    def _assembler(self, kind: Kind) -> Assembler | None:
        if kind not in self._assemblers:
            self._assemblers[kind] = self._find_assembler(kind)
        return self._assemblers[kind]

    def _find_assembler(self, kind: Kind) -> Assembler | None:
        """An assembler, when its pages are what the templates say."""
        assembler = Assembler(kind, self._pages)
        try:
            for letter in _trial_letters():
                if b"".join(assembler.assemble(letter)) != self.encode_whole(kind, letter):
                    raise NotAssembled("an item looks different beside other items or readers")
        except NotAssembled as error:
            log.warning(
                "email/edition.%s is rendered whole for each reader, which is slow: %s", kind, error
            )
            return None
        return assembler


def _trial_letters() -> list[Letter]:
    """Letters in which every slot, list and shape comes up, with text that needs escaping."""
    picks = tuple(_trial_item(Section.PICK, n) for n in range(1, 5))
    rising = tuple(_trial_item(Section.RISING, n) for n in range(1, 4))
    return [
        _trial_letter(picks, rising, note="", left_out=0),
        # the same items on another day
        _trial_letter(
            picks[1:2], (), note="“A” & 'b' < \"c\"\u00a0= 100%", left_out=2, on=date(2026, 3, 13)
        ),
        _trial_letter((), rising[:1], note="", left_out=0),
        _trial_letter((), (), note="Nothing", left_out=0),
    ]


def _trial_item(section: Section, number: int) -> Placed:
    wording = Wording(
        key=f"arxiv:2401.0000{number}",
        title=f"Trial {number}: <think> & “quotes” = 100% 稀疏注意力",
        abstract="One sentence. " * 30,
        authors=("Ada", "Grace", "Alan", "Emmy", "Sofja")[: number + 1],
        categories=(),
        url="https://example.org/?a=1&b=2",
        organization="R&D" if number % 2 else None,
        pdf_url="https://example.org/pdf" if number > 1 else None,
        code_url="https://example.org/code" if number > 2 else None,
    )
    own = OwnView(
        reasons=(
            reason_view("your 'own' & \"interest\"", f"<a> & “b” {number}"),
            reason_view("2× 'usual' & \"more\" " * 5, ""),
        )[: number - 1],
        shape=(True, False)[: number - 1],
    )
    votes = reason_view("12 votes in 3 h, 2× <usual> & 'more'", "")
    shared = Shared(
        wording=wording,
        section=section,
        comments=number,
        stars=None,
        level=0,
        shape=own.shape,
        fact=votes if number % 2 else None,
    )
    return Placed(shared=shared, position=number * 7, own=own)


def _trial_letter(
    items: tuple[Placed, ...],
    rising: tuple[Placed, ...],
    *,
    note: str,
    left_out: int,
    on: date = date(2026, 3, 12),
) -> Letter:
    return Letter(
        on=on,
        subject="A & B < \"C\" 'D': 2 papers for Thursday",
        summary="4 of 12 papers, picked for <you> & 'yours' " * 3,
        preheader="One & \"two\" · 'three'",
        note=note,
        items=items,
        rising=rising,
        left_out=left_out,
        web_url="https://example.org/edition/" + "x" * 90,
        preferences_url="https://example.org/preferences/y?a=1&b=2",
        unsubscribe_url="https://example.org/unsubscribe/z",
        feedback_url="https://example.org/feedback/t",
    )
