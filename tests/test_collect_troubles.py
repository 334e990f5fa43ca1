"""Collecting from servers that misbehave: they are marked, others go on, the next pass tries."""

from __future__ import annotations

import json
import socket
import ssl
from datetime import date, timedelta
from pathlib import Path

import pytest
import trustme

from digest.model import ReadingState
from digest.sources.arxiv import Arxiv
from digest.sources.base import Source, SourceOptions
from digest.store import Store
from digest.store.schema import item, sighting
from tests import listing_server as server_
from tests.collect_pieces import ALL, EVERY, LISTED, TODAY, Collecting, api_item
from tests.listing_server import ReplayServer, Trouble
from tests.loopback import reply, serve
from tests.store_pieces import DAY, HOUR, NOW, count

TROUBLES: dict[str, tuple[Trouble, str]] = {
    "500": (server_.status(500), "500"),
    "403": (server_.status(403), "403"),
    "404": (server_.status(404), "404"),
    "429": (server_.status(429, headers={"Retry-After": "7"}), "429"),
    "HTML instead of JSON": (server_.html_page(), "JSON"),
    "half a JSON": (server_.half_json(), "JSON"),
    "half an answer": (server_.cut_short(), "broke off"),
    "an endless answer": (server_.endless(), "larger than"),
    "no answer": (server_.silence(), "no whole answer"),
    "an answer that stalls": (server_.stall(), "no whole answer"),
    "hanging up": (server_.hang_up(), "broke off"),
    "a redirect loop": (server_.redirect(), "circles"),
    "an object instead of a list": (server_.body(b'{"error": "later"}'), "list of papers"),
    "null": (server_.body(b"null"), "list of papers"),
    "nothing at all": (server_.body(b""), "empty"),
    "bytes that are no text": (server_.body(b"\xff\xfe\x00\xd8" * 10), "JSON"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_a_source_in_trouble_is_marked_the_others_go_on_and_the_next_pass_tries_again(
    collecting: Collecting, hub: ReplayServer, name: str
) -> None:
    trouble, said = TROUBLES[name]
    hub.misbehave(trouble)

    reports = collecting.go()

    failed, state = reports["hub"], collecting.state("hub")
    assert said.lower() in (failed.error or "").lower()
    assert "\n" not in (failed.error or "")
    assert not failed.read_well
    assert {r.state for r in failed.readings} == {ReadingState.FAILED}
    assert (state.failures, state.last_read_at, state.last_error) == (1, None, failed.error)
    assert state.next_fetch_at is not None
    assert NOW < state.next_fetch_at <= NOW + EVERY
    assert (reports["other"].error, reports["other"].new) == (None, 2)

    hub.behave()
    collecting.clock.at = state.next_fetch_at
    again = collecting.go()["hub"]

    assert (again.error, again.read_well) == (None, True)
    assert collecting.state("hub").failures == 0
    assert count(collecting.store, item) == ALL


@pytest.mark.parametrize("name", ["500", "half a JSON", "no answer", "an endless answer"])
def test_trouble_takes_nothing_away_from_what_is_stored(
    collecting: Collecting, hub: ReplayServer, name: str
) -> None:
    collecting.go()
    before = count(collecting.store, item), count(collecting.store, sighting)
    hub.misbehave(TROUBLES[name][0])
    collecting.wait()

    collecting.go()

    assert (count(collecting.store, item), count(collecting.store, sighting)) == before
    assert collecting.state("hub").last_read_at == NOW


def test_a_certificate_that_cannot_be_trusted_is_named(sqlite_store: Store) -> None:
    mine = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(mine)

    with serve(lambda connection, head: connection.sendall(reply()), tls=mine) as server:
        collecting = Collecting(sqlite_store, {"hub": server.url})
        report = collecting.go()["hub"]
        collecting.close()

    assert "certificate" in (report.error or "")
    assert not report.read_well


def test_a_host_that_nobody_answers_at_is_named(sqlite_store: Store) -> None:
    collecting = Collecting(sqlite_store, {"hub": "http://127.0.0.1:1"})

    report = collecting.go()["hub"]

    assert "refuses connections" in (report.error or "")
    collecting.close()


def test_trouble_that_may_pass_is_met_once_and_tried_again_after_growing_pauses(
    collecting: Collecting, hub: ReplayServer
) -> None:
    hub.misbehave(server_.hang_up())
    pauses = []

    for _ in range(6):
        hub.requests.clear()
        collecting.go()
        due = collecting.state("hub").next_fetch_at
        assert due is not None
        pauses.append((due - collecting.clock.at) // timedelta(minutes=1))
        assert len(hub.requests) <= 3, "the API, robots.txt and the page: one question"
        collecting.clock.at = due

    assert pauses == [5, 10, 20, 40, 60, 60]


def test_a_server_that_asks_for_peace_gets_it(collecting: Collecting, hub: ReplayServer) -> None:
    hub.misbehave(server_.status(503, headers={"Retry-After": "7200"}))

    collecting.go()

    assert collecting.state("hub").next_fetch_at == NOW + 2 * HOUR
    hub.behave()
    hub.requests.clear()
    (report,) = collecting.collector.collect_named(["hub"], NOW)
    assert "left alone" in (report.error or "")
    assert hub.requests == []


def test_a_day_that_the_api_will_not_give_costs_that_day_only(
    collecting: Collecting, hub: ReplayServer
) -> None:
    hub.misbehave(server_.html_page(), on="2026-03-09")

    report = collecting.go()["hub"]

    assert report.read_well
    assert "2026-03-09" in (report.error or "")
    assert count(collecting.store, item) == ALL - LISTED[2]
    hub.behave()
    collecting.wait()
    assert collecting.go()["hub"].new == LISTED[2]


def test_an_empty_list_where_there_are_usually_twenty_is_an_alarm(
    collecting: Collecting, hub: ReplayServer
) -> None:
    collecting.go()
    hub.misbehave(server_.empty_list(), on="2026-03-09")
    collecting.clock.at = NOW + HOUR

    report = collecting.go()["hub"]

    told = {r.label: r for r in report.readings}
    assert told["2026-03-09"].state is ReadingState.SHORT
    assert "0 entries where 20 are usual" in (told["2026-03-09"].error or "")
    assert "2026-03-09" in (report.error or "")
    assert report.read_well
    collecting.wait()
    assert "are usual" in (collecting.go()["hub"].error or ""), "it is no quiet day an hour later"


def test_a_list_that_is_short_but_still_growing_is_no_alarm(
    collecting: Collecting, hub: ReplayServer
) -> None:
    collecting.go()
    collecting.wait()

    report = collecting.go()["hub"]

    assert report.error is None, "today's five papers are not held against yesterday's twenty"


def test_a_weekend_without_papers_is_no_alarm(collecting: Collecting) -> None:
    collecting.go()
    collecting.clock.at = NOW + 5 * DAY

    report = collecting.go()["hub"]

    weekend = {r.label: r.state for r in report.readings if r.label in ("2026-03-14", "2026-03-15")}
    assert set(weekend.values()) == {ReadingState.OK}


def announcement(day: date, count: int) -> bytes:
    """arXiv's feed of that day; on a holiday it is made as ever, with no entry in it."""
    entries = "".join(
        f"<entry><id>oai:arXiv.org:26{day:%m}.{day.day:02}{n:03}v1</id><title>Paper</title></entry>"
        for n in range(count)
    )
    made_at = f"<updated>{day}T04:00:19+00:00</updated>"
    return f'<feed xmlns="http://www.w3.org/2005/Atom">{made_at}{entries}</feed>'.encode()


def test_holidays_of_arxiv_are_quiet_days_and_a_week_of_them_is_an_alarm(
    sqlite_store: Store,
) -> None:
    def arxiv(name: str, url: str) -> Source:
        return Arxiv(name, SourceOptions(url=url, categories=("cs.CL",), pause_s=0.0))

    def give(connection: socket.socket, head: str) -> None:
        today = collecting.clock.now().date()
        body = announcement(today, 8 if today < TODAY + timedelta(days=5) else 0)
        connection.sendall(reply(body=body, content_type="application/atom+xml"))

    told: dict[str, list[ReadingState]] = {}
    with serve(give) as server:
        collecting = Collecting(sqlite_store, {"ax": server.url}, make=arxiv)
        for _ in range(10):
            if collecting.clock.now().weekday() < 5:
                for _ in range(2):
                    (report,) = collecting.collector.collect_named(["ax"], collecting.clock.now())
                    day = f"{collecting.clock.now():%a %d}"
                    told.setdefault(day, []).extend(reading.state for reading in report.readings)
            collecting.wait(DAY)
        collecting.close()

    ok, short = [ReadingState.OK] * 2, [ReadingState.SHORT] * 2
    assert told == {
        **dict.fromkeys(("Wed 11", "Thu 12", "Fri 13"), ok),
        **dict.fromkeys(("Mon 16", "Tue 17", "Wed 18"), ok),
        **dict.fromkeys(("Thu 19", "Fri 20"), short),
    }
    assert "5 empty lists in a row" in (report.error or "")


def test_a_broken_entry_costs_itself_and_is_counted(
    collecting: Collecting, hub: ReplayServer, tmp_path: Path
) -> None:
    good = api_item("2600.00001", TODAY)
    items = [good, {"paper": {"title": "no id"}}, api_item("2600.00002", TODAY), 7]
    (tmp_path / "hub" / f"{TODAY}.json").write_text(json.dumps(items))
    server_.daily_items.cache_clear()

    report = collecting.go()["hub"]

    first = report.readings[0]
    assert (first.state, first.entries, first.new, first.broken) == (ReadingState.OK, 4, 2, 2)
    assert "2 entries of 4 could not be read (entry 2" in (first.error or "")
    assert report.read_well
