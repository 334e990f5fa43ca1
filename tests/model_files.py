"""Small models, written from scratch: an ONNX graph and a model2vec folder over a few words.

The graph looks up a vector for each token; with `pooled` it takes their mean itself. Only what the
two formats ask for is written, so that tests need neither weights nor a library that writes them.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

#: vectors of some words on three subjects; the last is one that went wrong
WORDS: Mapping[str, Sequence[float]] = {
    "attention": (4, 1, 0, 0), "sparse": (3, 2, 0, 0), "tokens": (3, 0, 1, 0),
    "robot": (0, 0, 4, 1), "gripper": (0, 0, 3, 2), "arm": (0, 1, 3, 1),
    "video": (-3, 4, -2, 0), "pixels": (-2, 4, -3, 0), "a": (1, 1, 1, 1), "sentence": (1, 0, 1, 0), "broken": (np.nan, 0, 0, 0),
}  # fmt: skip
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def write_onnx(
    folder: Path,
    words: Mapping[str, Sequence[float]] = WORDS,
    *,
    pooled: bool = False,
    hidden_size: int | None = None,
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
) -> Path:
    """A folder with model.onnx and tokenizer.json; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = np.array([*[[0.0] * _width(words)] * len(SPECIALS), *words.values()], np.float32)
    _write_tokenizer(folder, words)
    (folder / "model.onnx").write_bytes(_graph(table, pooled=pooled, inputs=inputs))
    if hidden_size is not None:
        (folder / "config.json").write_text(json.dumps({"hidden_size": hidden_size}))
    return folder


def write_static(
    folder: Path,
    words: Mapping[str, Sequence[float]] = WORDS,
    *,
    weights: Sequence[float] | None = None,
    dtype: str = "F32",
) -> Path:
    """A folder as model2vec writes it; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = np.array([*[[0.0] * _width(words)] * len(SPECIALS), *words.values()])
    tensors = {"embeddings": table.astype(np.float16 if dtype == "F16" else np.float32)}
    if weights is not None:
        tensors["weights"] = np.array([1.0] * len(SPECIALS) + list(weights), np.float32)
    _write_tokenizer(folder, words)
    (folder / "model.safetensors").write_bytes(_safetensors(tensors))
    (folder / "config.json").write_text(json.dumps({"model_type": "model2vec"}))
    return folder


def _width(words: Mapping[str, Sequence[float]]) -> int:
    return len(next(iter(words.values())))


def _write_tokenizer(folder: Path, words: Mapping[str, Sequence[float]]) -> None:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = {word: n for n, word in enumerate((*SPECIALS, *words))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(list(SPECIALS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    # as some public models have it: lengths that must not be believed
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(folder / "tokenizer.json"))


# safetensors: https://github.com/huggingface/safetensors


def _safetensors(tensors: Mapping[str, np.ndarray]) -> bytes:
    told, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.tobytes()
        told[name] = {
            "dtype": {"float32": "F32", "float16": "F16"}[tensor.dtype.name],
            "shape": tensor.shape,
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    head = json.dumps({"__metadata__": {"format": "np"}} | told).encode()
    return struct.pack("<Q", len(head)) + head + data


# ONNX: field numbers of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto

_FLOAT, _INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _tensor(name: str, values: np.ndarray, kind: int) -> bytes:
    dims = b"".join(_field(1, size) for size in values.shape)
    return dims + _field(2, kind) + _field(8, name) + _field(9, values.tobytes())


def _value(name: str, kind: int, *sizes: int | str) -> bytes:
    dims = b"".join(_field(1, _field(1 if isinstance(size, int) else 2, size)) for size in sizes)
    shaped = _field(1, kind) + _field(2, dims)
    return _field(1, name) + _field(2, _field(1, shaped))


def _node(kind: str, inputs: Sequence[str], output: str, attributes: bytes = b"") -> bytes:
    names = b"".join(_field(1, name) for name in inputs)
    return names + _field(2, output) + _field(4, kind) + attributes


def _attribute(name: str, value: int) -> bytes:
    return _field(5, _field(1, name) + _field(3, value) + _field(20, 2))


def _graph(table: np.ndarray, *, pooled: bool, inputs: Sequence[str]) -> bytes:
    width = table.shape[1]
    nodes = [_node("Gather", ["table", "input_ids"], "last_hidden_state")]
    output = _value("last_hidden_state", _FLOAT, "b", "s", width)
    constants = _field(5, _tensor("table", table, _FLOAT))
    if pooled:
        nodes.append(
            _node("ReduceMean", ["last_hidden_state", "axes"], "emb", _attribute("keepdims", 0))
        )
        output = _value("emb", _FLOAT, "b", width)
        constants += _field(5, _tensor("axes", np.array([1], np.int64), _INT64))
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "g") + constants
    graph += b"".join(_field(11, _value(name, _INT64, "b", "s")) for name in inputs)
    graph += _field(12, output)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 18))
