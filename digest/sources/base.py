"""What every source is: it says what to ask and how to read the answer, and touches nothing.

No sockets, no clock, no store: `now` and the memory of earlier readings are arguments, and every
parser is tested with saved bytes. digest/collect.py drives sources, digest/fetch.py asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from digest.model import Listing, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """What a `[[source]]` of the settings says about how to ask; each kind takes what it needs."""

    #: base address, file or feed; None for the kind's public default
    url: str | None = None
    #: arXiv categories, subreddits, …: what to list, in the kind's own words
    categories: tuple[str, ...] = ()
    #: a search, for kinds that can search
    query: str | None = None
    #: at most that many entries from one request; None for the kind's default
    limit: int | None = None
    #: seconds between two requests to its host; None for the kind's default
    pause_s: float | None = None
    #: a key or token for the source's API; never logged
    token: str | None = field(default=None, repr=False)


class Source(Protocol):
    """One configured place of listings."""

    #: the operator's name for it, unique
    name: str
    #: "huggingface", "arxiv", "feed", "page"
    kind: str
    #: pause between two requests to its host, in seconds
    pause_s: float

    def requests(self, memory: Mapping[str, datetime], now: datetime) -> tuple[Request, ...]:
        """What to ask in a pass at `now`, in order.

        `memory` has, for each request label, when it was last read well.
        """
        ...

    def parse(self, request: Request, body: bytes, content_type: str) -> Listing:
        """Read the answer to `request`.

        A broken entry is reported in the listing and costs only itself. Raises ParseError when
        the answer as a whole is not what this source promises.
        """
        ...
