"""Runs checks side by side, each within its time; whatever goes wrong in one stays in it.

A check that fails or hangs becomes a red finding. Threads are daemons: one that hangs does not
keep the program from ending.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from digest.check.findings import Finding, red
from digest.errors import ConfigError, DigestError

#: seconds for a check that says nothing else
LIMIT_S = 20.0
_OUR_MISTAKE = "this is a mistake in digest itself: please report it, with this line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing to look at."""

    #: what is said of it when it cannot be looked at; one of NAMES
    name: str
    look: Callable[[], Iterable[Finding]]
    limit_s: float = LIMIT_S


def run_side_by_side(checks: Sequence[Check]) -> list[Finding]:
    """The findings of all checks, in the order of the checks."""
    running = [_Running(check) for check in checks]
    return [finding for one in running for finding in one.findings()]


class _Running:
    """A check in its thread."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._found: list[Finding] = []
        self._until = time.monotonic() + check.limit_s
        self._thread = threading.Thread(target=self._run, name=check.name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        name = self._check.name
        try:
            found = list(self._check.look())
        except DigestError as error:
            # our errors say what happened, and after a semicolon what to check
            text = error.problems[0] if isinstance(error, ConfigError) else str(error)
            said, _, advice = text.partition("; ")
            found = [red(name, f"cannot be looked at: {said}", advice or "see what it says")]
        except Exception as error:  # a broken check is a finding, and must not hide the others
            words = " ".join(f"{type(error).__name__}: {error}".split())
            found = [red(name, f"cannot be looked at: {words[:300]}", _OUR_MISTAKE)]
        self._found = found

    def findings(self) -> list[Finding]:
        """What it has found when it ends or its time is over."""
        self._thread.join(max(self._until - time.monotonic(), 0.0))
        if self._thread.is_alive():
            limit_s = self._check.limit_s
            said = f"took longer than {limit_s:g} s and was left alone"
            return [red(self._check.name, said, "look at what it asks; it does not answer in time")]
        return self._found
