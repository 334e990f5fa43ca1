"""Markup into plain text, for sources that receive HTML; nothing of it may reach a reader as HTML.

Scripts, styles and everything that shows nothing are dropped with their content; the result is a
text, to be escaped by whoever shows it. BeautifulSoup with the standard parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bs4 import BeautifulSoup
from bs4.element import CData, NavigableString, PageElement, Tag
from bs4.exceptions import ParserRejectedMarkup

from digest.errors import ParseError
from digest.text import clean, http_url

#: what is read of one fragment and of one page: hostile markup takes time that grows faster
LENGTH_MAX = 20_000
PAGE_LENGTH_MAX = 4_000_000

_SILENT = frozenset(
    "script style template noscript svg head title audio video canvas "
    "select textarea button frameset".split()
)
#: elements that stand apart, so that the words at their edges are words of their own
_APART = frozenset(
    "p div br hr li ul ol dl dt dd tr td th table h1 h2 h3 h4 h5 h6 blockquote pre section article "
    "figure figcaption header footer aside main nav img option caption".split()
)
# marked sections, and silent elements closed as in XML, which would swallow all that follows
_SECTION = re.compile(rf"<!\[[^>]*>?|<(?:{'|'.join(sorted(_SILENT))})\b[^<>]*/>", re.IGNORECASE)
_TAG_START = re.compile("<[A-Za-z/!?]")
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")


def text_of_html(html: str) -> str:
    """What a reader would see of a fragment, as one line of text."""
    if "<" not in html and "&" not in html:
        return clean(html[:LENGTH_MAX])
    html = _whole(html[:LENGTH_MAX])
    try:
        # inside an element of our own: otherwise a bare word or an XML prologue draws a warning
        fragment = BeautifulSoup(f"<div>{html}", "html.parser")
    except ParserRejectedMarkup:
        return clean(re.sub("<[^<>]*>", " ", html))
    return clean("".join(_shown(fragment)))


def read_html(body: bytes) -> BeautifulSoup:
    """A page, to look for elements in it. Raises ParseError when it is too much or too odd."""
    if len(body) > PAGE_LENGTH_MAX:
        raise ParseError(f"the page has {len(body):,} bytes; at most {PAGE_LENGTH_MAX:,} are read")
    body = re.sub(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}>", b"", body)  # XHTML draws a warning
    try:
        return BeautifulSoup(body, "html.parser")
    except ParserRejectedMarkup as error:
        raise ParseError("the page is no HTML that can be read") from error


def _whole(html: str) -> str:
    """The fragment without marked sections, and without a comment or tag that is cut at its end."""
    html = _SECTION.sub(" ", html.replace("<![CDATA[", "").replace("]]>", ""))
    comment = html.find("<!--", max(html.rfind("-->"), 0))
    if comment >= 0:
        html = html[:comment]
    cut = _TAG_START.search(html, html.rfind(">") + 1)
    return html[: cut.start()] if cut else html


def _shown(root: Tag) -> Iterator[str]:
    """The texts in their order, by a stack of our own: hostile markup nests deeper than Python."""
    waiting: list[PageElement | None] = [root]
    while waiting:
        node = waiting.pop()
        if node is None:
            yield " "
        elif isinstance(node, Tag) and node.name not in _SILENT:
            if node.name in _APART:
                yield " "
                waiting.append(None)
            waiting.extend(reversed(node.contents))
        elif type(node) in (NavigableString, CData):  # comments are of other types
            yield str(node)


def feed_link_of(page: bytes, base: str) -> str | None:
    """The feed that an HTML page names as its own; None when it names none."""
    for link in read_html(page[:LENGTH_MAX]).find_all("link"):
        target, kind = link.get("href"), link.get("type")
        if isinstance(target, str) and isinstance(kind, str) and kind.lower() in _FEED_TYPES:
            return http_url(target, base)
    return None
