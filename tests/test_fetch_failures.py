"""Servers that cannot be reached, break off or lie: each a reason that says what to check."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import trustme

from tests.fetching import World, open_hasty_world, open_world, quickly
from tests.loopback import pages, reply, serve


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_world(monkeypatch)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_hasty_world(monkeypatch)


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


def _give_addresses(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let papers.example have these addresses."""
    find = socket.getaddrinfo

    def find_them(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        hosts = addresses if host == "papers.example" else (host,)
        return [entry for one in hosts for entry in find(one, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", find_them)


@contextlib.contextmanager
def _deaf_listener(address: tuple[str, int]) -> Iterator[None]:
    """A port that swallows what wants to connect: its queue is full and nobody takes from it."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(socket.create_server(address, backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield


def test_the_next_address_is_tried_when_one_refuses(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(pages({"/": reply(body=b"here")})) as server:
        _give_addresses(monkeypatch, "127.0.0.99", "127.0.0.1")
        answer = world.ask(f"http://papers.example:{server.port}/")

    assert answer.body == b"here"


def test_the_next_address_is_tried_when_one_is_deaf(
    hasty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        serve(pages({"/": reply(body=b"here")})) as server,
        _deaf_listener(("127.0.0.2", server.port)),
        quickly(),
    ):
        _give_addresses(monkeypatch, "127.0.0.2", "127.0.0.1")
        answer = hasty.ask(f"http://papers.example:{server.port}/")

    assert answer.body == b"here"


def test_a_host_all_of_whose_addresses_are_deaf_ends_at_the_time_limit(
    hasty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        serve(pages({})) as server,
        _deaf_listener(("127.0.0.2", server.port)),
        _deaf_listener(("127.0.0.3", server.port)),
        quickly(),
    ):
        _give_addresses(monkeypatch, "127.0.0.2", "127.0.0.3")
        error = hasty.refusal(f"http://papers.example:{server.port}/")

    assert "no whole answer" in str(error)


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
