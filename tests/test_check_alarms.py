"""What the service has noted itself: on both databases, in every state that matters."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from digest.check.alarms import (
    SILENT_AFTER,
    judge_heartbeat,
    judge_sending,
    judge_sources,
    judge_uncertain,
)
from digest.clock import moment_text
from digest.deliver import Deliverer, DeliveryRules
from digest.mail import TransportOptions, build_transport
from digest.model import MessageKind, OutboxState, Reading, ReadingState, Status
from digest.store import Store, facts, outbox
from digest.store.collecting import add_reading, finish_source, sync_sources
from tests.check_pieces import levels, only, seen
from tests.fakes import StepClock
from tests.mail_pieces import composer
from tests.smtp_servers import closed_port
from tests.store_pieces import NOW, add_person

HOUR = timedelta(hours=1)


def read(store: Store, state: ReadingState, *, name: str = "hf", error: str | None = None) -> None:
    reading = Reading(
        source=name, label="today", url="https://x.example", read_at=NOW, state=state, error=error
    )
    with store.write() as tx:
        add_reading(tx, reading, settled=True)


def finish(store: Store, *, read_at: datetime | None, error: str | None = None) -> None:
    with store.write() as tx:
        finish_source(tx, "hf", next_fetch_at=NOW, read_at=read_at, error=error)


@pytest.fixture
def sources(store: Store) -> Store:
    sync_sources(store, {"hf": "huggingface", "arxiv": "arxiv"})
    return store


# -- sources


def test_sources_that_were_read_are_green(sources: Store) -> None:
    read(sources, ReadingState.OK)
    finish(sources, read_at=NOW)

    assert levels(judge_sources(sources, {"hf": HOUR, "arxiv": HOUR}, NOW)) == ["green"]


def test_a_source_that_just_failed_is_yellow(sources: Store) -> None:
    finish(sources, read_at=NOW - HOUR)
    finish(sources, read_at=None, error="today: hf.example answers 503")
    found = only(judge_sources(sources, {"hf": HOUR, "arxiv": HOUR}, NOW))

    assert found.level == "yellow"
    assert "hf could not be read in 1 try, last read" in found.said
    assert "answers 503" in found.said


@pytest.mark.parametrize(
    ("every", "ago", "level"),
    [
        (HOUR, timedelta(hours=24), "yellow"),
        (HOUR, timedelta(hours=25), "red"),
        (timedelta(days=1), timedelta(hours=71), "yellow"),
        (timedelta(days=1), timedelta(hours=73), "red"),
    ],
)
def test_a_source_that_has_failed_for_long_is_red(
    sources: Store, every: timedelta, ago: timedelta, level: str
) -> None:
    finish(sources, read_at=NOW - ago)
    finish(sources, read_at=None, error="gone")

    assert levels(judge_sources(sources, {"hf": every}, NOW)) == [level]


def test_a_source_that_was_never_read_is_red(sources: Store) -> None:
    finish(sources, read_at=None, error="gone")

    found = only(judge_sources(sources, {"hf": HOUR}, NOW))

    assert (found.level, "last read never" in found.said) == ("red", True)


def test_a_source_that_falls_short_is_yellow(sources: Store) -> None:
    read(sources, ReadingState.SHORT, error="3 entries where 40 are usual")
    finish(sources, read_at=NOW)

    found = only(judge_sources(sources, {"hf": HOUR}, NOW))

    assert (found.level, found.said) == ("yellow", "hf falls short: 3 entries where 40 are usual")


def test_a_source_that_is_not_enabled_is_not_looked_at(sources: Store) -> None:
    finish(sources, read_at=None, error="gone")

    assert levels(judge_sources(sources, {"arxiv": HOUR}, NOW)) == ["green"]


# -- sending


def test_sending_that_goes_on_is_green(store: Store) -> None:
    assert only(judge_sending(store)).level == "green"


def test_a_pause_that_the_deliverer_made_is_red(sqlite_store: Store) -> None:
    reader = add_person(sqlite_store, status=Status.PENDING, next_edition_at=None)
    queue(sqlite_store, reader, OutboxState.QUEUED)
    deliverer = Deliverer(
        sqlite_store,
        composer(),
        DeliveryRules(resend=True),
        clock=StepClock(NOW),
        owner="one",
    )
    with closed_port() as port:
        relay = TransportOptions(host="127.0.0.1", port=port, security="none", timeout_s=2.0)
        deliverer.deliver(build_transport(relay))
    found = only(judge_sending(sqlite_store))

    assert found.level == "red"
    assert found.said.startswith("sending is paused since 2026-03-11 07:00Z: ")
    assert str(port) in found.said


# -- signs of life


def beat(store: Store, job: str, at: datetime) -> None:
    with store.write() as tx:
        facts.put_fact(tx, f"heartbeat.{job}", moment_text(at))


def test_a_daemon_that_never_ran_is_yellow(store: Store) -> None:
    assert only(judge_heartbeat(store, SILENT_AFTER, NOW)).level == "yellow"


def test_jobs_that_live_are_green(store: Store) -> None:
    for job, span in SILENT_AFTER.items():
        beat(store, job, NOW - span)

    found = only(judge_heartbeat(store, SILENT_AFTER, NOW))

    assert (found.level, all(job in found.said for job in SILENT_AFTER)) == ("green", True)


@pytest.mark.parametrize("job", SILENT_AFTER)
def test_a_job_that_is_silent_is_red(store: Store, job: str) -> None:
    for name in SILENT_AFTER:
        beat(store, name, NOW)
    beat(store, job, NOW - SILENT_AFTER[job] - timedelta(seconds=1))

    found = only(judge_heartbeat(store, SILENT_AFTER, NOW))

    assert (found.level, f"the job {job} gave" in found.said) == ("red", True)


def test_a_job_that_is_no_longer_wanted_is_not_missed(store: Store) -> None:
    beat(store, "bounces", NOW - timedelta(days=30))
    beat(store, "edition", NOW)

    assert levels(judge_heartbeat(store, SILENT_AFTER, NOW)) == ["green"]
    wanted = SILENT_AFTER | {"bounces": HOUR}
    assert levels(judge_heartbeat(store, wanted, NOW)) == ["red"]


# -- messages in doubt


def queue(store: Store, reader: int, *states: OutboxState) -> None:
    rows = [
        outbox.NewMessage(
            kind=MessageKind.CONFIRMATION,
            subscriber_id=reader,
            dedupe_key=f"{reader}/{number}",
            message_id=f"<{number}@example.org>",
            state=state,
            due_at=NOW,
        )
        for number, state in enumerate(states)
    ]
    with store.write() as tx:
        outbox.add_messages(tx, rows, now=NOW)


@pytest.mark.parametrize("holds", [True, False])
def test_messages_in_doubt_are_counted(store: Store, holds: bool) -> None:
    uncertain, sent = OutboxState.UNCERTAIN, OutboxState.SENT
    queue(store, add_person(store), uncertain, sent, uncertain, OutboxState.QUEUED)
    found = only(judge_uncertain(store, holds=holds))

    assert found.level == "yellow"
    assert found.said.startswith("in doubt: 2 messages on the wire")
    assert ("you to decide" in found.said) is holds


def test_no_message_in_doubt_is_green(store: Store) -> None:
    queue(store, add_person(store), OutboxState.SENT)

    assert seen(judge_uncertain(store, holds=True))[0].level == "green"
