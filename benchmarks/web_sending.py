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
from pathlib import Path

from web_archive import REPO
from web_readers import read_pages

MESSAGES = 6_000
_TURN_S = 1.5
#: waits for a line, then sends everything; prints when the pages are up and when all is sent
BOTH = """
import sys, time
from pathlib import Path
from datetime import timedelta
from digest.app import App
from digest.config import load_settings
from digest.enrol import Choices
from digest.model import InterestKind
from digest.web import build_web
from digest.web.server import WebServer
from digest.demo import DEMO_END
class Clock:
    def now(self): return at
    def sleep(self, seconds): time.sleep(max(seconds, 0))
at = DEMO_END - timedelta(days=1)
app = App(load_settings(Path(sys.argv[1]), environ={}), Clock())
wishes = {InterestKind.TOPIC: ("language-models", "robotics")}
for n in range(int(sys.argv[3])):
    app.enrolment.join(f"r{n}@example.org", Choices(wishes=wishes), now=at,
                       source="bench", vouched=True)
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
    from web import free_port

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
        alone, beside, late = in_turns(folder / "mail", port)
        process.stdout.readline()
        after = read_pages(port, ["/"], readers=100, seconds=6)
        process.communicate("end\n")
    slower = [1 - b / a for a, b in zip(alone, beside, strict=False)]
    print(
        f"\nsending: {statistics.median(alone):.0f} messages a second alone, "
        f"{statistics.median(beside):.0f} beside 100 readers; slower by "
        f"{statistics.median(slower):.0%} (median of {len(slower)} pairs of turns)"
    )
    print(
        f"pages: 99% within {statistics.median([quiet.late_ms, after.late_ms]):.1f} ms without "
        f"sending, {statistics.median(late):.1f} ms while it sends"
    )


def in_turns(mails: Path, port: int) -> tuple[list[float], list[float], list[float]]:
    """Messages a second without and with readers, in turns, until all is sent; readers' waits."""
    alone: list[float] = []
    beside: list[float] = []
    late: list[float] = []
    start = count(mails)
    while count(mails) < start + MESSAGES * 0.85:
        before, begun = count(mails), time.perf_counter()
        time.sleep(_TURN_S)
        alone.append((count(mails) - before) / (time.perf_counter() - begun))
        before, begun = count(mails), time.perf_counter()
        late.append(read_pages(port, ["/"], readers=100, seconds=_TURN_S).late_ms)
        beside.append((count(mails) - before) / (time.perf_counter() - begun))
    return alone, beside, late


def count(mails: Path) -> int:
    return sum(1 for path in mails.iterdir() if path.suffix == ".eml")


if __name__ == "__main__":
    beside_sending()
