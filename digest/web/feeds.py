"""Feeds: lists of papers as Atom (RFC 4287) and JSON Feed 1.1. Pure; texts only, no markup.

An entry's id is the address of its page here, so that a reader's program knows it again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from digest.clock import moment_text
from digest.text import clean

ATOM = "application/atom+xml; charset=utf-8"
JSON = "application/feed+json; charset=utf-8"
_ATOM_NAMES = "http://www.w3.org/2005/Atom"
_AUTHORS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One paper, or one edition."""

    #: its page here
    url: str
    title: str
    summary: str
    updated_at: datetime
    authors: Sequence[str] = ()
    categories: Sequence[str] = ()
    #: the paper itself; None when the page here is all there is
    external_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A list of entries with a name."""

    title: str
    #: what it is a list of
    subtitle: str
    #: the page that shows the same
    home_url: str
    #: where each form of the feed is
    atom_url: str
    json_url: str
    author: str
    #: when it was looked at, for a feed without entries
    now: datetime
    entries: Sequence[FeedEntry]

    @property
    def updated_at(self) -> datetime:
        return max((entry.updated_at for entry in self.entries), default=self.now)


def atom_bytes(feed: Feed) -> bytes:
    """The feed in Atom."""
    root = ElementTree.Element("feed", {"xmlns": _ATOM_NAMES, "xml:lang": "en"})
    _add(root, "id", feed.home_url)
    _add(root, "title", feed.title)
    _add(root, "subtitle", feed.subtitle)
    _add(root, "updated", moment_text(feed.updated_at))
    _link(root, "self", feed.atom_url, "application/atom+xml")
    _link(root, "alternate", feed.home_url, "text/html")
    _person(root, feed.author)
    for entry in feed.entries:
        _add_entry(root, entry)
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def _add_entry(root: ElementTree.Element, entry: FeedEntry) -> None:
    node = ElementTree.SubElement(root, "entry")
    _add(node, "id", entry.url)
    _add(node, "title", entry.title)
    _add(node, "updated", moment_text(entry.updated_at))
    _link(node, "alternate", entry.url, "text/html")
    if entry.external_url:
        _link(node, "related", entry.external_url)
    for name in entry.authors[:_AUTHORS_MAX]:
        _person(node, name)
    for category in entry.categories:
        if clean(category):
            ElementTree.SubElement(node, "category", {"term": clean(category)})
    _add(node, "summary", entry.summary)


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    # cleaned of what XML cannot hold
    ElementTree.SubElement(parent, name).text = clean(text)


def _link(parent: ElementTree.Element, rel: str, url: str, kind: str = "") -> None:
    attributes = {"rel": rel, "href": url} | ({"type": kind} if kind else {})
    ElementTree.SubElement(parent, "link", attributes)


def _person(parent: ElementTree.Element, name: str) -> None:
    if clean(name):
        _add(ElementTree.SubElement(parent, "author"), "name", name)


def json_bytes(feed: Feed) -> bytes:
    """The feed in JSON Feed 1.1."""
    value = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": clean(feed.title),
        "description": clean(feed.subtitle),
        "home_page_url": feed.home_url,
        "feed_url": feed.json_url,
        "language": "en",
        "authors": [{"name": clean(feed.author)}],
        "items": [_item(entry) for entry in feed.entries],
    }
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "replace")


def _item(entry: FeedEntry) -> dict[str, Any]:
    item: dict[str, Any] = {
        "id": entry.url,
        "url": entry.url,
        "title": clean(entry.title),
        "content_text": clean(entry.summary),
        "date_published": moment_text(entry.updated_at),
    }
    if entry.external_url:
        item["external_url"] = entry.external_url
    if entry.authors:
        item["authors"] = [{"name": clean(n)} for n in entry.authors[:_AUTHORS_MAX] if clean(n)]
    if entry.categories:
        item["tags"] = [clean(c) for c in entry.categories if clean(c)]
    return item
