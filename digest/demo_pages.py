"""`digest demo --serve`: the demo's archive as pages, on this machine alone, until Ctrl-C.

Its time goes on from where the demo ended. Mails that the pages cause, a question to confirm say,
are written beside the others.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from digest.app import App
from digest.clock import SystemClock
from digest.config import load_settings
from digest.errors import DigestError
from digest.web import build_web
from digest.web.server import WebServer

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
PORT = 8080
_DELIVER_S = 2.0


class _LaterClock(SystemClock):
    """The machine's clock, set back to the demo's time."""

    def __init__(self, begin: datetime) -> None:
        self._shift: timedelta = begin - super().now()

    def now(self) -> datetime:
        return super().now() + self._shift


def free_port() -> int:
    """8080 when nobody has it, else any that is free."""
    for port in (PORT, 0):
        try:
            with socket.create_server((HOST, port)) as probe:
                return int(probe.getsockname()[1])
        except OSError:
            continue
    raise DigestError(f"no port is free on {HOST}")


def serve_demo(folder: Path, *, port: int, begin: datetime, say: Callable[[str], None]) -> None:
    """Serve the demo that was made in `folder` until Ctrl-C or SIGTERM."""
    app = App(load_settings(folder / "config.toml", environ={}), _LaterClock(begin))
    stop = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {s: signal.signal(s, end) for s in (signal.SIGINT, signal.SIGTERM)}
    server = WebServer(build_web(app), host=HOST, port=port)
    try:
        server.start()
        token = app.settings.web.admin_token
        say(f"\nThe pages are at {server.url}/")
        if token is not None:
            say(
                f"The operator's are at {server.url}/admin; the token is {token.get_secret_value()}"
            )
        say(f"New mails are written to {folder / 'mail'}. Ctrl-C ends it.")
        while not stop.wait(_DELIVER_S):
            _deliver(app)
    finally:
        server.stop()
        app.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def _deliver(app: App) -> None:
    try:
        app.deliverer.deliver(app.transport())
    except DigestError as error:
        log.error("mails are not written: %s", error)
