from __future__ import annotations

from datetime import UTC, datetime

import pytest

from digest.errors import ConfigError, ParseError
from digest.model import Listing
from digest.papers import keys_of
from digest.sources import SourceOptions, build_source
from digest.sources.github_trending import GithubTrending
from tests.paths import LISTINGS, needs_shared

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
ROW = """<article class="Box-row"><h2 class="h3"><a href="/{name}"><span>x /</span> y</a></h2>
<p class="col-9">What it\n does</p><span itemprop="programmingLanguage">C++</span>
<a href="/{name}/stargazers"> {stars} </a><span>1,582 stars today</span></article>"""


def read(body: str | bytes, **options: object) -> Listing:
    source = GithubTrending("gh", SourceOptions(**options))  # type: ignore[arg-type]
    request = source.requests({}, NOW)[0]
    return source.parse(request, body if isinstance(body, bytes) else body.encode(), "text/html")


@needs_shared
def test_the_recorded_page_is_read_whole() -> None:
    listing = read((LISTINGS / "github_trending" / "github.com_trending.html").read_bytes())

    first = listing.entries[0]
    assert (len(listing.entries), listing.broken) == (25, ())
    assert (first.title, first.url) == ("smol-ai/developer", "https://github.com/smol-ai/developer")
    assert (first.stars, first.votes, first.categories) == (5096, None, ("Python",))
    assert first.abstract.startswith("with 100k context windows on the way")
    assert sum(not paper.abstract for paper in listing.entries) == 1
    assert sum(not paper.categories for paper in listing.entries) == 3
    assert all(paper.stars for paper in listing.entries)
    assert len({keys_of(paper) for paper in listing.entries}) == 25


@needs_shared
def test_the_page_of_developers_is_another_page() -> None:
    with pytest.raises(ParseError, match="name no repositories"):
        read((LISTINGS / "github_trending" / "github.com_trending_developers.html").read_bytes())


def test_a_broken_row_costs_itself_only() -> None:
    listing = read(ROW.format(name="a/b", stars="1,234") + ROW.format(name="login?x", stars="no"))

    assert [(paper.title, paper.stars, paper.abstract) for paper in listing.entries] == [
        ("a/b", 1234, "What it does")
    ]
    assert [broken.position for broken in listing.broken] == [2]


def test_a_quiet_language_is_a_rest_and_another_page_is_refused() -> None:
    assert read('<div class="blankslate"><h3>nothing trending</h3></div>').rest
    with pytest.raises(ParseError, match="no trending repositories"):
        read("<html><body>Whoa there!</body></html>")


def test_languages_and_the_period_come_from_the_settings() -> None:
    options = SourceOptions(
        url="http://127.0.0.1:9", categories=("C++", "python"), query="weekly", limit=3
    )
    requests = build_source("github-trending", "gh", options).requests({}, NOW)

    assert [request.url for request in requests] == [
        "http://127.0.0.1:9/trending/c%2B%2B?since=weekly",
        "http://127.0.0.1:9/trending/python?since=weekly",
    ]
    assert all(request.robots for request in requests)
    assert len(read(ROW.format(name="a/b", stars="1") * 5, limit=3).entries) == 3
    with pytest.raises(ConfigError, match="daily, weekly or monthly"):
        build_source("github-trending", "gh", SourceOptions(query="hourly"))
