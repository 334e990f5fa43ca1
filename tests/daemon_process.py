"""`digest run` as a real process, started, watched and stopped by a test."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

PATIENCE_S = 60
ROLES = "collect,edition,deliver"


class Daemon:
    """`digest run` in a folder; `inside` is the command that puts it somewhere else."""

    def __init__(
        self,
        folder: Path,
        *,
        roles: str = ROLES,
        config: str = "config.toml",
        inside: Sequence[str] = (),
    ) -> None:
        self.folder = folder
        self.log = folder / f"log-{time.monotonic_ns()}"
        words = ["-m", "digest", "run", "--only", roles, "--config", config]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*inside, sys.executable, *words],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    def wait_until(self, what: Callable[[], bool], *, seconds: float = PATIENCE_S) -> None:
        """Look again and again; fails with the log when it takes too long."""
        end = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, f"it has ended:\n{self.said}"
            assert time.monotonic() < end, f"it does not come to pass:\n{self.said}"
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to end; returns its exit code and how many seconds it took."""
        begun = time.monotonic()
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE_S)
        return code, time.monotonic() - begun

    def rss_bytes(self) -> int:
        told = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", told)
        assert found is not None
        return int(found[1]) * 1024
