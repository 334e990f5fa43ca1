"""What ranking and making editions cost, each beside a reference measured in the same run.

    python benchmarks/rank_speed.py [--only block,profile,index,editions] [--people 100000]

CPU seconds of one thread; machines differ, ratios within one run mean something.

- block: so many compiled people against 1,000 candidates, 12 picks each with the parts of their
  scores, by meaning, by words and by both, beside the bare product of as many rows of 384 numbers.
- profile: reading and compiling one person's wishes, beside reading the words alone.
- index: a day's 300 papers into the database, the ranker and the pool, beside a small archive.
- editions: everybody's edition made and stored on SQLite, beside the driver's bare inserts of the
  very same rows in the same transactions.
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

import numpy as np
from crowd import NOW, World, fill, list_papers

from digest.edition import EditionRules, Editor
from digest.model import Example, Profile
from digest.rank import Asked, Ranker, RankSettings
from digest.rank.archive import Gist
from digest.rank.interests import Compiler, Wish, Wishes
from digest.rank.judge import Judge
from digest.rank.lexicon import NOTHING, count_words
from digest.rank.match import put_together
from digest.rank.pool import BLOCK
from digest.rank.tastes import Tastes, Told
from digest.store import Store, catalogue
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
DIMENSION = 384
#: people before those that count: they fill what is remembered of the candidates
WARM_UP = 1_024


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
            f"{self.name:38} {self.seconds:9.4f} {self.reference:28} {self.reference_s:9.4f}"
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


# -- a block of people against a pool


class Made:
    """Made-up meanings: themes, and what lies around each."""

    def __init__(self) -> None:
        self._chance = np.random.default_rng(3)
        self._themes = self._chance.standard_normal((60, DIMENSION)).astype(np.float32)

    def rows(self, count: int):  # type: ignore[no-untyped-def]
        near = self._themes[self._chance.integers(0, 60, count)]
        noise = self._chance.standard_normal((count, DIMENSION)).astype(np.float32)
        return near + np.float32(1.5) * noise


def block(people: int) -> Iterator[Row]:
    """People by meaning, by words and by both, a block after the other."""
    world, made = World(), Made()
    texts = [(p.title, p.abstract) for p in world.papers(3_000, 0, NOW)]
    with tempfile.TemporaryDirectory(prefix="digest-bench-") as folder:
        store = Store(f"sqlite:///{folder}/few.db")
        migrate(store)
        list_papers(store, world.papers(CANDIDATES, 5_000, NOW), NOW)
        with store.read() as tx:
            found = catalogue.candidates(tx, since=NOW - RULES.lookback, until=NOW)
        store.close()
    for name in ("meaning", "words", "both"):
        if name == "words":
            ranker = Ranker.lexical(texts)
        else:
            ranker = Ranker.semantic(texts, lambda told: made.rows(len(told)))
        judge = Judge(
            found, now=NOW, settings=RULES.rank, reader=ranker.reader, archive=ranker.archive
        )

        def gists(count: int, name: str = name, ranker: Ranker = ranker) -> list[Gist]:
            if name == "meaning":
                rows = ranker.archive.space.centre(made.rows(count))
                return [Gist(words=NOTHING, meaning=row) for row in rows]
            return ranker.reader.read([(world.sentence(), "") for _ in range(count)])

        yield _in_blocks(f"{people:,} people, by {name}", judge, ranker, gists, people)


def _in_blocks(
    name: str,
    judge: Judge,
    ranker: Ranker,
    gists: Callable[[int], list[Gist]],
    people: int,
) -> Row:
    items = Made().rows(CANDIDATES).T.copy()
    spent = reference = 0.0
    for start in range(-WARM_UP, people, BLOCK):
        count = min(BLOCK, people - start)
        told = [Told(gists=(gist,), weights=(1.0,)) for gist in gists(count)]
        tastes = Tastes(told, ranker.archive)
        rows = Made().rows(count)
        took = cpu_s(lambda tastes=tastes, count=count: _choose_for(judge, tastes, count))
        bare = cpu_s(lambda rows=rows: rows @ items)
        if start >= 0:
            spent, reference = spent + took, reference + bare
    ratio = spent / reference
    return Row(
        name=name,
        seconds=spent,
        reference=f"product of {DIMENSION} columns",
        reference_s=reference,
        told=f"<= 2.5 x; {spent / people * 1e6:.1f} us each, {memory_mb():.0f} MB (< 600)",
        reached=ratio <= 2.5 and memory_mb() < 600,
    )


def _choose_for(judge: Judge, tastes: Tastes, count: int) -> int:
    """Score, choose, and read the parts of the picks' scores, as Pool.pick_many does."""
    blank = Wishes(wanted=(Wish(interests=()),), disliked=(), excluded=())
    claims = tastes.score(judge.corpus)
    matched = put_together(claims, [1] * count)
    judged = judge.weigh([Asked(profile=Profile())] * count, [blank] * count, matched)
    picks = judge.choose(judged, np.arange(count), 12).picks
    person = np.arange(count)[:, np.newaxis]
    parts = (
        judged.scores[person, picks],
        matched.total[person, picks],
        claims[person, picks],
        judge.trend_factor[picks],
        judge.fresh_factor[picks],
    )
    return len(parts)


# -- one profile


def profile(count: int = 300) -> Iterator[Row]:
    """New people, one by one: nothing of theirs was read before."""
    world = World()
    ranker = Ranker.lexical([(p.title, p.abstract) for p in world.papers(3_000, 0, NOW)])
    compiler = Compiler(ranker.reader, NOW)
    told = []
    for person in range(count):
        papers = world.papers(2, 10_000 + 2 * person, NOW)
        told.append(
            Profile(
                topics=(world.topics[person % 40],),
                texts=(world.sentence(),),
                keywords=(world.sentence(),),
                liked=tuple(
                    Example(key=str(p.arxiv_id), title=p.title, abstract=p.abstract, at=NOW)
                    for p in papers
                ),
            )
        )

    def compile_all() -> None:
        for one in told:
            (wishes,) = compiler.compile([one])
            Tastes([w.told for w in wishes.wanted if w.told], ranker.archive)

    def read_all() -> None:
        for one in told:
            for text in (
                *one.texts,
                *one.keywords,
                *(f"{e.title} {e.abstract}" for e in one.liked),
            ):
                count_words(text)

    each = cpu_s(compile_all) / count
    yield Row(
        name="one profile: a topic, 2 texts, 2 likes",
        seconds=each,
        reference="counting its words",
        reference_s=cpu_s(read_all) / count,
        told=f"{each * 1000:.2f} ms (<= 2)",
        reached=each <= 0.002,
    )


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
    memory = memory_mb()
    rows = sum(1 for _ in sqlite3.connect(made).execute("SELECT id FROM outbox"))
    assert rows == readers, f"{rows} of {readers} were served"
    reference = insert_again(made, bare)
    per_100_000 = seconds / readers * 100_000
    yield Row(
        name=f"{readers:,} editions made and stored",
        seconds=seconds,
        reference="the same rows, bare sqlite3",
        reference_s=reference,
        told=f"{per_100_000:.0f} s for 100,000 (<= 60), wall {wall:.0f} s, {memory:.0f} MB",
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
    # each measure has a day of its own, so that both pools are of 300
    now = NOW + timedelta(days=have)
    editor = Editor(store, RULES)
    editor.ranker(now)
    new = [world.again(p, size + n) for n, p in enumerate(world.papers(NEW_ITEMS, 0, now))]
    stored = cpu_s(lambda: list_papers(store, new, now))
    return stored, cpu_s(lambda: editor.pool(now))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="block,profile,index,editions")
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--archive", type=int, default=20_000)
    given = parser.parse_args()
    parts = given.only.split(",")
    with tempfile.TemporaryDirectory(prefix="digest-bench-") as name:
        folder = Path(name)
        print(f"{'CPU seconds':38} {'ours':>9} {'reference':28} {'':>9} {'ratio':>7}   goal")
        measures: dict[str, Callable[[], Iterator[Row]]] = {
            "block": lambda: block(given.people),
            "profile": profile,
            "index": lambda: index(folder, given.archive),
            "editions": lambda: editions(folder, given.readers),
        }
        for part in parts:
            for row in measures[part]():
                row.show()


if __name__ == "__main__":
    main()
