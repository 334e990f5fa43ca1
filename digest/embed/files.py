"""Reading a model's files, and telling one model from another by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from digest.errors import ModelError

#: the tensor types that models are stored in, as safetensors calls them
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2",
          "I8": "i1", "U8": "u1"}  # fmt: skip
_HEADER_BYTES_MAX = 10_000_000


def may_be_there(path: Path, *, size: int | None = None) -> bool:
    """Whether a file is there, in that size if one is given.

    One that must not be looked at counts as there: whoever reads it then says why it cannot.
    """
    try:
        return path.is_file() and size in (None, path.stat().st_size)
    except OSError:
        return True


def fingerprint(*files: Path, way: str) -> str:
    """A short name for these files used in that way: another file or way, another name."""
    total = hashlib.sha256(way.encode())
    for path in files:
        with reading(path), path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()[:12]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what can go wrong with a file into a ModelError that names it."""
    try:
        yield
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path} is not what it should be ({error}); fetch the model again"
        ) from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; empty when there is no such file."""
    with reading(path):
        if not path.is_file():
            return {}
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
        return found


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a .safetensors file, by name.

    Source: the format's description, https://github.com/huggingface/safetensors: eight bytes of
    length, so much JSON that says where each tensor lies, then the tensors.
    """
    with reading(path):
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        if not 2 <= length <= min(len(data) - 8, _HEADER_BYTES_MAX):
            raise ValueError("no safetensors header")
        told = json.loads(data[8 : 8 + length])
        told.pop("__metadata__", None)
        return {name: _tensor(entry, data, 8 + length) for name, entry in told.items()}


def _tensor(entry: dict[str, Any], data: bytes, base: int) -> NDArray[Any]:
    start, end = entry["data_offsets"]
    kind = np.dtype(_TYPES[entry["dtype"]])
    if not 0 <= start <= end <= len(data) - base:
        raise ValueError("a tensor lies beyond the end of the file")
    flat = np.frombuffer(data, kind, (end - start) // kind.itemsize, base + start)
    return flat.reshape(entry["shape"])
