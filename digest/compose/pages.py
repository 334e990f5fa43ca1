"""One edition's mail as two texts, rendered whole by the templates: the plain way to make it.

Fills the names that templates may use (docs/templates.md). Personal values go in as slots
(quoted.py), so that a page encoded whole and one assembled from fragments are the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from digest.columns import wrap
from digest.compose.links import vote_query
from digest.compose.quoted import slot
from digest.compose.view import ItemView, OwnView, PageView, Personal, ReasonView, Shared, item_view
from digest.compose.why_line import why_text
from digest.model import Site
from digest.templates import Templates

#: columns of the text part
COLUMNS = 72


class Kind(StrEnum):
    """One of a message's two parts; the value ends the names of its templates."""

    TEXT = "txt"
    HTML = "html"


class Placed(NamedTuple):
    """An item at its place in one edition; a tuple, for twenty are made for each message."""

    shared: Shared
    position: int
    own: OwnView


class Letter(NamedTuple):
    """All that one edition's mail says, in plain values; a tuple, for each message has one."""

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
    """Renders the parts of letters."""

    def __init__(self, site: Site, templates: Templates) -> None:
        self._site = site
        self._templates = templates

    def whole(self, kind: Kind, letter: Letter) -> str:
        """A letter's part with its personal values in slots."""

        def views(placed: Sequence[Placed]) -> list[ItemView]:
            return [item_view(p.shared, _personal(p, letter.feedback_url)) for p in placed]

        return self.render(
            kind, _page_view(kind, letter), views(letter.items), views(letter.rising)
        )

    def render(
        self, kind: Kind, page: PageView, items: Sequence[ItemView], rising: Sequence[ItemView]
    ) -> str:
        """The part's template filled in, and its CSS inlined."""
        context = {"site": self._site, "page": page, "items": items, "rising": rising}
        text = self._templates.render(f"email/edition.{kind}", context)
        return self._templates.inline(text) if kind is Kind.HTML else text


def position_text(position: int) -> str:
    """A pick's number, right-aligned."""
    return f"{position:>2}"


def fit(kind: Kind, text: str) -> str:
    """A line of the letter as its part needs it: broken into columns in the text part."""
    return wrap(text, COLUMNS) if kind is Kind.TEXT else text


def _personal(placed: Placed, feedback_url: str) -> Personal:
    """One reader's values for an item, in slots."""
    shared, own = placed.shared, placed.own.reasons
    slots = [ReasonView(lead=slot(r.lead), subject=r.subject and slot(r.subject)) for r in own]
    return Personal(
        position=slot(position_text(placed.position)),
        reasons=shared.why_line(tuple(slots)),
        why=slot(why_text(shared.why_line(own))),
        more_url=slot(feedback_url, vote_query(placed.position, "up")),
        less_url=slot(feedback_url, vote_query(placed.position, "down")),
    )


def _page_view(kind: Kind, letter: Letter) -> PageView:
    """The letter's own values in slots."""
    return PageView(
        subject=slot(letter.subject),
        on=letter.on,
        summary=slot(fit(kind, letter.summary)),
        preheader=slot(letter.preheader),
        note=slot(fit(kind, letter.note)) if letter.note else "",
        left_out=letter.left_out,
        web_url=slot(letter.web_url),
        preferences_url=slot(letter.preferences_url),
        unsubscribe_url=slot(letter.unsubscribe_url),
    )
