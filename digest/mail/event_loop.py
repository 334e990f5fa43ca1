"""The event loop that messages leave on: libuv's, which costs a message less than Python's own.

Source: benchmarks/deliver.py, 8 % more messages a second. What writer.py must know of it stands in
docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")


def run_to_end(main: Coroutine[Any, Any, T]) -> T:
    """Run a transport, or what drives it, as asyncio.run does."""
    return uvloop.run(main)
