"""The program `digest`: its commands, and how errors become one line and an exit code.

Command modules import what they need inside their functions: `digest --help` answers at once.
Only this package prints.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from digest.cli import daily, look, subscribers, topics, upkeep
from digest.cli.base import app
from digest.errors import BadInput, ConfigError, DigestError, UsageError

__all__ = ["app", "daily", "look", "main", "run", "subscribers", "topics", "upkeep"]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code: 0 done, 1 failed, 2 usage or settings."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    try:
        code = app(
            args=list(arguments) if arguments is not None else None,
            prog_name="digest",
            standalone_mode=False,
        )
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except DigestError as error:
        print(f"digest: {error}", file=sys.stderr)
        is_usage = isinstance(error, BadInput | ConfigError | UsageError)
        return EXIT_USAGE if is_usage else EXIT_FAILED
    except BrokenPipeError:
        # the reader of our output has seen enough (`digest top | head`)
        sys.stderr.close()
        return EXIT_FAILED
