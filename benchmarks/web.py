"""How fast the pages are, beside a bare Starlette page served by the same server in the same run.

    python benchmarks/web.py [--items 100000] [--subscribers 0] [--seconds 8]

Builds an archive (kept in the folder given by --folder, for the next run), serves it, and asks with
wrk: 100 readers who never pause, and 100 readers who turn a page every second. Needs wrk. With
../shared/rank beside the repository the texts are those of real papers, mixed; else they are made
up from a vocabulary in which words are as unequal as in English.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from digest.addresses import parse_address
from digest.model import Cadence, Status
from digest.store import Store
from digest.store.migrate import migrate
from digest.store.schema import item, item_key, reading, sighting, standing, subscriber

REPO = Path(__file__).resolve().parents[1]
TEXTS = REPO.parent / "shared" / "rank" / "articles.jsonl.gz"
NOW = datetime.now(UTC)
_BATCH = 5_000
#: as people search: from words that nearly every paper has to names that one has
QUERIES = (
    "model", "language model", "sparse attention", "diffusion", "graph neural network", "robot",
    "we", "learning from human feedback", "transformer", "protein folding", "watermark", "speech",
    "reinforcement learning", "quantization", "retrieval augmented generation", "vision language",
)  # fmt: skip


# --- the archive


def texts() -> Callable[[random.Random, int], tuple[str, str]]:
    """Makes the title and abstract of the n-th paper."""
    if TEXTS.exists():
        with gzip.open(TEXTS, "rt") as lines:
            real = [(a["title"], a["abstract"]) for a in map(json.loads, lines)]

        def mixed(chance: random.Random, number: int) -> tuple[str, str]:
            title, first = real[number % len(real)]
            second = real[chance.randrange(len(real))][1]
            cut = chance.randrange(1 + first.count(". "))
            sentences = first.split(". ")[:cut] + second.split(". ")[cut:]
            return title, ". ".join(sentences) or second

        return mixed
    words = [
        f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "ral", "tion", "x")
    ]
    weights = [1 / (rank + 1) for rank in range(len(words))]

    def made_up(chance: random.Random, number: int) -> tuple[str, str]:
        drawn = chance.choices(words, weights, k=160)
        return " ".join(drawn[:9]), " ".join(drawn[9:])

    return made_up


def build(path: Path, *, items: int, subscribers: int) -> None:
    """An archive of that many papers over 800 days, with votes; and that many readers."""
    store, chance, make = Store(f"sqlite:///{path}"), random.Random(1), texts()
    migrate(store)
    start = NOW - timedelta(days=800)
    for base in range(0, items, _BATCH):
        rows: dict[Any, list[dict[str, Any]]] = {
            t: [] for t in (item, item_key, standing, sighting)
        }
        for number in range(base, min(items, base + _BATCH)):
            at = start + timedelta(days=800) * (number / items)
            add_item(rows, number + 1, at, make(chance, number), chance.randrange(60))
        with store.write() as tx:
            for table, values in rows.items():
                tx.execute(insert(table), values)
    with store.write() as tx:
        values = {"source": "huggingface", "label": "x", "url": "u", "read_at": NOW, "state": "ok"}
        tx.execute(insert(reading), values | {"entries": 9, "new": 9})
    for base in range(0, subscribers, 50_000):
        with store.write() as tx:
            tx.execute(insert(subscriber), list(readers(base, min(subscribers, base + 50_000))))
    store.close()


def add_item(
    rows: dict[Any, list[dict[str, Any]]],
    number: int,
    at: datetime,
    text: tuple[str, str],
    votes: int,
) -> None:
    key = f"arxiv:{2000 + number // 100_000}.{number % 100_000:05d}"
    source = "huggingface" if number % 3 else "arxiv"
    rows[item].append(
        {"id": number, "key": key, "url": f"https://arxiv.org/abs/{key[6:]}", "title": text[0]}
        | {"abstract": text[1], "authors": ["Ada Writer", "Bo Author"], "categories": ["cs.LG"]}
        | {"told_by": "huggingface", "first_seen_at": at, "changed_at": at}
        | {"withdrawn": False, "offered": True}
    )
    rows[item_key].append({"key": key, "item_id": number})
    seen = {"item_id": number, "source": source, "position": number % 120 + 1, "stars": None}
    rows[standing].append(
        seen
        | {"kind": "huggingface", "first_seen_at": at, "last_seen_at": at, "listed_at": at}
        | {"votes": votes, "comments": 1}
    )
    for hours in (0, 5, 20):
        counts = {"seen_at": at + timedelta(hours=hours), "votes": votes * hours // 20}
        rows[sighting].append(seen | counts | {"comments": 0})


def readers(low: int, high: int) -> Iterator[dict[str, Any]]:
    due = NOW + timedelta(days=1)
    for number in range(low, high):
        email = f"r{number}@example.org"
        yield {
            "email": email,
            "address_key": parse_address(email).key,
            "status": Status.CONFIRMED,
            "zone": "UTC",
            "send_at": "07:30",
            "cadence": Cadence.DAILY,
            "max_items": 12,
            "rising": True,
            "created_at": NOW,
            "next_edition_at": due,
        }


# --- serving and asking

CONFIG = """
[site]
url = "http://127.0.0.1:{port}"
secret_key = "{key}"
[mail]
from = "Bench <bench@example.org>"
[smtp]
transport = "folder"
path = "mail"
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


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, once its port answers."""
    process = subprocess.Popen(command, cwd=REPO, stdin=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(40)


def wrk(url: str, *, seconds: int, connections: int = 100, script: str = "") -> dict[str, float]:
    """Requests a second, and the 50th and 99th percentile in ms, of readers who never pause."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as lua:
        if script:
            lua.write(script)
            lua.flush()
            command += ["-s", lua.name]
        said = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    found = {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])}  # type: ignore[index]
    for share in ("50", "99"):
        number, unit = re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", said).groups()  # type: ignore[union-attr]
        found[share] = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    found["bad"] = float(bad[1]) if bad else 0
    return found


def header(line: str) -> str:
    name, _, value = line.partition(": ")
    return f'wrk.headers["{name}"] = "{value}"\n'


def searches() -> str:
    """wrk asks for one of the queries after the other, with a number, so that none is in memory."""
    listed = ", ".join(f'"{q.replace(" ", "+")}"' for q in QUERIES)
    return (
        f"local q = {{{listed}}}\nlocal n = math.random(1000000)\n"
        "request = function() n = n + 1\n"
        ' return wrk.format("GET", "/search?q=" .. q[n % #q + 1] .. "+" .. n) end\n'
    )


def paced(port: int, paths: Sequence[str], *, readers: int, seconds: int) -> dict[str, float]:
    """Readers who each turn a page every second; their waits in ms."""

    async def read(number: int, waits: list[float], end: float) -> None:
        chance = random.Random(number)
        await asyncio.sleep(chance.random())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < end:
            begun = time.perf_counter()
            path = paths[chance.randrange(len(paths))].replace("{}", str(chance.randrange(10**9)))
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            size = re.search(rb"content-length: (\d+)", head)
            await reader.readexactly(int(size[1]) if size else 0)
            waits.append((time.perf_counter() - begun) * 1000)
            await asyncio.sleep(max(0.0, 1.0 - (time.perf_counter() - begun)))
        writer.close()

    async def all_readers() -> list[float]:
        waits: list[float] = []
        end = time.monotonic() + seconds
        await asyncio.gather(*(read(number, waits, end) for number in range(readers)))
        return sorted(waits)

    waits = asyncio.run(all_readers())
    return {
        "rate": len(waits) / seconds,
        "50": waits[len(waits) // 2],
        "99": waits[int(len(waits) * 0.99)],
        "bad": 0,
    }


def line(name: str, found: dict[str, float], bare: float | None = None) -> None:
    share = f"{found['rate'] / bare:6.2f}" if bare else " " * 6
    wrong = f"  {found['bad']:.0f} failed" if found["bad"] else ""
    waits = f"{found['50']:7.1f} | {found['99']:7.1f}"
    print(f"| {name:52} | {found['rate']:9.0f} | {share} | {waits} |{wrong}")


# --- the searches by themselves


def time_searches(database: Path) -> None:
    """Each query alone: by words, and by meaning, in ms."""
    from digest.app import App
    from digest.config import load_settings
    from digest.store.searching import Filters, find_words
    from digest.web.desk import Desk

    app = App(load_settings(database.with_name("config.toml"), environ={}))
    desk = Desk(app)
    desk.finder.warm(NOW)
    by_words, by_meaning = [], []
    for query in QUERIES * 3:
        begun = time.perf_counter()
        with app.store.read() as tx:
            find_words(tx, query.split(), Filters(), limit=30)
        middle = time.perf_counter()
        desk.finder.search(query, Filters(), now=NOW, limit=30)
        by_words.append((middle - begun) * 1000)
        by_meaning.append((time.perf_counter() - middle) * 1000)
    for name, waits in (("words", by_words), ("words and meaning", by_meaning)):
        ordered = sorted(waits)
        print(
            f"search by {name}: median {statistics.median(ordered):.1f} ms, "
            f"95th percentile {ordered[int(len(ordered) * 0.95)]:.1f} ms, most {ordered[-1]:.1f} ms"
        )
    app.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--items", type=int, default=100_000)
    options.add_argument("--subscribers", type=int, default=0)
    options.add_argument("--seconds", type=int, default=8)
    options.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()) / "digest-bench"
    )
    asked = options.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is needed (Debian: apt-get install wrk)")
    folder = asked.folder / f"{asked.items}-{asked.subscribers}"
    database = folder / "digest.db"
    if not database.exists():
        folder.mkdir(parents=True, exist_ok=True)
        build(database, items=asked.items, subscribers=asked.subscribers)
    store = Store(f"sqlite:///{database}")
    migrate(store)  # one kept from an earlier run may be older
    store.close()
    port, bare_port = free_port(), free_port()
    (folder / "config.toml").write_text(CONFIG.format(port=port, key="b" * 40))
    print(f"{asked.items:,} items, {asked.subscribers:,} subscribers, {os.cpu_count()} cores\n")
    time_searches(database)
    print(f"\n| {'what is asked':52} | {'a second':>9} | x bare | {'50% ms':>7} | {'99% ms':>7} |")
    print(f"|{'-' * 54}|{'-' * 11}|--------|{'-' * 9}|{'-' * 9}|")
    measure(folder, port, bare_port, asked.seconds)
    print()
    beside_sending()


def measure(folder: Path, port: int, bare_port: int, seconds: int) -> None:
    pages = [sys.executable, "-m", "digest", "run", "--only", "web"]
    pages += ["--config", str(folder / "config.toml")]
    site = f"http://127.0.0.1:{port}"
    with running([sys.executable, "-c", BARE, str(bare_port)], bare_port):
        bare = wrk(f"http://127.0.0.1:{bare_port}/", seconds=seconds)
    line("a bare Starlette page", bare)
    with running(pages, port):
        wrk(f"{site}/", seconds=2)
        for name, path, script in (
            ("front page, 100 who never pause", "/", ""),
            ("front page, packed", "/", header("Accept-Encoding: gzip")),
            ("front page, not modified (304)", "/", header(f"If-None-Match: {etag(site)}")),
            ("a day", f"/day/{(NOW - timedelta(days=3)).date()}", ""),
            ("a topic", "/topic/language-models", ""),
            ("a paper", "/paper/arxiv:2000.90000", ""),
            ("a search that is in memory", "/search?q=sparse+attention", ""),
            ("the feed", "/feed.atom", ""),
        ):
            line(name, wrk(site + path, seconds=seconds, script=script), bare["rate"])
        found = wrk(site, seconds=seconds, script=searches())
        line("searches never asked before, 100 who never pause", found, bare["rate"])
        # what those readers asked for last is still being made
        time.sleep(4)
        calm = paced(
            port, ["/", "/feed.atom", "/topic/language-models"], readers=100, seconds=seconds
        )
        line("pages, 100 readers, one page a second each", calm)
        queries = [f"/search?q={q.replace(' ', '+')}" for q in QUERIES]
        line(
            "searches, 100 readers, one a second each",
            paced(port, queries, readers=100, seconds=seconds),
        )
        fresh = [f"{query}+{{}}" for query in queries]
        line(
            "new searches, 10 readers, one a second each",
            paced(port, fresh, readers=10, seconds=seconds),
        )
    with running([sys.executable, "-c", BARE, str(bare_port)], bare_port):
        line(
            "the bare page once more",
            wrk(f"http://127.0.0.1:{bare_port}/", seconds=seconds),
            bare["rate"],
        )


# --- sending and reading in one process

#: serves the demo's archive and sends to its new readers at the same time; prints messages a second
BOTH = """
import sys, time
from pathlib import Path
from datetime import timedelta
from digest.app import App
from digest.config import load_settings
from digest.enrol import Choices
from digest.model import InterestKind
from digest.web import build_web
from digest.web.server import WebServer
from digest.demo import DEMO_END
class Clock:
    def now(self): return at
    def sleep(self, seconds): time.sleep(max(seconds, 0))
at = DEMO_END - timedelta(days=1)
app = App(load_settings(Path(sys.argv[1]), environ={}), Clock())
wishes = {InterestKind.TOPIC: ("language-models", "robotics")}
for n in range(int(sys.argv[3])):
    app.enrolment.join(f"{sys.argv[4]}{n}@example.org", Choices(wishes=wishes), now=at,
                       source="bench", vouched=True)
at = DEMO_END
app.editor.make_due(at)
server = WebServer(build_web(app), host="127.0.0.1", port=int(sys.argv[2]))
server.start()
print("ready", flush=True)
sys.stdin.readline()
begun = time.perf_counter()
report = app.deliverer.deliver(app.transport())
print(sum(report.states.values()) / (time.perf_counter() - begun), flush=True)
server.stop()
"""


def beside_sending(messages: int = 1_500) -> None:
    """How 100 readers, a page a second each, slow sending down, and sending them."""
    from digest.demo import run_demo

    for number in range(3):
        for is_read in (False, True):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "demo"
                run_demo(folder)
                port = free_port()
                arguments = [str(folder / "config.toml"), str(port), str(messages), f"r{number}"]
                process = subprocess.Popen(
                    [sys.executable, "-c", BOTH, *arguments],
                    cwd=REPO,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                assert process.stdin and process.stdout
                process.stdout.readline()
                if is_read:
                    before = paced(port, ["/"], readers=100, seconds=3)
                process.stdin.write("go\n")
                process.stdin.flush()
                during = paced(port, ["/"], readers=100, seconds=3) if is_read else {}
                rate = float(process.stdout.readline())
                process.communicate()
            print(
                f"sending{', 100 readers beside' if is_read else ''}: {rate:.0f} messages a second"
            )
            if is_read:
                line("  pages before", before)
                line("  pages while it sends", during)


def etag(site: str) -> str:
    from urllib.request import urlopen

    with urlopen(site) as answer:
        return str(answer.headers["etag"]).replace('"', '\\"')


if __name__ == "__main__":
    main()
