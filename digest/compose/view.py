"""What templates see of an edition: texts made readable, links checked, numbers in words.

Turns records into views; knows nothing of HTML or MIME. A view's personal values (position,
reasons, vote links) are kept apart, in Personal, so that the rest can be shared between readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from digest.columns import cut, width
from digest.compose.excerpt import excerpt
from digest.compose.readable import readable
from digest.filters import plural, short_number
from digest.model import Section, Seen, Why, Wording
from digest.text import clean, http_url

#: characters of the abstract, from the usual to the least, until a mail is small enough
ABSTRACT_LENGTHS = (270, 170, 100, 0)
#: of an abstract no more than that is looked at: the longest excerpt fits many times
_ABSTRACT_READ = 6_000
#: parts of a why-line; more make no line
REASONS_MAX = 6
_REASON_MAX = 160
_AUTHORS_SHOWN = 3
_TITLE_MAX = 300
_NAME_MAX = 80
_ORGANIZATION_MAX = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """A link as words."""

    label: str
    url: str
    #: what stands behind the label in brackets, e.g. "1.2k ★"; empty: nothing
    note: str = ""


class ReasonView(NamedTuple):
    """One part of the why-line."""

    lead: str
    #: set apart from the lead; empty when the lead says all
    subject: str
    #: both, as the text part says them, and how many columns they take
    text: str = ""
    columns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OwnView:
    """A reader's own reasons, which several of their picks share; compared by identity."""

    reasons: tuple[ReasonView, ...]
    #: for each whether it has a subject
    shape: tuple[bool, ...]
    #: what was made of it, by who made it, see fragments.py
    encoded: dict[object, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemView:
    """One item as the item templates see it."""

    title: str
    #: None: nothing to link to
    url: str | None
    #: "Ada Lovelace, Alan Turing, Grace Hopper and 9 more"; empty when unknown
    authors: str
    organization: str
    abstract: str
    links: tuple[LinkView, ...]
    #: place in its section, from "1"
    position: str
    reasons: tuple[ReasonView, ...]
    #: the reasons in one text, broken into lines for the text part
    why: str
    more_url: str
    less_url: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shared:
    """What an item looks like to everybody: all that a fragment may depend on.

    Compared by identity, which is quick; letters.py sees to it that equal ones are one.
    """

    wording: Wording
    section: Section
    comments: int | None
    stars: int | None
    #: which of ABSTRACT_LENGTHS
    level: int
    #: for each of the reader's own reasons whether it has a subject
    shape: tuple[bool, ...]
    #: the reason after those, which does not depend on the reader: trend or votes
    fact: ReasonView | None = None
    #: what was made of it, by who made it, see fragments.py
    fragments: dict[object, Any] = field(default_factory=dict, repr=False)

    def why_line(self, own: tuple[ReasonView, ...]) -> tuple[ReasonView, ...]:
        """All reasons for a reader who has these of their own."""
        return own if self.fact is None else (*own, self.fact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What differs between two readers of the same item; see ItemView."""

    position: str
    reasons: tuple[ReasonView, ...]
    why: str
    more_url: str
    less_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """What templates see of the mail as a whole; all but `on` and `left_out` is personal."""

    subject: str
    #: the reader's local date
    on: date
    #: how many papers there are and for what, one line
    summary: str
    #: hidden first line that mail programs show beside the subject
    preheader: str
    #: how the picks came about, when there was nothing to match; empty: say nothing
    note: str
    #: picks that did not fit
    left_out: int
    web_url: str
    preferences_url: str
    unsubscribe_url: str


def item_view(shared: Shared, personal: Personal) -> ItemView:
    """An item as one reader sees it."""
    wording = shared.wording
    return ItemView(
        title=shown_title(wording),
        url=_checked_url(wording.url),
        authors=_author_line(wording.authors),
        organization=_organization(wording.organization or ""),
        abstract=_abstract(shared),
        links=_links(shared),
        position=personal.position,
        reasons=personal.reasons,
        why=personal.why,
        more_url=personal.more_url,
        less_url=personal.less_url,
    )


def _abstract(shared: Shared) -> str:
    """The beginning of the abstract, as much as its level allows; wide characters count double."""
    length = ABSTRACT_LENGTHS[shared.level]
    if not length or shared.section is not Section.PICK:
        return ""
    text = readable(shared.wording.abstract[:_ABSTRACT_READ])
    columns = width(text[:length]) or 1
    return excerpt(text, length * len(text[:length]) // columns)


def shown_title(wording: Wording) -> str:
    """The title as text; what has none is called by its key."""
    return _shown_title(wording.title) or wording.key


@lru_cache(maxsize=4_096)
def _shown_title(title: str) -> str:
    return cut(readable(title[:2_000]), _TITLE_MAX)


def author_line(authors: Sequence[str]) -> str:
    """The first three and how many more; four are named, for "and 1 more" saves nothing."""
    names = [name for author in authors[:6] if (name := cut(readable(author[:500]), _NAME_MAX))]
    if len(authors) > _AUTHORS_SHOWN + 1 and len(names) > _AUTHORS_SHOWN:
        return f"{', '.join(names[:_AUTHORS_SHOWN])} and {len(authors) - _AUTHORS_SHOWN:,} more"
    return ", ".join(names)


#: for an item is viewed once as a pick and once as rising, and its first link is its title's too
_author_line = lru_cache(maxsize=4_096)(author_line)
_checked_url = lru_cache(maxsize=8_192)(http_url)


@lru_cache(maxsize=1_024)
def _organization(name: str) -> str:
    return cut(readable(name[:500]), _ORGANIZATION_MAX)


def own_view(why: Why) -> OwnView:
    """A reader's own reasons, in the words of the why-line."""
    views = [reason_view(reason.lead, reason.subject) for reason in why.reasons[: REASONS_MAX - 1]]
    told = tuple([view for view in views if view.text])
    return OwnView(reasons=told, shape=tuple([view.subject != "" for view in told]))


def fact_view(seen: Seen) -> ReasonView | None:
    """What the why-line says to everybody: the trend, or the votes when there is none."""
    if seen.trend is not None:
        view = reason_view(seen.trend.lead, seen.trend.subject)
        return view if view.text else None
    return reason_view(plural(seen.votes, "vote"), "") if seen.votes else None


def reason_view(lead: str, subject: str) -> ReasonView:
    """One reason in its words."""
    lead, subject = cut(clean(lead), _REASON_MAX), cut(clean(subject), _REASON_MAX)
    text = f"{lead} *{subject}*".strip() if subject else lead
    return ReasonView(lead=lead, subject=subject, text=text, columns=width(text))


def _links(shared: Shared) -> tuple[LinkView, ...]:
    """Where an item can be read, as words; links that are no http links are not shown."""
    wording = shared.wording
    stars = f"{short_number(shared.stars)} ★" if shared.stars else ""
    comments = short_number(shared.comments) if shared.comments else ""
    is_paper = wording.key.startswith(("arxiv:", "doi:"))
    offered = (
        ("Abstract" if is_paper else "Read", wording.url, ""),
        ("PDF", wording.pdf_url, ""),
        ("Code", wording.code_url, stars),
        ("Project", None if wording.code_url else wording.project_url, ""),
        ("Discussion", wording.discussion_url, comments),
    )
    return tuple(
        LinkView(label=label, url=checked, note=note)
        for label, url, note in offered
        if url and (checked := _checked_url(url))
    )
