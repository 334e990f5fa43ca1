"""One entry of any feed as a paper: its identity, its link, its texts. Used for XML and JSON feeds.

An entry is identified by its own address and id only, never by what it links to in its text: a
post about a paper is not that paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from urllib.parse import urlsplit

from digest.model import PaperData
from digest.papers import find_arxiv, normal_doi
from digest.sources.answers import BrokenEntry
from digest.text import clean, http_url

#: a post may come whole in its feed; more than this is not compared, shown or kept
ABSTRACT_LENGTH_MAX = 5_000
TITLE_LENGTH_MAX = 500
_TITLE_WORDS = 12
_TAGS_MAX = 20
_AUTHORS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """What a feed says of an entry, as text; links still as they were written."""

    title: str
    summary: str
    #: candidates for the landing page, best first
    links: tuple[str, ...]
    #: ids, guids, DOIs: what may say which paper it is
    ids: tuple[str, ...]
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    published_at: datetime | None = None
    comments: int | None = None
    discussion_link: str = ""
    pdf_link: str = ""


def paper_of_entry(entry: FeedEntry, position: int, base: str) -> PaperData:
    """The entry as a paper; relative links are resolved against `base`. Raises BrokenEntry."""
    # a bare number is an arXiv id to a person who types it, but any feed may count its posts so
    named = [text for text in map(clean, entry.ids + entry.links) if ":" in text]
    known = [found for found in map(find_arxiv, named) if found]
    arxiv = known[0] if known else None
    doi = next(filter(None, map(normal_doi, map(clean, entry.ids + entry.links))), None)
    url = _landing_page(entry, base)
    if url is None and arxiv:
        url = f"https://arxiv.org/abs/{arxiv.id}"
    if url is None and doi:
        url = http_url(f"https://doi.org/{doi}")
    if url is None:
        seen = entry.title or entry.summary or "an entry without any text"
        raise BrokenEntry(f"no link to open: {seen[:60]!r}")
    at = entry.published_at
    return PaperData(
        title=_cut(entry.title, TITLE_LENGTH_MAX) or _title_for(entry.summary, url),
        url=url,
        abstract=_cut(entry.summary, ABSTRACT_LENGTH_MAX),
        authors=_distinct(entry.authors)[:_AUTHORS_MAX],
        arxiv_id=arxiv.id if arxiv else None,
        version=next((k.version for k in known if k.version and k.id == known[0].id), None),
        doi=None if doi and find_arxiv(doi) else doi,
        categories=_distinct(entry.tags)[:_TAGS_MAX],
        published_at=at,
        listed_at=at if at and at.time() != time() else None,
        position=position,
        comments=entry.comments,
        pdf_url=http_url(entry.pdf_link, base) if entry.pdf_link else None,
        discussion_url=http_url(entry.discussion_link, base) if entry.discussion_link else None,
    )


def _landing_page(entry: FeedEntry, base: str) -> str | None:
    links = (http_url(link, base) for link in entry.links if link.strip())
    ids = (http_url(text) for text in entry.ids)
    return next(filter(None, links), None) or next(filter(None, ids), None)


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in texts if text))


def _cut(text: str, length_max: int) -> str:
    """At most that long, cut between words."""
    if len(text) <= length_max:
        return text
    cut, blank, _ = text[: length_max - 1].rpartition(" ")
    return (cut if blank else text[: length_max - 1]).rstrip() + "…"


def _title_for(summary: str, url: str) -> str:
    """A title for an entry without one: how its text begins, else where it is."""
    words = summary.split()
    if words:
        first = " ".join(words[:_TITLE_WORDS])
        return _cut(first, TITLE_LENGTH_MAX) + ("…" if len(words) > _TITLE_WORDS else "")
    parts = urlsplit(url)
    return f"{parts.hostname}{parts.path.rstrip('/')}"
