"""A collector over real sources, a real fetcher and a server on this machine, for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from digest.collect import Collector, Planned, SourceReport
from digest.fetch import Fetcher, user_agent
from digest.sources.base import Source, SourceOptions
from digest.sources.huggingface import HuggingFace
from digest.store import Store
from digest.store import collecting as memory
from digest.store.collecting import SourceState, StoreGate, sync_sources
from tests.fakes import StepClock
from tests.store_pieces import NOW

EVERY = timedelta(hours=1)
TODAY = NOW.date()
#: eight weekdays and weekends back from Wednesday 2026-03-11
LISTED = {0: 5, 1: 20, 2: 22, 5: 21, 6: 18, 7: 19}
ALL = sum(LISTED.values())


def api_item(arxiv_id: str, day: date, **told: object) -> dict[str, Any]:
    """One item of the daily papers API."""
    paper = {
        "id": arxiv_id,
        "title": f"Paper {arxiv_id}",
        "summary": "We study what was not studied before.",
        "authors": [{"name": "Ann Example", "hidden": False}],
        "publishedAt": f"{day}T00:00:00.000Z",
        "submittedOnDailyAt": f"{day}T03:00:00.000Z",
        "upvotes": 3,
    }
    return {
        "paper": paper | told,
        "title": f"Paper {arxiv_id}",
        "publishedAt": f"{day}T00:00:00.000Z",
        "numComments": 1,
    }


def write_days(folder: Path, counts: Mapping[int, int]) -> Path:
    """Lists as the API gives them: days ago → how many papers; for a ReplayServer."""
    folder.mkdir(exist_ok=True)
    for ago, count in counts.items():
        day = TODAY - timedelta(days=ago)
        items = [api_item(f"26{ago:02}.{n:05}", day) for n in range(1, count + 1)]
        (folder / f"{day}.json").write_text(json.dumps(items))
    return folder


def hugging_face(name: str, url: str) -> Source:
    """The daily papers of a server on this machine."""
    return HuggingFace(name, SourceOptions(url=url, pause_s=0.0))


class Collecting:
    """Sources by name, each at its own server; Hugging Face unless another kind is made."""

    def __init__(
        self,
        store: Store,
        urls: Mapping[str, str],
        *,
        make: Callable[[str, str], Source] = hugging_face,
        now: datetime = NOW,
        **limits: object,
    ) -> None:
        self.store = store
        self.clock = StepClock(now)
        self.planned = {
            name: Planned(source=make(name, url), every=EVERY) for name, url in urls.items()
        }
        self.fetcher = Fetcher(
            agent=user_agent("https://digest.example.org", None),
            clock=self.clock,
            gate=StoreGate(store),
            **limits,  # type: ignore[arg-type]
        )
        sync_sources(store, {name: planned.source.kind for name, planned in self.planned.items()})
        self.collector = Collector(store, self.fetcher, self.planned, owner="one")

    def go(self) -> dict[str, SourceReport]:
        """One pass over what is due."""
        return {r.name: r for r in self.collector.collect_due(self.clock.now())}

    def wait(self, span: timedelta = EVERY) -> None:
        self.clock.at += span

    def state(self, name: str) -> SourceState:
        with self.store.read() as tx:
            (found,) = memory.source_states(tx, [name])
        return found

    def close(self) -> None:
        self.fetcher.close()
