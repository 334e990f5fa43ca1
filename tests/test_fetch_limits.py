"""Servers that drip, flood or pack: each ends within the limits of time and size, with a reason."""

from __future__ import annotations

import gzip
import os
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.fetch.wire import unpack
from tests.fetching import World, open_hasty_world, open_world, quickly
from tests.loopback import drip, pages, reply, serve


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_world(monkeypatch)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_hasty_world(monkeypatch)


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


def test_a_body_that_drips_ends_at_the_time_limit(hasty: World) -> None:
    def behave(connection: socket.socket, head: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n")
        drip(connection, bytes(100))

    with serve(behave) as server:
        with quickly():
            error = hasty.refusal(server.url)

    assert "no whole answer in 0.4 s" in str(error)


def test_a_head_that_drips_ends_at_the_time_limit(hasty: World) -> None:
    with serve(lambda c, _: drip(c, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100)) as server:
        with quickly():
            error = hasty.refusal(server.url)

    assert "no whole answer" in str(error)


def test_a_server_that_never_answers_ends_at_the_time_limit(hasty: World) -> None:
    with serve(lambda connection, _: _until_closed(connection)) as server, quickly():
        error = hasty.refusal(server.url)

    assert "no whole answer" in str(error)


def test_a_handshake_that_never_ends_does_at_the_time_limit(hasty: World) -> None:
    mute = serve(lambda connection, _: _until_closed(connection), reads_head=False)

    with mute as server, quickly():
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


@given(
    body=st.binary(max_size=3000) | st.integers(0, 300_000).map(bytes),
    cuts=st.lists(st.integers(0, 4000), max_size=8),
    pack=st.sampled_from(
        [(gzip.compress, "gzip"), (zlib.compress, "deflate"), (_raw_deflate, "deflate")]
    ),
)
@example(body=b"", cuts=[1], pack=(_raw_deflate, "deflate"))
@settings(deadline=None)
def test_unpacking_does_not_depend_on_how_the_bytes_arrive(
    body: bytes, cuts: list[int], pack: tuple[Callable[[bytes], bytes], str]
) -> None:
    packed = pack[0](body)
    ends = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    chunks = (packed[a:b] for a, b in pairwise(ends))

    pieces = list(unpack(chunks, pack[1]))

    assert b"".join(pieces) == body
    assert all(len(piece) <= 65_536 for piece in pieces)
