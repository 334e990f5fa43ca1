"""What vectors cost: making them beside onnxruntime alone, finding them, scanning them.

    python benchmarks/embed.py [--texts 256] [--archive 100000] [--model FOLDER] [--json]

The reference for making is onnxruntime with the same graph on the same tokens, split and padded
before the clock runs, in batches of 16 sorted by length; ours splits, runs and keeps them in
SQLite. The reference for scanning is one bare product of the same matrix in single precision. CPU
time of one thread, medians of rounds in which each has its turn; only ratios inside one run mean
anything.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnxruntime
from sqlalchemy import insert
from tokenizers import Tokenizer

from digest.embed import Vectors, load_model
from digest.embed.atlas import Atlas
from digest.embed.model import Floats, Text
from digest.store import Store, embeddings
from digest.store.migrate import migrate
from digest.store.schema import item
from digest.text import text_key

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
MINILM = SHARED / "models" / "all-MiniLM-L6-v2-int8"
LISTED = SHARED / "listings" / "huggingface" / "all_days_2024-05_2026-04.jsonl.gz"
NOW = datetime(2026, 3, 11, tzinfo=UTC)
#: sizes that people know: a batch, a scan at once
BATCH = 16


def recorded_texts(count: int) -> list[Text]:
    """Titles and abstracts of recorded papers, each once."""
    found: dict[str, Text] = {}
    with gzip.open(LISTED, "rt", encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            if told.get("summary"):
                found[told["id"]] = told["title"], told["summary"]
            if len(found) == count:
                break
    return list(found.values())


@contextmanager
def fresh_store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/digest.db")
        migrate(store)
        yield store
        store.close()


def cpu_s(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


# -- making


class Alone:
    """onnxruntime with its batches ready."""

    def __init__(self, folder: Path, texts: Sequence[Text]) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        wanted = {node.name for node in self._session.get_inputs()}
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(256)
        tokenizer.no_padding()
        split = sorted((tokenizer.encode(f"{t}. {a}").ids for t, a in texts), key=len)
        self.tokens = sum(map(len, split))
        self._batches = [
            {
                name: value
                for name, value in _padded(split[at : at + BATCH]).items()
                if name in wanted
            }
            for at in range(0, len(split), BATCH)
        ]

    def run(self) -> None:
        for batch in self._batches:
            self._session.run(None, batch)


def _padded(rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def measure_making(folder: Path, texts: Sequence[Text], rounds: int) -> dict[str, float]:
    alone, model = Alone(folder, texts), load_model(folder)
    times: dict[str, list[float]] = {"onnxruntime alone": [], "ours, kept": [], "ours, found": []}
    for _ in range(rounds):
        times["onnxruntime alone"].append(cpu_s(alone.run))
        with fresh_store() as store:
            vectors = Vectors(store, model, lambda: NOW)
            times["ours, kept"].append(cpu_s(lambda v=vectors: v.embed(texts)))
            times["ours, found"].append(cpu_s(lambda v=vectors: v.embed(texts)))
    return {name: statistics.median(took) / len(texts) * 1e3 for name, took in times.items()}


# -- scanning


class NoModel:
    """The name and dimension of vectors that are made up."""

    name = "made up"
    dimension = 384

    def embed(self, texts: Sequence[Text]) -> Floats:
        raise AssertionError("everything has its vector")


def fill(store: Store, count: int) -> None:
    """An archive of that many items that lie anywhere."""
    chance = np.random.default_rng(7)
    for start in range(0, count, 5_000):
        numbers = range(start, min(start + 5_000, count))
        rows = chance.standard_normal((len(numbers), NoModel.dimension))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        keys = [text_key(f"Paper {n}", "") for n in numbers]
        kept = (row.tobytes() for row in rows.astype("<f2"))
        with store.write() as tx:
            tx.execute(insert(item), [_item(n, key) for n, key in zip(numbers, keys, strict=True)])
            made = dict(zip(keys, kept, strict=True))
            embeddings.put_vectors(tx, NoModel.name, made, now=NOW)


def _item(n: int, key: str) -> dict[str, object]:
    at = NOW + timedelta(seconds=n)
    return {"key": f"url:{n}", "url": "u", "title": f"Paper {n}", "abstract": "x" * 1000,
            "authors": [], "categories": [], "told_by": "feed", "withdrawn": False, "offered": True,
            "first_seen_at": at, "changed_at": at, "text_key": key}  # fmt: skip


def measure_scanning(count: int, rounds: int) -> dict[str, float]:
    with fresh_store() as store:
        fill(store, count)
        atlas = Atlas(store, Vectors(store, NoModel(), lambda: NOW))
        built = cpu_s(atlas.refresh)
        again = statistics.median(cpu_s(atlas.refresh) for _ in range(rounds))
    chance = np.random.default_rng(8)
    single = chance.standard_normal((count, NoModel.dimension)).astype(np.float32)
    query = chance.standard_normal(NoModel.dimension).astype(np.float32)
    bare, ours = [], []
    for _ in range(rounds):
        bare.append(cpu_s(lambda: single @ query))
        ours.append(cpu_s(lambda: atlas.nearest(query, limit=50)))
    return {
        "bare product, single precision": statistics.median(bare) * 1e3,
        "nearest 50": statistics.median(ours) * 1e3,
        "made from the store": built * 1e3,
        "brought up to date": again * 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--archive", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", type=Path, default=MINILM)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    making = measure_making(options.model, recorded_texts(options.texts), options.rounds)
    scanning = measure_scanning(options.archive, options.rounds)
    speed = making["onnxruntime alone"] / making["ours, kept"]
    if options.json:
        print(json.dumps({"making_ms": making, "speed": speed, "scanning_ms": scanning}))
        return
    print(f"making a vector, ms of CPU ({options.texts} abstracts)")
    for name, took in making.items():
        print(f"  {name:32} {took:8.3f}")
    print(f"  speed against onnxruntime alone  {speed:8.2f}   (goal 0.9)")
    print(f"an archive of {options.archive:,}, ms of CPU")
    for name, took in scanning.items():
        print(f"  {name:32} {took:8.1f}")


if __name__ == "__main__":
    main()
