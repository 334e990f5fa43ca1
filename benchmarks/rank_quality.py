"""How well the ranker ranks, on the open half of the evaluation data, beside the recorded peers.

    .venv/bin/python benchmarks/rank_quality.py [--people 100] [--model FOLDER] [--vectors FILE]

Runs the product's own path (what `digest rank` runs) over every task, judged by the scorer of
../shared/rank. With 250 people a task the citeulike tasks take 20 seconds of one core by words
alone and 30 with a model, the Hugging Face weeks a minute each; making the vectors takes 20 minutes
more, once when `--vectors` keeps them. The last table stands in docs/ranking.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO))

from digest.embed import load_model  # noqa: E402
from digest.rank import Ranker, RankSettings  # noqa: E402
from digest.rank.batch import Request, rank_requests, read_once  # noqa: E402
from digest.rank.reader import Embed, Text  # noqa: E402

DATA = REPO.parent / "shared" / "rank"
MODEL = REPO.parent / "shared" / "models" / "all-MiniLM-L6-v2-int8"

#: task, measure, smaller is better; peers' best, hybrid; auto must, goal; lexical must, goal.
#: The figures are those of the data's README.
ROWS: tuple[tuple[str, str, tuple[float, ...]], ...] = (
    ("cula-cold", "recall@100", (0.575, 0.667, 0.667, 0.7, 0.5, 0.55)),
    ("cula-cold", "ndcg@10", (0.206, 0.259, 0.26, 0.295, 0.19, 0.21)),
    ("cula-few1", "recall@100", (0.363, 0.364, 0.36, 0.4, 0.19, 0.24)),
    ("cula-few3", "recall@100", (0.509, 0.531, 0.53, 0.57, 0.32, 0.37)),
    ("cula-few10", "recall@100", (0.594, 0.628, 0.625, 0.66, 0.47, 0.52)),
    ("cula-keywords", "recall@100", (0.511, 0.516, 0.515, 0.55, 0.37, 0.41)),
    ("cula-kw+few3", "recall@100", (0.555, 0.584, 0.58, 0.62, 0.42, 0.45)),
    ("cula-none", "auc_top_score_between_users", (0.619, 0.691, 0.7, 0.76, 0.65, 0.7)),
    ("hf-week-author", "ndcg@10", (0.340, 0.414, 0.415, 0.45, 0.395, 0.42)),
    ("hf-week-submitter", "ndcg@10", (0.379, 0.437, 0.455, 0.5, 0.455, 0.48)),
    ("hf-keywords", "ndcg@10", (0.183, 0.172, 0.18, 0.2, 0.165, 0.185)),
    ("gold", "weighted_pair_loss(lower=better)", (0.255, 0.259, 0.255, 0.22, 0.28, 0.25)),
)
TASKS = tuple(dict.fromkeys(task for task, _, _ in ROWS))

# Any: the scorer has no types
Scorer = Any


def load_scorer() -> Scorer:
    """The evaluation's own scorer, as it lies beside the data."""
    spec = importlib.util.spec_from_file_location("rank_bench", DATA / "rank_bench.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def request_of(scorer: Scorer, episode: dict[str, Any], pools: dict[str, Any]) -> Request:
    """An episode without its labels, in the form of `digest rank`."""
    profile = episode["profile"]
    if "pool" in episode:
        background = pools[episode["pool"]]["background"]
    elif "background" in episode:
        background = episode["background"]
    else:
        fold = int(episode["user"].split("-u")[1]) % 5
        background = pools[f"cula-f{fold}"]["background"]
    return Request(
        id=episode["id"],
        liked=tuple(profile.get("liked", ())),
        keywords=tuple(profile.get("keywords", ())),
        topics=tuple(profile.get("topics", ())),
        candidates=tuple(scorer.cands(episode, pools)),
        background=tuple(background),
    )


def kept_vectors(embed: Embed, texts: Sequence[Text], file: Path | None) -> Embed:
    """The embedding with every article read, from `file` when it has them."""
    if file is None or not file.exists():
        made = read_once(embed, texts, lambda n: print(f"{n:,} texts read", file=sys.stderr))
        if file is not None:
            np.save(file, made(texts))
        return made
    known: dict[Text, NDArray[np.float32]] = dict(zip(texts, np.load(file), strict=True))

    def look_up(wanted: Sequence[Text]) -> NDArray[np.float32]:
        for text in wanted:
            if text not in known:
                (known[text],) = embed([text])
        return np.stack([known[text] for text in wanted])

    return look_up


def measure(
    scorer: Scorer, people: int | None, tasks: Sequence[str], embed: Embed | None
) -> dict[str, Any]:
    """All tasks' measures, each (value, low, high, people), as the scorer gives them."""
    articles, pools, episodes = scorer.load(str(DATA), "open", list(tasks), people)
    texts: dict[str, Text] = {i: (a["title"], a["abstract"]) for i, a in articles.items()}
    settings = RankSettings(trend_weight=0.0)

    def make_ranker(background: Sequence[Text]) -> Ranker:
        if embed is None:
            return Ranker.lexical(background, settings)
        return Ranker.semantic(background, embed, settings)

    answers = rank_requests(
        [request_of(scorer, episode, pools) for episode in episodes],
        articles=texts,
        pools={name: pool["ids"] for name, pool in pools.items()},
        make_ranker=make_ranker,
    )
    results = {answer.id: answer.ranked[:300] for answer in answers}
    found: dict[str, Any] = scorer.evaluate(episodes, results, pools)
    return found


def line(task: str, measured: str, known: tuple[float, ...], found: dict[str, Any]) -> str:
    """A row of the table: the recorded figures, then ours with their intervals."""
    cells = [f"{task} {measured.partition('(')[0]}", f"{known[0]:.3f}", f"{known[1]:.3f}"]
    for name, must, goal in (("lexical", known[4], known[5]), ("auto", known[2], known[3])):
        if name not in found or task not in found[name]:
            continue
        value, low, high, _ = found[name][task][measured]
        is_loss = "loss" in measured
        reached = (
            "goal"
            if (value <= goal if is_loss else value >= goal)
            else ("must" if (value <= must if is_loss else value >= must) else "below")
        )
        cells += [f"**{value:.3f}** [{low:.3f}, {high:.3f}]", f"{must} / {goal}", reached]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, help="per task; default: all")
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--vectors", type=Path, help="a .npy file that keeps the articles' vectors")
    parser.add_argument("--only", choices=["lexical", "auto"])
    chosen = parser.parse_args()
    scorer, tasks = load_scorer(), chosen.tasks.split(",")
    found: dict[str, Any] = {}
    for name in ("lexical", "auto") if chosen.only is None else (chosen.only,):
        started, spent = time.monotonic(), time.process_time()
        embed: Embed | None = None
        if name == "auto":
            articles = [
                (a["title"], a["abstract"]) for a in scorer.load(str(DATA), "open")[0].values()
            ]
            embed = kept_vectors(load_model(chosen.model).embed, articles, chosen.vectors)
        found[name] = measure(scorer, chosen.people, tasks, embed)
        print(
            f"{name}: {time.monotonic() - started:.0f} s, {time.process_time() - spent:.0f} CPU s",
            file=sys.stderr,
        )
    heads = [part for name in found for part in (name, "must / goal", "reached")]
    print("| " + " | ".join(["task", "peers' best", "hybrid", *heads]) + " |")
    print("|" + "---|" * (3 + len(heads)))
    for task, measured, known in ROWS:
        if task in tasks:
            print(line(task, measured, known, found))


if __name__ == "__main__":
    main()
