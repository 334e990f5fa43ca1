"""The meaning model: whether it is there and in use, if this program has one.

digest.rank.embed is asked when it is there: `status(model)` gives None when all is well, else a
sentence that says what is not, and after a semicolon what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from digest.check.findings import Finding, green, yellow

MODEL = "rank.model"


def judge_model(model: str, *, module: str = "digest.rank.embed") -> Iterator[Finding]:
    """What the ranker says of its model; `model` is [rank] model."""
    if find_spec(module) is None:
        return
    status = getattr(import_module(module), "status", None)
    if status is None:
        return
    said = status(model)
    if said is None:
        yield green(MODEL, f'[rank] model = "{model}" is ready')
    else:
        said, _, advice = str(said).partition("; ")
        yield yellow(MODEL, said, advice or "see docs/ranking.md")
