"""Models in folders: both forms of ONNX, model2vec, and every way in which a folder can be wrong."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np
import pytest

from digest.embed.model import Floats, Model, load_model
from digest.errors import ModelError
from tests.model_files import WORDS, write_onnx, write_static
from tests.paths import SHARED

pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")

MINILM = SHARED / "models" / "all-MiniLM-L6-v2-int8"
needs_minilm = pytest.mark.skipif(not MINILM.is_dir(), reason=f"{MINILM} is not there")


def expected(*words: str) -> Floats:
    mean = np.array([[0, 0, 0, 0], *(WORDS[w] for w in words), [0, 0, 0, 0]], np.float32).mean(0)
    return mean / np.linalg.norm(mean)


@pytest.fixture(params=["tokens", "pooled", "static"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Model:
    if request.param == "static":
        return load_model(write_static(tmp_path))
    return load_model(write_onnx(tmp_path, pooled=request.param == "pooled"))


def test_a_text_is_the_mean_of_its_tokens_at_length_one(model: Model) -> None:
    rows = model.embed([("Sparse attention", ""), ("Robot", "A gripper")])

    assert rows.dtype == np.float32
    assert rows.shape == (2, model.dimension) == (2, 4)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(rows[0], expected("sparse", "attention"), rtol=1e-5)


def test_title_and_abstract_are_one_text(model: Model) -> None:
    whole, apart = model.embed([("Robot. gripper", ""), ("Robot", "gripper")])

    assert whole.tolist() == apart.tolist()


def test_a_text_does_not_depend_on_its_company(model: Model) -> None:
    texts = [("sparse attention", ""), ("robot", "arm gripper " * 50), ("video", "")]

    together = model.embed(texts)

    for row, text in zip(together, texts, strict=True):
        assert model.embed([text])[0].tolist() == row.tolist()


@pytest.mark.parametrize(
    "text",
    [("", ""), (" \n", "\t"), ("broken", "broken"), ("\u200b", "")],
    ids=["empty", "blank", "not a number", "invisible"],
)
def test_a_text_that_says_nothing_is_zeros(model: Model, text: tuple[str, str]) -> None:
    nothing, something = model.embed([text, ("robot", "")])

    assert not nothing.any()
    assert something.any()


def test_no_texts_are_no_rows(model: Model) -> None:
    assert model.embed([]).shape == (0, 4)


def test_three_megabytes_are_read_as_far_as_it_is_worth(model: Model) -> None:
    long = "robot " * 300 + "video " * 500_000

    row, same, unbroken = model.embed([(long, ""), ("robot " * 300, ""), ("x" * 3_000_000, "")])

    assert row.tolist() == same.tolist()
    assert unbroken.shape == (4,)


def test_strange_characters_are_no_trouble(model: Model) -> None:
    rows = model.embed([("稀疏注意力", "انتباه"), ("$\\alpha_{t}$", ""), ("robot \ud800", "")])

    assert np.isfinite(rows).all()
    assert rows[2].any()


def test_unknown_words_mean_nothing_to_a_static_model(tmp_path: Path) -> None:
    model = load_model(write_static(tmp_path))

    mixed, plain = model.embed([("unheard robot of", ""), ("robot", "")])

    assert mixed.tolist() == plain.tolist()


def test_a_static_model_may_weigh_its_tokens_and_save_space(tmp_path: Path) -> None:
    words = {"a": (1, 1), "heavy": (1, 0), "light": (0, 1)}
    model = load_model(write_static(tmp_path, words, weights=(1, 3, 1), dtype="F16"))

    (row,) = model.embed([("heavy light", "")])

    np.testing.assert_allclose(row, np.array([3, 1]) / np.sqrt(10), rtol=1e-3)


# -- the name


def test_the_same_files_have_the_same_name_wherever_they_lie(tmp_path: Path) -> None:
    one, two = load_model(write_onnx(tmp_path / "a")), load_model(write_onnx(tmp_path / "b"))

    assert one.name == two.name
    assert one.name.startswith("onnx-")


def test_other_weights_other_words_and_another_pooling_are_other_models(tmp_path: Path) -> None:
    words = dict(WORDS)
    moved = words | {"robot": (0, 0, 4, 2)}
    renamed = {("android" if w == "robot" else w): v for w, v in words.items()}
    folders = [
        write_onnx(tmp_path / "1", words),
        write_onnx(tmp_path / "2", moved),
        write_onnx(tmp_path / "3", renamed),
        write_onnx(tmp_path / "4", words, pooled=True),
        write_static(tmp_path / "5", words),
    ]

    assert len({load_model(folder).name for folder in folders}) == 5


# -- what can be wrong


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert f"there is no folder {tmp_path / 'no'}" in refusal(tmp_path / "no")


@pytest.mark.parametrize("library", ["onnxruntime", "tokenizers"])
def test_a_missing_library_is_named_with_how_to_install_it(
    tmp_path: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_onnx(tmp_path)
    monkeypatch.setitem(sys.modules, library, None)

    told = refusal(tmp_path)

    assert told.startswith(f"{library} is not installed")
    assert "pip install 'digest[semantic]'" in told


@pytest.mark.parametrize("missing", ["tokenizer.json", "model.onnx"])
def test_a_missing_file_is_named(tmp_path: Path, missing: str) -> None:
    (write_onnx(tmp_path) / missing).unlink()

    assert f"lacks {missing}" in refusal(tmp_path)


def test_an_empty_folder_lacks_everything(tmp_path: Path) -> None:
    assert "lacks model.onnx, tokenizer.json" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"nothing of that kind", b"\x08\x08"])
def test_a_broken_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    (write_onnx(tmp_path) / "model.onnx").write_bytes(content)

    assert "model.onnx" in refusal(tmp_path)


def test_a_graph_with_one_damaged_octet_is_refused_or_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_onnx(tmp_path)
    whole = (folder / "model.onnx").read_bytes()
    refused = 0
    for at in range(len(whole)):
        (folder / "model.onnx").write_bytes(whole[:at] + b"\xd7" + whole[at + 1 :])
        try:
            load_model(folder)
        except ModelError:
            refused += 1

    assert 0 < refused < len(whole)
    # stdout is for results
    assert capsys.readouterr().out == ""


def test_half_a_graph_is_refused(tmp_path: Path) -> None:
    graph = write_onnx(tmp_path) / "model.onnx"
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])

    assert "is no ONNX model that can be run" in refusal(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"model": {"type": "new"}}'])
def test_a_broken_tokenizer_is_refused(tmp_path: Path, content: str) -> None:
    (write_onnx(tmp_path) / "tokenizer.json").write_text(content)

    assert "tokenizer.json" in refusal(tmp_path)


def test_another_dimension_than_promised_is_refused(tmp_path: Path) -> None:
    told = refusal(write_onnx(tmp_path, hidden_size=384))

    assert "gives 4 numbers for a text, but config.json promises 384" in told


def test_the_promised_dimension_is_fine(tmp_path: Path) -> None:
    assert load_model(write_onnx(tmp_path, hidden_size=4)).dimension == 4


def test_a_graph_that_wants_something_else_is_refused(tmp_path: Path) -> None:
    told = refusal(write_onnx(tmp_path, inputs=("input_ids", "pixel_values")))

    assert "wants pixel_values" in told


def test_a_model_without_a_sensible_answer_is_refused(tmp_path: Path) -> None:
    words = dict.fromkeys(("a", "sentence", "works"), (np.nan, 0.0))

    assert "gives no vector for a plain sentence" in refusal(write_static(tmp_path, words))


def test_one_text_that_the_graph_cannot_do_is_zeros_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The graph's table has no row for the last word: a tokenizer of a larger model."""
    whole, short = dict(WORDS), dict(list(WORDS.items())[:-1])
    folder = write_onnx(tmp_path / "short", short)
    (write_onnx(tmp_path / "whole", whole) / "tokenizer.json").rename(folder / "tokenizer.json")
    model = load_model(folder)

    with caplog.at_level(logging.WARNING):
        bad, good = model.embed([("broken", ""), ("robot", "")])

    assert not bad.any()
    assert good.any()
    assert "a text of 3 tokens has no vector" in caplog.text


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    write_static(tmp_path / "small", {"a": (1, 2)})
    write_static(tmp_path / "large", {"a": (1, 2), "sentence": (2, 3)})
    (tmp_path / "large" / "tokenizer.json").rename(tmp_path / "small" / "tokenizer.json")

    assert "of two models" in refusal(tmp_path / "small")


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: b"",
        lambda raw: raw[:20],
        lambda raw: b"\xff" * 8 + raw[8:],
        lambda raw: raw[:-8],
        lambda raw: raw.replace(b"embeddings", b"unbeddings"),
        lambda raw: raw.replace(b"F32", b"F99"),
        lambda raw: raw.replace(b'"shape"', b'"shepa"'),
    ],
    ids=["empty", "short", "endless", "cut", "other", "type", "key"],
)
def test_broken_tensors_are_refused(tmp_path: Path, change: object) -> None:
    path = write_static(tmp_path) / "model.safetensors"
    path.write_bytes(change(path.read_bytes()))  # type: ignore[operator]  # one of the above

    assert "model.safetensors" in refusal(tmp_path)


def test_tensors_of_another_dimension_than_promised_are_refused(tmp_path: Path) -> None:
    folder = write_static(tmp_path)
    (folder / "config.json").write_text(json.dumps({"hidden_dim": 256}))

    assert "config.json promises 256" in refusal(tmp_path)


# -- the real one


@needs_minilm
def test_minilm_knows_what_belongs_together() -> None:
    model = load_model(MINILM)

    rows = model.embed(
        [
            ("Sparse attention for long contexts", "We let each token attend to few others."),
            ("Efficient transformers", "Sub-quadratic self-attention over very long sequences."),
            ("Grasping with two fingers", "A robot arm learns to pick up cutlery."),
        ]
    )

    assert model.dimension == 384
    likeness = rows @ rows.T
    assert likeness[0, 1] > 0.4 > 0.2 > likeness[0, 2]
