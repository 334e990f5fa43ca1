"""A process that has the program imported, and lives it again and again, to be killed each time.

Reads lines of JSON: a command line of `digest` for a new child, or null to wait for its end. Says
the child's pid, then how it ended (minus the signal's number). The children are what `digest` is
but for the second that importing takes; that they can be killed a hundred times in a minute.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psycopg  # noqa: F401

import digest.app
import digest.check
import digest.compose.composer
import digest.deliver
import digest.edition
import digest.mail.dkim
import digest.rank
import digest.store.migrate
import digest.templates  # noqa: F401
from digest.cli import run


def live(words: list[str], log: Path) -> None:
    """What the child does, to its end."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = run(words)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(log: Path) -> None:
    for line in sys.stdin:
        words = json.loads(line)
        if words is not None:
            child = os.fork()
            if child == 0:
                live(words, log)
            print(child, flush=True)
        else:
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
