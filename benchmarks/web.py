"""How fast the pages are, beside a bare Starlette page served by the same server in the same run.

    python benchmarks/web.py [--items 100000] [--subscribers 1000000] [--rounds 7] [--folder F]

Builds two archives, without readers and with that many (kept in the folder for the next run), and
serves both and the bare page at once. wrk asks each in turn for a second, so that whatever else the
machine does hits all three alike; told are medians of the rounds. CPU is the server's own, for a
request, and the least disturbed. Then 100 readers who turn a page every second, and sending beside
them (web_sending.py). Needs wrk.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

from web_archive import NOW, archive
from web_readers import WhatTheyGot, read_pages
from web_sending import beside_sending
from web_servers import Served, free_port, running

#: as people search: from words that nearly every paper has to names that one has
QUERIES = (
    "model", "language model", "sparse attention", "diffusion", "graph neural network", "robot",
    "we", "learning from human feedback", "transformer", "protein folding", "watermark", "speech",
    "reinforcement learning", "quantization", "retrieval augmented generation", "vision language",
)  # fmt: skip
CONFIG = """
[site]
url = "http://127.0.0.1:{port}"
secret_key = "{key}"
[mail]
from = "Bench <bench@example.org>"
[smtp]
transport = "folder"
path = "mail"
[rank]
model = "lexical"
[web]
port = {port}
[[source]]
name = "huggingface"
kind = "huggingface"
every = "9d"
[[topic]]
slug = "language-models"
keywords = ["language model", "LLM"]
"""
#: the bare page: the same server, the same protocol, no work at all
BARE = """
import sys
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from digest.web.server import WebServer
async def hello(request):
    return PlainTextResponse("hello")
server = WebServer(Starlette(routes=[Route("/", hello)]), host="127.0.0.1", port=int(sys.argv[1]))
server.start()
server._thread.join()
"""


# --- servers


def bare_page() -> tuple[list[str], int]:
    port = free_port()
    return [sys.executable, "-c", BARE, str(port)], port


def pages_of(database: Path) -> tuple[list[str], int]:
    port, config = free_port(), database.with_name("config.toml")
    config.write_text(CONFIG.format(port=port, key="b" * 40))
    command = [sys.executable, "-m", "digest", "run", "--only", "web", "--config", str(config)]
    return command, port


# --- as fast as they can


@dataclass(frozen=True)
class Rate:
    """What wrk saw in a second, and what the server spent."""

    a_second: float
    late_ms: float
    cpu_us: float


def wrk(server: Served, path: str, *, script: str = "", seconds: int = 1) -> Rate:
    """100 readers who never pause."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        lua.write(script)
        lua.flush()
        command = ["wrk", "-t1", "-c100", f"-d{seconds}s", "--latency", "-s", lua.name]
        before = server.cpu_s()
        said = subprocess.run(
            [*command, server.url + path], capture_output=True, text=True, check=True
        ).stdout
    if bad := re.search(r"Non-2xx or 3xx responses: (\d+)", said):
        raise SystemExit(f"{path}: {bad[0]}")
    count = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
    return Rate(
        a_second=float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),  # type: ignore[index]
        late_ms=float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
        cpu_us=(server.cpu_s() - before) / count * 1e6,
    )


def header(line: str) -> str:
    name, _, value = line.partition(": ")
    return f'wrk.headers["{name}"] = "{value}"\n'


def etag(server: Served) -> str:
    with urlopen(server.url) as answer:
        return str(answer.headers["etag"]).replace('"', '\\"')


def compare(bare: Served, small: Served, large: Served, rounds: int) -> None:
    """Each kind of public page beside the bare one, with and without a list of readers."""
    print(
        "\n| kept page, 100 who never pause   | x bare | CPU us (bare) | 99% ms (bare) | x, list |"
    )
    print("|----------------------------------|--------|---------------|---------------|---------|")
    for name, path, script in (
        ("front page", "/", ""),
        ("front page, packed", "/", header("Accept-Encoding: gzip")),
        ("front page, not modified (304)", "/", header(f"If-None-Match: {etag(small)}")),
        ("a day", f"/day/{(NOW - timedelta(days=3)).date()}", ""),
        ("a topic", "/topic/language-models", ""),
        ("a paper", "/paper/arxiv:2000.90000", ""),
        ("a search asked before", "/search?q=sparse+attention", ""),
        ("the feed", "/feed.atom", ""),
    ):  # fmt: skip
        seen = []
        for server in (small, large):
            urlopen(server.url + path).close()  # made once, and kept
        for _ in range(rounds):
            both = header(f"If-None-Match: {etag(large)}") if "If-None" in script else script
            seen.append(
                (wrk(bare, "/"), wrk(small, path, script=script), wrk(large, path, script=both))
            )
        ratio = statistics.median(s.a_second / b.a_second for b, s, _ in seen)
        readers = statistics.median(m.a_second / s.a_second for _, s, m in seen)
        cpu, cpu_bare = (statistics.median(r[n].cpu_us for r in seen) for n in (1, 0))
        late, late_bare = (statistics.median(r[n].late_ms for r in seen) for n in (1, 0))
        print(
            f"| {name:32} | {ratio:6.2f} | {cpu:5.0f} ({cpu_bare:4.0f})  "
            f"| {late:5.0f} ({late_bare:4.0f})  | {readers:7.2f} |"
        )


# --- readers


def with_readers(bare: Served, small: Served, large: Served, rounds: int) -> None:
    """100 readers, a page a second each, one in ten of them a search."""
    pages = ["/", "/feed.atom", "/topic/language-models", "/paper/arxiv:2000.90000"] * 3
    known = [f"/search?q={q.replace(' ', '+')}" for q in QUERIES]
    new = [f"{query}+{{}}" for query in known]
    print("\n| 100 readers, a page a second each        |  50% ms |  99% ms |")
    print("|------------------------------------------|---------|---------|")
    for server in (small, large):
        read_pages(server.port, known, readers=20, seconds=3)
    for name, server, paths in (
        ("the bare page", bare, ["/"]),
        ("pages", small, pages),
        ("searches asked before", small, known),
        ("pages, and 1 in 13 a new search", small, [*pages, new[3]]),
        ("the same, with readers on the list", large, [*pages, new[3]]),
    ):
        seen = [read_pages(server.port, paths, readers=100, seconds=5) for _ in range(rounds)]
        tell(name, seen)
    tell("new searches alone, 10 a second", [
        read_pages(small.port, new, readers=10, seconds=5) for _ in range(rounds)
    ])  # fmt: skip


def tell(name: str, seen: Sequence[WhatTheyGot]) -> None:
    middle = statistics.median(got.middle_ms for got in seen)
    late = statistics.median(got.late_ms for got in seen)
    print(f"| {name:40} | {middle:7.1f} | {late:7.1f} |")


# --- the searches by themselves


def time_searches(database: Path) -> None:
    """Each query alone: by words, and the whole page, in ms of the clock and of the processor."""
    from digest.app import App
    from digest.config import load_settings
    from digest.store.searching import Filters, find_words
    from digest.web import browse
    from digest.web.desk import Desk
    from digest.web.endpoints import Ask

    app = App(load_settings(database.with_name("config.toml"), environ={}))
    desk = Desk(app)
    desk.warm()

    def by_words(query: str) -> None:
        with app.store.read() as tx:
            find_words(tx, query.split(), Filters(), limit=30)

    def whole(query: str) -> None:
        browse.search(desk, Ask(path={}, query={"q": query}))

    for name, search in (("by words", by_words), ("the whole page", whole)):
        clock, cpu = [], []
        for query in QUERIES * 4:
            begun, spent = time.perf_counter(), time.process_time()
            search(query)
            clock.append((time.perf_counter() - begun) * 1000)
            cpu.append((time.process_time() - spent) * 1000)
        late = sorted(clock)[int(len(clock) * 0.95)]
        print(
            f"search, {name}: median {statistics.median(clock):.1f} ms (CPU "
            f"{statistics.median(cpu):.1f} ms), 95th percentile {late:.1f} ms"
        )
    app.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--subscribers", type=int, default=1_000_000)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "digest-bench"
    )
    asked = options.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text stream
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed (Debian: apt-get install wrk)")
    small = archive(asked.folder, items=asked.items, subscribers=0)
    large = archive(asked.folder, items=asked.items, subscribers=asked.subscribers)
    print(f"{asked.items:,} papers, 0 and {asked.subscribers:,} readers, {os.cpu_count()} cores\n")
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(*what))
            for what in (bare_page(), pages_of(small), pages_of(large))
        ]
        time_searches(small)
        compare(*servers, asked.rounds)
        with_readers(*servers, asked.rounds)
    beside_sending()


if __name__ == "__main__":
    main()
