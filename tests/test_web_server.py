"""The pages on real sockets: started and stopped with the daemon, deaf to the deliberately slow."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.errors import DigestError
from digest.web import build_web, server
from digest.web.crowd import Crowd
from digest.web.server import WebServer
from tests.paths import REPO
from tests.web_site import demo_folder, open_site

__all__ = ["demo_folder"]


@contextlib.contextmanager
def served(demo_folder: Path, tmp_path: Path, *, crowd: Crowd | None = None) -> Iterator[WebServer]:
    folder = tmp_path / "served"
    shutil.copytree(demo_folder, folder)
    app, _ = open_site(folder)
    pages = WebServer(build_web(app), host="127.0.0.1", port=0, crowd=crowd)
    pages.start()
    try:
        yield pages
    finally:
        pages.stop()
        app.close()


def ask(port: int, path: str = "/", method: str = "GET") -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        return answer


def first_line(connection: socket.socket) -> bytes:
    """The status line of the answer; b"cut" when the connection is cut off instead."""
    try:
        return connection.recv(65_536).partition(b"\r\n")[0] or b"cut"
    except ConnectionError:
        return b"cut"


def test_pages_are_served_and_end_when_told(demo_folder: Path, tmp_path: Path) -> None:
    with served(demo_folder, tmp_path) as pages:
        answer = ask(pages.port)
        assert answer.status == 200
        assert answer.getheader("server") is None
        assert answer.getheader("date")

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", pages.port), timeout=2)


def test_answers_leave_at_once_and_do_not_wait_for_each_other(
    demo_folder: Path, tmp_path: Path
) -> None:
    with served(demo_folder, tmp_path) as pages:
        accepted = pages._socket
        assert accepted.proto == socket.IPPROTO_TCP  # asyncio sets TCP_NODELAY only then


def test_an_address_that_is_taken_is_told_in_one_line(demo_folder: Path, tmp_path: Path) -> None:
    with served(demo_folder, tmp_path) as pages:
        with pytest.raises(DigestError, match=r"cannot be served at 127\.0\.0\.1:\d+: "):
            WebServer(pages._server.config.app, host="127.0.0.1", port=pages.port)  # type: ignore[arg-type]


def test_what_is_being_answered_when_the_end_comes_is_answered(
    demo_folder: Path, tmp_path: Path
) -> None:
    answers: list[int] = []
    with served(demo_folder, tmp_path) as pages:
        readers = [
            threading.Thread(
                target=lambda: answers.append(ask(pages.port, "/search?q=robot").status)
            )
            for _ in range(8)
        ]
        for reader in readers:
            reader.start()
        while not pages._server.server_state.tasks and not answers:
            time.sleep(0.001)
    for reader in readers:
        reader.join(20)

    assert answers
    assert set(answers) == {200}


def test_a_head_that_never_ends_is_cut_off(
    demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_WITHIN_S", 0.3)
    with served(demo_folder, tmp_path) as pages:
        for opening in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: "):
            with socket.create_connection(("127.0.0.1", pages.port), timeout=10) as slow:
                slow.sendall(opening)
                assert slow.recv(100) == b""
        # a second request on a connection that was fine so far
        with socket.create_connection(("127.0.0.1", pages.port), timeout=10) as slow:
            slow.sendall(b"HEAD /robots.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" in slow.recv(65_536)
            slow.sendall(b"GET /rob")
            assert slow.recv(65_536) == b""
        assert ask(pages.port).status == 200


def test_one_client_cannot_fill_all_connections(demo_folder: Path, tmp_path: Path) -> None:
    crowd = Crowd(exempt=(), per_client=3)
    with served(demo_folder, tmp_path, crowd=crowd) as pages, contextlib.ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection(("127.0.0.1", pages.port), timeout=10))
            for _ in range(4)
        ]
        for connection in held:
            connection.sendall(b"HEAD /robots.txt HTTP/1.1\r\nHost: localhost\r\n\r\n")
        said = [first_line(connection) for connection in held]
        held[0].close()
        while len(pages._server.server_state.connections) > 2:
            time.sleep(0.002)

        assert said == [b"HTTP/1.1 200 OK"] * 3 + [b"cut"]
        assert ask(pages.port, "/robots.txt").status == 200


def test_a_form_that_trickles_in_is_given_up(
    demo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from digest.web import forms

    monkeypatch.setattr(forms, "FORM_WITHIN_S", 0.3)
    with served(demo_folder, tmp_path) as pages:
        with socket.create_connection(("127.0.0.1", pages.port), timeout=10) as slow:
            slow.sendall(
                b"POST /subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n\r\nform="
            )
            said = slow.recv(65_536)

    assert b"408" in said.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
    ],
)
def test_requests_that_are_none_are_refused(demo_folder: Path, tmp_path: Path, head: bytes) -> None:
    with served(demo_folder, tmp_path) as pages:
        with socket.create_connection(("127.0.0.1", pages.port), timeout=20) as strange:
            strange.sendall(head)
            said = first_line(strange)
        assert ask(pages.port).status == 200

    assert said.startswith((b"HTTP/1.1 4", b"cut")), said


# --- the daemon


@contextlib.contextmanager
def daemon(config: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """`digest run`, and the port of its pages once they are up."""
    log = config.with_name("run.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "digest", "run", "--config", str(config), *options],
            cwd=REPO,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        deadline = time.monotonic() + 30
        found = None
        while found is None and time.monotonic() < deadline and process.poll() is None:
            found = re.search(rb"http://127\.0\.0\.1:(\d+)", log.read_bytes())
            time.sleep(0.05)
        assert found, log.read_text()
        yield process, int(found[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)


def runnable(demo_folder: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    shutil.copytree(demo_folder, folder)
    app, _ = open_site(folder, web="port = 0")
    app.close()
    config = folder / "config.toml"
    # nobody answers there any more
    text = re.sub(r'url = "http://127[^"]*"', 'url = "http://127.0.0.1:9"', config.read_text())
    config.write_text(text)
    return config


@pytest.mark.slow
def test_one_process_collects_sends_and_serves_and_ends_cleanly(
    demo_folder: Path, tmp_path: Path
) -> None:
    config = runnable(demo_folder, tmp_path)
    with daemon(config) as (process, port):
        assert ask(port).status == 200
        assert ask(port, "/health").status in (200, 503)

        process.send_signal(signal.SIGTERM)

        assert process.wait(30) == 0
    log = config.with_name("run.log").read_text()
    assert "stopped" in log
    assert "Traceback" not in log


@pytest.mark.slow
def test_pages_alone_may_stand_beside_the_daemon_on_one_file(
    demo_folder: Path, tmp_path: Path
) -> None:
    config = runnable(demo_folder, tmp_path)
    with daemon(config) as (_, first), daemon(config, "--only", "web") as (alone, second):
        assert first != second
        assert ask(first).status == ask(second).status == 200

        alone.send_signal(signal.SIGINT)

        assert alone.wait(30) == 0
        assert ask(first).status == 200


@pytest.mark.slow
def test_a_port_that_is_taken_ends_the_daemon_with_one_line(
    demo_folder: Path, tmp_path: Path
) -> None:
    config = runnable(demo_folder, tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "digest", "run", "--config", str(config)],
            cwd=REPO,
            env=os.environ | {"DIGEST_WEB__PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert f"cannot be served at 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_demo_leaves_its_pages_up_until_it_is_told_to_end(tmp_path: Path) -> None:
    log = tmp_path / "demo.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "digest", "demo", "--serve", "--folder", str(tmp_path / "demo")],
            cwd=REPO,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
        )
    try:
        found = None
        deadline = time.monotonic() + 60
        while found is None and time.monotonic() < deadline and process.poll() is None:
            found = re.search(r"pages are at http://127\.0\.0\.1:(\d+)/", log.read_text())
            time.sleep(0.1)
        assert found, log.read_text()
        port = int(found[1])
        mail = next((tmp_path / "demo" / "mail").glob("*.html")).read_text()

        assert ask(port).status == 200
        link = re.search(rf"http://127\.0\.0\.1:{port}(/preferences/[^\"#]+)", mail)
        assert link
        assert ask(port, link[1]).status == 200
        process.send_signal(signal.SIGINT)

        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait(20)
    assert "Traceback" not in log.read_text()
