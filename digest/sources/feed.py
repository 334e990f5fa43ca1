"""Any RSS, Atom, RDF or JSON feed. feedparser reads the XML ones; it is given bytes, never a URL.

Its own sanitising is off, since here all markup becomes text and all links are checked: cheaper,
and stricter. Feeds that are broken but still yield entries are read; a page that is none is named.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import feedparser
from feedparser.mixin import _FeedParserMixin

from digest.errors import ConfigError, ParseError
from digest.model import Listing, PaperData, Request
from digest.sources.answers import count_of, describe, load_json, moment_of, read_entries, text_of
from digest.sources.base import SourceOptions
from digest.sources.feed_entry import FeedEntry, paper_of_entry
from digest.sources.html import feed_link_of, text_of_html
from digest.text import clean

#: larger than any honest feed, small enough that a hostile one is read in seconds
BODY_BYTES_MAX = 8_000_000
ENTRIES_MAX = 1_000
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1"
)
_AUTHOR_LENGTH_MAX = 500
_HTML_TYPES = ("text/html", "application/xhtml+xml")

# feedparser looks for an address in every author, with an expression that takes time quadratic in
# its length: 20 kB without a blank take 5 s. Names are short, so the long ones are cut first.
_find_address = _FeedParserMixin._sync_author_detail


def _find_address_in_short(parser: Any, key: str = "author") -> None:  # feedparser has no types
    context = parser._get_context()
    if len(context.get(key) or "") > _AUTHOR_LENGTH_MAX:
        context[key] = context[key][:_AUTHOR_LENGTH_MAX]
    _find_address(parser, key)


_FeedParserMixin._sync_author_detail = _find_address_in_short


class Feed:
    """One feed."""

    kind = "feed"

    def __init__(self, name: str, options: SourceOptions) -> None:
        if not options.url:
            raise ConfigError([f"source {name!r}: url must be the address of a feed"])
        self.name = name
        self.pause_s = 1.0 if options.pause_s is None else options.pause_s
        self._url = options.url
        self._limit = min(options.limit or ENTRIES_MAX, ENTRIES_MAX)

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """The feed, at every pass: it holds its recent entries, about as many every time."""
        return (Request(url=self._url, label=self.name, accept=_ACCEPT, settled=True),)

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read a feed of any kind."""
        if len(body) > BODY_BYTES_MAX:
            raise ParseError(
                f"the feed has {len(body):,} bytes; at most {BODY_BYTES_MAX:,} are read"
            )
        if body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
            entries = _entries_of_json(body, content_type)
        else:
            entries = _entries_of_xml(request, body, content_type)

        def read(entry: FeedEntry, position: int) -> PaperData:
            return paper_of_entry(entry, position, request.url)

        return read_entries(entries[: self._limit], read)


def _entries_of_xml(request: Request, body: bytes, content_type: str) -> list[FeedEntry]:
    headers = {"content-type": content_type, "content-location": request.url}
    found = feedparser.parse(
        io.BytesIO(body),
        response_headers=headers,
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    if not found.entries and not found.get("version"):
        raise ParseError(_what_it_is(request, body, content_type))
    return [_entry_of_xml(entry) for entry in found.entries]


def _what_it_is(request: Request, body: bytes, content_type: str) -> str:
    start = body[:2000].lower()
    if b"<html" in start or b"<!doctype html" in start:
        link = feed_link_of(body, request.url)
        hint = f"; its feed is {link}" if link else "; look for the address of its feed"
        return f"this is an HTML page, not a feed{hint}"
    return f"expected a feed, got {describe(body, content_type)}"


def _entry_of_xml(entry: Any) -> FeedEntry:
    links = [link for link in entry.get("links", []) if link.get("href")]
    pages = [link["href"] for link in links if link.get("rel", "alternate") == "alternate"]
    pdfs = [link["href"] for link in links if link.get("type") == "application/pdf"]
    said = [entry.get("summary_detail"), *entry.get("content", [])]
    moment = entry.get("published_parsed")
    if moment is None and "updated_parsed" in entry:  # asking unasked draws a warning
        moment = entry.get("updated_parsed")
    return FeedEntry(
        title=_text_of_detail(entry.get("title_detail")),
        summary=next(filter(None, map(_text_of_detail, said)), ""),
        links=_texts([entry.get("feedburner_origlink"), entry.get("link"), *pages]),
        ids=_texts(entry.get(key) for key in ("id", "prism_doi", "bibo_doi", "dc_identifier")),
        authors=tuple(text_of_html(name) for name in _texts(_names(entry))),
        tags=tuple(
            clean(term) for term in _texts(tag.get("term") for tag in entry.get("tags", []))
        ),
        published_at=_moment_of_time(moment),
        comments=_count_of_text(entry.get("slash_comments")),
        discussion_link=next(iter(_texts([entry.get("comments")])), ""),
        pdf_link=next(iter(pdfs), ""),
    )


def _names(entry: Any) -> list[Any]:
    names = [author.get("name") for author in entry.get("authors", [])]
    return names if any(names) else [entry.get("author")]


def _texts(values: Iterable[object]) -> tuple[str, ...]:
    return tuple(value for value in values if isinstance(value, str) and value.strip())


def _text_of_detail(detail: Any) -> str:
    value = detail.get("value") if detail else None
    if not isinstance(value, str):
        return ""
    return text_of_html(value) if detail.get("type") in _HTML_TYPES else clean(value)


def _moment_of_time(parsed: Any) -> datetime | None:
    """feedparser's time tuple, in UTC."""
    try:
        year, month, day, hour, minute, second = parsed[:6]
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _count_of_text(value: object) -> int | None:
    is_number = isinstance(value, str) and value.strip().isdecimal() and len(value) < 12
    return count_of(int(str(value))) if is_number else None


def _entries_of_json(body: bytes, content_type: str) -> list[FeedEntry]:
    feed = load_json(body, content_type)
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise ParseError(f"expected a feed, got JSON without items: {describe(body, content_type)}")
    common = feed.get("authors") or [feed.get("author")]
    return [_entry_of_json(item if isinstance(item, dict) else {}, common) for item in items]


def _entry_of_json(item: Mapping[str, Any], common_authors: object) -> FeedEntry:
    authors = item.get("authors") or [item.get("author")]
    named = [a for a in authors if isinstance(a, dict)] if isinstance(authors, list) else []
    if not named and isinstance(common_authors, list):
        named = [author for author in common_authors if isinstance(author, dict)]
    tags = item.get("tags")
    html = item.get("content_html")
    texts = (text_of(item.get("summary")), text_of(item.get("content_text")))
    whole = text_of_html(html) if isinstance(html, str) else ""
    return FeedEntry(
        title=text_of(item.get("title")),
        summary=next(filter(None, (*texts, whole)), ""),
        links=_texts([item.get("url"), item.get("external_url")]),
        ids=_texts([item.get("id")]),
        authors=tuple(text_of(author.get("name")) for author in named),
        tags=tuple(map(text_of, tags)) if isinstance(tags, list) else (),
        published_at=moment_of(item.get("date_published")) or moment_of(item.get("date_modified")),
    )
