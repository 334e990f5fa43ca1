"""Asking friendly servers on the loopback: what is sent, what comes back, what is read from disk."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.errors import FetchError
from digest.fetch import Answer, Validator
from tests.fetching import World, open_hasty_world, open_world, quickly
from tests.loopback import drip, pages, reply, serve


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_world(monkeypatch)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_hasty_world(monkeypatch)


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
    with serve(lambda c, _: drip(c, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        with quickly():
            hasty.refusal("http://papers.example/list")


def test_a_proxy_that_cannot_be_used_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "gopher://proxy.example:70")

    assert "check HTTPS_PROXY" in str(world.refusal("http://papers.example/"))


def test_threads_can_ask_at_once_each_with_its_own_time(hasty: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        if "/slow" in head:
            drip(connection, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100)
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
