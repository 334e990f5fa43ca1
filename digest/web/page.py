"""A finished public page, and how it is answered: whole, packed, or "you have it already".

Pages know their ETag and when they last changed; what the client has is compared here. Pure.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

RawHeaders = Sequence[tuple[bytes, bytes]]
HTML = "text/html; charset=utf-8"
#: browsers and proxies may show a public page that long without asking, in seconds
PUBLIC_AGE_S = 60
#: smaller pages are not worth packing, in bytes
_PACKED_MIN = 1_000
_ZERO = re.compile(rb"q\s*=\s*0(\.0*)?")
#: what a page costs in memory beside its bytes
_OVERHEAD = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A public page, the same for everybody, with its headers made beforehand."""

    body: bytes = field(repr=False)
    #: the body in gzip; None when that saves nothing
    packed: bytes | None = field(repr=False)
    #: weak (RFC 9110): the packed and the plain form are the same page
    etag: str
    #: when its content last changed
    modified_at: datetime
    #: headers of the plain, the packed and the "not modified" answer
    heads: tuple[RawHeaders, RawHeaders, RawHeaders] = field(repr=False)

    @property
    def bytes_used(self) -> int:
        return len(self.body) + len(self.packed or b"") + _OVERHEAD


def make_page(
    body: bytes, *, modified_at: datetime, media_type: str = HTML, max_age_s: int = PUBLIC_AGE_S
) -> Page:
    """A page out of its bytes."""
    packed = gzip.compress(body, 6, mtime=0) if len(body) >= _PACKED_MIN else None
    etag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    common = [
        (b"etag", etag.encode()),
        (b"last-modified", format_datetime(modified_at, usegmt=True).encode()),
        (b"cache-control", f"public, max-age={max_age_s}".encode()),
        (b"vary", b"Accept-Encoding"),
    ]
    kind = (b"content-type", media_type.encode())
    plain_size = (b"content-length", str(len(body)).encode())
    packed_size = (b"content-length", str(len(packed or b"")).encode())
    heads = (
        [kind, plain_size, *common],
        [kind, packed_size, (b"content-encoding", b"gzip"), *common],
        common,
    )
    return Page(body=body, packed=packed, etag=etag, modified_at=modified_at, heads=heads)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes over the wire."""

    status: int
    headers: RawHeaders
    body: bytes


def answer_for(page: Page, headers: RawHeaders) -> Answer:
    """The page as this client needs it, going by its request's headers."""
    asked = dict(headers)
    plain, packed, bare = page.heads
    if _has_it(page, asked):
        return Answer(304, bare, b"")
    if page.packed is not None and takes_gzip(asked.get(b"accept-encoding", b"")):
        return Answer(200, packed, page.packed)
    return Answer(200, plain, page.body)


def _has_it(page: Page, asked: Mapping[bytes, bytes]) -> bool:
    tags = asked.get(b"if-none-match")
    if tags is not None:
        # RFC 9110, 13.1.2: compared weakly, and it goes before If-Modified-Since
        known = {tag.strip().removeprefix("W/") for tag in tags.decode("latin-1").split(",")}
        return page.etag.removeprefix("W/") in known or "*" in known
    since = asked.get(b"if-modified-since")
    if since is None:
        return False
    try:
        moment = parsedate_to_datetime(since.decode("latin-1"))
    except ValueError:
        return False
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return page.modified_at.replace(microsecond=0) <= moment


def takes_gzip(accepted: bytes) -> bool:
    """Whether an Accept-Encoding allows gzip."""
    for part in accepted.lower().split(b","):
        name, _, weight = part.partition(b";")
        if name.strip() in (b"gzip", b"*"):
            return not _ZERO.fullmatch(weight.strip())
    return False
