"""A site on a socket with a relay behind it, for a real browser.

Chromium reaches the site and nothing else: a request to elsewhere, and a word in the console, fail
the test. Used by test_browser.py and pictures.py.
"""

from __future__ import annotations

import re
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from digest.addresses import parse_address
from digest.app import App
from digest.model import Subscriber
from digest.store import people
from digest.web import build_web
from digest.web.server import WebServer
from tests.fakes import StepClock
from tests.smtp_servers import ScriptedServer
from tests.web_site import aside, open_site

PHONE, TABLET, DESK = 375, 768, 1280
READER = "reader@example.org"


@dataclass
class Live:
    """A site on a socket."""

    app: App
    clock: StepClock
    url: str
    relay: ScriptedServer

    def deliver(self) -> None:
        aside(lambda: self.app.deliverer.deliver(self.app.transport()))

    def mail(self) -> Any:
        """The last mail to the reader."""
        raw = [m.content for m in self.relay.received if m.envelope_to == READER][-1]
        return message_from_bytes(raw, policy=policy.default)

    def link(self, page: str) -> str:
        """The link to a page in the last mail."""
        body = self.mail().get_body(("html",))
        assert body is not None
        found = re.search(rf"{self.url}/{page}/[^\"#]+", body.get_content())
        assert found, page
        return found[0].replace("&amp;", "&")

    def reader(self) -> Subscriber | None:
        with self.app.store.read() as tx:
            return people.find_subscriber(tx, parse_address(READER).key)

    def wait_for_question(self) -> None:
        """The sign-up is dealt with right after its answer; then the relay has the question."""
        deadline = time.monotonic() + 10
        while self.reader() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        self.deliver()


@contextmanager
def served(
    demo_folder: Path, tmp_path: Path, *, prepare: Callable[[Live], None] | None = None
) -> Iterator[Live]:
    """A copy of the demo's site, on a socket; `prepare` may change it before it is served."""
    folder = tmp_path / "live"
    shutil.copytree(demo_folder, folder)
    config = folder / "config.toml"
    with ScriptedServer() as relay:
        smtp = f'transport = "smtp"\nhost = "127.0.0.1"\nport = {relay.port}\nsecurity = "none"\n'
        text = re.sub(r"transport = \"folder\"\npath = \"mail\"\n", smtp, config.read_text())
        config.write_text(text)
        # the links in mails must lead to the port, which is known when it is taken
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        app, clock = open_site(folder, url=url)
        live = Live(app=app, clock=clock, url=url, relay=relay)
        if prepare is not None:
            prepare(live)
        server = WebServer(build_web(app), host="127.0.0.1", port=port)
        server.start()
        try:
            yield live
        finally:
            server.stop()
            app.close()


@contextmanager
def visitor(
    chromium: Any, live: Live, *, width: int, scripts: bool = True, scheme: str = "light"
) -> Iterator[Any]:
    """A page of a browser that meets nothing but the site, and says nothing in its console."""
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        java_script_enabled=scripts,
        color_scheme=scheme,
        timezone_id="Asia/Tokyo",
        # a phone or a tablet: fingers, not a mouse
        has_touch=width <= TABLET,
        is_mobile=width <= TABLET,
    )
    strange: list[str] = []
    said: list[str] = []
    context.on("request", lambda r: r.url.startswith(live.url) or strange.append(r.url))
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.set_default_timeout(15_000)
    yield page
    context.close()
    assert strange == []
    # Chromium's advice to name a user beside a password; and what the server refuses on purpose
    said = [s for s in said if "username fields" not in s and "status of 4" not in s]
    assert said == [], said
