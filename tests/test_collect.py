"""Collecting from servers that behave and from servers that do not: nobody else pays for it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from digest.errors import BadInput
from digest.model import ReadingState
from digest.store import Store
from digest.store import collecting as memory
from digest.store.schema import item, reading, sighting, standing
from tests import listing_server as server_
from tests.collect_pieces import ALL, EVERY, TODAY, Collecting, api_item
from tests.listing_server import ReplayServer, Trouble
from tests.store_pieces import HOUR, NOW, count


def readings(store: Store, name: str = "hub") -> list[object]:
    with store.read() as tx:
        return list(tx.execute(select(reading).where(reading.c.source == name)).all())


# When all is well


def test_a_pass_reads_all_that_was_listed_in_the_last_week(store: Store, hub: ReplayServer) -> None:
    collecting = Collecting(store, {"hub": hub.url})

    report = collecting.go()["hub"]

    assert (report.error, report.new, report.read_well) == (None, ALL, True)
    assert count(store, item) == ALL
    assert collecting.state("hub").next_fetch_at == NOW + EVERY
    assert collecting.state("hub").last_read_at == NOW
    collecting.close()


def test_what_was_read_is_not_asked_again_before_its_time(
    collecting: Collecting, hub: ReplayServer
) -> None:
    collecting.go()
    asked = len(hub.requests)

    assert collecting.go() == {}
    collecting.wait(EVERY - timedelta(seconds=1))
    assert collecting.go() == {}

    assert len(hub.requests) == asked


def test_days_that_are_closed_are_not_asked_again_and_open_ones_are(
    collecting: Collecting, hub: ReplayServer
) -> None:
    collecting.go()
    hub.requests.clear()
    collecting.wait()

    report = collecting.go()["hub"]

    assert report.new == 0
    assert hub.days_asked() == ["2026-03-11", "2026-03-10", "2026-03-09"]
    assert count(collecting.store, item) == ALL


def test_a_pass_asks_one_host_for_each_source(collecting: Collecting, other: ReplayServer) -> None:
    reports = collecting.go()

    assert set(reports) == {"hub", "other"}
    assert count(collecting.store, standing) == ALL + 2
    assert other.days_asked()


def test_named_sources_are_read_though_they_are_not_due(
    collecting: Collecting, hub: ReplayServer
) -> None:
    collecting.go()

    (report,) = collecting.collector.collect_named(["hub"], collecting.clock.now())

    assert (report.name, report.error) == ("hub", None)


def test_a_name_nobody_configured_is_refused_before_anything_is_asked(
    collecting: Collecting, hub: ReplayServer
) -> None:
    with pytest.raises(BadInput, match="hub, other"):
        collecting.collector.collect_named(["hub", "hugging"], NOW)

    assert hub.requests == []


def test_late_additions_and_new_votes_are_picked_up(
    collecting: Collecting, hub: ReplayServer, tmp_path: Path
) -> None:
    collecting.go()
    items = [api_item(f"2600.{n:05}", TODAY, upvotes=3 + n) for n in range(1, 9)]
    (tmp_path / "hub" / f"{TODAY}.json").write_text(json.dumps(items))
    server_.daily_items.cache_clear()
    collecting.wait()

    report = collecting.go()["hub"]

    assert report.new == 3
    assert count(collecting.store, sighting) == ALL + 2 + 8


def test_stopping_ends_after_the_question_at_hand_and_the_source_is_due_at_once(
    collecting: Collecting, hub: ReplayServer
) -> None:
    def stop() -> bool:
        return len(hub.requests) >= 3

    reports = collecting.collector.collect_due(NOW, stop)

    assert [r.name for r in reports] == ["hub"]
    assert len(hub.requests) == 3
    assert collecting.state("hub").next_fetch_at == NOW
    assert collecting.state("hub").failures == 0
    assert set(collecting.go()) == {"hub", "other"}
    assert count(collecting.store, item) == ALL + 0


def test_a_source_that_another_process_is_reading_is_left_to_it(collecting: Collecting) -> None:
    with collecting.store.write() as tx:
        memory.claim_source(tx, "hub", owner="two", lease=timedelta(minutes=20))

    assert set(collecting.go()) == {"other"}


# Pages


def long_day(tmp_path: Path, papers: int) -> None:
    items = [api_item(f"2600.{n:05}", TODAY) for n in range(1, papers + 1)]
    (tmp_path / "hub" / f"{TODAY}.json").write_text(json.dumps(items))
    server_.daily_items.cache_clear()


def test_a_long_day_is_read_page_by_page(collecting: Collecting, tmp_path: Path) -> None:
    long_day(tmp_path, 230)

    report = collecting.go()["hub"]

    assert (report.readings[0].entries, report.readings[0].new) == (230, 230)


def second_page_fails(trouble: Trouble) -> Trouble:
    return lambda asked, right, released: (
        trouble(asked, right, released) if asked.query.get("p") == "1" else right
    )


@pytest.mark.parametrize("trouble", [server_.half_json(), server_.status(500)])
def test_pages_before_a_bad_one_are_kept_and_counted(
    collecting: Collecting, hub: ReplayServer, tmp_path: Path, trouble: Trouble
) -> None:
    long_day(tmp_path, 150)
    hub.misbehave(second_page_fails(trouble), on=str(TODAY))

    first = collecting.go()["hub"].readings[0]

    assert first.state is ReadingState.FAILED
    assert (first.entries, first.new) == (100, 100)
    hub.behave()
    collecting.wait()
    again = collecting.go()["hub"].readings[0]
    assert (again.state, again.entries) == (ReadingState.OK, 150)
    assert (again.new, again.merged) == (50, 100)


def page_of_day(items: list[dict[str, object]]) -> bytes:
    """A day's page in the layout of 2025: all data in one attribute."""
    from html import escape

    props = {"dateString": str(TODAY), "periodType": "day", "dailyPapers": items}
    inside = escape(json.dumps(props))
    return f'<div data-target="DailyPapers" data-props="{inside}"></div>'.encode()


def test_the_page_is_read_when_the_api_fails_and_what_came_before_is_not_doubled(
    collecting: Collecting, hub: ReplayServer, tmp_path: Path
) -> None:
    long_day(tmp_path, 150)
    items = [api_item(f"2600.{n:05}", TODAY) for n in range(1, 151)]

    def trouble(asked, right, released):  # type: ignore[no-untyped-def]
        if asked.path.startswith("/papers/"):
            page = server_.body(page_of_day(items), content_type=server_.HTML)
            return page(asked, right, released)
        return second_page_fails(server_.status(500))(asked, right, released)

    hub.misbehave(trouble, on=str(TODAY))

    first = collecting.go()["hub"].readings[0]

    assert first.state is ReadingState.OK
    assert (first.entries, first.new, first.merged) == (150, 150, 0)
    assert "read on the second way instead" in (first.error or "")


# Asking only for what changed


def known(hub: ReplayServer) -> list[bool]:
    """For each request: whether it said which answer we have."""
    return ["if-none-match" in map(str.lower, logged.headers) for logged in hub.requests]


def test_an_unchanged_list_is_not_sent_again_and_counts_as_read(
    collecting: Collecting, hub: ReplayServer
) -> None:
    collecting.go()
    hub.requests.clear()
    collecting.wait()

    report = collecting.go()["hub"]

    assert known(hub) == [True, True, True]
    assert {r.state for r in report.readings} == {ReadingState.UNCHANGED}
    assert (report.read_well, report.error) == (True, None)


def test_the_first_of_several_pages_is_always_read_whole(
    collecting: Collecting, hub: ReplayServer, tmp_path: Path
) -> None:
    """Unchanged, it would hide that a later page has changed."""
    long_day(tmp_path, 150)
    collecting.go()
    hub.requests.clear()
    collecting.wait()

    first = collecting.go()["hub"].readings[0]

    assert known(hub)[:2] == [False, False]
    assert (first.state, first.entries) == (ReadingState.OK, 150)


# What is on record


def test_every_question_leaves_a_line_in_the_ledger(
    collecting: Collecting, hub: ReplayServer
) -> None:
    collecting.go()

    lines = readings(collecting.store)

    assert len(lines) == 8
    with collecting.store.read() as tx:
        hub_day, _ = memory.source_days(tx, ["hub", "other"], NOW - HOUR, NOW + HOUR)
    assert (hub_day.read, hub_day.new, hub_day.merged) == (ALL, ALL, 0)
