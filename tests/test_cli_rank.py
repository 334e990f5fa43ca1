"""`digest rank`: files in, a file out, and what it says of files that make no sense."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from digest.cli import run
from tests.rank_pieces import ARCHIVE

OLD = [{"id": f"o{n}", "title": title, "abstract": text} for n, (title, text) in enumerate(ARCHIVE)]
NEW = [
    {"id": "n1", "title": "Storm and rain prediction", "abstract": "Weather over horizons."},
    {"id": "n2", "title": "Robot grasping in kitchens", "abstract": "Safer grips."},
    {"id": "n3", "title": "Sparse attention for code", "abstract": "More passing tests."},
]
POOLS = [
    {"pool": "old", "ids": [a["id"] for a in OLD], "background": []},
    {"pool": "new", "ids": ["n1", "n2", "n3"], "background": ["old"]},
]
REQUESTS: list[dict[str, Any]] = [
    {"id": "a", "profile": {"keywords": ["robot grasping"]}, "pool": "new"},
    {
        "id": "b",
        "profile": {"liked": ["o0"], "topics": ["weather prediction"]},
        "candidates": ["n3", "n1"],
        "background": ["old"],
    },
    {"id": "c", "profile": {}, "candidates": ["n2"]},
]


def write(path: Path, lines: list[Any]) -> Path:
    text = "".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def rank(
    folder: Path, *more: str, suffix: str = "", **files: list[Any]
) -> tuple[int, dict[str, list[Any]]]:
    given = {"articles": [*OLD, *NEW], "pools": POOLS, "requests": REQUESTS} | files
    paths = {name: write(folder / f"{name}.jsonl{suffix}", lines) for name, lines in given.items()}
    output = folder / f"results.jsonl{suffix}"
    options = [part for name, path in paths.items() for part in (f"--{name}", str(path))]
    code = run(["rank", *options, "--output", str(output), *(more or ("--model", "lexical"))])
    if code:
        return code, {}
    raw = output.read_bytes()
    lines = (gzip.decompress(raw) if suffix else raw).decode().splitlines()
    return code, {line["id"]: line["ranked"] for line in map(json.loads, lines)}


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_each_request_gets_its_candidates_best_first(tmp_path: Path, suffix: str) -> None:
    code, results = rank(tmp_path, suffix=suffix)

    assert code == 0
    assert results["a"][0][0] == "n2"
    assert sorted(article for article, _ in results["a"]) == ["n1", "n2", "n3"]
    assert [article for article, _ in results["b"]] == ["n1", "n3"]
    for ranked in results.values():
        scores = [score for _, score in ranked]
        assert scores == sorted(scores, reverse=True) and all(0 <= s <= 1 for s in scores)


def test_a_score_does_not_depend_on_other_requests(tmp_path: Path) -> None:
    _, together = rank(tmp_path)

    _, alone = rank(tmp_path, requests=REQUESTS[:1])

    assert alone["a"] == together["a"]


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    rank(tmp_path)
    first = (tmp_path / "results.jsonl").read_bytes()

    rank(tmp_path)

    assert (tmp_path / "results.jsonl").read_bytes() == first


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"requests": [REQUESTS[0], "{broken\n"]}, "requests.jsonl, line 2: this is not JSON"),
        ({"requests": [{"id": "x", "pool": "nowhere"}]}, "line 1: there is no pool 'nowhere'"),
        (
            {"requests": [{"id": "x", "candidates": ["n1", "zz"]}]},
            "requests.jsonl, line 1: there is no article 'zz'",
        ),
        ({"requests": [{"id": "x", "profile": {}}]}, "give either pool or candidates"),
        ({"requests": [{"id": 7, "pool": "new"}]}, "line 1: id must be a text"),
        ({"pools": [{"pool": "new", "ids": ["zz"]}]}, "pools.jsonl, line 1: there is no article"),
        ({"articles": [*NEW, NEW[0]]}, "articles.jsonl, line 4: article 'n1' is there twice"),
        ({"articles": [{"id": "n1"}]}, "articles.jsonl, line 1: title must be a text"),
    ],
)
def test_what_makes_no_sense_is_said_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, list[Any]], said: str
) -> None:
    code, _ = rank(tmp_path, **files)

    assert code == 2
    assert said in capsys.readouterr().err


def test_a_model_that_is_not_there_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = rank(tmp_path, "--model", str(tmp_path / "nothing"))

    assert code == 1
    assert "there is no folder" in capsys.readouterr().err
