"""Servers of others, run in the foreground, in a folder that they can reach.

Each has a guard, a shell that the kernel tells when the test process ends, however that comes
about: a run that is killed leaves no mail server behind.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

_PATIENCE_S = 20.0
#: starts a server in a process group of its own, as some want it, and ends it when told to. The
#: server itself would not be told: whoever changes its user loses the kernel's promise.
_GUARD = """\
trap : TERM
setsid "$@" &
server=$!
echo $server >"$0"
wait $server
code=$?
kill -TERM $server 2>/dev/null && wait $server
exit $code
"""


def need_root() -> None:
    """Skip without the rights that mail servers need to change their user."""
    if os.geteuid() != 0:
        pytest.skip("mail servers need root to start")


def need_program(*names: str, package: str) -> str:
    """The path of the first program there is; skips the test when there is none."""
    for name in names:
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if found:
            return found
    pytest.skip(f"{package} is not installed: no {names[0]}")


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A temporary folder that every user can go through; removed afterwards.

    pytest's own are closed to the users that mail servers run as.
    """
    folder = Path(tempfile.mkdtemp(prefix="digest-mail-"))
    try:
        folder.chmod(0o755)
        for parent in folder.parents:
            if not parent.stat().st_mode & stat.S_IXOTH:
                pytest.skip(f"{parent} is closed to the users of mail servers; set TMPDIR")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of the loopback that nobody used a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Daemon:
    """One server in the foreground; what it says goes into a file, never into a pipe of ours."""

    def __init__(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        self._name = name
        self._log = log
        self._pid = log.with_suffix(".pid")
        guard = [need_program("setpriv", package="util-linux"), "--pdeathsig", "TERM"]
        guard += ["sh", "-c", _GUARD, str(self._pid)]
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                [*guard, *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for us; the servers are stopped when the tests have ended
                start_new_session=True,
            )

    def wait_until(self, is_up: Callable[[], bool]) -> None:
        """Wait for it to be ready; an AssertionError tells what it said when it is not."""
        end = time.monotonic() + _PATIENCE_S
        while not is_up():
            code = self._process.poll()
            assert code is None and time.monotonic() < end, (
                f"{self._name} is not up (exit code {code}):\n{self._tail()}"
            )
            time.sleep(0.02)

    def stop(self) -> None:
        """End it, kindly at first, and all it has started."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(self._pid.read_text()), signal.SIGKILL)
            self._process.wait(_PATIENCE_S)

    def _tail(self) -> str:
        return self._log.read_text("utf-8", "replace")[-3000:]


def answers(port: int) -> bool:
    """Whether somebody listens on a port of the loopback."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def run_tool(command: Sequence[str | Path], log: Path) -> None:
    """Run a program that sets something up. It may start others, so it gets no pipe of ours."""
    with log.open("ab") as out:
        subprocess.run(
            [*map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=60,
            check=True,
        )
