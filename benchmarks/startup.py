"""How quick the program answers and how little it holds when idle.

    python benchmarks/startup.py

`digest --help` and a command that reads the database, beside bare Python, in turns; then the
resident memory of `digest run` in all its roles after its first ticks.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 9
CONFIG = """
[site]
url = "http://localhost"
secret_key = "a key for a benchmark only, never for a site"
[mail]
from = "Papers <d@example.org>"
[smtp]
transport = "folder"
path = "mail"
[web]
port = 0
[[source]]
name = "nothing"
kind = "feed"
url = "http://127.0.0.1:9/feed"
"""


def timed(folder: str, *command: str) -> float:
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def idle_megabytes(folder: str) -> float:
    process = subprocess.Popen(
        (sys.executable, "-m", "digest", "run"), cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        # the first ticks of all roles come at once, the next ones of delivering every 5 s
        time.sleep(12)
        pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.toml").write_text(CONFIG)
        digest = (sys.executable, "-m", "digest")
        ways = {
            "python -c pass": (sys.executable, "-c", "pass"),
            "digest --help": (*digest, "--help"),
            "digest report": (*digest, "report"),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        for command in ways.values():
            timed(folder, *command)
        for _ in range(ROUNDS):
            for name, command in ways.items():
                spent[name].append(timed(folder, *command))
        bare = statistics.median(spent["python -c pass"])
        print(f"{'':16} {'s':>6} {'× bare':>7}   bar")
        for name, times in spent.items():
            bar = "< 0.3 s" if name == "digest --help" else ""
            mean = statistics.median(times)
            print(f"{name:16} {mean:6.3f} {mean / bare:7.1f}   {bar}")
        print(f"digest run, idle: {idle_megabytes(folder):.0f} MB   bar < 120 MB")


if __name__ == "__main__":
    main()
