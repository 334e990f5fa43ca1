"""Hosts of their own for processes of a test: network namespaces, joined to this one by veth pairs.

Needs root and iproute2. The database's Unix socket is reached from there over TCP.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading

from sqlalchemy.engine import make_url


def why_no_namespaces() -> str | None:
    """Why there can be none here; None when there can."""
    if shutil.which("ip") is None:
        return "no network namespaces: install iproute2"
    if os.geteuid() != 0:
        return "no network namespaces: only root can make them"
    trial = subprocess.run(
        ["ip", "netns", "add", f"digest-trial-{os.getpid()}"], capture_output=True, text=True
    )
    if trial.returncode != 0:
        return f"no network namespaces: {trial.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", f"digest-trial-{os.getpid()}"], check=True)
    return None


class Namespaces:
    """So many hosts, each with an address, on one bridge of ours at `address`."""

    def __init__(self, count: int) -> None:
        # a network of this process, in the range kept for benchmarks (RFC 2544)
        self._net = f"198.18.{os.getpid() % 250}"
        self._tag = f"dg{os.getpid() % 100_000}"
        self.address = f"{self._net}.1"
        self.theirs = [f"{self._net}.{10 + n}" for n in range(count)]

    def __enter__(self) -> Namespaces:
        try:
            self._make()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def inside(self, number: int) -> list[str]:
        """The beginning of a command that runs on that host."""
        return ["ip", "netns", "exec", f"{self._tag}-{number}"]

    def cut(self, number: int) -> None:
        """Take that host's cable out."""
        _ip("link", "set", f"{self._tag}v{number}", "down")

    def mend(self, number: int) -> None:
        """Put it in again."""
        _ip("link", "set", f"{self._tag}v{number}", "up")

    def database_url(self, url: str) -> str:
        """How that database is reached from there."""
        parsed = make_url(url)
        folder = str(parsed.query.get("host", ""))
        port = parsed.port or 5432
        to = f"{folder}/.s.PGSQL.{port}" if folder else (parsed.host or "127.0.0.1", port)
        self._forwarder = Forwarder(self.address, to)
        near = parsed.set(host=self.address, port=self._forwarder.port, query={})
        return near.render_as_string(hide_password=False)

    def _make(self) -> None:
        bridge = f"{self._tag}br"
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        for number, address in enumerate(self.theirs):
            name, ours = f"{self._tag}-{number}", f"{self._tag}v{number}"
            _ip("netns", "add", name)
            _ip("link", "add", ours, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", ours, "master", bridge, "up")
            for words in (
                ("addr", "add", f"{address}/24", "dev", "eth0"),
                ("link", "set", "eth0", "up"),
                ("link", "set", "lo", "up"),
            ):
                _ip("-n", name, *words)

    def _remove(self) -> None:
        forwarder = getattr(self, "_forwarder", None)
        if forwarder is not None:
            forwarder.stop()
        for number in range(len(self.theirs)):
            _ip("netns", "del", f"{self._tag}-{number}", check=False)
        _ip("link", "del", f"{self._tag}br", check=False)


class Forwarder:
    """Passes TCP connections on to another place: a Unix socket, or a host and port."""

    def __init__(self, address: str, to: str | tuple[str, int]) -> None:
        self._address = address
        self._to = to
        self._loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._is_up.wait(10), "the forwarder did not start"

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the forwarder did not stop"

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        server = await asyncio.start_server(self._pass_on, self._address, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._stopped.wait()
        server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if isinstance(self._to, str):
            far_reader, far_writer = await asyncio.open_unix_connection(self._to)
        else:
            far_reader, far_writer = await asyncio.open_connection(*self._to)
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 or not check, (words, done.stderr)
