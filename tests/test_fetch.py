"""Asking real servers on the loopback, friendly and otherwise."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import FetchError
from digest.fetch import Answer, Fetcher, Validator, user_agent
from digest.fetch.waiting import wished_pause_s
from digest.fetch.wire import inflate
from digest.model import Request
from tests.fakes import MemoryGate, StepClock
from tests.loopback import pages, reply, serve

NOW = datetime(2026, 3, 11, 7, 0, tzinfo=UTC)
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


#: loading the CA certificates takes longer than most of these tests
USUAL_TLS = ssl.create_default_context()


class World:
    """A fetcher with everything around it that can be looked at."""

    def __init__(self, **limits: object) -> None:
        self.clock = StepClock(NOW)
        self.gate = MemoryGate()
        self.fetcher = Fetcher(
            agent=user_agent("https://digest.example.org", "op@example.org"),
            clock=self.clock,
            gate=self.gate,
            **({"tls": USUAL_TLS} | limits),  # type: ignore[arg-type]
        )

    def ask(
        self,
        url: str,
        *,
        pause_s: float = 0.0,
        validator: Validator | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        robots: bool = False,
    ) -> Answer:
        request = Request(url=url, label="test", headers=headers, robots=robots)
        return self.fetcher.fetch(request, pause_s=pause_s, validator=validator)

    def refusal(self, url: str, **how: object) -> FetchError:
        with pytest.raises(FetchError) as caught:
            self.ask(url, **how)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
        return caught.value


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.fetcher:
        yield made


@pytest.fixture
def hasty() -> Iterator[World]:
    """Gives up after 0.4 s, and takes 1 MB at most."""
    made = World(timeout_s=0.4, body_bytes_max=1_000_000)
    with made.fetcher:
        yield made


# what is asked and what comes back


def test_a_whole_answer_has_its_body_type_and_address(world: World) -> None:
    page = reply(body=b'{"a": 1}', content_type="application/json; charset=utf-8")

    with serve(pages({"/papers?d=1": page})) as server:
        answer = world.ask(f"{server.url}/papers?d=1")

    assert answer == Answer(
        url=f"{server.url}/papers?d=1",
        status=200,
        body=b'{"a": 1}',
        content_type="application/json; charset=utf-8",
    )


def test_we_say_who_we_are_and_how_to_reach_the_operator(world: World) -> None:
    with serve(pages({"/": reply()})) as server:
        world.ask(f"{server.url}/")

    agent = server.header("User-Agent")
    assert agent is not None
    assert agent.startswith("digest/")
    assert agent.endswith(" (+https://digest.example.org; contact op@example.org)")


def test_an_unchanged_page_is_told_by_its_validators(world: World) -> None:
    modified = "Wed, 11 Mar 2026 06:00:00 GMT"

    def behave(connection: socket.socket, head: str) -> None:
        is_known = 'If-None-Match: W/"v1"' in head and f"If-Modified-Since: {modified}" in head
        connection.sendall(
            reply("304 Not Modified")
            if is_known
            else reply(body=b"page", etag='W/"v1"', last_modified=modified)
        )

    with serve(behave) as server:
        first = world.ask(server.url)
        second = world.ask(server.url, validator=first.validator)

    assert first.validator == Validator(etag='W/"v1"', last_modified=modified)
    assert not first.unchanged
    assert second.unchanged
    assert second.body == b""
    assert second.validator == first.validator


def test_not_modified_without_having_asked_is_an_error(world: World) -> None:
    with serve(pages({"/": reply("304 Not Modified")})) as server:
        error = world.refusal(f"{server.url}/")

    assert error.status == 304


def test_cookies_are_not_kept(world: World) -> None:
    with serve(pages({"/": reply(set_cookie="period=week; Path=/")})) as server:
        world.ask(f"{server.url}/")
        world.ask(f"{server.url}/")

    assert server.header("Cookie") is None


def test_headers_of_the_request_are_sent(world: World) -> None:
    with serve(pages({"/": reply()})) as server:
        world.ask(f"{server.url}/", headers=(("Authorization", "Bearer x"),))

    assert server.header("Authorization") == "Bearer x"


# packed bodies


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"text " * 50_000)),
        ("x-gzip", gzip.compress(b"text " * 50_000)),
        ("gzip", gzip.compress(b"text " * 20_000) + gzip.compress(b"text " * 30_000)),
        ("deflate", zlib.compress(b"text " * 50_000)),
        ("deflate", _raw_deflate(b"text " * 50_000)),
        ("identity", b"text " * 50_000),
    ],
)
def test_packed_bodies_are_unpacked(world: World, coding: str, packed: bytes) -> None:
    with serve(pages({"/": reply(body=packed, content_encoding=coding)})) as server:
        answer = world.ask(f"{server.url}/")

    assert answer.body == b"text " * 50_000


def test_an_empty_packed_body_is_empty(world: World) -> None:
    with serve(pages({"/": reply(content_encoding="gzip")})) as server:
        assert world.ask(f"{server.url}/").body == b""


@pytest.mark.parametrize("kept", [5, 200, -1])
def test_a_packed_body_that_was_cut_off_is_an_error(world: World, kept: int) -> None:
    packed = gzip.compress(os.urandom(1000))[:kept]

    with serve(pages({"/": reply(body=packed, content_encoding="gzip")})) as server:
        error = world.refusal(f"{server.url}/")

    assert "was cut off" in str(error)


def test_a_body_that_is_not_packed_as_it_says_is_an_error(world: World) -> None:
    with serve(pages({"/": reply(body=b"plain text", content_encoding="gzip")})) as server:
        error = world.refusal(f"{server.url}/")

    assert "cannot be unpacked" in str(error)


def test_a_packing_that_we_did_not_ask_for_is_an_error(world: World) -> None:
    with serve(pages({"/": reply(body=b"...", content_encoding="br")})) as server:
        error = world.refusal(f"{server.url}/")

    assert "'br'" in str(error)


# limits of size


def test_an_endless_body_is_cut_at_the_limit(hasty: World) -> None:
    sent = 0

    def behave(connection: socket.socket, head: str) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while sent < 200_000_000:
            sent += connection.send(bytes(65_536))

    with serve(behave) as server:
        error = hasty.refusal(server.url)

    assert "larger than 1,000,000 bytes" in str(error)
    assert sent < 50_000_000


def test_a_body_that_says_it_is_too_large_is_not_even_begun(hasty: World) -> None:
    head = reply(content_length="200000000")

    with serve(pages({"/": head})) as server:
        error = hasty.refusal(f"{server.url}/")

    assert "larger than" in str(error)


def test_a_gzip_bomb_is_cut_before_it_fills_the_memory(hasty: World) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(300)) + packer.flush()

    with serve(pages({"/": reply(body=bomb, content_encoding="gzip")})) as server:
        hasty.refusal(f"{server.url}/warm-up")
        tracemalloc.start()
        try:
            error = hasty.refusal(f"{server.url}/")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert "larger than" in str(error)
    assert peak < 8_000_000


# limits of time


def _drip(connection: socket.socket, data: bytes) -> None:
    for byte in data:
        connection.sendall(bytes([byte]))
        time.sleep(0.05)


def test_a_body_that_drips_ends_at_the_time_limit(hasty: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        _drip(connection, bytes(100))

    with serve(behave) as server:
        begun = time.monotonic()
        error = hasty.refusal(server.url)
        took = time.monotonic() - begun

    assert "no whole answer in 0.4 s" in str(error)
    assert took < 2


def test_a_head_that_drips_ends_at_the_time_limit(hasty: World) -> None:
    with serve(lambda c, _: _drip(c, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100)) as server:
        begun = time.monotonic()
        error = hasty.refusal(server.url)
        took = time.monotonic() - begun

    assert "no whole answer" in str(error)
    assert took < 2


def test_a_server_that_never_answers_ends_at_the_time_limit(hasty: World) -> None:
    with serve(lambda connection, _: _until_closed(connection)) as server:
        error = hasty.refusal(server.url)

    assert "no whole answer" in str(error)


def test_a_handshake_that_never_ends_does_at_the_time_limit(hasty: World) -> None:
    with serve(lambda connection, _: _until_closed(connection), reads_head=False) as server:
        error = hasty.refusal(f"https://{server.host}/")

    assert "no whole answer" in str(error)


def test_the_time_limit_is_for_all_redirects_together(hasty: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        time.sleep(0.15)
        step = int(head.split(" ")[1].strip("/") or 0)
        connection.sendall(reply("302 Found", location=f"/{step + 1}"))

    with serve(behave) as server:
        error = hasty.refusal(f"{server.url}/0")

    assert "no whole answer" in str(error)
    assert len(server.heads) < 5


def _until_closed(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


# connections that fail


def test_half_an_answer_is_an_error(world: World) -> None:
    half = reply(body=b'[{"paper": {"id"', content_length="5000")

    with serve(pages({"/": half})) as server:
        error = world.refusal(f"{server.url}/")

    assert "broke off" in str(error)
    assert not error.permanent


def test_half_a_chunked_answer_is_an_error(world: World) -> None:
    half = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\nabc"

    with serve(pages({"/": half})) as server:
        error = world.refusal(f"{server.url}/")

    assert "broke off" in str(error)


def test_a_connection_that_is_reset_is_an_error(world: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serve(behave) as server:
        error = world.refusal(server.url)

    assert "was lost" in str(error)


@pytest.mark.parametrize("noise", [b"", b"220 mail.example.org ESMTP\r\n", b"\x00" * 500])
def test_what_is_not_http_is_an_error(world: World, noise: bytes) -> None:
    with serve(lambda connection, _: connection.sendall(noise)) as server:
        error = world.refusal(server.url)

    assert "does not speak HTTP" in str(error)


def test_a_refused_connection_says_what_to_check(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"

    error = world.refusal(f"http://{host}/")

    assert str(error) == f"{host} refuses connections; check that it is up, and the port in the url"


def test_an_unknown_host_says_what_to_check(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", find_nothing)

    error = world.refusal("http://papers.example/")

    assert "papers.example is not known (Name or service not known)" in str(error)


def test_the_next_address_is_tried_when_one_refuses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(pages({"/": reply(body=b"here")})) as server:
        port = int(server.host.rpartition(":")[2])
        find = socket.getaddrinfo

        def find_two(host: str, *args: object, **kwargs: object) -> list[object]:
            names = ["127.0.0.99", "127.0.0.1"] if host == "papers.example" else [host]
            return [entry for name in names for entry in find(name, *args, **kwargs)]  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", find_two)
        answer = world.ask(f"http://papers.example:{port}/")

    assert answer.body == b"here"


# certificates


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def _server_side(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def _trusting(authority: trustme.CA) -> World:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return World(tls=context)


def test_a_trusted_certificate_is_taken(authority: trustme.CA) -> None:
    world = _trusting(authority)

    with (
        world.fetcher,
        serve(
            pages({"/": reply(body=b"safe")}), tls=_server_side(authority, "127.0.0.1")
        ) as server,
    ):
        assert world.ask(f"{server.url}/").body == b"safe"


def test_a_certificate_of_unknown_make_is_refused(world: World, authority: trustme.CA) -> None:
    with serve(pages({}), tls=_server_side(authority, "127.0.0.1")) as server:
        error = world.refusal(f"{server.url}/")

    assert f"the certificate of {server.host} cannot be trusted" in str(error)
    assert server.heads == []


def test_a_certificate_for_another_host_is_refused(authority: trustme.CA) -> None:
    world = _trusting(authority)

    with (
        world.fetcher,
        serve(pages({}), tls=_server_side(authority, "other.example")) as server,
    ):
        error = world.refusal(f"{server.url}/")

    assert "cannot be trusted" in str(error)


def test_plain_http_behind_an_https_url_is_told_so(world: World) -> None:
    with serve(lambda c, _: c.sendall(reply()), reads_head=False) as server:
        error = world.refusal(f"https://{server.host}/")

    assert "does not speak TLS" in str(error)


# redirects


def test_redirects_are_followed_and_the_last_address_kept(world: World) -> None:
    answers = {
        "/papers": reply("302 Found", location="/papers/date/2026-03-11?x=1"),
        "/papers/date/2026-03-11?x=1": reply(body=b"day"),
    }

    with serve(pages(answers)) as server:
        answer = world.ask(f"{server.url}/papers")

    assert answer.url == f"{server.url}/papers/date/2026-03-11?x=1"
    assert answer.body == b"day"


@pytest.mark.parametrize("target", ["/", "/other"])
def test_a_redirect_loop_is_an_error(world: World, target: str) -> None:
    answers = {
        "/": reply("301 Moved Permanently", location=target),
        "/other": reply("301 Moved Permanently", location="/"),
    }

    with serve(pages(answers)) as server:
        error = world.refusal(f"{server.url}/")

    assert "in circles" in str(error)


def test_more_than_five_redirects_are_an_error(world: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        path = head.split(" ")[1]
        connection.sendall(reply("307 Temporary Redirect", location=f"{path}x"))

    with serve(behave) as server:
        world.refusal(f"{server.url}/")

    assert len(server.heads) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://example.org/"])
def test_a_redirect_to_what_is_no_web_address_is_refused(world: World, target: str) -> None:
    with serve(pages({"/": reply("302 Found", location=target)})) as server:
        error = world.refusal(f"{server.url}/")

    assert "is not an http or https URL" in str(error)


@pytest.mark.parametrize("target", ["http://[::1/", "mailto:x@y", "data:,x", "http://a:b/", "\x00"])
def test_a_redirect_to_what_is_no_url_is_refused(world: World, target: str) -> None:
    with serve(pages({"/": reply("302 Found", location=target)})) as server:
        error = world.refusal(f"{server.url}/")

    assert server.host in str(error)
    assert server.paths == ["/"]


def test_a_token_goes_to_the_host_it_was_given_for_only(world: World) -> None:
    with (
        serve(pages({"/": reply()})) as other,
        serve(pages({"/": reply("302 Found", location=f"{other.url}/")})) as first,
    ):
        world.ask(f"{first.url}/", headers=(("Authorization", "Bearer secret"),))

    assert first.header("Authorization") == "Bearer secret"
    assert other.header("Authorization") is None


def test_a_redirect_without_a_target_is_an_error(world: World) -> None:
    with serve(pages({"/": reply("302 Found")})) as server:
        assert world.refusal(f"{server.url}/").status == 302


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


# saved files


def test_a_saved_page_is_read_from_disk(world: World, tmp_path: Path) -> None:
    page = tmp_path / "my page.html"
    page.write_bytes(b"<html>")

    answer = world.ask(page.as_uri())

    assert answer.body == b"<html>"
    assert answer.content_type == "text/html"


def test_a_saved_page_is_unchanged_until_it_is_written(world: World, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_bytes(b"one")
    first = world.ask(page.as_uri())

    again = world.ask(page.as_uri(), validator=first.validator)
    page.write_bytes(b"three")
    changed = world.ask(page.as_uri(), validator=first.validator)

    assert again.unchanged
    assert changed.body == b"three"


def test_files_that_cannot_be_read_are_errors(hasty: World, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(1_000_001))
    os.mkfifo(tmp_path / "pipe")

    assert "No such file" in str(hasty.refusal((tmp_path / "none").as_uri()))
    assert "larger than" in str(hasty.refusal((tmp_path / "large").as_uri()))
    assert "no plain file" in str(hasty.refusal((tmp_path / "pipe").as_uri()))
    assert "Is a directory" in str(hasty.refusal(tmp_path.as_uri()))
    assert "another machine" in str(hasty.refusal("file://server/share/page.html"))
    assert "cannot be read" in str(hasty.refusal("file:///a%00b"))


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


@given(
    body=st.binary(max_size=3000) | st.integers(0, 300_000).map(bytes),
    cuts=st.lists(st.integers(0, 4000), max_size=8),
    pack=st.sampled_from([(gzip.compress, 31), (zlib.compress, 15), (_raw_deflate, 15)]),
)
@settings(deadline=None)
def test_unpacking_does_not_depend_on_how_the_bytes_arrive(
    body: bytes, cuts: list[int], pack: tuple[Callable[[bytes], bytes], int]
) -> None:
    packed = pack[0](body)
    ends = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    chunks = (packed[a:b] for a, b in pairwise(ends))

    pieces = list(inflate(chunks, pack[1]))

    assert b"".join(pieces) == body
    assert all(len(piece) <= 65_536 for piece in pieces)


# around it


@pytest.mark.parametrize("url", ["", "papers", "ftp://x.example/", "http://", "http://[::1/"])
def test_what_is_no_url_is_refused(world: World, url: str) -> None:
    assert "is not an http or https URL" in str(world.refusal(url))


def test_a_proxy_of_the_environment_is_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda c, _: c.sendall(reply(body=b"by proxy"))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        answer = world.ask("http://papers.example/list")

    assert answer.body == b"by proxy"
    assert proxy.paths == ["http://papers.example/list"]


def test_the_time_limit_holds_behind_a_proxy(hasty: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda c, _: _drip(c, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        begun = time.monotonic()
        hasty.refusal("http://papers.example/list")
        took = time.monotonic() - begun

    assert took < 2


def test_a_proxy_that_cannot_be_used_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy.example:70")

    assert "check HTTPS_PROXY" in str(world.refusal("http://papers.example/"))


def test_threads_can_ask_at_once_each_with_its_own_time(hasty: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        if "/slow" in head:
            _drip(connection, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100)
        else:
            connection.sendall(reply(body=b"quick"))

    results: dict[str, str] = {}

    def ask(path: str) -> None:
        try:
            results[path] = hasty.ask(f"{server.url}{path}").body.decode()
        except FetchError as error:
            results[path] = str(error)

    with serve(behave) as server:
        threads = [threading.Thread(target=ask, args=(p,)) for p in ("/slow", "/quick")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

    assert results["/quick"] == "quick"
    assert "no whole answer" in results["/slow"]


def test_importing_it_does_not_load_httpx() -> None:
    code = "import sys, digest.fetch; sys.exit('httpx' in sys.modules or 'protego' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], timeout=30, check=False).returncode == 0
