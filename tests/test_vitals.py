"""Whether the service is well: every late thing is named, and nothing that only rests is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from digest.store.vitals import Asking, SourceVital, Vitals
from digest.vitals import ALARM_QUESTIONS, Grade, Health, judge, span

NOW = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
QUIET = Asking(last_hour=0, usual=0.0, confirmed_today=0, asked_today=0)
SOURCE = SourceVital(
    name="arxiv",
    next_fetch_at=NOW + HOUR,
    last_read_at=NOW - HOUR,
    failures=0,
    error=None,
)
WELL = Vitals(
    sources=(SOURCE,),
    oldest_due_at=NOW + HOUR,
    oldest_waiting_at=None,
    abandoned=0,
    uncertain=0,
    paused=None,
    heartbeats={},
)


def judged(vitals: Vitals = WELL, asking: Asking = QUIET) -> Health:
    return judge(vitals, asking, every={"arxiv": 3 * HOUR}, now=NOW)


def with_source(**changes: object) -> Vitals:
    return replace(WELL, sources=(replace(SOURCE, **changes),))  # type: ignore[arg-type]


def test_a_service_that_has_nothing_to_do_is_well() -> None:
    assert judged().grade is Grade.OK
    assert judged(replace(WELL, sources=(), oldest_due_at=None)).grade is Grade.OK
    assert judged(with_source(next_fetch_at=None, last_read_at=None)).grade is Grade.OK


@pytest.mark.parametrize(
    ("vitals", "name", "words"),
    [
        (with_source(next_fetch_at=NOW - 4 * HOUR), "source arxiv", "due for 4 h and not asked"),
        (with_source(failures=3, error="HTTP 500"), "collecting", "no source can be read"),
        (replace(WELL, oldest_due_at=NOW - HOUR), "editions", "due for 60 min"),
        (replace(WELL, oldest_waiting_at=NOW - 2 * HOUR), "sending", "waits for 2 h"),
        (
            replace(WELL, paused={"since": (NOW - HOUR).isoformat(), "reason": "no relay"}),
            "sending",
            "paused for 60 min: no relay",
        ),
    ],
)
def test_what_is_late_is_bad_and_named(vitals: Vitals, name: str, words: str) -> None:
    health = judged(vitals)

    assert health.grade is Grade.BAD
    assert health.troubles[0].name == name
    assert words in health.troubles[0].text


@pytest.mark.parametrize(
    "vitals",
    [
        with_source(next_fetch_at=NOW - 2 * HOUR),
        replace(WELL, oldest_due_at=NOW - timedelta(minutes=20)),
        replace(WELL, oldest_waiting_at=NOW - timedelta(minutes=50)),
    ],
)
def test_a_little_late_is_nothing_to_speak_of(vitals: Vitals) -> None:
    assert judged(vitals).grade is Grade.OK


@pytest.mark.parametrize(
    "vitals",
    [
        with_source(failures=1, error="timed out"),
        with_source(error="half of its usual"),
        replace(WELL, uncertain=2),
        replace(WELL, abandoned=1),
    ],
)
def test_what_is_worth_a_look_is_no_alarm(vitals: Vitals) -> None:
    assert judged(vitals).grade is Grade.WARN


def test_one_lost_source_among_several_is_no_outage() -> None:
    lost = replace(SOURCE, name="blog", failures=9, error="gone")

    health = judged(replace(WELL, sources=(SOURCE, lost)))

    assert health.grade is Grade.WARN


def test_a_list_bomb_is_noticed_against_what_is_usual() -> None:
    bomb = Asking(last_hour=ALARM_QUESTIONS, usual=1.0, confirmed_today=0, asked_today=60)
    busy = replace(bomb, usual=ALARM_QUESTIONS / 2)

    assert "typing in other people's addresses" in judged(asking=bomb).troubles[0].text
    assert judged(asking=busy).grade is Grade.OK
    assert judged(asking=replace(bomb, last_hour=ALARM_QUESTIONS - 1)).grade is Grade.OK


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=5), "1 min"),
        (timedelta(minutes=89), "89 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(days=3), "3 days"),
    ],
)
def test_spans_are_told_in_the_unit_that_fits(length: timedelta, words: str) -> None:
    assert span(length) == words
