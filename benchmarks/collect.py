"""What collecting and storing one day of Hugging Face costs, against doing the least by hand.

    python benchmarks/collect.py [--papers 50]

Ours: Collector over a loopback server: ask, parse, clean, find keys, merge, write readings. Without
HTTP: the same from the answer's bytes on. By hand: json.loads and one bulk insert of the same rows
through SQLAlchemy Core. SQLite on disk, synchronous=FULL; medians of several fresh databases in
turns; the ratio means something, absolute numbers are this machine's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert

from digest.clock import SystemClock
from digest.collect import Collector, Planned
from digest.fetch import Fetcher
from digest.model import Request
from digest.sample.loopback import Answer, Asked, LoopbackServer
from digest.sources import SourceOptions, build_source
from digest.store import Store
from digest.store.collecting import StoreGate, sync_sources
from digest.store.items import merge_listing
from digest.store.migrate import open_store
from digest.store.schema import item

DAY = "2026-03-12"
NOW = datetime(2026, 3, 12, 9, tzinfo=UTC)
ROUNDS = 15


def a_day(papers: int) -> bytes:
    """An answer of the API in its full shape, about 6 KB a paper."""
    abstract = "We study how models of language attend to long contexts and what that costs. " * 20
    items = []
    for n in range(papers):
        paper = {
            "id": f"2603.{n:05}",
            "title": f"A Study of Long Contexts, Number {n}",
            "summary": f"{abstract} Paper {n}.",
            "authors": [
                {"_id": f"{n:08}{a:016}", "name": f"Author {a}", "hidden": False} for a in range(9)
            ],
            "publishedAt": "2026-03-11T18:59:01.000Z",
            "submittedOnDailyAt": f"{DAY}T0{n % 8}:27:21.109Z",
            "upvotes": papers - n,
            "githubRepo": f"https://github.com/example/paper-{n}",
            "githubStars": n,
            "ai_keywords": ["attention", "long context", "efficiency"] * 3,
            "organization": {"_id": "x" * 24, "name": "example", "fullname": "Example Lab"},
        }
        items.append({"paper": paper, "title": paper["title"], "summary": paper["summary"],
                      "publishedAt": paper["publishedAt"], "numComments": 2})  # fmt: skip
    return json.dumps(items).encode()


def by_hand(store: Store, body: bytes) -> None:
    rows = [
        {
            "key": f"arxiv:{i['paper']['id']}",
            "arxiv_id": i["paper"]["id"],
            "url": f"https://arxiv.org/abs/{i['paper']['id']}",
            "title": i["title"],
            "abstract": i["summary"],
            "authors": [a["name"] for a in i["paper"]["authors"]],
            "categories": [],
            "told_by": "huggingface",
            "withdrawn": False,
            "offered": True,
            "first_seen_at": NOW,
            "changed_at": NOW,
        }
        for i in json.loads(body)
    ]
    with store.write() as tx:
        tx.execute(insert(item), rows)


def timed(work: Callable[[Store], None]) -> tuple[float, float]:
    """Wall and CPU milliseconds on a fresh database, its set-up not counted."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'bench.db'}")
        sync_sources(store, {"hf": "huggingface"})
        begun, cpu = time.perf_counter(), time.thread_time()
        work(store)
        spent = (time.perf_counter() - begun) * 1e3, (time.thread_time() - cpu) * 1e3
        store.close()
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--papers", type=int, default=50)
    body = a_day(parser.parse_args().papers)

    def respond(request: Asked) -> Answer:
        first = request.query.get("p", "0") == "0"
        return Answer(content_type="application/json", body=body if first else b"[]")

    with LoopbackServer(respond) as server:
        source = build_source("huggingface", "hf", SourceOptions(url=server.url, pause_s=0))
        request = next(r for r in source.requests({}, NOW) if r.label == DAY)

        def parse_and_store(store: Store) -> None:
            listing = source.parse(request, body, "application/json")
            with store.write() as tx:
                merge_listing(tx, listing.entries, source="hf", kind="huggingface", now=NOW)

        # one for a whole process: opening it loads the certificates
        gate = _Gate()
        fetcher = Fetcher(agent="bench", clock=SystemClock(), gate=gate)

        def collect(store: Store) -> None:
            gate.store_gate = StoreGate(store)
            planned = {"hf": Planned(source=_OneDay(source, request), every=timedelta(hours=1))}
            (report,) = Collector(store, fetcher, planned, owner="bench").collect_due(NOW)
            assert report.new > 0 and report.error is None

        ways = {"json.loads + bulk insert": lambda s: by_hand(s, body),
                "parse and store": parse_and_store, "collect over HTTP": collect}  # fmt: skip
        spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for work in ways.values():
            timed(work)
        for _ in range(ROUNDS):
            for name, work in ways.items():
                spent[name].append(timed(work))
        fetcher.close()

    base = statistics.median(wall for wall, _ in spent["json.loads + bulk insert"])
    print(f"{len(json.loads(body))} papers, {len(body):,} bytes; medians of {ROUNDS}")
    print(f"{'':28} {'ms':>8} {'CPU ms':>8} {'× by hand':>10}   bar")
    for name, times in spent.items():
        wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
        bar = "≤ 10" if name == "collect over HTTP" else ""
        print(f"{name:28} {wall:8.2f} {cpu:8.2f} {wall / base:10.1f}   {bar}")


class _Gate:
    """The gate of the store in use."""

    store_gate: StoreGate

    def wait_s(self, host: str, pause_s: float, now: datetime) -> float:
        return self.store_gate.wait_s(host, pause_s, now)

    def hold(self, host: str, until: datetime) -> None:
        self.store_gate.hold(host, until)


class _OneDay:
    """A source that asks for one day only."""

    def __init__(self, source: object, request: Request) -> None:
        self._source, self._request = source, request
        self.name, self.kind, self.pause_s = "hf", "huggingface", 0.0

    def requests(self, memory: object, now: datetime) -> tuple[Request, ...]:
        return (self._request,)

    def parse(self, request: Request, body: bytes, content_type: str) -> object:
        return self._source.parse(request, body, content_type)  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
