from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from digest.errors import ConfigError, ParseError
from digest.model import Listing
from digest.papers import keys_of
from digest.sources import SourceOptions, build_source
from digest.sources.semantic_scholar import SemanticScholar
from tests.paths import LISTINGS, needs_shared

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
SOURCE = SemanticScholar("s2", SourceOptions(query="sparse attention"))
(REQUEST,) = SOURCE.requests({}, NOW)


def read(answer: Any) -> Listing:
    return SOURCE.parse(REQUEST, json.dumps(answer).encode(), "application/json")


@needs_shared
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("test_search_paper.0.200", 100),
        ("test_search_paper_bulk_retrieval.0.200", 200),  # of 1,000: no more are asked for
        ("test_get_recommended_papers.0.200", 100),
        ("test_empty_paginated_results.0.200", 0),
    ],
)
def test_recorded_answers_are_read_whole(name: str, count: int) -> None:
    body = (LISTINGS / "semantic_scholar" / f"{name}.json").read_bytes()

    listing = SOURCE.parse(REQUEST, body, "application/json")

    assert (len(listing.entries), listing.broken) == (count, ())
    assert all(keys_of(paper) for paper in listing.entries)
    assert (listing.rest is not None) == (count == 0)


@needs_shared
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_not_found.0.404", "Paper with id 0 not found"),
        ("test_debug.0.403", "Forbidden"),
        ("test_bad_query_parameters.0.400", "Unrecognized or unsupported fields"),
    ],
)
def test_a_refusal_is_an_error_with_its_words(name: str, words: str) -> None:
    body = (LISTINGS / "semantic_scholar" / f"{name}.json").read_bytes()

    with pytest.raises(ParseError, match=words):
        SOURCE.parse(REQUEST, body, "application/json")


@needs_shared
def test_no_recorded_answer_breaks_the_reading() -> None:
    count = 0
    for path in sorted((LISTINGS / "semantic_scholar").glob("*.json")):
        try:
            count += len(SOURCE.parse(REQUEST, path.read_bytes(), "application/json").entries)
        except ParseError:
            continue

    assert count > 1000


def test_all_that_a_paper_says_is_kept() -> None:
    listing = read(
        {
            "total": 1,
            "data": [
                {
                    "paperId": "ab12",
                    "title": "A  paper",
                    "abstract": "What it says.",
                    "authors": [{"name": "Ada One"}, {"name": None}, None],
                    "externalIds": {"ArXiv": "2403.01234", "DOI": "10.1145/12.34", "CorpusId": 7},
                    "publicationDate": "2026-03-09",
                    "openAccessPdf": {"url": "https://example.org/a.pdf"},
                    "fieldsOfStudy": ["Computer Science"],
                }
            ],
        }
    )

    (paper,) = listing.entries
    assert keys_of(paper) == ("arxiv:2403.01234", "doi:10.1145/12.34")
    assert (paper.title, paper.authors, paper.pdf_url) == (
        "A paper",
        ("Ada One",),
        "https://example.org/a.pdf",
    )
    assert paper.published_at == datetime(2026, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("known", "key"),
    [
        ({"externalIds": {"DOI": "10.1145/12.34"}}, "doi:10.1145/12.34"),
        ({"externalIds": {"DOI": "10.48550/arXiv.2403.01234"}}, "arxiv:2403.01234"),
        (
            {
                "externalIds": None,
                "abstract": None,
                "authors": None,
                "openAccessPdf": None,
                "fieldsOfStudy": 7,
            },
            "url:",
        ),
    ],
)
def test_a_paper_is_known_by_the_best_it_has(known: dict[str, Any], key: str) -> None:
    (paper,) = read({"data": [{"paperId": "ab12", "title": "T"} | known]}).entries

    assert keys_of(paper)[0].startswith(key)


def test_unknown_ids_of_a_batch_are_missing_and_broken_papers_counted() -> None:
    listing = read(
        [
            None,
            {"paperId": "ab12", "title": "T"},
            {"paperId": "x y", "title": "T"},
            {"paperId": "cd"},
            7,
        ]
    )

    assert [paper.position for paper in listing.entries] == [1]
    assert [broken.position for broken in listing.broken] == [2, 3, 4]


@pytest.mark.parametrize("answer", [7, {}, {"data": 7}, {"total": 5}])
def test_another_answer_is_refused(answer: Any) -> None:
    with pytest.raises(ParseError, match="expected papers of Semantic Scholar"):
        read(answer)


def test_what_is_asked_comes_from_the_settings() -> None:
    (request,) = SemanticScholar("s2", SourceOptions(query="q", token="k3y")).requests({}, NOW)

    question = parse_qs(urlsplit(request.url).query)
    assert request.url.startswith("https://api.semanticscholar.org/graph/v1/paper/search/bulk?")
    assert (question["publicationDateOrYear"], question["sort"]) == (
        ["2026-02-09:"],
        ["publicationDate:desc"],
    )
    assert request.headers == (("x-api-key", "k3y"),)
    with pytest.raises(ConfigError, match="what to search for"):
        build_source("semantic-scholar", "s2", SourceOptions())
