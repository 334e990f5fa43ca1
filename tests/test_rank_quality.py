"""The ranker on a small part of the evaluation data: a floor well below what is measured on all."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from digest.rank import Ranker, RankSettings
from digest.rank.batch import Request, rank_requests
from tests.paths import REPO, needs_shared

DATA = REPO.parent / "shared" / "rank"
PEOPLE = 40
#: measured on three folds: 0.45 of the likes among the first 100 of 3,400; at random 0.03
FLOOR = 0.33


def lines(name: str) -> Iterator[dict[str, Any]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


@pytest.mark.slow
@pytest.mark.timeout(600)
@needs_shared
@pytest.mark.skipif(not Path(DATA).exists(), reason="the evaluation data is not there")
def test_ten_likes_find_a_third_of_what_else_is_liked_by_words_alone() -> None:
    texts = {a["id"]: (a["title"], a["abstract"]) for a in lines("articles.jsonl.gz")}
    pools = {p["pool"]: p for p in lines("pools.jsonl.gz")}
    fold = pools["cula-f0"]
    episodes = [
        e
        for e in lines("profiles.open.jsonl.gz")
        if e["task"] == "cula-few10" and e["pool"] == "cula-f0"
    ]
    requests = {
        e["id"]: Request(
            id=e["id"],
            liked=tuple(e["profile"]["liked"]),
            keywords=(),
            topics=(),
            candidates=tuple(fold["ids"]),
            background=tuple(fold["background"]),
        )
        for e in islice(episodes, PEOPLE)
    }

    answers = rank_requests(
        list(requests.values()),
        articles=texts,
        pools={name: pool["ids"] for name, pool in pools.items()},
        make_ranker=lambda background: Ranker.lexical(background, RankSettings(trend_weight=0.0)),
    )

    relevant = {e["id"]: set(e["relevant"]) for e in episodes}
    recalls = [
        len(relevant[a.id] & {article for article, _ in a.ranked[:100]}) / len(relevant[a.id])
        for a in answers
    ]
    assert len(recalls) == PEOPLE
    assert sum(recalls) / PEOPLE > FLOOR
