"""What ranking and making editions cost, each beside a reference measured in the same run.

    python benchmarks/rank_speed.py [--only editions,index] [--readers 100000] [--archive 20000]

CPU seconds of one thread; machines differ, ratios within one run mean something.

- editions: everybody's edition made and stored (ranked, chosen, reasons, rows) on SQLite, beside the
  bare inserts of the very same rows by the driver, in the same transactions.
- index: a day's 300 papers into the database and the ranker, and the pool made of it, beside the
  same with a small archive.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path

# one core: what is measured must not be shared out
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from crowd import NOW, World, fill, list_papers

from digest.edition import EditionRules, Editor
from digest.rank import RankSettings
from digest.store import Store
from digest.store.migrate import migrate

RULES = EditionRules(
    lookback=timedelta(days=7),
    catch_up=timedelta(hours=20),
    send_empty=False,
    domain="example.org",
    rank=RankSettings(),
)
NEW_ITEMS = 300
SMALL_ARCHIVE = 5_000
CANDIDATES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    seconds: float
    reference: str
    reference_s: float
    #: what is held against the goal, and whether it was reached
    told: str
    reached: bool

    def show(self) -> None:
        ratio = self.seconds / self.reference_s
        verdict = "reached" if self.reached else "SHORT"
        print(
            f"{self.name:34} {self.seconds:9.3f} {self.reference:34} {self.reference_s:9.3f}"
            f" {ratio:7.2f}   {self.told}: {verdict}",
            flush=True,
        )


def cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds that it takes."""
    started = time.process_time()
    work()
    return time.process_time() - started


def memory_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# -- editions


def editions(folder: Path, readers: int) -> Iterator[Row]:
    """Make everybody's edition, then insert the same rows again by the bare driver."""
    made, bare = folder / "readers.db", folder / "bare.db"
    fill(made, readers=readers, candidates=CANDIDATES, archive=3_000)
    shutil.copyfile(made, bare)
    store = Store(f"sqlite:///{made}")
    editor = Editor(store, RULES)
    wall = time.perf_counter()
    seconds = cpu_s(lambda: editor.make_due(NOW))
    wall = time.perf_counter() - wall
    store.close()
    rows = sum(1 for _ in sqlite3.connect(made).execute("SELECT id FROM outbox"))
    assert rows == readers, f"{rows} of {readers} were served"
    reference = insert_again(made, bare)
    per_100_000 = seconds / readers * 100_000
    yield Row(
        name=f"{readers:,} editions made and stored",
        seconds=seconds,
        reference="the same rows, bare sqlite3",
        reference_s=reference,
        told=f"{per_100_000:.0f} s for 100,000 (<= 60), wall {wall:.0f} s, {memory_mb():.0f} MB",
        reached=per_100_000 <= 60,
    )


def insert_again(made: Path, bare: Path) -> float:
    """CPU seconds of the driver alone for the rows that were made, in groups of one transaction."""
    source = sqlite3.connect(made)
    groups: dict[str, list[list[tuple[object, ...]]]] = {}
    for table, key in (("edition", "id"), ("pick", "edition_id"), ("outbox", "edition_id")):
        rows = source.execute(f"SELECT {key}, * FROM {table} ORDER BY {key}").fetchall()
        of_batch = groupby(rows, key=lambda row: (row[0] or 0) // RULES.batch)
        groups[table] = [[row[1:] for row in group] for _, group in of_batch]
    wordings = source.execute("SELECT * FROM wording").fetchall()
    target = sqlite3.connect(bare, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        target.execute(f"PRAGMA {pragma}")

    def insert() -> None:
        _insert(target, "wording", wordings)
        for number in range(max(map(len, groups.values()))):
            target.execute("BEGIN IMMEDIATE")
            for table, batches in groups.items():
                if number < len(batches):
                    _insert(target, table, batches[number])
            target.execute("COMMIT")

    return cpu_s(insert)


def _insert(target: sqlite3.Connection, table: str, rows: list[tuple[object, ...]]) -> None:
    marks = ",".join("?" * len(rows[0]))
    target.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)


# -- the index


def index(folder: Path, archive: int) -> Iterator[Row]:
    """A day's new papers, with a small archive and a large one."""
    world = World()
    store = Store(f"sqlite:///{folder / 'archive.db'}")
    migrate(store)
    small = _grown(store, world, 0, SMALL_ARCHIVE)
    large = _grown(store, world, SMALL_ARCHIVE + NEW_ITEMS, archive)
    store.close()
    for name, mine, theirs in zip(("stored", "ranker and pool"), large, small, strict=True):
        told = f"{mine:.2f} s, {mine / theirs:.2f} x the small archive's (<= 1 s, <= 1.2)"
        yield Row(
            name=f"{NEW_ITEMS} of {archive:,}: {name}",
            seconds=mine,
            reference=f"with {SMALL_ARCHIVE:,} papers",
            reference_s=theirs,
            told=told,
            reached=mine <= 1 and mine / theirs <= 1.2,
        )


def _grown(store: Store, world: World, have: int, size: int) -> tuple[float, float]:
    """Fill the archive up to that size; what 300 papers more cost to store, and to rank by."""
    texts = world.papers(2_000, 0, NOW)
    for start in range(have, size, len(texts)):
        old = NOW - timedelta(days=400) + timedelta(seconds=start)
        portion = [world.again(p, start + n) for n, p in enumerate(texts[: size - start])]
        list_papers(store, portion, old)
    editor = Editor(store, RULES)
    editor.pool(NOW)
    new = [world.again(p, size + n) for n, p in enumerate(world.papers(NEW_ITEMS, 0, NOW))]
    stored = cpu_s(lambda: list_papers(store, new, NOW))
    return stored, cpu_s(lambda: editor.pool(NOW))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="editions,index")
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--archive", type=int, default=20_000)
    given = parser.parse_args()
    parts = given.only.split(",")
    with tempfile.TemporaryDirectory(prefix="digest-bench-") as name:
        folder = Path(name)
        print(f"{'CPU seconds':34} {'ours':>9} {'reference':34} {'':>9} {'ratio':>7}   goal")
        if "editions" in parts:
            for row in editions(folder, given.readers):
                row.show()
        if "index" in parts:
            for row in index(folder, given.archive):
                row.show()


if __name__ == "__main__":
    main()
