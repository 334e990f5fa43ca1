"""The identity of a paper: which spellings, versions and addresses mean the same one.

Keys are `arxiv:2401.01234`, `doi:10.…` and `url:<hash of the normalised URL>`, never a title.
Pure functions on texts; the store decides what becomes of two rows that meet under one key.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from digest.errors import BadInput
from digest.model import PaperData
from digest.text import clean, http_url


class ArxivId(NamedTuple):
    """A paper on arXiv, and which version of it was meant."""

    #: versionless: "2401.01234", "astro-ph/0601001"
    id: str
    #: None when no version was named
    version: int | None


# Identifiers from before April 2007 carry one of these archives. A subject class in between
# (math.GT/0309136) is accepted and dropped: arXiv itself answers under math/0309136.
_ARCHIVES = (
    "acc-phys adap-org alg-geom ao-sci astro-ph atom-ph bayes-an chao-dyn chem-ph cmp-lg comp-gas "
    "cond-mat cs dg-ga funct-an gr-qc hep-ex hep-lat hep-ph hep-th math math-ph mtrl-th nlin "
    "nucl-ex nucl-th patt-sol physics plasm-ph q-alg q-bio quant-ph solv-int supr-con"
).split()
_OLD = rf"(?P<archive>{'|'.join(_ARCHIVES)})(?:\.[a-z-]{{2,}})?/(?P<old>\d{{7}})"
_ID = rf"(?:(?P<number>\d{{4}}\.\d{{4,5}})|{_OLD})(?:v(?P<version>[1-9]\d{{0,3}}))?"
_PREFIX = r"(?:oai:arxiv\.org:|arxiv[:\s]\s*|10\.48550/arxiv\.)"
_BARE = re.compile(rf"\[?(?:{_PREFIX})?{_ID}\]?", re.IGNORECASE)
_IN_PROSE = re.compile(
    rf"(?<![\w/.])(?:{_PREFIX}|arxiv\.org/(?:abs|pdf|html)/){_ID}(?!\w|\.\d)", re.IGNORECASE
)
_URL_IN_PROSE = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_SCHEMELESS = re.compile(r"(?:[a-z0-9-]+\.)+[a-z]{2,}/\S+", re.IGNORECASE)

#: where a paper of arXiv is shown: host (any subdomain) and the path in front of its id
_ARXIV_PAGES = (
    ("arxiv.org", r"(?:abs|pdf|html|ps|dvi|format|e-print|src|tb)"),
    ("ar5iv.org", r"(?:abs|html|pdf)"),
    ("alphaxiv.org", r"(?:[a-z]{2}/)?(?:abs|pdf|html|overview|paper|review|audio)"),
    ("huggingface.co", r"papers"),
    ("hf.co", r"papers"),
    ("scirate.com", r"arxiv"),
    ("arxiv-vanity.com", r"papers"),
    ("emergentmind.com", r"papers"),
    ("semanticscholar.org", r"(?:paper/)?(?=arxiv:)"),
)
_ARXIV_PATHS = {
    host: re.compile(rf"/{where}/?(?:arxiv:)?{_ID}(?:\.pdf|\.ps|\.ps\.gz)?/?", re.IGNORECASE)
    for host, where in _ARXIV_PAGES
}

_DOI = re.compile(r"(?:(?:info:)?doi:?[\s/]*)?(?P<doi>10\.\d{4,9}/[^\s\"<>]+)", re.IGNORECASE)
# Publishers' pages that carry the DOI in the path, often with a word of their own behind it.
_DOI_PATH = re.compile(
    r"/(?:.*/)?(?:doi|content|article|articles|chapter|book)/(?:[a-z]+/)?(?P<doi>10\.\d{4,9}/\S+)",
    re.IGNORECASE,
)
_PAGE_SUFFIX = re.compile(r"(?:\.pdf|/(?:full|abstract|pdf|html|meta|epub)(?:/.*)?)$")
_DOI_HOSTS = ("doi.org", "doi.acm.org")
_PREPRINT = re.compile(r"(10\.1101/(?:\d{4}\.\d\d\.\d\d\.)?\d{6,})(?:v\d+)?(?:\.[a-z.-]+)?")

#: query parameters that say where a reader came from, not what is read
_TRACKING = re.compile(
    r"utm_.*|mc_[ce]id|fbclid|gclid|dclid|gbraid|wbraid|msclkid|twclid|yclid|igshid|igsh|_hsenc"
    r"|_hsmi|mkt_tok|ref_src|ref_url|cmpid|__twitter_impression|vero_id|oly_(?:anon|enc)_id",
    re.IGNORECASE,
)
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_URL_KEY = re.compile(r"url:[0-9a-f]{16}")


def find_arxiv(text: str) -> ArxivId | None:
    """The arXiv paper that a text names: an id, a prefixed id, a link, a DOI, or prose with one.

    Within prose an id counts only with its prefix or in a link: a bare 2401.01234 there may be a
    price. A link counts only by its own address, not by what stands in its query.
    """
    text = text.strip()
    whole = _BARE.fullmatch(text)
    if whole:
        return _read_id(whole)
    link = _as_link(text)
    if link:
        return _arxiv_of_link(link)
    for address in _URL_IN_PROSE.findall(text):
        found = _arxiv_of_link(address.rstrip(".,;:!?)]}'"))
        if found:
            return found
    inside = _IN_PROSE.search(text)
    return _read_id(inside) if inside else None


def _read_id(found: re.Match[str]) -> ArxivId:
    number = found["number"] or f"{found['archive'].lower()}/{found['old']}"
    return ArxivId(number, int(found["version"]) if found["version"] else None)


def _as_link(text: str) -> str | None:
    """The text as one absolute link, with its scheme guessed when only that is missing."""
    if re.match(r"https?:", text, re.IGNORECASE):
        return http_url(text) if not re.search(r"\s", text) else None
    return http_url(f"https://{text}") if _SCHEMELESS.fullmatch(text) else None


def _arxiv_of_link(link: str) -> ArxivId | None:
    host, path = _host_and_path(link)
    if host.endswith("doi.org"):
        found = _BARE.fullmatch(path.lstrip("/"))
        return _read_id(found) if found and path.lower().startswith("/10.48550/") else None
    for name, pattern in _ARXIV_PATHS.items():
        if host == name or host.endswith(f".{name}"):
            found = pattern.fullmatch(path)
            return _read_id(found) if found else None
    return None


def _host_and_path(link: str) -> tuple[str, str]:
    parts = urlsplit(link)
    return (parts.hostname or "").rstrip("."), unquote(parts.path)


def normal_doi(text: str) -> str | None:
    """The DOI that a text is — bare, with `doi:`, or as a link — in lower case; None if none.

    A preprint server's version suffix (10.1101/…v2) is dropped: all versions are one paper.
    """
    text = clean(text)
    link = _as_link(text) if not text.startswith("10.") else None
    if link:
        host, path = _host_and_path(link)
        resolver = any(host == name or host.endswith(f".{name}") for name in _DOI_HOSTS)
        found = _DOI.fullmatch(path.lstrip("/")) if resolver else _DOI_PATH.fullmatch(path)
    else:
        found = _DOI.fullmatch(text)
    if not found:
        return None
    doi = found["doi"].lower()
    return _tidy_doi(_PAGE_SUFFIX.sub("", doi) if link else doi)


def _tidy_doi(doi: str) -> str | None:
    preprint = _PREPRINT.fullmatch(doi)
    if preprint:
        return preprint[1]
    while doi and (doi[-1] in ".,;:/" or (doi[-1] == ")" and doi.count("(") < doi.count(")"))):
        doi = doi[:-1]
    return doi if _DOI.fullmatch(doi) else None


def normal_url(url: str) -> str:
    """The one spelling of a link's address, for comparing; not necessarily one to be opened.

    http and https, with and without `www.`, tracking parameters, fragment, trailing slash, order
    of the query and needless escapes make no difference. Raises BadInput when it is no http link.
    """
    absolute = http_url(url)
    if absolute is None:
        raise BadInput(f"{url[:200]!r} is not a link; it should begin with https://")
    parts = urlsplit(absolute)
    host = (parts.hostname or "").rstrip(".")
    while host.startswith("www.") and "." in host[4:]:
        host = host[4:]
    host = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    path = _without_dots(_escape(parts.path, keep="/:@!$&'()*+,;=")).rstrip("/")
    if host == "github.com":  # names of owners and repositories are alike in any case
        path = re.sub(r"^/[^/]+/[^/]+", lambda found: found[0].lower(), path)
    query = "&".join(sorted(_query_pairs(parts.query)))
    return f"https://{host}{port}{path}" + (f"?{query}" if query else "")


def _query_pairs(query: str) -> Iterator[str]:
    for pair in query.split("&"):
        name = unquote(pair.partition("=")[0])
        if pair and not _TRACKING.fullmatch(name):
            yield _escape(pair.replace("+", "%20"), keep="/:@!$'()*,;=?")


def _escape(text: str, *, keep: str) -> str:
    """Escapes only where they mean something, in capitals; %41 is A, %2f stays %2F."""

    def settle(found: re.Match[str]) -> str:
        char = chr(int(found[0][1:], 16))
        return char if _UNRESERVED.fullmatch(char) else found[0].upper()

    return quote(re.sub("%[0-9A-Fa-f]{2}", settle, text), safe=keep + "%~")


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[max(1, len(kept) - 1) :]
        elif part != ".":
            kept.append(part)
    return "/".join(kept)


def keys_of(paper: PaperData) -> tuple[str, ...]:
    """All keys of a paper, best first: arxiv, doi, url; at least one.

    A landing page on arXiv, on a page that mirrors it, or behind a DOI says no more than that
    identity, so it makes no `url:` key; every spelling of it meets under one key.
    """
    keys = []
    by_url = find_arxiv(paper.url)
    arxiv = (find_arxiv(paper.arxiv_id) if paper.arxiv_id else None) or by_url
    arxiv = arxiv or (find_arxiv(paper.doi) if paper.doi else None)
    if arxiv:
        keys.append(f"arxiv:{arxiv.id}")
    dois = [normal_doi(text) for text in (paper.doi or "", paper.url)]
    keys.extend(f"doi:{doi}" for doi in dict.fromkeys(dois) if doi and not find_arxiv(doi))
    if not by_url and not dois[1]:
        keys.append(_url_key(paper.url))
    return tuple(keys)


def _url_key(url: str) -> str:
    return f"url:{hashlib.sha256(normal_url(url).encode()).hexdigest()[:16]}"


def parse_key(text: str) -> str:
    """The key that a person means by a key, an arXiv id, a DOI or a link. Raises BadInput."""
    text = clean(text)
    if _URL_KEY.fullmatch(text.lower()):
        return text.lower()
    arxiv = find_arxiv(text)
    if arxiv:
        return f"arxiv:{arxiv.id}"
    doi = normal_doi(text)
    if doi:
        return f"doi:{doi}"
    link = _as_link(text)
    if link:
        return _url_key(link)
    raise BadInput(
        f"{text[:200]!r} names no paper; give an arXiv id like 2401.01234, a DOI like "
        "10.1000/182, or a link beginning with https://"
    )
