"""How servers are left alone: refusals, wishes in headers, pauses, robots.txt."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.fetch.waiting import wished_pause_s
from tests.fetching import NOW, World, open_world
from tests.loopback import pages, reply, serve


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_world(monkeypatch)


# refusals and wishes


@pytest.mark.parametrize(
    ("status", "permanent", "words"),
    [
        ("400 Bad Request", True, "does not understand"),
        ("401 Unauthorized", False, "token"),
        ("403 Forbidden", False, "refuses us"),
        ("404 Not Found", True, "nothing at this address"),
        ("410 Gone", True, "gone for good"),
        ("429 Too Many Requests", False, "too often"),
        ("500 Internal Server Error", False, "trouble of its own"),
        ("503 Service Unavailable", False, "not available"),
        ("599 Odd", False, "599"),
    ],
)
def test_each_refusal_says_what_to_check(
    world: World, status: str, permanent: bool, words: str
) -> None:
    with serve(pages({"/": reply(status, body=b"<html>no</html>")})) as server:
        error = world.refusal(f"{server.url}/")

    assert error.status == int(status[:3])
    assert error.permanent is permanent
    assert words in str(error)
    assert server.host in str(error)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        ("429 Too Many Requests", {"retry_after": "120"}, 120),
        ("503 Service Unavailable", {"retry_after": "Wed, 11 Mar 2026 07:05:00 GMT"}, 300),
        ("429 Too Many Requests", {"ratelimit": '"api";r=0;t=123'}, 123),
        ("200 OK", {"ratelimit": '"pages";r=9;t=5, "api"; r=0; t=123'}, 123),
        ("200 OK", {"ratelimit": "limit=100, remaining=0, reset=30"}, 30),
        ("200 OK", {"ratelimit_remaining": "0", "ratelimit_reset": "45"}, 45),
        ("200 OK", {"x_ratelimit_remaining": "0.0", "x_ratelimit_reset": "45"}, 45),
        (
            "200 OK",
            {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW.timestamp()) + 77)},
            77,
        ),
        ("429 Too Many Requests", {}, 60),
        ("429 Too Many Requests", {"retry_after": "99999999"}, 86_400),
    ],
)
def test_a_server_that_asks_for_a_pause_gets_it(
    world: World, status: str, headers: dict[str, str], seconds: int
) -> None:
    with serve(pages({"/": reply(status, **headers)})) as server:
        if status.startswith("200"):
            world.ask(f"{server.url}/")
        else:
            assert world.refusal(f"{server.url}/").retry_after_s == seconds

    assert world.gate.holds == {server.host: NOW + timedelta(seconds=seconds)}


@pytest.mark.parametrize(
    "headers",
    [
        {"ratelimit": '"api";r=499;t=123'},
        {"ratelimit": "nonsense, ;;;=, r=0"},
        {"retry_after": "120"},
        {"x_ratelimit_remaining": "12", "x_ratelimit_reset": "45"},
        {"ratelimit_remaining": "0"},
    ],
)
def test_a_server_that_has_no_wish_is_not_held(world: World, headers: dict[str, str]) -> None:
    with serve(pages({"/": reply(**headers)})) as server:
        world.ask(f"{server.url}/")

    assert world.gate.holds == {}


def test_the_pause_of_a_host_is_kept_between_requests(world: World) -> None:
    with serve(pages({"/": reply()})) as server:
        for _ in range(3):
            world.ask(f"{server.url}/", pause_s=3.0)

    assert world.clock.slept == [3.0, 3.0]


def test_every_redirect_waits_its_turn_too(world: World) -> None:
    answers = {"/": reply("302 Found", location="/there"), "/there": reply()}

    with serve(pages(answers)) as server:
        world.ask(f"{server.url}/", pause_s=3.0)

    assert world.clock.slept == [3.0]


def test_a_host_that_is_held_for_long_is_left_for_the_next_pass(world: World) -> None:
    with serve(pages({"/": reply()})) as server:
        world.gate.hold(server.host, NOW + timedelta(minutes=5))
        error = world.refusal(f"{server.url}/")

    assert error.retry_after_s == 300
    assert server.heads == []
    assert world.clock.slept == []


# robots.txt

ROBOTS = b"User-agent: *\nDisallow: /private\nDisallow: /*.pdf$\nCrawl-delay: 7\n"


def test_robots_txt_is_obeyed_and_read_once(world: World) -> None:
    answers = {"/robots.txt": reply(body=ROBOTS), "/a": reply(), "/b": reply()}

    with serve(pages(answers)) as server:
        world.ask(f"{server.url}/a", robots=True)
        world.ask(f"{server.url}/b", robots=True)
        error = world.refusal(f"{server.url}/private/x", robots=True)
        pdf = world.refusal(f"{server.url}/x.pdf", robots=True)

    assert server.paths == ["/robots.txt", "/a", "/b"]
    assert "does not allow /private/x" in str(error)
    assert error.permanent
    assert pdf.permanent


def test_the_crawl_delay_is_kept(world: World) -> None:
    answers = {"/robots.txt": reply(body=ROBOTS), "/a": reply()}

    with serve(pages(answers)) as server:
        for _ in range(3):
            world.ask(f"{server.url}/a", robots=True, pause_s=1.0)

    assert world.clock.slept == [1.0, 7.0, 7.0]


def test_robots_txt_is_read_again_after_a_day(world: World) -> None:
    answers = {"/robots.txt": reply(body=b""), "/a": reply()}

    with serve(pages(answers)) as server:
        world.ask(f"{server.url}/a", robots=True)
        world.clock.at += timedelta(hours=25)
        world.ask(f"{server.url}/a", robots=True)

    assert server.paths.count("/robots.txt") == 2


def test_without_a_robots_txt_all_is_allowed(world: World) -> None:
    with serve(pages({"/a": reply(body=b"page")})) as server:
        assert world.ask(f"{server.url}/a", robots=True).body == b"page"


@pytest.mark.parametrize("status", ["500 Internal Server Error", "429 Too Many Requests"])
def test_with_a_robots_txt_that_cannot_be_had_nothing_is_read(world: World, status: str) -> None:
    with serve(pages({"/robots.txt": reply(status), "/a": reply()})) as server:
        error = world.refusal(f"{server.url}/a", robots=True)

    assert "robots.txt could not be read" in str(error)
    assert not error.permanent
    assert server.paths == ["/robots.txt"]


def test_a_redirect_into_what_robots_txt_forbids_is_not_followed(world: World) -> None:
    answers = {
        "/robots.txt": reply(body=ROBOTS),
        "/a": reply("302 Found", location="/private/a"),
        "/private/a": reply(),
    }

    with serve(pages(answers)) as server:
        world.refusal(f"{server.url}/a", robots=True)

    assert "/private/a" not in server.paths


def test_robots_txt_is_not_asked_for_apis(world: World) -> None:
    with serve(pages({"/a": reply()})) as server:
        world.ask(f"{server.url}/a")

    assert server.paths == ["/a"]


# whatever a server sends

WISHES = ["retry-after", "ratelimit", "ratelimit-remaining", "ratelimit-reset"]
WISHES += ["x-ratelimit-remaining", "x-ratelimit-reset"]


@given(
    status=st.sampled_from([200, 304, 429, 503]),
    values=st.dictionaries(
        st.sampled_from(WISHES),
        st.text(alphabet='0123456789.-+;=,rt" abcGMT:', max_size=40) | st.text(max_size=20),
    ),
)
@settings(deadline=None)
def test_no_header_is_obeyed_for_more_than_a_day(status: int, values: dict[str, str]) -> None:
    wish_s = wished_pause_s(values, status, NOW)

    assert wish_s is None or 0 <= wish_s <= 86_400
