"""What all commands share: options, the settings they name, and how results are printed."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from digest.app import App

app = typer.Typer(
    name="digest",
    help="Collect trending papers, pick what matches each subscriber, mail it on time.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; default $DIGEST_CONFIG, then ./config.toml."),
]
At = Annotated[
    str | None, typer.Option("--at", help="Act as if it were then, e.g. 2026-03-11T07:00:00Z.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@contextmanager
def opened(config: Path | None, at: str | None = None) -> Iterator[App]:
    """The program's parts by those settings, at that time; closed afterwards."""
    from digest.app import App
    from digest.clock import FixedClock, parse_moment
    from digest.config import load_settings

    clock = FixedClock(parse_moment(at)) if at else None
    parts = App(load_settings(config), clock)
    try:
        yield parts
    finally:
        parts.close()


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Send logs to stderr; stdout is for results."""
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("apscheduler", "httpx", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def say(text: str = "") -> None:
    """Print a line for people."""
    print(text)


def warn(text: str) -> None:
    """Print a line about something that failed."""
    print(f"digest: {text}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Print one JSON document; moments in ISO 8601, UTC as Z."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment_text(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise TypeError(f"{value!r} has no JSON form")


def moment_text(moment: datetime | None) -> str | None:
    """`2026-03-11T07:00:00Z`; None stays None."""
    from digest.clock import moment_text as text_of

    return text_of(moment) if moment else None


def table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> str:
    """Columns for a terminal; numbers stand right."""
    texts = [list(head), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in texts) for i in range(len(head))]
    right = [all(isinstance(row[i], int | float) for row in rows) for i in range(len(head))]
    lines = [
        "  ".join(
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in texts
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%MZ")
    return str(value)
