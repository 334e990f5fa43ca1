"""Fetching a known model into its folder, once; what is there and right is left alone.

Files come into a folder beside it, and move when all are there: half a model is none.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from digest.embed.known import KnownModel, ModelFile
from digest.errors import FetchError, ModelError
from digest.fetch import Fetcher
from digest.fetch.download import Wanted, download, sha256_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull came to."""

    folder: Path
    #: names of the files that had to be fetched; none when all were there
    fetched: tuple[str, ...]


#: told which file, and how many of its bytes are there
Progress = Callable[[ModelFile, int], None]


def pull(
    model: KnownModel,
    models: Path,
    fetcher: Fetcher,
    *,
    url: str | None = None,
    progress: Progress = lambda file, there: None,
) -> Pulled:
    """Fetch the model's files to a folder of its name in `models`; `url` is a mirror's.

    Whatever the address, only files with the right hash get their name. Raises ModelError that
    says what to do; the model's folder is then as it was, what has come is kept beside it, and the
    next pull goes on there.
    """
    folder, coming = models / model.name, models / f".{model.name}.coming"
    try:
        lacking = [file for file in model.files if not _is_right(folder / file.name, file)]
        if lacking:
            coming.mkdir(parents=True, exist_ok=True)
            try:
                _fetch(lacking, coming, fetcher, url or model.url, progress)
                _move(lacking, coming, folder)
            finally:
                _tidy(coming)
    except FetchError as error:
        # what follows is advice about sources
        reason = error.reason.partition("; ")[0]
        raise ModelError(f"{reason}; {_way_on(error, model, folder)}") from error
    except OSError as error:
        raise ModelError(_about_disk(error, folder)) from error
    return Pulled(folder=folder, fetched=tuple(file.name for file in _small_first(lacking)))


def _fetch(
    lacking: list[ModelFile], coming: Path, fetcher: Fetcher, base: str, progress: Progress
) -> None:
    """Fetch what has not come yet."""
    missing = [file for file in lacking if not _is_right(coming / file.name, file)]
    _check_space(coming, missing)
    for file in _small_first(missing):
        download(
            fetcher,
            Wanted(url=_address(base, file), size=file.size, sha256=file.sha256),
            coming / file.name,
            progress=lambda there, file=file: progress(file, there),  # type: ignore[misc]  # bound now
        )


def _small_first(files: list[ModelFile]) -> list[ModelFile]:
    """The large one last: what can be refused is refused at once."""
    return sorted(files, key=lambda file: file.size)


def _move(files: list[ModelFile], coming: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for file in files:
        (coming / file.name).replace(folder / file.name)


def _tidy(coming: Path) -> None:
    """Remove what holds nothing."""
    for path in coming.iterdir():
        if path.stat().st_size == 0:
            path.unlink()
    if not any(coming.iterdir()):
        coming.rmdir()


def _address(base: str, file: ModelFile) -> str:
    return f"{base.rstrip('/')}/{file.remote}"


def _is_right(path: Path, file: ModelFile) -> bool:
    is_whole = path.is_file() and path.stat().st_size == file.size
    return is_whole and sha256_of(path) == file.sha256


def _check_space(folder: Path, files: list[ModelFile]) -> None:
    partials = [folder / f"{file.name}.partial" for file in files]
    there = sum(p.stat().st_size for p in partials if p.is_file())
    needed = sum(file.size for file in files) - there
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, "No space left on device")


def _about_disk(error: OSError, folder: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk of {folder} is full; make room and run the command again, which goes on"
            " where it ended"
        )
    return f"{error.filename or folder} cannot be written: {error.strerror}"


def _way_on(error: FetchError, model: KnownModel, folder: Path) -> str:
    if not error.permanent:
        return (
            "run the command again, which goes on where it ended, or fetch it on another machine"
            f" and copy the files to {folder}"
        )
    return f"name a mirror of {model.name} with --url"
