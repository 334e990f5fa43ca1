"""How long a simulated day takes, over three recorded months with twenty readers.

    python benchmarks/replay.py [--days 88]

The daemon's ticks every two hours, the folder transport, SQLite on disk. Needs the recordings in
../shared. The time per day must not grow with the archive.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.listing_server import ReplayServer
from tests.paths import SHARED
from tests.replaying import START, live, opened


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=88)
    days = parser.parse_args().days
    if not SHARED.is_dir():
        sys.exit("the recordings in ../shared are not on this machine")
    spent: list[float] = []
    begun = time.perf_counter()

    def note(day: date) -> None:
        nonlocal begun
        now = time.perf_counter()
        spent.append(now - begun)
        begun = now

    with (
        tempfile.TemporaryDirectory() as folder,
        ReplayServer() as server,
        opened(Path(folder) / "bench", server.url) as (app, clock),
    ):
        begun = time.perf_counter()
        live(app, clock, START + timedelta(days=days), on_day=note)
        size = (Path(folder) / "bench" / "digest.db").stat().st_size
        mails = len(list((Path(folder) / "bench" / "mail").iterdir()))

    print(f"{'week':>4} {'s a day':>8} {'× week 2':>9}")
    weeks = [spent[n : n + 7] for n in range(0, len(spent), 7)]
    second = sum(weeks[min(1, len(weeks) - 1)]) / 7
    for number, week in enumerate(weeks, 1):
        mean = sum(week) / len(week)
        print(f"{number:4} {mean:8.2f} {mean / second:9.2f}")
    print(f"{sum(spent):.0f} s in all, {mails} mails, database {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
