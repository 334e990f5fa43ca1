"""Models as ONNX graphs, run by onnxruntime on the CPU.

Both forms of a sentence model are read: a graph that gives one vector for the text, and one that
gives a vector for each token, whose mean is taken here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from digest.embed.files import fingerprint, read_json, reading
from digest.embed.model import Floats, Text
from digest.embed.tokens import TOKENS_MAX, Tokens, missing_extra
from digest.errors import ModelError

log = logging.getLogger(__name__)

_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
#: what graphs call their vector for a whole text, best first
_POOLED = ("emb", "sentence_embedding", "embeddings")
_PER_TOKEN = ("last_hidden_state", "token_embeddings")


class OnnxModel:
    """One graph and its tokenizer."""

    def __init__(self, folder: Path, graph: Path, *, threads: int) -> None:
        tokenizer = folder / "tokenizer.json"
        self._tokens = Tokens(tokenizer, specials=True)
        self._session, self._failures = _open(graph, threads)
        self._graph = graph
        with reading(graph):
            # names that are no text show themselves only now
            self._inputs = [node.name for node in self._session.get_inputs()]
            self._output, self._is_pooled = self._choose_output()
        strange = sorted(set(self._inputs) - _INPUTS)
        if strange or "input_ids" not in self._inputs:
            raise ModelError(f"{graph} wants {', '.join(strange) or 'no texts'}; it is no model"
                             " for sentences")  # fmt: skip
        way = f"onnx {self._output} {'pooled' if self._is_pooled else 'mean'} {TOKENS_MAX} 1"
        self.name = f"onnx-{fingerprint(graph, tokenizer, way=way)}"
        self.dimension = self._run([0]).shape[0]
        self._check_promise(folder)

    def embed(self, texts: Sequence[Text]) -> Floats:
        """One text at a time.

        A quantised graph scales its numbers by all that it is given at once, so in company a text
        would get a vector that differs by up to 0.7 % in cosine from its own; and on one thread
        batches bring nothing (16 at once are 10 % slower: the shorter ones are padded).
        """
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for at, text in enumerate(texts):
            ids = self._tokens.split(text)
            if not ids:
                continue
            try:
                rows[at] = unit(self._run(ids))
            except ModelError as error:
                # one text that the graph cannot do must not hold up all the others
                log.warning("a text of %d tokens has no vector: %s", len(ids), error)
        return rows

    def _run(self, ids: list[int]) -> Floats:
        ones = np.ones((1, len(ids)), np.int64)
        values = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": ones,
            "token_type_ids": np.zeros_like(ones),
        }
        asked = {name: values[name] for name in self._inputs}
        try:
            (found,) = self._session.run([self._output], asked)
            row = np.asarray(found, np.float32)[0]
        except self._failures as error:
            raise ModelError(f"{self._graph} cannot be run: {_one_line(error)}") from error
        pooled: Floats = row if self._is_pooled else row.mean(axis=0)
        return pooled

    def _choose_output(self) -> tuple[str, bool]:
        """The output to read, and whether it is one vector for the whole text."""
        ranks = {node.name: len(node.shape) for node in self._session.get_outputs()}
        for names, rank in ((_POOLED, 2), (_PER_TOKEN, 3), (tuple(ranks), 2), (tuple(ranks), 3)):
            found = next((name for name in names if ranks.get(name) == rank), None)
            if found is not None:
                return found, rank == 2
        raise ModelError(f"{self._graph} gives no vectors: its outputs are {', '.join(ranks)}")

    def _check_promise(self, folder: Path) -> None:
        promised = read_json(folder / "config.json").get("hidden_size")
        if promised is not None and promised != self.dimension:
            raise ModelError(
                f"{self._graph} gives {self.dimension} numbers for a text, but config.json promises"
                f" {promised}: the files are of two models; fetch them again"
            )


def unit(row: Floats) -> Floats:
    """The row at length 1; zeros when it has no length, or is no vector of numbers at all."""
    length = float(np.linalg.norm(row))
    if not np.isfinite(length) or length < 1e-9:
        return np.zeros_like(row)
    return row / np.float32(length)


def _open(graph: Path, threads: int) -> tuple[Any, tuple[type[Exception], ...]]:
    """The session, and everything that it may raise."""
    try:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state
    except ImportError as error:
        raise missing_extra("onnxruntime") from error
    # some of what is wrong with a file comes as Python's own errors
    theirs = tuple(
        kind
        for kind in vars(state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    )
    failures: tuple[type[Exception], ...] = (ValueError, RuntimeError, *theirs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # errors only: what is wrong is raised, and said once
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            str(graph),
            options,
            providers=["CPUExecutionProvider"],
            # it would print to stdout, where results are, and try the very same again
            enable_fallback=False,
        )
    except failures as error:
        raise ModelError(
            f"{graph} is no ONNX model that can be run ({_one_line(error)}); fetch it again"
        ) from error
    return session, failures


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
