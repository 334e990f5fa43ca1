"""Each source is asked one question: real requests to servers on loopback, good and bad."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.check.findings import Finding
from digest.check.sources import MemoryGate, judge_source
from digest.errors import ConfigError
from digest.fetch import Fetcher
from digest.sources import build_source
from digest.sources.base import Source, SourceOptions
from tests.check_pieces import only
from tests.collect_pieces import api_item
from tests.fakes import StepClock
from tests.fetching import NOW, USUAL_TLS, World, open_world
from tests.loopback import pages, reply, serve
from tests.smtp_servers import closed_port

FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Lab</title>
<item><title>One</title><link>https://blog.example.org/1</link></item>
<item><title>Two</title><link>https://blog.example.org/2</link></item>
</channel></rss>"""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_world(monkeypatch, timeout_s=2.0)


def judged(world: World, kind: str, url: str | None, **options: object) -> Finding:
    def build() -> Source:
        return build_source(kind, "lab", SourceOptions(url=url, **options))  # type: ignore[arg-type]

    return only(judge_source("lab", build, world.fetcher, NOW))


def test_a_feed_that_answers_is_green(world: World) -> None:
    feed = reply(body=FEED, content_type="application/rss+xml", etag='"1"')
    with serve(pages({"/feed.xml": feed})) as server:
        first = judged(world, "feed", f"{server.url}/feed.xml")
        again = judged(world, "feed", f"{server.url}/feed.xml")

    assert (first.level, first.said) == ("green", "lab answers with 2 entries")
    assert again == first
    assert server.header("If-None-Match") is None
    assert len(server.heads) == 2


def test_broken_entries_are_told(world: World) -> None:
    items = [api_item("2603.00001", NOW.date()), {"paper": "none"}]
    answer = reply(body=json.dumps(items).encode(), content_type="application/json")
    with serve(lambda c, h: c.sendall(answer)) as server:
        found = judged(world, "huggingface", server.url)

    assert (found.level, found.said) == ("green", "lab answers with 2 entries, 1 of them broken")
    assert len(server.heads) == 1


def test_a_saved_page_is_read_from_disk(world: World, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<html><body><p>nothing of use</p></body></html>")

    found = judged(world, "page", page.as_uri())

    assert found.level in ("green", "red")
    assert str(page) not in found.advice
    assert judged(world, "page", (tmp_path / "gone.html").as_uri()).level == "red"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply("404 Not Found"), "answers 404 Not Found"),
        (reply("500 Internal Server Error"), "answers 500"),
        (reply("401 Unauthorized"), "wants a login"),
        (
            reply(body=b"<html>hello</html>", content_type="text/html"),
            "not with what its kind gives",
        ),
        (reply(body=b"", content_type="text/xml"), "not with what its kind gives"),
    ],
)
def test_a_source_that_does_not_answer_as_it_should_is_red(
    world: World, answer: bytes, said: str
) -> None:
    with serve(pages({"/feed.xml": answer})) as server:
        found = judged(world, "feed", f"{server.url}/feed.xml")

    assert found.level == "red"
    assert said in found.said + found.advice


def test_a_source_that_is_down_is_red(world: World) -> None:
    with closed_port() as port:
        found = judged(world, "feed", f"http://127.0.0.1:{port}/feed.xml")

    assert found.level == "red"
    assert found.said.startswith("lab: 127.0.0.1")


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable"])
def test_a_source_that_asks_for_a_pause_is_yellow(world: World, status: str) -> None:
    with serve(pages({"/feed.xml": reply(status, retry_after="7200")})) as server:
        first = judged(world, "feed", f"{server.url}/feed.xml")
        again = judged(world, "feed", f"{server.url}/feed.xml")

    assert (first.level, again.level) == ("yellow", "yellow")
    assert "left alone" in again.said
    assert len(server.heads) == 1


def test_the_second_way_is_tried_when_the_first_fails(world: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        place, _, day = head.split(" ")[1].rpartition("/")
        answer = reply("500 Broken" if place.startswith("/api") else "404 Not Found")
        if place == "/papers/date":
            data = {"dateString": day, "dailyPapers": [api_item("2603.00001", NOW.date())]}
            page = f"<div data-target='DailyPapers' data-props='{json.dumps(data)}'></div>"
            answer = reply(body=page.encode(), content_type="text/html")
        connection.sendall(answer)

    with serve(behave) as server:
        found = judged(world, "huggingface", server.url)

    asked = [path.partition("?")[0] for path in server.paths]
    assert asked[0].startswith("/api/")
    assert asked[-1].startswith("/papers/date/")
    assert found.level == "yellow"
    assert "its second way answers with 1 entry" in found.said


def test_when_both_ways_fail_the_first_is_told(world: World) -> None:
    with serve(lambda c, h: c.sendall(reply("500 Internal Server Error"))) as server:
        found = judged(world, "huggingface", server.url)

    assert found.level == "red"
    assert "answers 500" in found.said


def test_a_kind_that_cannot_be_built_is_red(world: World) -> None:
    def build() -> Source:
        raise ConfigError(["source 'lab': there is no kind 'lab'"])

    found = only(judge_source("lab", build, world.fetcher, NOW))

    assert (found.level, "there is no kind" in found.said) == ("red", True)


def test_a_source_with_nothing_to_ask_is_green(world: World) -> None:
    class Quiet:
        name, kind, pause_s = "lab", "feed", 0.0

        def requests(self, memory: object, now: datetime) -> tuple[()]:
            return ()

    found = only(judge_source("lab", Quiet, world.fetcher, NOW))  # type: ignore[arg-type]

    assert (found.level, found.said) == ("green", "lab: nothing to ask at this hour")


# -- the gate that stands in for the database's


def test_the_gate_keeps_the_pause_of_each_host() -> None:
    gate = MemoryGate()

    assert [gate.wait_s("a", 3.0, NOW) for _ in range(3)] == [0.0, 3.0, 6.0]
    assert gate.wait_s("b", 3.0, NOW) == 0.0
    gate.hold("b", NOW + timedelta(seconds=60))
    assert gate.wait_s("b", 3.0, NOW) == 60.0
    assert gate.wait_s("a", 3.0, NOW + timedelta(minutes=5)) == 0.0


def test_two_sources_of_one_host_wait_for_each_other() -> None:
    clock = StepClock(datetime(2026, 3, 11, tzinfo=UTC))
    fetcher = Fetcher(agent="digest/test", clock=clock, gate=MemoryGate(), tls=USUAL_TLS)
    with fetcher, serve(pages({"/feed.xml": reply(body=FEED)})) as server:
        options = SourceOptions(url=f"{server.url}/feed.xml", pause_s=3.0)
        for name in ("one", "two"):

            def build(name: str = name) -> Source:
                return build_source("feed", name, options)

            assert only(judge_source(name, build, fetcher, NOW)).level == "green"

    assert clock.slept == [3.0]
