"""Sending and reading in one process, for benchmarks/web.py: how each slows the other down.

One process serves the demo's archive and sends to many readers; 100 readers of the pages come and
go in turns, so that whatever else the machine does hits both turns alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from web_archive import REPO
from web_readers import read_pages
from web_servers import Served, free_port

MESSAGES = 6_000
_TURN_S = 1.5
#: waits for a line, then sends everything; prints when the pages are up and when all is sent
BOTH = """
import io, sys, time
from pathlib import Path
from datetime import timedelta
from digest.app import App
from digest.config import load_settings
from digest.enrol_many import import_people, read_people
from digest.web import build_web
from digest.web.server import WebServer
from digest.demo import DEMO_END
class Clock:
    def now(self): return at
    def sleep(self, seconds): time.sleep(max(seconds, 0))
at = DEMO_END - timedelta(days=1)
app = App(load_settings(Path(sys.argv[1]), environ={}), Clock())
wish = "@example.org,language-models;robotics,yes"
people = "\\n".join(f"r{n}{wish}" for n in range(int(sys.argv[3])))
lines = io.StringIO("email,topic,confirmed\\n" + people)
import_people(app.enrolment, read_people(lines, "x.csv"), now=at)
at = DEMO_END
app.editor.make_due(at)
server = WebServer(build_web(app), host="127.0.0.1", port=int(sys.argv[2]))
server.start()
print("ready", flush=True)
sys.stdin.readline()
app.deliverer.deliver(app.transport())
print("sent", flush=True)
sys.stdin.readline()
server.stop()
"""


def beside_sending() -> None:
    """Print how 100 readers slow sending down, and sending them."""

    from digest.demo import run_demo

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "demo"
        run_demo(folder)
        port = free_port()
        arguments = [str(folder / "config.toml"), str(port), str(MESSAGES)]
        process = subprocess.Popen(
            [sys.executable, "-c", BOTH, *arguments],
            cwd=REPO,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdin and process.stdout
        process.stdout.readline()
        quiet = read_pages(port, ["/"], readers=100, seconds=6)
        process.stdin.write("go\n")
        process.stdin.flush()
        alone, beside, late = in_turns(folder / "mail", port, Served(url="", pid=process.pid))
        process.stdout.readline()
        after = read_pages(port, ["/"], readers=100, seconds=6)
        process.communicate("end\n")
    rates = [statistics.median(turn.a_second for turn in turns) for turns in (alone, beside)]
    spent = [statistics.median(turn.cpu_ms for turn in turns) for turns in (alone, beside)]
    print(
        f"\nsending: {rates[0]:.0f} messages a second alone, {rates[1]:.0f} beside 100 readers; the"
        f" process spends {spent[0]:.2f} and {spent[1]:.2f} ms of CPU for a message, pages"
        f" included: {spent[1] / spent[0] - 1:+.0%} (medians of {len(alone)} turns)"
    )
    print(
        f"pages: 99% within {statistics.median([quiet.late_ms, after.late_ms]):.1f} ms without "
        f"sending, {statistics.median(late):.1f} ms while it sends"
    )


def in_turns(mails: Path, port: int, server: Served) -> tuple[list[Turn], list[Turn], list[float]]:
    """Turns without and with readers until nearly all is sent; and the readers' waits."""
    alone: list[Turn] = []
    beside: list[Turn] = []
    late: list[float] = []
    start = count(mails)
    while count(mails) < start + MESSAGES * 0.85:
        alone.append(turn(mails, server, lambda: time.sleep(_TURN_S)))
        beside.append(turn(mails, server, lambda: late.append(wait_of_readers(port))))
    return alone, beside, late


def wait_of_readers(port: int) -> float:
    return read_pages(port, ["/"], readers=100, seconds=_TURN_S).late_ms


@dataclass(frozen=True)
class Turn:
    """What was sent in a while."""

    a_second: float
    #: of the whole process, for a message
    cpu_ms: float


def turn(mails: Path, server: Served, pass_time: Callable[[], None]) -> Turn:
    before, begun, spent = count(mails), time.perf_counter(), server.cpu_s()
    pass_time()
    sent = max(count(mails) - before, 1)
    return Turn(
        a_second=sent / (time.perf_counter() - begun),
        cpu_ms=(server.cpu_s() - spent) / sent * 1000,
    )


def count(mails: Path) -> int:
    return sum(1 for path in mails.iterdir() if path.suffix == ".eml")


if __name__ == "__main__":
    beside_sending()
