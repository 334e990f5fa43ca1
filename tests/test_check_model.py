"""What `digest check` says of the model: not there, half there, broken, ready, still at work."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.check.findings import Finding
from digest.check.model import judge_model
from digest.embed import load_model
from digest.embed.known import KNOWN
from digest.store import Store, embeddings
from tests.model_files import write_onnx
from tests.store_pieces import merge, paper

pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")


def look(setting: str | Path, models: Path = Path("none"), store: Store | None = None) -> Finding:
    *others, last = judge_model(str(setting), models, store)
    assert all(finding.level == "green" for finding in others)
    assert "\n" not in last.said + last.advice
    return last


def test_whoever_wants_words_alone_is_well() -> None:
    assert look("lexical").level == "green"


def test_without_a_model_it_is_said_what_is_missed(tmp_path: Path) -> None:
    found = look("auto", tmp_path)

    assert (found.level, found.advice) == ("yellow", "digest model pull")
    assert "in other words is missed" in found.said


def test_half_a_model_is_red(tmp_path: Path) -> None:
    write_onnx(tmp_path / KNOWN[0].name)

    found = look("auto", tmp_path)

    assert found.level == "red"
    assert f"{tmp_path / KNOWN[0].name} is not whole" in found.said
    assert found.advice.startswith("digest model pull all-MiniLM-L6-v2")


@pytest.mark.parametrize(
    ("file", "expected"),
    [("model.onnx", "is no ONNX model that can be run"), ("tokenizer.json", "is not what")],
)
def test_a_broken_model_is_red_and_the_file_is_named(
    tmp_path: Path, file: str, expected: str
) -> None:
    (write_onnx(tmp_path) / file).write_bytes(b"{")

    found = look(tmp_path)

    assert found.level == "red"
    assert found.said.startswith("words alone are compared: ")
    assert file in found.said
    assert expected in found.said
    assert found.advice


def test_a_model_of_another_dimension_is_red(tmp_path: Path) -> None:
    found = look(write_onnx(tmp_path, hidden_size=384))

    assert (found.level, found.advice) == ("red", "fetch them again")


def test_a_folder_that_has_gone_is_red(tmp_path: Path) -> None:
    assert look(tmp_path / "gone").level == "red"


def test_a_model_that_works_is_green(tmp_path: Path, sqlite_store: Store) -> None:
    found = look(write_onnx(tmp_path), store=sqlite_store)

    assert found.level == "green"
    assert str(tmp_path) in found.said


def test_papers_without_a_vector_are_counted(tmp_path: Path, store: Store) -> None:
    merge(store, paper("2603.00001"), paper("2603.00002", title="Another"))

    found = look(write_onnx(tmp_path), store=store)

    assert found.level == "yellow"
    assert found.said.startswith("2 papers have no vector")


def test_another_process_with_another_model_is_told_of(tmp_path: Path, store: Store) -> None:
    with store.write() as tx:
        embeddings.note_use(tx, "another", owner="host2:77")
        embeddings.note_use(tx, load_model(write_onnx(tmp_path)).name, owner="host1:1")

    found = look(tmp_path, store=store)

    assert found.level == "yellow"
    assert found.said.startswith("host2:77 compared by another model (another)")
    assert "the same [rank] model" in found.advice
