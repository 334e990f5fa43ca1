"""What every source is: it says what to ask and how to read the answer, and touches nothing.

No sockets, no clock, no store: `now` and the memory of earlier readings are arguments, and every
parser is tested with saved bytes. digest/collect.py drives sources, digest/fetch.py asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from digest.model import Listing, Request


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
