"""The models that `digest model pull` knows: which files, from where, and their hashes.

A revision is pinned: what a host serves under it never changes, and a file with another hash is
never used. Weights are Apache-2.0, by the authors of sentence-transformers; not part of digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from digest.embed.files import may_be_there
from digest.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """One file of a model."""

    #: as it is called in the model's folder
    name: str
    #: as it is called behind the model's address
    remote: str
    #: bytes
    size: int
    #: hexadecimal
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A model that can be fetched by name."""

    name: str
    #: in a few words, for `digest model pull --help`
    about: str
    #: the files lie behind it, at this very revision
    url: str
    files: tuple[ModelFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def is_whole(self, folder: Path) -> bool:
        """Whether all files are there in the right size; their hashes were seen to when fetched."""
        return all(may_be_there(folder / file.name, size=file.size) for file in self.files)


_MINILM = (
    "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/"
    "1110a243fdf4706b3f48f1d95db1a4f5529b4d41/"
)
_TOKENIZER = ModelFile(
    name="tokenizer.json",
    remote="tokenizer.json",
    size=466_247,
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)

#: the first is the one that is recommended, and "auto" takes the first that is there
KNOWN = (
    KnownModel(
        name="all-MiniLM-L6-v2",
        about="int8, 23 MB: nearly as good as in full, at half the time",
        url=_MINILM,
        files=(
            # weights are unsigned and scaled per channel: signed ones overflow on processors
            # without VNNI, and one scale for a whole table loses what tells papers apart
            ModelFile(
                name="model.onnx",
                remote="onnx/model_quint8_avx2.onnx",
                size=23_046_789,
                sha256="b941bf19f1f1283680f449fa6a7336bb5600bdcd5f84d10ddc5cd72218a0fd21",
            ),
            _TOKENIZER,
        ),
    ),
    KnownModel(
        name="all-MiniLM-L6-v2-fp32",
        about="the same in full precision, 90 MB",
        url=_MINILM,
        files=(
            ModelFile(
                name="model.onnx",
                remote="onnx/model.onnx",
                size=90_405_214,
                sha256="6fd5d72fe4589f189f8ebc006442dbb529bb7ce38f8082112682524616046452",
            ),
            _TOKENIZER,
        ),
    ),
)


def known_model(name: str | None) -> KnownModel:
    """The model of that name; the recommended one for None. Raises BadInput."""
    if name is None:
        return KNOWN[0]
    for model in KNOWN:
        if model.name == name:
            return model
    names = ", ".join(model.name for model in KNOWN)
    raise BadInput(f"there is no model {name!r} that could be fetched by name; there are: {names}")
