from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from digest.errors import ParseError
from digest.model import Listing
from digest.papers import keys_of
from digest.sources import SourceOptions
from digest.sources.hackernews import HackerNews
from tests.paths import LISTINGS, needs_shared

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
ROWS = """<table><tr class="athing submission" id="1"><td><span class="titleline"><a href="https://arxiv.org/abs/2403.01234v2">A
 paper [pdf]</a><span class="sitebit"> (<a href="from?site=arxiv.org">arxiv.org</a>)</span></span></td></tr>
<tr><td class="subtext"><span class="subline"><span class="score">1,091 points</span> by <a>x</a>
<span class="age" title="2026-03-11T09:30:00 1773221400"><a href="item?id=1">2 hours ago</a></span> | <a>hide</a> |
<a href="item?id=1">132&nbsp;comments</a></span></td></tr>
<tr class="athing" id="2"><td><span class="titleline"><a href="item?id=2">Ask HN: why?</a></span></td></tr>
<tr><td class="subtext"><span class="score">1 point</span> <a href="item?id=2">discuss</a></td></tr>
<tr class="athing" id="3"><td></td></tr><tr class="athing" id="4"><td><span class="titleline"><a href="https://jobs.example/">A job</a></span></td></tr></table>"""


def read(body: str | bytes, **options: Any) -> Listing:
    source = HackerNews("hn", SourceOptions(**options))
    (request,) = source.requests({}, NOW)
    return source.parse(request, body if isinstance(body, bytes) else body.encode(), "text/html")


@needs_shared
def test_the_recorded_front_page_is_read_whole() -> None:
    listing = read((LISTINGS / "hn" / "news.ycombinator.com_2020-08-16.html").read_bytes())

    first = listing.entries[0]
    assert (len(listing.entries), listing.broken) == (30, ())
    assert first.title == "Hiding messages in x86 binaries using semantic duals"
    assert (first.votes, first.comments) == (91, 32)
    assert first.discussion_url == "https://news.ycombinator.com/item?id=24178188"
    assert sum(paper.votes is not None for paper in listing.entries) >= 28


def test_todays_layout_is_read_and_a_link_to_arxiv_is_that_paper() -> None:
    listing = read(ROWS)

    paper, question, job = listing.entries
    assert (paper.title, keys_of(paper)) == ("A paper [pdf]", ("arxiv:2403.01234",))
    assert (paper.votes, paper.comments, paper.version) == (1091, 132, 2)
    assert paper.listed_at == datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
    assert question.url == question.discussion_url == "https://news.ycombinator.com/item?id=2"
    assert (question.votes, question.comments, question.listed_at) == (1, None, None)
    assert (job.title, job.votes) == ("A job", None)
    assert [broken.position for broken in listing.broken] == [3]


def test_a_search_is_read_with_all_that_may_be_missing() -> None:
    hits = [
        {
            "objectID": "7",
            "title": "Found",
            "url": "https://blog.example/",
            "points": 9,
            "num_comments": 0,
            "created_at_i": 1773221400,
        },
        {
            "objectID": "8",
            "title": "Ask HN",
            "url": "",
            "story_text": "<p>Why?",
            "points": None,
            "created_at": "2026-03-11T09:30:00Z",
        },
        {"objectID": "9", "title": None},
        None,
    ]

    listing = read(json.dumps({"hits": hits}), query="arxiv.org")

    found, asked = listing.entries
    assert (found.votes, found.comments, found.listed_at) == (
        9,
        0,
        datetime(2026, 3, 11, 9, 30, tzinfo=UTC),
    )
    assert (asked.url, asked.abstract, asked.votes) == (
        "https://news.ycombinator.com/item?id=8",
        "Why?",
        None,
    )
    assert asked.listed_at == found.listed_at
    assert [broken.position for broken in listing.broken] == [3, 4]


def test_what_is_asked_comes_from_the_settings() -> None:
    (front,) = HackerNews("hn", SourceOptions()).requests({}, NOW)
    (search,) = HackerNews("hn", SourceOptions(query="a b", limit=20)).requests({}, NOW)

    assert (front.url, front.robots) == ("https://news.ycombinator.com/news", True)
    assert (
        search.url
        == "https://hn.algolia.com/api/v1/search_by_date?tags=story&query=a+b&hitsPerPage=20"
    )


def test_an_empty_search_is_a_rest_and_other_answers_are_refused() -> None:
    assert read('{"hits": []}', query="x").rest
    with pytest.raises(ParseError, match="expected found stories"):
        read('{"message": "busy"}', query="x")
    with pytest.raises(ParseError, match="no stories"):
        read("<html>Sorry.</html>")
