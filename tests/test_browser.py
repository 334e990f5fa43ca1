"""The whole way in a real browser: sign up, confirm, choose, read, vote, leave; and how it looks.

A mail server in the test process gets the mails, as a relay would. Chromium reaches the site and
nothing else: any request to elsewhere fails the test.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from digest.app import App
from digest.model import Status
from digest.store import people
from digest.web import build_web
from digest.web.server import WebServer
from tests.browser import chromium, needs_axe, run_axe
from tests.fakes import StepClock
from tests.smtp_servers import ScriptedServer
from tests.web_site import ADMIN_TOKEN, aside, demo_folder, open_site

__all__ = ["chromium", "demo_folder"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READER = "reader@example.org"
PHONE, DESK = 375, 1280


@dataclass
class Live:
    """A site on a socket, with a relay behind it."""

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


@pytest.fixture
def live(demo_folder: Path, tmp_path: Path) -> Iterator[Live]:
    with ScriptedServer() as relay, served(demo_folder, tmp_path, relay) as site:
        yield site


@contextmanager
def served(demo_folder: Path, tmp_path: Path, relay: ScriptedServer) -> Iterator[Live]:
    folder = tmp_path / "live"
    shutil.copytree(demo_folder, folder)
    config = folder / "config.toml"
    smtp = f'transport = "smtp"\nhost = "127.0.0.1"\nport = {relay.port}\nsecurity = "none"\n'
    text = re.sub(r"transport = \"folder\"\npath = \"mail\"\n", smtp, config.read_text())
    config.write_text(text)
    # the links in mails must lead to the port, which is known when it is taken
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    app, clock = open_site(folder, url=url)
    server = WebServer(build_web(app), host="127.0.0.1", port=port)
    server.start()
    try:
        yield Live(app=app, clock=clock, url=url, relay=relay)
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
    assert [s for s in said if "username fields" not in s and "status of 4" not in s] == []


def reader(live: Live) -> Any:
    from digest.addresses import parse_address

    with live.app.store.read() as tx:
        return people.find_subscriber(tx, parse_address(READER).key)


def wait_for_question(live: Live) -> None:
    """The sign-up is dealt with right after its answer; then the relay has the question."""
    import time

    deadline = time.monotonic() + 10
    while reader(live) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    live.deliver()


def live_through(page: Any, live: Live, *, scripts: bool) -> None:
    """Sign up → mail → confirm → preferences → edition → vote → unsubscribe."""
    page.goto(live.url)
    if page.viewport_size["width"] == PHONE:
        page.get_by_role("link", name="Get it by mail, picked for you").click()
    page.get_by_label("Your address").fill(READER)
    page.get_by_label(re.compile("Robotics")).check()
    page.get_by_label("In your own words").fill("robots that sleep")
    if scripts:
        page.get_by_text(re.compile(r"About \d+ papers? a (day|week) would match")).wait_for()
    page.get_by_role("button", name="Preview and more choices").click()
    page.get_by_role("heading", name="What you would get now").wait_for()
    assert page.get_by_label(re.compile("Robotics")).is_checked()
    if scripts:
        assert page.get_by_label("Where you are").input_value() == "Asia/Tokyo"
    page.get_by_label("At what time").fill("06:30")
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_role("heading", name="Look into your mailbox").wait_for()

    wait_for_question(live)
    page.goto(live.link("confirm"))
    assert reader(live).status is Status.PENDING
    page.get_by_role("button", name="Yes, send it to me").click()
    page.get_by_role("heading", name="You are in").wait_for()

    page.get_by_role("link", name="Change what you get").click()
    page.get_by_label("In your own words").fill("robots that sleep\ntactile sensing")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()
    assert page.get_by_label("In your own words").input_value().count("\n") == 1

    live.clock.at += timedelta(hours=13)
    live.app.editor.make_due(live.clock.now())
    live.deliver()
    page.goto(live.link("feedback"))
    page.get_by_role("button", name="More like this").click()
    page.get_by_role("heading", name="Recorded: more like this").wait_for()
    page.get_by_role("button", name="Take the vote back").click()
    page.get_by_role("heading", name="Your vote is taken back").wait_for()

    page.goto(live.link("edition"))
    assert page.locator("li.paper").count() >= 1
    page.goto(live.link("unsubscribe"))
    page.get_by_role("button", name="Unsubscribe").click()
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert reader(live).status is Status.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("width", "scripts"), [(DESK, True), (PHONE, True), (DESK, False), (PHONE, False)]
)
def test_a_reader_lives_through_it_all(
    chromium: Any, live: Live, width: int, scripts: bool
) -> None:
    with visitor(chromium, live, width=width, scripts=scripts) as page:
        live_through(page, live, scripts=scripts)


def pages_of(live: Live) -> dict[str, str]:
    """Every kind of page, by a name for its picture."""
    links = live.app.composer._links
    with live.app.store.read() as tx:
        from digest.store.editions import edition_ids

        edition = edition_ids(tx, 1)[-1]
    until = live.clock.now() + timedelta(days=1)
    return {
        "front": f"{live.url}/",
        "day": f"{live.url}/day/2026-03-11",
        "empty-day": f"{live.url}/day/2026-03-07",
        "topic": f"{live.url}/topic/robotics",
        "paper": f"{live.url}/paper/arxiv:2603.90417",
        "search": f"{live.url}/search?q=attention",
        "subscribe": f"{live.url}/subscribe?topic=robotics",
        "confirm": links.confirm(1, until),
        "preferences": links.preferences(1),
        "unsubscribe": links.unsubscribe(1),
        "feedback": links.feedback(1, edition) + "?pick=1&vote=up",
        "edition": links.edition(edition),
        "missing": f"{live.url}/nowhere",
        "admin-login": f"{live.url}/admin/login",
    }


ADMIN_PAGES = {
    "admin": "/admin",
    "admin-outbox": "/admin/outbox",
    "admin-readers": "/admin/readers",
    "admin-reader": "/admin/readers/1",
    "admin-returns": "/admin/returns",
    "admin-topics": "/admin/topics",
    "admin-topic": "/admin/topics/robotics",
    "admin-mail": "/admin/mail",
}


def log_in(page: Any, live: Live) -> None:
    page.goto(f"{live.url}/admin/login")
    page.get_by_label("Token").fill(ADMIN_TOKEN)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(r"/admin$"))


def walk(page: Any, live: Live) -> Iterator[str]:
    """Open every page in turn; gives its name."""
    pages = pages_of(live)
    for name, url in pages.items():
        page.goto(url)
        yield name
    log_in(page, live)
    for name, path in ADMIN_PAGES.items():
        page.goto(live.url + path)
        yield name


@needs_axe
@pytest.mark.parametrize(("width", "scheme"), [(DESK, "light"), (PHONE, "dark")])
def test_axe_finds_nothing_on_any_page(chromium: Any, live: Live, width: int, scheme: str) -> None:
    with visitor(chromium, live, width=width, scheme=scheme) as page:
        found = {name: run_axe(page) for name in walk(page, live)}

    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize("width", [320, PHONE, 768, DESK])
def test_no_page_is_wider_than_its_window_and_everything_can_be_touched(
    chromium: Any, live: Live, width: int
) -> None:
    with visitor(chromium, live, width=width) as page:
        for name in walk(page, live):
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, name
            small = page.evaluate(
                """() => [...document.querySelectorAll('button:not(.small), .button, input:not('
                + '[type=hidden]):not([type=checkbox]), select')].filter((e) => e.offsetParent &&
                e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML.slice(0, 80))"""
            )
            assert small == [], name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_in_both_schemes(chromium: Any, live: Live, scheme: str) -> None:
    """Counted from the colours themselves, so that it holds without axe too."""
    with visitor(chromium, live, width=DESK, scheme=scheme) as page:
        page.goto(live.url)
        colours = page.evaluate(
            """() => { const s = getComputedStyle(document.documentElement);
            return Object.fromEntries(['paper','ink','strong','soft','accent','on-accent','tint',
            'good','wait','bad'].map((n) => [n, s.getPropertyValue('--' + n).trim()])); }"""
        )
    for ink in ("ink", "strong", "soft", "accent", "good", "wait", "bad"):
        for paper in ("paper", "tint"):
            assert contrast(colours[ink], colours[paper]) >= 4.5, (ink, paper)
    assert contrast(colours["on-accent"], colours["accent"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """Source: WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_keyboard_alone_gets_a_reader_to_the_papers(chromium: Any, live: Live) -> None:
    with visitor(chromium, live, width=DESK) as page:
        page.goto(live.url)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#main"


def test_pages_print_without_navigation_and_forms(chromium: Any, live: Live) -> None:
    with visitor(chromium, live, width=DESK) as page:
        page.goto(live.url)
        page.emulate_media(media="print")

        assert not page.locator(".join").is_visible()
        assert not page.locator(".masthead nav").is_visible()
        assert page.locator("li.paper h2").first.is_visible()
