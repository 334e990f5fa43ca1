"""What a model is to the rest of the program, and which kind lies in a folder.

onnx.py and static.py run one kind each; files.py and tokens.py read what they have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from digest.embed.files import may_be_there
from digest.errors import ModelError

#: title and abstract; a person's own words are a title without an abstract
Text: TypeAlias = tuple[str, str]
Floats: TypeAlias = NDArray[np.float32]

#: the files of each kind that is understood; the first that is whole is taken
_ONNX = ("model.onnx", "tokenizer.json")
_ONNX_HUB = ("onnx/model.onnx", "tokenizer.json")
_STATIC = ("model.safetensors", "config.json", "tokenizer.json")


class Model(Protocol):
    """Turns texts into vectors."""

    @property
    def name(self) -> str:
        """What its vectors are kept under: another when weights, words or pooling differ."""
        ...

    @property
    def dimension(self) -> int:
        """The length of every vector."""
        ...

    def embed(self, texts: Sequence[Text]) -> Floats:
        """A row of unit length for each text; zeros for a text that says nothing.

        A text's row does not depend on the others.
        """
        ...


def load_model(folder: Path, *, threads: int = 1) -> Model:
    """The model in that folder, tried with one sentence.

    Understood are ONNX models that give a vector for the text or one for each token, and static
    ones of model2vec. Raises ModelError that says which file is missing or wrong.
    """
    onnx = next((f for f in (_ONNX, _ONNX_HUB) if _has(folder, f)), None)
    model: Model
    if onnx is not None:
        from digest.embed.onnx import OnnxModel

        model = OnnxModel(folder, folder / onnx[0], threads=threads)
    elif _has(folder, _STATIC):
        from digest.embed.static import StaticModel

        model = StaticModel(folder)
    else:
        raise ModelError(_what_is_missing(folder))
    _try_out(model, folder)
    return model


def _has(folder: Path, files: Sequence[str]) -> bool:
    return all(may_be_there(folder / name) for name in files)


def _what_is_missing(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder}; name the folder of a model in [rank] model"
    begun = next((f for f in (_ONNX, _ONNX_HUB, _STATIC) if (folder / f[0]).is_file()), _ONNX)
    missing = ", ".join(name for name in begun if not (folder / name).is_file())
    return f"{folder} lacks {missing}; fetch the model again, or name another folder"


def _try_out(model: Model, folder: Path) -> None:
    (row,) = model.embed([("A sentence to see whether the model works.", "")])
    if not row.any():
        raise ModelError(
            f"the model in {folder} gives no vector for a plain sentence; fetch it again, or name"
            " another in [rank] model"
        )
