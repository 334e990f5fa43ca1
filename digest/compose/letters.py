"""From an edition to its letter: which words stand where, before any template sees them.

Subject, summary and preheader are here; what an item says is view.py's.
"""

from __future__ import annotations

from collections.abc import Sequence

from digest.columns import cut
from digest.compose.links import Links
from digest.compose.pages import Letter, Placed
from digest.compose.view import Shared, reason_views, shown_title
from digest.model import Edition, Entry, Section, Site
from digest.templates import Templates
from digest.text import clean

#: characters of the preheader: what a mail program shows beside the subject
PREHEADER_MAX = 100
_PREHEADER_TITLES = 3


class LetterWriter:
    """Writes letters for one site."""

    def __init__(self, site: Site, links: Links, templates: Templates) -> None:
        self._site = site
        self._links = links
        self._templates = templates

    def write(self, edition: Edition, *, level: int, items_max: int | None = None) -> Letter:
        """The edition's letter; `level` shortens abstracts, `items_max` leaves picks out."""
        entries = edition.entries[:items_max]
        leading = edition.entries or edition.rising
        titles = [shown_title(entry.wording) for entry in leading[: _PREHEADER_TITLES + 1]]
        links = self._links
        return Letter(
            on=edition.local_on,
            subject=self.subject(edition, titles),
            summary=self._line("email/_summary.txt", edition, titles),
            preheader=preheader(titles),
            note=clean(edition.note or ""),
            items=_place(entries, Section.PICK, level),
            rising=_place(edition.rising, Section.RISING, level),
            left_out=len(edition.entries) - len(entries),
            web_url=links.edition(edition.id),
            preferences_url=links.preferences(edition.subscriber_id),
            unsubscribe_url=links.unsubscribe(edition.subscriber_id),
            feedback_url=links.feedback(edition.subscriber_id, edition.id),
        )

    def subject(self, edition: Edition, titles: Sequence[str]) -> str:
        """The subject line: the first title, how many more, and the day."""
        return self._line("email/edition.subject.txt", edition, titles)

    def _line(self, template: str, edition: Edition, titles: Sequence[str]) -> str:
        context = {
            "site": self._site,
            "on": edition.local_on,
            "titles": titles,
            "picks": len(edition.entries),
            "rising": len(edition.rising),
            "considered": edition.considered,
            "interests": edition.interests,
        }
        return clean(self._templates.render(template, context))


def preheader(titles: Sequence[str]) -> str:
    """The titles after the first, which the subject has, in 80 to 100 characters."""
    chosen = titles[1:] or titles
    return cut(" · ".join(chosen), PREHEADER_MAX)


def _place(entries: Sequence[Entry], section: Section, level: int) -> tuple[Placed, ...]:
    return tuple(_placed(entry, section, level) for entry in entries)


def _placed(entry: Entry, section: Section, level: int) -> Placed:
    reasons = reason_views(entry)
    shared = Shared(
        wording=entry.wording,
        section=section,
        comments=entry.comments,
        stars=entry.stars,
        level=level,
        shape=tuple(bool(reason.subject) for reason in reasons),
    )
    return Placed(shared=shared, position=entry.pick.position, reasons=reasons)
