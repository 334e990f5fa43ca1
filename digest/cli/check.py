"""`digest check`: looks for trouble before the users do, and shows it as a table."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from digest.cli.base import AsJson, At, Config, app, opened, print_json, say
from digest.errors import BadInput, ConfigError

if TYPE_CHECKING:
    from digest.check import CheckReport, Finding

_SIGNS = {"green": "✓", "yellow": "!", "red": "✗"}
_INDENT = 4
#: of a saved mail no more is read; ours are a tenth of that
_MAIL_BYTES_MAX = 2_000_000


@app.command()
def check(
    config: Config = None,
    at: At = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask nobody outside this machine.")
    ] = False,
    name_server: Annotated[
        str | None,
        typer.Option(
            "--nameserver", metavar="HOST:PORT", help="Ask this name server, not the machine's own."
        ),
    ] = None,
    arrived: Annotated[
        Path | None,
        typer.Option("--arrived", metavar="FILE", help="Look at a mail of yours as it arrived."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look for trouble before the users do: settings, sources, relay, DNS, a sample mail."""
    from digest.check import CheckOptions, Level, report_broken_settings, run_checks
    from digest.check.resolver import parse_name_server

    server = parse_name_server(name_server) if name_server else None
    mail = _read_mail(arrived) if arrived else None
    options = CheckOptions(offline=offline, name_server=server, arrived=mail)
    try:
        with opened(config, at) as parts:
            report = run_checks(parts, options)
    except ConfigError as error:
        # the report has it all; stderr and the exit code are those of every command
        _show(report_broken_settings(error), as_json=as_json)
        raise
    _show(report, as_json=as_json)
    if report.worst is Level.RED:
        raise typer.Exit(1)


def _read_mail(file: Path) -> bytes:
    """A saved mail; of a whole mailbox its beginning."""
    try:
        with file.open("rb") as stream:
            return stream.read(_MAIL_BYTES_MAX)
    except OSError as error:
        raise BadInput(f"--arrived: cannot read {file}: {error.strerror or error}") from error


def _show(report: CheckReport, *, as_json: bool) -> None:
    if as_json:
        print_json(report.as_json())
        return
    for line in told(report, width=_width()):
        say(line)


def _width() -> int | None:
    """Columns of the terminal; None when the output goes into a file, where lines stay whole."""
    return max(shutil.get_terminal_size().columns, 40) if sys.stdout.isatty() else None


def told(report: CheckReport, *, width: int | None) -> Iterator[str]:
    """The report as lines: a section each, what was seen, and under it what to do."""
    for section, findings in groupby(report.findings, key=lambda finding: finding.section):
        yield section
        for finding in findings:
            yield from _lines(finding, width)
        yield ""
    for reason, skipped in groupby(report.skipped, key=lambda one: one.reason):
        names = ", ".join(one.name for one in skipped)
        yield from _wrapped(f"not looked at ({reason}): {names}", "", width)
    counts = ", ".join(f"{count} {level}" for level, count in report.counts.items())
    yield f"{counts}; docs/check.md explains each"


def _lines(finding: Finding, width: int | None) -> Iterator[str]:
    name = finding.name.partition(".")[2]
    yield from _wrapped(f"  {_SIGNS[finding.level]} {name}: {finding.said}", " " * _INDENT, width)
    if finding.advice:
        yield from _wrapped(f"    → {finding.advice}", " " * (_INDENT + 2), width)


def _wrapped(text: str, indent: str, width: int | None) -> list[str]:
    if width is None:
        return [text]
    # a DNS record or a link must stay in one piece, to be copied
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
