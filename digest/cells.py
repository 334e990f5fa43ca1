"""Lines of cells, as people keep lists: CSV and JSON lines are read, CSV lines are written.

A fault costs its own line and is told with it. Knows nothing of what the cells mean; used by
enrol_many.py.
"""

from __future__ import annotations

import csv
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any, TextIO

from digest.errors import BadInput

#: a line's number, and its cells by column, or what is wrong with it
Line = tuple[int, Mapping[str, Any] | str]

#: in a cell with several values `;` ends one; within one it is written `\;`, and `\` as `\\`
_PART = re.compile(r"((?:\\[\\;]|[^;])*)(?:;|$)")
_ESCAPED = re.compile(r"\\([\\;])")
#: how csv calls a quote that nothing closes, and how many lines one cell may have
_OPEN_QUOTE = "unexpected end of data"
_LINES_MAX = 20


def read_csv(stream: TextIO, columns: Sequence[str], *, needed: str) -> Iterator[Line]:
    """The lines of a CSV file whose first line names some of those columns.

    Raises BadInput when it does not, or leaves out the one that is needed.
    """
    records = _csv_records(stream)
    _, header = next(records, (1, []))
    told = header if isinstance(header, list) else []
    names = [name.strip("\ufeff \t\r\n").lower() for name in told]
    if needed not in names:
        hint = "; they are separated by commas" if ";" in "".join(names) else ""
        raise BadInput(f"the first line must name the columns, {needed} among them{hint}")
    unknown = [name for name in names if name not in columns]
    if unknown:
        raise BadInput(f"there is no column {unknown[0]!r}; columns: {', '.join(columns)}")
    if len(set(names)) < len(names):
        raise BadInput("the first line names a column twice")
    for number, cells in records:
        if isinstance(cells, str):
            yield number, cells
        elif len(cells) > len(names):
            yield number, "has more cells than the first line has columns"
        else:
            yield number, dict(zip(names, cells, strict=False))


def _csv_records(stream: TextIO) -> Iterator[tuple[int, list[str] | str]]:
    """Each record's cells, or what is wrong with it, and the number of its first line.

    A cell may span some lines; a quote that nothing closes costs its own line, not the file's end.
    """
    lines = iter(stream)
    given_back: deque[str] = deque()

    def take() -> str | None:
        return given_back.popleft() if given_back else next(lines, None)

    number = 1
    while (line := take()) is not None:
        taken = [line]
        while isinstance(cells := _read_cells(taken), str):
            more = take() if _OPEN_QUOTE in cells and len(taken) < _LINES_MAX else None
            if more is None:
                given_back.extendleft(reversed(taken[1:]))
                del taken[1:]
                break
            taken.append(more)
        if cells:
            yield number, cells
        number += len(taken)


def _read_cells(lines: list[str]) -> list[str] | str:
    if any("\ufffd" in line for line in lines):
        return "is not UTF-8: save the file in that encoding"
    try:
        return next(iter(csv.reader(lines, strict=True)), [])
    except csv.Error as error:
        return f"this is not CSV: {error}"


def read_json(stream: TextIO, columns: Sequence[str]) -> Iterator[Line]:
    """The lines of a file with one JSON object in each; their fields are those columns."""
    for number, line in enumerate(stream, start=1):
        if line.strip():
            yield number, _read_object(line, columns)


def _read_object(line: str, columns: Sequence[str]) -> Mapping[str, Any] | str:
    if "\ufffd" in line:
        return "is not UTF-8: save the file in that encoding"
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"this is not JSON: {error}"
    if not isinstance(fields, dict):
        return "this is not a JSON object"
    unknown = [name for name in fields if name not in columns]
    return f"there is no field {unknown[0]!r}" if unknown else fields


def values_of(cell: Any, *, split: bool) -> tuple[str, ...]:
    """A cell's values: a list in JSON, or text; with `split`, several with `;` between."""
    if cell is None:
        return ()
    if isinstance(cell, list):
        parts = [str(part) for part in cell]
    elif isinstance(cell, bool):
        parts = [str(cell).lower()]
    else:
        text = str(cell)
        parts = [_unescape(found[1]) for found in _PART.finditer(text)] if split else [text]
    return tuple(part.strip() for part in parts if part.strip())


def _unescape(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _escape(text: str) -> str:
    """A value that can stand in a cell among others."""
    return text.replace("\\", r"\\").replace(";", r"\;")


def cell_of(value: Any) -> str:
    """A cell that values_of reads again: a list, a truth or anything else."""
    if isinstance(value, list):
        return ";".join(map(_escape, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def csv_line(cells: Iterable[str]) -> str:
    """A line of CSV, without its end."""
    line = StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
