"""All of feedparser's own cases through the feed source: nothing may escape but a ParseError."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.errors import ParseError
from digest.model import Listing
from digest.papers import normal_url
from digest.sources import SourceOptions
from digest.sources.feed import Feed
from digest.sources.html import text_of_html
from digest.text import clean
from tests.paths import LISTINGS, needs_shared

CASES = LISTINGS / "feedparser_cases"
SOURCE = Feed("cases", SourceOptions(url="https://feeds.example/case"))
(REQUEST,) = SOURCE.requests({}, datetime(2026, 3, 11, tzinfo=UTC))

#: cases that hold no feed at all, or only a channel of a format that died in 1998
NO_FEED = 8


def files_of(folder: str) -> list[Path]:
    return sorted(path for path in (CASES / folder).rglob("*") if path.is_file())


def read(body: bytes, header: str = "application/xml") -> Listing:
    return SOURCE.parse(REQUEST, body, header)


def linked(path: Path) -> bytes:
    """The case with a link in every entry that has none, so that its texts are kept."""
    body = path.read_bytes()
    body = re.sub(rb"(<item(?:\s[^>]*)?(?<!/)>)", rb"\1<link>https://feeds.example/a</link>", body)
    return re.sub(
        rb"(<entry(?:\s[^>]*)?(?<!/)>)",
        rb'\1<link rel="alternate" href="https://feeds.example/a"/>',
        body,
    )


@needs_shared
@pytest.mark.parametrize("folder", ["illformed", "encoding", "entities", "wellformed", "json"])
def test_every_case_is_read_or_refused(folder: str) -> None:
    files = files_of(folder)
    came = Counter()

    for path in files:
        header = re.search(rb"^Header:\s*Content-type:\s*(.+)$", path.read_bytes(), re.I | re.M)
        try:
            read(path.read_bytes(), header[1].decode() if header else "application/xml")
        except ParseError:
            came["refused"] += 1

    assert files
    assert came["refused"] <= NO_FEED


@needs_shared
def test_wellformed_entries_are_all_counted_and_have_titles() -> None:
    for path in files_of("wellformed"):
        body = linked(path)
        written = len(re.findall(rb"<(?:item|entry)\b[^>]*[^/]>|<(?:item|entry)>", body))
        try:
            listing = read(body)
        except ParseError:
            continue
        assert all(paper.title for paper in listing.entries), path
        if body.isascii() and written == 1:
            assert len(listing.entries) + len(listing.broken) == 1, path


@needs_shared
def test_no_script_handler_or_foreign_scheme_survives_the_sanitizer_cases() -> None:
    kept = 0
    for path in files_of("wellformed/sanitize"):
        for paper in read(linked(path)).entries:
            texts = (paper.title, paper.abstract, *paper.authors, *paper.categories)
            links = (paper.url, paper.pdf_url, paper.discussion_url)
            kept += any(texts[1:])
            assert not re.search(
                r"</?\w+[^>]*>|javascript:|vbscript:|\bon\w+\s*=|alert\(", " ".join(texts), re.I
            ), path
            assert all(
                link is None or link.startswith(("http://", "https://")) for link in links
            ), path

    assert kept > 150


CHECKED = re.compile(
    r"Expect:\s*not bozo and entries\[0\]\['(\w+)'\] == (?:u?'([^'\\]*)'|\(([\d, ]+)\))\s*(?:-->)?\s*$",
    re.M,
)


@needs_shared
def test_simple_expectations_of_the_cases_are_met() -> None:
    checked = Counter()
    for path in files_of("wellformed"):
        expected = CHECKED.search(path.read_text("latin-1"))
        if not expected or "cdf" in path.parts or path.name.startswith("http_"):
            continue
        body = path.read_bytes() if expected[1] == "link" else linked(path)
        (paper, *_) = read(body).entries or [None]
        assert paper, path
        field, texts = expected[1], {clean(expected[2] or ""), text_of_html(expected[2] or "")}
        if field == "title":  # one that shows nothing is made up from the link
            assert paper.title in (texts if "" not in texts else {"feeds.example/a"}), path
        elif field in ("description", "summary"):
            assert paper.abstract in texts, path
        elif field == "link" and expected[2].startswith("http"):
            assert normal_url(paper.url) == normal_url(expected[2]), path
        elif field == "published_parsed":
            year, month, day, hour, minute, second, *_ = map(int, expected[3].split(","))
            moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            assert paper.published_at == moment, path
        else:
            continue
        checked[field] += 1

    assert min(checked[field] for field in ("title", "description", "link")) >= 5
    assert checked.total() > 500
