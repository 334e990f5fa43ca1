"""The whole way out, from rows of the outbox to settled ones, against its goals in one run.

    python benchmarks/deliver.py [--runs 5] [--people 2000] [--flat 2000,20000] [--only 0,20]

Each row of the table has its reference beside it: Postfix's `smtp-source -d` with as many bytes and
connections into the same sink (sink.c, which can answer late), the deliver stage itself in other
groups, or the way Python programs usually do it (senders.py). Sender and sink share one core.
Subject and reference take turns; the ratio is the median over turns. "by CPU" is the same ratio of
the CPU time of sender and sink together: what the clock would show on a core of one's own. "core"
is how much of it the two had: with answers at once, anything below 100 % went to other programs or
into waiting for the disk.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import compose
import signing
from senders import Job, Taken, fill, make_key
from transport import build_sink, pin, wait_for

HERE = Path(__file__).parent
CPU = 0
POOL = 200
#: messages of a reference that is faster than its clock
SOURCE_COUNT = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measurement."""

    taken: Taken
    #: of the sink meanwhile
    sink_cpu_s: float

    @property
    def rate(self) -> float:
        return self.taken.count / self.taken.seconds

    @property
    def core(self) -> float:
        """How much of the core the two had, or needed."""
        return (self.taken.cpu_s + self.sink_cpu_s) / self.taken.seconds

    @property
    def rate_by_cpu(self) -> float:
        return self.taken.count / (self.taken.cpu_s + self.sink_cpu_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A server that takes everything."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A goal: `subject` over `reference`, as names of what was measured."""

    name: str
    subject: str
    reference: str
    goal: float


Measure = Callable[[], Sample]


class Bench:
    """What all measurements share: outboxes, a key, sinks."""

    def __init__(self, folder: Path, people: int, items: int, octets: int) -> None:
        self._folder = folder
        self._people = people
        self._items = items
        self._octets = octets
        self._key = folder / "key.pem"
        self._key.write_bytes(make_key())
        sink = build_sink(folder)
        if sink is None or shutil.which("smtp-source") is None:
            sys.exit("needs a C compiler and smtp-source (package postfix)")
        self._sink = sink

    def outbox(self, people: int) -> Path:
        """A database with a message for each of so many people; made once."""
        path = self._folder / f"outbox-{people}.db"
        if not path.exists():
            fill(path, people, self._items, POOL)
        return path

    @contextlib.contextmanager
    def sink(self, delay_ms: int) -> Iterator[Sink]:
        process = subprocess.Popen(
            [self._sink, str(delay_ms)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: pin(CPU),
        )
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            wait_for(port)
            yield Sink(pid=process.pid, port=port)
        finally:
            process.kill()
            process.wait()

    def source(self, sink: Sink, connections: int, count: int) -> Sample:
        """Postfix's test sender."""
        before, sink_cpu = resource.getrusage(resource.RUSAGE_CHILDREN), sink.cpu_s()
        started = time.perf_counter()
        subprocess.run(
            [
                *("smtp-source", "-d", "-s", str(connections), "-m", str(count)),
                *("-l", str(self._octets), "-f", "a@example.org", "-t", "b@example.net"),
                f"127.0.0.1:{sink.port}",
            ],
            check=True,
            preexec_fn=lambda: pin(CPU),
        )
        seconds = time.perf_counter() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        taken = Taken(count=count, seconds=seconds, cpu_s=cpu_s, rss_mb=0.0)
        return Sample(taken=taken, sink_cpu_s=sink.cpu_s() - sink_cpu)

    def sender(self, sink: Sink, people: int = 0, **job: object) -> Sample:
        """One of senders.py, on an outbox of its own."""
        made, used = self.outbox(people or self._people), self._folder / "used.db"
        for old in self._folder.glob("used.db*"):
            old.unlink()
        shutil.copyfile(made, used)
        if job.pop("signs", False):
            job["key"] = str(self._key)
        given = Job(database=f"sqlite:///{used}", port=sink.port, **job)  # type: ignore[arg-type]
        sink_cpu = sink.cpu_s()
        run = subprocess.run(
            [sys.executable, HERE / "senders.py", json.dumps(asdict(given))],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: pin(CPU),
            env={**os.environ, "PYTHONPATH": str(HERE.parent)},
        )
        taken = Taken(**json.loads(run.stdout))
        return Sample(taken=taken, sink_cpu_s=sink.cpu_s() - sink_cpu)


# -- the table


def in_turn(runs: int, measures: dict[str, Measure]) -> dict[str, list[Sample]]:
    """Measure all, again and again, so that each has its share of a loaded machine."""
    samples: dict[str, list[Sample]] = {name: [] for name in measures}
    for _ in range(runs):
        for name, measure in measures.items():
            samples[name].append(measure())
    return samples


def show(rows: Sequence[Row], samples: dict[str, list[Sample]]) -> None:
    """Print what was measured, row by row."""
    for row in rows:
        subject, reference = samples[row.subject], samples[row.reference]
        pairs = list(zip(subject, reference, strict=True))
        ratios = [s.rate / r.rate for s, r in pairs]
        by_cpu = statistics.median(s.rate_by_cpu / r.rate_by_cpu for s, r in pairs)
        cpu_ms = statistics.median(s.taken.cpu_s / s.taken.count * 1000 for s in subject)
        core = statistics.median(s.core for s in subject)
        print(
            f"{row.name:34} {spread([s.rate for s in subject]):>22}"
            f" {spread([r.rate for r in reference]):>24} {cpu_ms:7.3f} {core:5.0%}"
            f" {of(ratios):>20} {by_cpu:7.3f} {verdict(statistics.median(ratios), row.goal)}",
            flush=True,
        )


def spread(rates: Sequence[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f}-{max(rates):,.0f})"


def of(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"


def verdict(ratio: float, goal: float) -> str:
    return f"{'reached' if ratio >= goal else 'SHORT  '} >= {goal:g}"


def at_once(bench: Bench, runs: int) -> None:
    """64 connections, answers at once: what it costs; and groups, and the usual way."""
    with bench.sink(0) as sink:
        measures: dict[str, Measure] = {
            "smtp-source": lambda: bench.source(sink, 64, SOURCE_COUNT),
            "plain": lambda: bench.sender(sink, sender="digest", connections=64),
            "signed": lambda: bench.sender(sink, sender="digest", connections=64, signs=True),
            "by 128": lambda: bench.sender(sink, sender="digest", connections=64, group=128),
            "usual": lambda: bench.sender(sink, sender="usual", connections=1, signs=True),
        }
        samples = in_turn(runs, measures)
    rows = [
        Row(name="64 connections", subject="plain", reference="smtp-source", goal=0.15),
        Row(name="64 connections, RSA", subject="signed", reference="smtp-source", goal=0.066),
        Row(name="groups of 16, x groups of 128", subject="plain", reference="by 128", goal=0.9),
        Row(name="RSA, x the usual Python way", subject="signed", reference="usual", goal=15),
    ]
    show(rows, samples)


def from_afar(bench: Bench, runs: int) -> None:
    """20 ms for each answer: how well connections are used."""
    with bench.sink(20) as sink:
        measures: dict[str, Measure] = {
            "64": lambda: bench.source(sink, 64, 2_000),
            "plain": lambda: bench.sender(sink, sender="digest", connections=64),
            "signed": lambda: bench.sender(sink, sender="digest", connections=64, signs=True),
            "8": lambda: bench.source(sink, 8, 500),
            "few": lambda: bench.sender(sink, sender="digest", connections=8),
        }
        samples = in_turn(runs, measures)
    rows = [
        Row(name="20 ms, 64 connections", subject="plain", reference="64", goal=2.7),
        Row(name="20 ms, 64 connections, RSA", subject="signed", reference="64", goal=1.3),
        Row(name="20 ms, 8 connections", subject="few", reference="8", goal=3.5),
    ]
    show(rows, samples)


def flat(bench: Bench, sizes: Sequence[int]) -> None:
    """CPU and memory by the size of the outbox."""
    print(f"\n{'messages':>10} {'CPU ms each':>12} {'memory MB':>10}   (goal: flat, below 150 MB)")
    for people in sizes:
        with bench.sink(0) as sink:
            sample = bench.sender(sink, people, sender="digest", connections=64)
        cpu_ms = sample.taken.cpu_s / sample.taken.count * 1000
        print(f"{people:10,} {cpu_ms:12.3f} {sample.taken.rss_mb:10.0f}", flush=True)


def flush_ms(folder: Path) -> float:
    """What every commit waits for."""
    taken = []
    with (folder / "flushed").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken) * 1000


def build(people: int, items: int) -> int:
    """What making a message costs; returns its size."""
    given = ["--people", str(people), "--items", str(items), "--pool", str(POOL)]
    measured = _json_of("compose.py", *given)
    ours, usual = (measured["rows"][name] for name in (compose.KNOWN, compose.USUAL))
    times = statistics.median(usual) / statistics.median(ours)
    print(f"{people} people x {items} items, {measured['octets']:,} octets a message\n")
    print(
        f"build: CPU ms {of(ours)}, {compose.USUAL} {of(usual)}:"
        f" {times:.1f} x cheaper, {verdict(times, 12)};"
        f" {'reached' if statistics.median(ours) <= 0.3 else 'SHORT'} <= 0.30 ms"
    )
    signed = _json_of("signing.py", "--items", str(items))
    ours, bare = (signed[name] for name in (signing.OURS, signing.BARE))
    ratios = [mine / theirs for mine, theirs in zip(ours, bare, strict=True)]
    told = "reached" if statistics.median(ratios) <= 1.5 else "SHORT"
    print(f"DKIM RSA-2048: CPU ms {of(ours)}, x the bare signature {of(ratios)}, {told} <= 1.5\n")
    return int(measured["octets"])


def _json_of(name: str, *arguments: str):  # type: ignore[no-untyped-def]
    run = subprocess.run(
        [sys.executable, HERE / name, "--json", *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: pin(CPU),
        env={**os.environ, "PYTHONPATH": str(HERE.parent)},
    )
    return json.loads(run.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--people", type=int, default=2_000)
    parser.add_argument("--items", type=int, default=15)
    parser.add_argument("--flat", default="2000,20000", help='sizes, or "all" up to 200,000')
    parser.add_argument("--folder", help="where the outboxes lie: another disk, or one in memory")
    parser.add_argument("--only", default="build,0,20,flat", help="parts: build, 0, 20, flat")
    given = parser.parse_args()
    sizes = "2000,20000,200000" if given.flat == "all" else given.flat
    parts = given.only.split(",")
    octets = build(given.people, given.items) if "build" in parts else 65_500
    with tempfile.TemporaryDirectory(prefix="digest-bench-", dir=given.folder) as folder:
        bench = Bench(Path(folder), given.people, given.items, octets)
        print(f"a flush of 4 KB to the disk takes {flush_ms(Path(folder)):.2f} ms (median)\n")
        print(
            f"{'':34} {'messages/s (min-max)':>22} {'reference (min-max)':>24}"
            f" {'CPU ms':>7} {'core':>5} {'ratio (min-max)':>20} {'by CPU':>7} goal"
        )
        if "0" in parts:
            at_once(bench, given.runs)
        if "20" in parts:
            from_afar(bench, given.runs)
        if "flat" in parts:
            flat(bench, [int(size) for size in sizes.split(",")])


if __name__ == "__main__":
    main()
