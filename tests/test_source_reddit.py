from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from digest.errors import ConfigError, ParseError
from digest.model import Listing
from digest.papers import keys_of
from digest.sources import SourceOptions, build_source
from digest.sources.reddit import Reddit
from tests.paths import LISTINGS, needs_shared

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
SOURCE = Reddit("r", SourceOptions(categories=("MachineLearning",)))
(REQUEST,) = SOURCE.requests({}, NOW)


def post(**known: Any) -> dict[str, Any]:
    return {
        "kind": "t3",
        "data": {
            "id": "abc",
            "title": "[R] A paper",
            "permalink": "/r/MachineLearning/comments/abc/r_a_paper/",
            "url": "https://arxiv.org/abs/2403.01234",
            "is_self": False,
            "score": 84,
            "num_comments": 7,
            "created_utc": 1773221400.0,
        }
        | known,
    }


def read(*children: Any) -> Listing:
    return SOURCE.parse(
        REQUEST,
        json.dumps({"kind": "Listing", "data": {"children": children}}).encode(),
        "application/json",
    )


@needs_shared
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("TestSubredditListings.test_hot", 100),
        ("TestSubredditListings.test_new", 100),
        ("TestSubredditListings.test_top", 100),
        ("TestSubredditListings.test_rising", 100),
        ("TestSubreddit.test_search", 6),
        ("TestDomainListing.test_rising", 0),
    ],
)
def test_the_recorded_listings_are_read_whole_without_pinned_posts(name: str, count: int) -> None:
    listing = SOURCE.parse(
        REQUEST, (LISTINGS / "reddit" / f"{name}.1.json").read_bytes(), "application/json"
    )

    assert (len(listing.entries), listing.broken) == (count, ())
    assert all(
        paper.votes is not None and paper.listed_at and paper.discussion_url
        for paper in listing.entries
    )


def test_a_link_to_arxiv_is_that_paper_and_the_post_its_discussion() -> None:
    (paper,) = read(post()).entries

    assert keys_of(paper) == ("arxiv:2403.01234",)
    assert (
        paper.discussion_url == "https://www.reddit.com/r/MachineLearning/comments/abc/r_a_paper/"
    )
    assert (paper.votes, paper.comments) == (84, 7)
    assert paper.listed_at == datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
    assert paper.published_at is None


def test_a_post_of_words_is_its_own_address() -> None:
    (paper,) = read(post(is_self=True, selftext="Why\n\nso?", link_flair_text="Discussion")).entries

    assert paper.url == paper.discussion_url
    assert (paper.abstract, paper.categories) == ("Why so?", ("Discussion",))


@pytest.mark.parametrize(
    "broken", [None, {}, post(title=""), post(permalink="javascript:x"), post(permalink=7)]
)
def test_a_broken_post_costs_itself_only(broken: Any) -> None:
    listing = read(post(), broken, post(score="many", created_utc=None))

    assert [paper.votes for paper in listing.entries] == [84, None]
    assert [entry.position for entry in listing.broken] == [2]


@pytest.mark.parametrize("body", ['{"message": "Forbidden", "error": 403}', "[]", '{"data": null}'])
def test_another_answer_is_refused(body: str) -> None:
    with pytest.raises(ParseError, match="expected a listing of Reddit"):
        SOURCE.parse(REQUEST, body.encode(), "application/json")


def test_what_is_asked_comes_from_the_settings() -> None:
    options = SourceOptions(categories=("r/MachineLearning", "LocalLLaMA"), token="t0ken", limit=25)

    requests = build_source("reddit", "r", options).requests({}, NOW)

    assert REQUEST.url == "https://www.reddit.com/r/MachineLearning/hot.json?limit=100&raw_json=1"
    assert [request.label for request in requests] == ["r/MachineLearning", "r/LocalLLaMA"]
    assert (
        requests[0].url == "https://oauth.reddit.com/r/MachineLearning/hot.json?limit=25&raw_json=1"
    )
    assert requests[0].headers == (("Authorization", "Bearer t0ken"),)


@pytest.mark.parametrize("categories", [(), ("a/b",)])
def test_a_source_without_a_subreddit_is_refused(categories: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="subreddit"):
        build_source("reddit", "r", SourceOptions(categories=categories))
