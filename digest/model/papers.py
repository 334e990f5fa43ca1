"""What is collected: requests and listings, and items with their trend.

PaperData is parsed, Item rows are stored, Candidate may be picked, Wording is what an item says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from digest.model.moments import require_utc


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing a source wants to be asked; the fetcher decides when, and whether it must."""

    url: str
    #: what the answer will be about, in the source's words: a day, a category, a file
    label: str
    accept: str = "*/*"
    #: extra headers, e.g. a token; never logged
    headers: tuple[tuple[str, str], ...] = ()
    #: asked instead when this one answers with an error
    instead: Request | None = None
    #: the list no longer grows, so its length may be held against the source's usual
    settled: bool = False
    #: the source promises the whole set of a day under one label; follow-up pages have page > 1
    page: int = 1
    #: robots.txt applies (HTML pages)
    robots: bool = False


class Announce(StrEnum):
    """How a source announces an entry (arXiv's words)."""

    NEW = "new"  #: a new item
    CROSS = "cross"  #: new in this category, cross-listed from another
    REPLACE = "replace"  #: a new version of a known item
    REPLACE_CROSS = "replace-cross"  #: the same, cross-listed

    @property
    def is_replacement(self) -> bool:
        return self in (Announce.REPLACE, Announce.REPLACE_CROSS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperData:
    """One entry of a listing, parsed and cleaned, not yet matched to what is stored.

    Texts are Unicode with whitespace collapsed, without control or bidi-override characters;
    they may hold LaTeX and literal `<…>`, and are never HTML.
    """

    title: str
    #: landing page, absolute http(s)
    url: str
    abstract: str = ""
    authors: tuple[str, ...] = ()
    #: without version, e.g. "2401.01234" or "astro-ph/0601001"
    arxiv_id: str | None = None
    version: int | None = None
    #: lower-case, without a resolver's prefix
    doi: str | None = None
    #: arXiv categories or a feed's tags
    categories: tuple[str, ...] = ()
    #: when the paper itself was first published, by its own account
    published_at: datetime | None = None
    #: when the source listed it, by the source's account; None when it does not say
    listed_at: datetime | None = None
    #: place in the source's order, from 1
    position: int
    votes: int | None = None
    comments: int | None = None
    #: stars of the paper's code repository
    stars: int | None = None
    pdf_url: str | None = None
    code_url: str | None = None
    project_url: str | None = None
    discussion_url: str | None = None
    organization: str | None = None
    announce: Announce = Announce.NEW
    withdrawn: bool = False

    def __post_init__(self) -> None:
        require_utc(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An entry that could not be read; it cost itself and nothing else."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a source read out of one answer, in the source's order."""

    entries: tuple[PaperData, ...]
    broken: tuple[Broken, ...] = ()
    #: follow-up pages, known only now
    more: tuple[Request, ...] = ()
    #: why an empty listing is nothing to worry about ("the feed names today a day of rest")
    rest: str | None = None


class ReadingState(StrEnum):
    """How one question to a source ended."""

    OK = "ok"  #: read
    UNCHANGED = "unchanged"  #: the server says nothing changed since the last reading
    SHORT = "short"  #: read, but with far fewer entries than usual: an alarm
    FAILED = "failed"  #: not read; the reason stands beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One question to a source and what came of it: a line of the collecting ledger."""

    source: str
    label: str
    url: str
    read_at: datetime
    state: ReadingState
    #: entries in the answer, broken ones included
    entries: int = 0
    new: int = 0
    merged: int = 0
    broken: int = 0
    #: what happened and what to check, when state is short or failed, or entries were broken
    error: str | None = None

    def __post_init__(self) -> None:
        require_utc(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What a source showed for an item at one moment; None where it shows no such number."""

    at: datetime
    votes: int | None = None
    comments: int | None = None
    stars: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an item stands with one source, and how it got there."""

    source: str
    #: the source's kind, e.g. "huggingface": what is usual differs by kind
    kind: str
    first_seen_at: datetime
    #: when its numbers were last read, changed or not; None when that is now
    last_seen_at: datetime | None = None
    #: when the source listed it; None when it does not say to the hour
    listed_at: datetime | None = None
    position: int | None = None
    #: oldest first; at least one
    counts: tuple[Count, ...]

    @property
    def latest(self) -> Count:
        return self.counts[-1]

    @property
    def since(self) -> datetime:
        """The start of its life on this source: listed, or first seen by us."""
        return min(self.listed_at, self.first_seen_at) if self.listed_at else self.first_seen_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What an item says of itself, as stored or as frozen when it was picked."""

    key: str
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    url: str
    organization: str | None = None
    published_on: date | None = None
    pdf_url: str | None = None
    code_url: str | None = None
    project_url: str | None = None
    discussion_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A stored paper or post: all that its sources have told, merged."""

    id: int
    #: the best key known: arxiv:…, doi:…, url:…
    key: str
    title: str
    abstract: str
    url: str
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    arxiv_id: str | None = None
    #: highest arXiv version seen
    version: int | None = None
    doi: str | None = None
    organization: str | None = None
    published_at: datetime | None = None
    pdf_url: str | None = None
    code_url: str | None = None
    project_url: str | None = None
    discussion_url: str | None = None
    #: kind of the source that title and abstract are from
    told_by: str
    withdrawn: bool = False
    #: False while it was only ever announced as a new version of something old
    offered: bool = True

    def wording(self) -> Wording:
        """What it says of itself."""
        return Wording(
            key=self.key,
            title=self.title,
            abstract=self.abstract,
            authors=self.authors,
            categories=self.categories,
            url=self.url,
            organization=self.organization,
            published_on=self.published_at.date() if self.published_at else None,
            pdf_url=self.pdf_url,
            code_url=self.code_url,
            project_url=self.project_url,
            discussion_url=self.discussion_url,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A stored item that may be picked, with all that ranking may use."""

    item_id: int
    wording: Wording
    first_seen_at: datetime
    standings: tuple[Standing, ...]
