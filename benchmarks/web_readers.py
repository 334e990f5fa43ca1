"""Readers for benchmarks/web.py: they open a page, read it for a second, open the next."""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WhatTheyGot:
    """How long they waited for a page."""

    pages: int
    middle_ms: float
    late_ms: float


def read_pages(
    port: int,
    paths: Sequence[str],
    *,
    readers: int,
    seconds: float,
    ends: Callable[[], bool] = lambda: False,
) -> WhatTheyGot:
    """Let them read for some seconds, or until `ends` says so; {} in a path is a new number."""
    waits: list[float] = []

    async def read(number: int, end: float) -> None:
        chance = random.Random(f"{number} {end}")
        await asyncio.sleep(chance.random())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end and not ends():
            begun = time.perf_counter()
            path = paths[chance.randrange(len(paths))].replace("{}", str(chance.randrange(10**9)))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(size[1]) if size else 0)
            waits.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - begun)))
        writer.close()

    async def all_readers() -> None:
        end = time.monotonic() + seconds
        await asyncio.gather(*(read(number, end) for number in range(readers)))

    asyncio.run(all_readers())
    waits.sort()
    return WhatTheyGot(
        pages=len(waits),
        middle_ms=waits[len(waits) // 2],
        late_ms=waits[int(len(waits) * 0.99)],
    )
