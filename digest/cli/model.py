"""The embedding model: fetching it, and making the archive's newest vectors with it."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.base import Config, app, opened, say, warn
from digest.errors import ModelError

if TYPE_CHECKING:
    from digest.app import App
    from digest.embed.known import KnownModel, ModelFile

_PORTION = 32

model = typer.Typer(help="The embedding model.", no_args_is_help=True)
app.add_typer(model, name="model")


@model.callback()
def _model() -> None:
    """Keeps `model` a group of commands although it has only one."""


@model.command()
def pull(
    name: Annotated[
        str | None, typer.Argument(help="Default: all-MiniLM-L6-v2, the one that is recommended.")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="A mirror of the model's files; hashes stay.")
    ] = None,
    config: Config = None,
) -> None:
    """Fetch the embedding model once. Goes on where an earlier try ended."""
    from digest.embed.known import known_model

    wanted = known_model(name)
    with opened(config) as parts:
        fetch_model(parts, wanted, url)


def fetch_model(parts: App, wanted: KnownModel, url: str | None) -> None:
    """Fetch a model, try it, and make vectors with it when it is the one in use."""
    from digest.embed.model import load_model
    from digest.embed.pull import pull as fetch

    with _Bars(wanted) as bars:
        pulled = fetch(
            wanted, parts.settings.models_folder, parts.fetcher, url=url, progress=bars.show
        )
    say(f"{pulled.folder}: {', '.join(pulled.fetched) or 'all files were there already'}")
    try:
        fetched = load_model(pulled.folder)
    except ModelError as error:
        warn(f"the model is fetched, but cannot be used yet: {error}")
        raise typer.Exit(1) from error
    vectors = parts.meaning.vectors()
    if vectors is None or vectors.name != fetched.name:
        setting = parts.settings.rank.model
        say(f'[rank] model is "{setting}", so {wanted.name} is not in use; to use it, set this:')
        say(f'  model = "{pulled.folder}"')
        return
    _make_vectors(parts)


def _make_vectors(parts: App) -> None:
    from digest.embed.meaning import RECENT

    lacking = parts.meaning.count_lacking()
    at_once = min(lacking, RECENT)
    with _bar(at_once, "vectors") as bar:
        made = 0
        while made < at_once and (new := parts.meaning.catch_up(min(_PORTION, at_once - made))):
            made += new
            bar.update(new)
    left = parts.meaning.count_lacking()
    rest = f"; `digest run` makes the other {left:,} in the background" if left else ""
    say(f"meanings are compared from now on: {made:,} papers have new vectors{rest}")


class _Bars:
    """A progress bar for each file, on a terminal only."""

    def __init__(self, model: KnownModel) -> None:
        self._width = max(len(file.name) for file in model.files)
        self._open = ExitStack()
        self._file: str | None = None
        self._there = 0

    def __enter__(self) -> _Bars:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def show(self, file: ModelFile, there: int) -> None:
        """Tell that so many bytes of the file are there."""
        if self._file != file.name:
            self._open.close()
            label = f"{file.name:{self._width}} {file.size / 1e6:5.1f} MB"
            self._bar = self._open.enter_context(_bar(file.size, label))
            self._file, self._there = file.name, 0
        self._bar.update(there - self._there)
        self._there = there


def _bar(length: int, label: str) -> Any:  # Any: the library keeps the type to itself
    is_seen = sys.stderr.isatty()
    return typer.progressbar(length=length, label=label, file=sys.stderr, hidden=not is_seen)
