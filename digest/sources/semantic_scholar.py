"""Semantic Scholar: the newest papers for a query, from its bulk search.

Without a key all users of the world share 100 requests in five minutes, so refusals are usual
there. Nearly every field may be null; a paper on arXiv or with a DOI is known by that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from digest.errors import ConfigError, ParseError
from digest.model import Listing, PaperData, Request
from digest.papers import ArxivId, find_arxiv, normal_doi
from digest.sources.answers import BrokenEntry, describe, load_json, read_entries, text_of
from digest.sources.base import SourceOptions
from digest.text import http_url

API = "https://api.semanticscholar.org"
LOOK_BACK = timedelta(days=30)
LIMIT = 200
FIELDS = "title,abstract,authors,externalIds,publicationDate,url,openAccessPdf,fieldsOfStudy"


class SemanticScholar:
    """What a query finds among the papers of the last month, newest first."""

    kind = "semantic-scholar"

    def __init__(self, name: str, options: SourceOptions) -> None:
        if not options.query:
            raise ConfigError([f"source {name!r}: query must say what to search for"])
        self.name = name
        self.pause_s = 3.0 if options.pause_s is None else options.pause_s
        self._url = (options.url or API).rstrip("/")
        self._query = options.query
        self._limit = options.limit or LIMIT
        self._headers = (("x-api-key", options.token),) if options.token else ()

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """The search, at every pass."""
        question = {
            "query": self._query,
            "fields": FIELDS,
            "publicationDateOrYear": f"{(now - LOOK_BACK).date()}:",
            "sort": "publicationDate:desc",
        }
        return (
            Request(
                url=f"{self._url}/graph/v1/paper/search/bulk?{urlencode(question)}",
                label=f"query {self._query}",
                accept="application/json",
                headers=self._headers,
            ),
        )

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read the answer of a search, of recommendations or of a batch of papers."""
        papers = _papers_of(load_json(body, content_type), describe(body, content_type))
        listing = read_entries(papers[: self._limit], _read_paper)
        sought = parse_qs(urlsplit(request.url).query).get("query", [""])[0]
        rest = None if papers else f"nothing new matches {sought!r}"
        return Listing(entries=listing.entries, broken=listing.broken, rest=rest)


def _papers_of(answer: Any, seen: str) -> list[Any]:  # JSON has no static shape
    if isinstance(answer, list):
        return [paper for paper in answer if paper is not None]  # ids that it does not know
    if not isinstance(answer, dict):
        raise ParseError(f"expected papers of Semantic Scholar, got {seen}")
    refusal = text_of(answer.get("error")) or text_of(answer.get("message"))
    if refusal:
        raise ParseError(f"Semantic Scholar refused the question: {refusal}")
    papers = answer.get("data", answer.get("recommendedPapers"))
    if papers is None and answer.get("total") == 0:
        return []  # without results there is no key for them
    if not isinstance(papers, list):
        raise ParseError(f"expected papers of Semantic Scholar, got {seen}")
    return papers


def _read_paper(paper: Any, position: int) -> PaperData:
    known = paper if isinstance(paper, dict) else {}
    title = text_of(known.get("title"))
    if not title:
        raise BrokenEntry(f"no title: {text_of(known.get('paperId')) or 'no paper in it'}")
    ids = known.get("externalIds")
    ids = ids if isinstance(ids, dict) else {}
    arxiv = find_arxiv(text_of(ids.get("ArXiv")))
    doi = normal_doi(text_of(ids.get("DOI")))
    url = _landing_page(known, arxiv, doi)
    if url is None:
        raise BrokenEntry(f"no link to open: {title[:60]!r}")
    pdf = known.get("openAccessPdf")
    return PaperData(
        title=title,
        url=url,
        abstract=text_of(known.get("abstract")),
        authors=_names(known.get("authors")),
        arxiv_id=arxiv.id if arxiv else None,
        doi=None if doi and find_arxiv(doi) else doi,
        categories=_texts(known.get("fieldsOfStudy")),
        published_at=_day(known.get("publicationDate")),
        position=position,
        pdf_url=http_url(text_of(pdf.get("url"))) if isinstance(pdf, dict) else None,
    )


def _landing_page(known: Mapping[str, Any], arxiv: ArxivId | None, doi: str | None) -> str | None:
    if arxiv:
        return f"https://arxiv.org/abs/{arxiv.id}"
    if doi:
        return http_url(f"https://doi.org/{doi}")
    paper_id = text_of(known.get("paperId"))
    own = f"https://www.semanticscholar.org/paper/{paper_id}" if paper_id.isalnum() else ""
    return http_url(text_of(known.get("url")) or own)


def _texts(values: object) -> tuple[str, ...]:
    return tuple(filter(None, map(text_of, values))) if isinstance(values, list) else ()


def _names(authors: object) -> tuple[str, ...]:
    listed = authors if isinstance(authors, list) else []
    names = (text_of(author.get("name")) for author in listed if isinstance(author, dict))
    return tuple(name for name in names if name)


def _day(stated: object) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(text_of(stated)), time(), UTC)
    except ValueError:
        return None
