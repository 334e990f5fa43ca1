"""The program `digest`: its commands, and how errors become one line and an exit code.

Command modules import what they need inside their functions: `digest --help` answers at once.
Only this package prints.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from digest.cli import daily, look, subscribers, topics, upkeep
from digest.cli.base import app
from digest.errors import BadInput, ConfigError, DigestError, UsageError

# isort: split
from digest.cli import bounces, check, model, rank

__all__ = [
    "app",
    "bounces",
    "check",
    "daily",
    "look",
    "main",
    "model",
    "rank",
    "run",
    "subscribers",
    "topics",
    "upkeep",
]

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and leave with its exit code: 0 done, 1 failed, 2 usage or settings."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="digest")
    except SystemExit as leaving:
        # how the command line library ends, also after --help and after wrong usage
        return leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except DigestError as error:
        print(f"digest: {error}", file=sys.stderr)
        is_usage = isinstance(error, BadInput | ConfigError | UsageError)
        return EXIT_USAGE if is_usage else EXIT_FAILED
    except BrokenPipeError:
        # the reader of our output has seen enough (`digest top | head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except OSError as error:
        # a folder that is not there, rights, a full disk: the world, and it names the file
        where = f"{error.filename}: " if error.filename else ""
        print(f"digest: {where}{error.strerror or error}", file=sys.stderr)
        return EXIT_FAILED
    return 0
