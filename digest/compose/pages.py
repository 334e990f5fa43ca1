"""One edition's mail as two texts, rendered whole by the templates: the plain way to make it.

Fills the names that templates may use (docs/templates.md). Personal values go in as slots
(quoted.py), so that a page encoded whole and one assembled from fragments are the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from digest.columns import wrap
from digest.compose.links import vote_query
from digest.compose.quoted import slot
from digest.compose.view import (
    PageView,
    Personal,
    ReasonView,
    Shared,
    item_view,
    why_text,
)
from digest.model import Site
from digest.templates import Templates

#: columns of the text part, and where its why-lines begin
COLUMNS = 72
WHY_INDENT = len("    Why: ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An item at its place in one edition."""

    shared: Shared
    position: int
    reasons: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """All that one edition's mail says, in plain values."""

    on: date
    subject: str
    summary: str
    preheader: str
    note: str
    items: tuple[Placed, ...]
    rising: tuple[Placed, ...]
    #: picks that did not fit
    left_out: int
    web_url: str
    preferences_url: str
    unsubscribe_url: str
    feedback_url: str


class Pages:
    """Renders text and HTML of letters."""

    def __init__(self, site: Site, templates: Templates) -> None:
        self._site = site
        self._templates = templates

    def text(self, letter: Letter) -> str:
        """The text part, personal values in slots."""
        page = _page_view(letter, columns=COLUMNS)
        return self._templates.render("email/edition.txt", self._context(letter, page))

    def html(self, letter: Letter) -> str:
        """The HTML part, its CSS inlined, personal values in slots."""
        page = _page_view(letter, columns=None)
        html = self._templates.render("email/edition.html", self._context(letter, page))
        return self._templates.inline(html)

    def _context(self, letter: Letter, page: PageView) -> dict[str, object]:
        def views(placed: Sequence[Placed]) -> list[object]:
            return [item_view(p.shared, _personal(p, letter.feedback_url)) for p in placed]

        return {
            "site": self._site,
            "page": page,
            "items": views(letter.items),
            "rising": views(letter.rising),
        }


def _personal(placed: Placed, feedback_url: str) -> Personal:
    """One reader's values for an item, in slots."""
    return Personal(
        position=slot(str(placed.position)),
        reasons=tuple(
            ReasonView(lead=slot(r.lead), subject=slot(r.subject) if r.subject else "")
            for r in placed.reasons
        ),
        why=slot(why_text(placed.reasons, COLUMNS - WHY_INDENT, WHY_INDENT)),
        more_url=slot(feedback_url, vote_query(placed.position, "up")),
        less_url=slot(feedback_url, vote_query(placed.position, "down")),
    )


def _page_view(letter: Letter, *, columns: int | None) -> PageView:
    """The letter's own values in slots, long lines broken when there are columns to keep to."""

    def fit(text: str) -> str:
        return slot(wrap(text, columns) if columns else text)

    return PageView(
        subject=fit(letter.subject),
        on=letter.on,
        summary=fit(letter.summary),
        preheader=fit(letter.preheader),
        note=fit(letter.note) if letter.note else "",
        left_out=letter.left_out,
        web_url=slot(letter.web_url),
        preferences_url=slot(letter.preferences_url),
        unsubscribe_url=slot(letter.unsubscribe_url),
    )
