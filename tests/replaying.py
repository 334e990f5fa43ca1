"""Living through recorded months: the real program, its clock moved, its sources replayed.

Used by tests/test_replay.py and benchmarks/replay.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from digest.app import App
from digest.config import load_settings
from digest.enrol import Choices
from digest.model import Cadence, InterestKind
from tests.fakes import StepClock

START = datetime(2026, 2, 2, tzinfo=UTC)
END = datetime(2026, 5, 1, tzinfo=UTC)
STEP = timedelta(hours=2)

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Australia/Sydney",
    "America/Los_Angeles",
    "Africa/Cairo",
    "America/Sao_Paulo",
    "Pacific/Auckland",
    "UTC",
)
INTERESTS = (
    "sparse attention for long contexts",
    "robots that manipulate objects",
    "video generation with diffusion models",
    "reinforcement learning that teaches models to reason",
    "agents that write code",
)
SETTINGS = """
[site]
name = "Trending Papers"
url = "https://digest.example.org"
secret_key = "a key for tests only, never for a real site"
[mail]
from = "Trending Papers <digest@example.org>"
[smtp]
transport = "folder"
path = "mail"
[[source]]
name = "huggingface"
kind = "huggingface"
url = "{url}"
every = "4h"
pause = "0s"
[[topic]]
slug = "language-models"
text = "Large language models: pretraining, fine-tuning, reasoning, alignment and evaluation."
keywords = ["language model", "LLM"]
[[topic]]
slug = "vision"
text = "Computer vision: images and video, generation, segmentation, multimodal models."
keywords = ["image", "video", "vision"]
"""


@dataclass(frozen=True, kw_only=True)
class Person:
    """A subscriber of the replay."""

    email: str
    zone: str
    send_at: time
    cadence: Cadence
    topic: str
    interest: str


PEOPLE = tuple(
    Person(
        email=f"reader{n:02}@example.org",
        zone=ZONES[n % len(ZONES)],
        send_at=time(6 + n % 14, n * 7 % 60),
        cadence=tuple(Cadence)[n % 3],
        topic=("language-models", "vision")[n // 2 % 2],
        interest=INTERESTS[n % len(INTERESTS)],
    )
    for n in range(20)
)


@contextmanager
def opened(folder: Path, url: str) -> Iterator[tuple[App, StepClock]]:
    """The program in a folder of its own, reading from `url`, with everybody subscribed."""
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(SETTINGS.format(url=url))
    clock = StepClock(START)
    app = App(load_settings(folder / "config.toml", environ={}), clock)
    try:
        for person in PEOPLE:
            subscribe(app, person)
        yield app, clock
    finally:
        app.close()


def subscribe(app: App, person: Person) -> None:
    """Put a person on the list, vouched for."""
    choices = Choices(
        zone=person.zone,
        send_at=person.send_at,
        cadence=person.cadence,
        max_items=8,
        wishes={
            InterestKind.TOPIC: (person.topic,),
            InterestKind.TEXT: (person.interest,),
        },
    )
    app.enrolment.join(person.email, choices, now=app.now(), source="test", vouched=True)


def live(
    app: App,
    clock: StepClock,
    until: datetime,
    *,
    is_off: Callable[[datetime], bool] = lambda moment: False,
    on_day: Callable[[date], None] = lambda day: None,
) -> None:
    """Let the daemon's ticks come every two hours, but for the hours in which it is off."""
    moment = clock.now()
    while moment < until:
        clock.at = moment
        if not is_off(moment):
            app.collector.collect_due(moment)
            app.editor.make_due(moment)
            app.deliverer.deliver(app.transport())
        if moment.hour + 2 >= 24:
            on_day(moment.date())
        moment += STEP
    clock.at = until
