"""An archive for benchmarks/web.py: papers over years, and readers, written straight into tables.

With ../shared/rank beside the repository the texts are those of real papers, mixed; else they are
made up from a vocabulary in which words are as unequal as in English.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
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


def archive(folder: Path, *, items: int, subscribers: int) -> Path:
    """The database of that size in the folder; built unless an earlier run has left it there."""
    path = folder / f"{items}-{subscribers}" / "digest.db"
    if path.exists():
        store = Store(f"sqlite:///{path}")
        migrate(store)
        store.close()
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    build(unfinished, items=items, subscribers=subscribers)
    return unfinished.rename(path)


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
