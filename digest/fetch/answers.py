"""What comes back from a place that was asked."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Validator:
    """What a server gave to ask "has it changed?" with; kept per requested URL."""

    #: with its quotes, perhaps W/; None when the server sent none
    etag: str | None = None
    #: an HTTP date, as the server wrote it
    last_modified: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer. Anything less is a FetchError."""

    #: where it came from, after redirects
    url: str
    status: int
    #: decoded from gzip or deflate; empty when unchanged
    body: bytes = field(repr=False)
    #: the header as sent, "" without one
    content_type: str
    #: True when the server says that nothing changed since the validator
    unchanged: bool = False
    #: to be kept for the next time; None when the server offers nothing to ask with
    validator: Validator | None = None
