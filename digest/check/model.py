"""The meaning model: whether one is in use, works, and has done the archive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from digest.check.findings import Finding, green, red, yellow
from digest.embed import load_model
from digest.embed.known import KNOWN
from digest.embed.meaning import USED_NOW, find_folder
from digest.errors import ModelError
from digest.store import Store, embeddings

MODEL = "rank.model"
_PULL = "digest model pull"
_EXTRA = "pip install 'digest[semantic]'"


def judge_model(setting: str, models: Path, store: Store | None) -> Iterator[Finding]:
    """What [rank] model names, tried out; `models` is where fetched ones lie.

    `store` is None when the database cannot be asked.
    """
    if setting == "lexical":
        yield green(MODEL, 'words alone are compared, as [rank] model = "lexical" says')
        return
    folder = find_folder(setting, models)
    if folder is None:
        yield _none_there(models)
        return
    try:
        model = load_model(folder)
    except ModelError as error:
        said, _, advice = str(error).partition("; ")
        yield red(MODEL, f"words alone are compared: {said}", advice or _PULL)
        return
    yield green(MODEL, f"meanings are compared by the model in {folder} ({model.name})")
    if store is not None:
        yield from _judge_archive(store, model.name)


def _none_there(models: Path) -> Finding:
    begun = [models / model.name for model in KNOWN if (models / model.name).is_dir()]
    if begun:
        return red(
            MODEL,
            f"words alone are compared: the model in {begun[0]} is not whole",
            f"{_PULL} {begun[0].name} fetches what is missing",
        )
    has_extra = all(find_spec(name) for name in ("onnxruntime", "tokenizers"))
    return yellow(
        MODEL,
        "words alone are compared: a paper that says the same in other words is missed",
        _PULL if has_extra else f"{_EXTRA}, then {_PULL}",
    )


def _judge_archive(store: Store, name: str) -> Iterator[Finding]:
    with store.read() as tx:
        lacking = embeddings.count_lacking(tx, name)
        uses = embeddings.models_in_use(tx, within=USED_NOW)
    for use in uses:
        if use.model != name:
            yield yellow(
                MODEL,
                f"{use.owner} compared by another model ({use.model}) at {use.at:%H:%M} UTC",
                "give all processes on one database the same [rank] model; after a change, wait"
                f" {USED_NOW // timedelta(minutes=1)} minutes",
            )
    if lacking:
        yield yellow(
            MODEL,
            f"{lacking:,} papers have no vector by this model yet",
            "digest run makes them in the background, the newest first",
        )
