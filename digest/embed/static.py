"""Static models (model2vec): a vector for every token, and a text is the mean of its tokens'.

Far quicker and smaller than a graph, and not as good. NumPy does it all but the splitting.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from digest.embed.files import fingerprint, read_json, read_tensors, reading
from digest.embed.model import Floats, Text
from digest.embed.onnx import unit
from digest.embed.tokens import TOKENS_MAX, Tokens
from digest.errors import ModelError


class StaticModel:
    """The vectors of all tokens, and how to split a text into them."""

    def __init__(self, folder: Path) -> None:
        weights, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
        self._tokens = Tokens(tokenizer, specials=False)
        tensors = read_tensors(weights)
        config = read_json(folder / "config.json")
        with reading(weights):
            self._vectors = tensors["embeddings"]
            if self._vectors.ndim != 2 or not self._vectors.size:
                raise ValueError("`embeddings` is no table of vectors")
            # large vocabularies share vectors, and keep each token's weight beside
            self._row_of = tensors.get("mapping")
            self._weight_of = tensors.get("weights")
        self.dimension = int(self._vectors.shape[1])
        promised = config.get("hidden_dim")
        if promised is not None and promised != self.dimension:
            raise ModelError(
                f"{weights} has {self.dimension} numbers for a token, but config.json promises"
                f" {promised}: the files are of two models; fetch them again"
            )
        self._check_tokens()
        unknown = read_json(tokenizer).get("model", {}).get("unk_token")
        self._unknown = self._tokens.number_of(unknown) if isinstance(unknown, str) else None
        self.name = f"static-{fingerprint(weights, tokenizer, way=f'static mean {TOKENS_MAX} 1')}"

    def embed(self, texts: Sequence[Text]) -> Floats:
        """The mean of each text's token vectors, at length 1."""
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for at, text in enumerate(texts):
            ids = np.array([i for i in self._tokens.split(text) if i != self._unknown], np.int64)
            if len(ids):
                rows[at] = unit(self._mean(ids))
        return rows

    def _mean(self, ids: NDArray[np.int64]) -> Floats:
        found = self._vectors[ids if self._row_of is None else self._row_of[ids]]
        weighed: Floats = found.astype(np.float32)
        if self._weight_of is not None:
            weighed *= self._weight_of[ids, None].astype(np.float32)
        mean: Floats = weighed.mean(axis=0)
        return mean

    def _check_tokens(self) -> None:
        """Every token must have its vector, or some text would meet one that has none."""
        rows = len(self._vectors) if self._row_of is None else len(self._row_of)
        if self._row_of is not None and self._row_of.max(initial=0) >= len(self._vectors):
            rows = 0
        if self._weight_of is not None:
            rows = min(rows, len(self._weight_of))
        if self._tokens.count > rows:
            raise ModelError(
                f"the model's tokenizer knows {self._tokens.count:,} tokens, of which {rows:,} have"
                " vectors: the files are of two models; fetch them again"
            )
