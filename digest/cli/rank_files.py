"""The files of `digest rank`: JSON lines, plain or .gz, checked line by line.

What is wrong is said with the file's name and the line. Used by cli/rank.py only.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from digest.errors import BadInput
from digest.rank.batch import Ranked, Request
from digest.rank.reader import Text

#: what stands on one line, and where it stands
Line = tuple[str, dict[str, Any]]  # Any: JSON as it came, checked field by field below


def read_articles(path: Path) -> dict[str, Text]:
    """Titles and abstracts by id."""
    found: dict[str, Text] = {}
    for where, line in _lines(path):
        article = _text(line, "id", where)
        if article in found:
            raise BadInput(f"{where}: article {article!r} is there twice")
        found[article] = _text(line, "title", where), _text(line, "abstract", where, default="")
    return found


def read_pools(
    path: Path, articles: Mapping[str, Text]
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """Each pool's article ids, and the names of the pools that are its background."""
    ids: dict[str, tuple[str, ...]] = {}
    background: dict[str, tuple[str, ...]] = {}
    wheres: dict[str, str] = {}
    for where, line in _lines(path):
        name = _text(line, "pool", where)
        ids[name] = _known(_texts(line, "ids", where), articles, "article", where)
        background[name] = _texts(line, "background", where)
        wheres[name] = where
    for name, where in wheres.items():
        _known(background[name], ids, "pool", where)
    return ids, background


def read_requests(
    path: Path,
    articles: Mapping[str, Text],
    pools: Mapping[str, tuple[str, ...]],
    backgrounds: Mapping[str, tuple[str, ...]],
) -> list[Request]:
    """The requests, in order."""
    return [_request(line, where, articles, pools, backgrounds) for where, line in _lines(path)]


def write_results(path: Path, results: Iterable[Ranked]) -> int:
    """Write answers as they come; returns how many."""
    count = 0
    with _open(path, "wt") as out:
        for result in results:
            line = {"id": result.id, "ranked": [list(pair) for pair in result.ranked]}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def _request(
    line: dict[str, Any],  # Any: see Line
    where: str,
    articles: Mapping[str, Text],
    pools: Mapping[str, tuple[str, ...]],
    backgrounds: Mapping[str, tuple[str, ...]],
) -> Request:
    profile = line.get("profile", {})
    if not isinstance(profile, dict):
        raise BadInput(f"{where}: profile must be an object with liked, keywords and topics")
    if ("pool" in line) == ("candidates" in line):
        raise BadInput(f"{where}: give either pool or candidates")
    if "pool" in line:
        (name,) = _known((_text(line, "pool", where),), pools, "pool", where)
        candidates, background = pools[name], backgrounds[name]
    else:
        candidates, background = _texts(line, "candidates", where), ()
    if "background" in line:
        background = _known(_texts(line, "background", where), pools, "pool", where)
    return Request(
        id=_text(line, "id", where),
        liked=_known(_texts(profile, "liked", where), articles, "article", where),
        keywords=_texts(profile, "keywords", where),
        topics=_texts(profile, "topics", where),
        candidates=_known(candidates, articles, "article", where),
        background=background,
    )


def _lines(path: Path) -> Iterator[Line]:
    try:
        with _open(path, "rt") as lines:
            for number, text in enumerate(lines, 1):
                if text.strip():
                    yield f"{path}, line {number}", _object(text, f"{path}, line {number}")
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}") from error


def _object(text: str, where: str) -> dict[str, Any]:  # Any: see Line
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{where}: this is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadInput(f"{where}: an object is expected")
    return value


def _open(path: Path, mode: str) -> TextIO:
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, mode, encoding="utf-8"))
    return cast(TextIO, path.open(mode, encoding="utf-8"))


def _text(
    line: Mapping[str, Any],  # Any: see Line
    name: str,
    where: str,
    default: str | None = None,
) -> str:
    value = line.get(name, default)
    if not isinstance(value, str):
        raise BadInput(f"{where}: {name} must be a text")
    return value


def _texts(line: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:  # Any: see Line
    value = line.get(name, [])
    if not (isinstance(value, list) and all(isinstance(entry, str) for entry in value)):
        raise BadInput(f"{where}: {name} must be a list of texts")
    return tuple(value)


def _known(
    names: Sequence[str], known: Mapping[str, object], kind: str, where: str
) -> tuple[str, ...]:
    strange = next((name for name in names if name not in known), None)
    if strange is not None:
        raise BadInput(f"{where}: there is no {kind} {strange!r}")
    return tuple(names)
