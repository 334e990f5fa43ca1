"""The whole way in a real browser: sign up, confirm, choose, read, vote, leave; and how it looks.

A mail server in the test process gets the mails, as a relay would. Every page in every state
(page_states.py) is looked at once for each window and scheme, and judged by several tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.model import Status
from tests.browsing import axe_script, find_axe, open_browser, run_axe
from tests.live_site import DESK, PHONE, READER, TABLET, Live, served, visitor
from tests.page_states import add_hard, walk
from tests.web_site import demo_folder

__all__ = ["demo_folder"]

# on one worker, which looks at the pages once for all
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("pages")]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with open_browser() as browser:
        yield browser


@pytest.fixture
def live(demo_folder: Path, tmp_path: Path) -> Iterator[Live]:
    with served(demo_folder, tmp_path) as site:
        yield site


# --- the way of a reader


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

    live.wait_for_question()
    page.goto(live.link("confirm"))
    assert status(live) is Status.PENDING
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
    assert status(live) is Status.UNSUBSCRIBED


def status(live: Live) -> Status | None:
    found = live.reader()
    return found.status if found else None


@pytest.mark.parametrize(
    ("width", "scripts"), [(DESK, True), (PHONE, True), (DESK, False), (PHONE, False)]
)
def test_a_reader_lives_through_it_all(
    chromium: Any, live: Live, width: int, scripts: bool
) -> None:
    with visitor(chromium, live, width=width, scripts=scripts) as page:
        live_through(page, live, scripts=scripts)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_preview_is_seen_at_once(chromium: Any, live: Live, scripts: bool) -> None:
    with visitor(chromium, live, width=PHONE, scripts=scripts) as page:
        page.goto(f"{live.url}/subscribe")
        page.get_by_label(re.compile("Robotics")).check()

        page.get_by_role("button", name="Preview").click()

        heading = page.get_by_role("heading", name="What you would get now")
        heading.wait_for()
        assert in_view(heading, page)


def in_view(element: Any, page: Any) -> bool:
    """Whether it stands in the window; the browser may still be on its way there."""
    for _ in range(200):
        box = element.bounding_box()
        if 0 <= box["y"] < page.viewport_size["height"]:
            return True
        page.wait_for_timeout(20)
    return False


def test_the_way_back_from_a_paper_leads_to_the_preview(chromium: Any, live: Live) -> None:
    with visitor(chromium, live, width=DESK) as page:
        page.goto(f"{live.url}/subscribe")
        page.get_by_label(re.compile("Robotics")).check()
        page.get_by_role("button", name="Preview").click()
        page.locator(".preview .title a").first.click()
        page.get_by_role("heading", name="Similar papers").wait_for()

        page.go_back()

        page.get_by_role("heading", name="What you would get now").wait_for()
        assert page.get_by_label(re.compile("Robotics")).is_checked()


# --- every page, looked at once for each window and scheme

#: what a thumb must hit and may be too low for it; links within running text are exempt
_TOO_LOW = """() => [...document.querySelectorAll(
  'button:not(.small), .button, summary, label.choice, input:not([type=hidden])'
  + ':not([type=checkbox]), select, nav a, .title a, .links a, .titles a, .daynav a')]
  .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 43.5)
  .map((e) => Math.round(e.getBoundingClientRect().height) + ' ' + e.outerHTML.slice(0, 90))"""
#: what sticks out of the window, unless it stands in something that can be scrolled
_STICKS_OUT = """() => [...document.querySelectorAll('main *')].filter((e) =>
  e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, .topics'))
  .map((e) => e.outerHTML.slice(0, 90))"""
WINDOWS = ((DESK, "light"), (TABLET, "dark"), (PHONE, "dark"), (320, "light"))


@dataclass
class Sight:
    """What was found on the pages in one window, by page."""

    wide: dict[str, list[str]] = field(default_factory=dict)
    low: dict[str, list[str]] = field(default_factory=dict)
    axe: dict[str, list[str]] = field(default_factory=dict)


@pytest.fixture(scope="module")
def sight(
    chromium: Any, demo_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, str], Sight]:
    """Looks at all pages in a window, the first time that it is asked for."""
    seen: dict[tuple[int, str], Sight] = {}

    def look(width: int, scheme: str) -> Sight:
        if (width, scheme) not in seen:
            folder = tmp_path_factory.mktemp("sight")
            with served(demo_folder, folder, prepare=add_hard) as live:
                seen[width, scheme] = look_at_all(chromium, live, width=width, scheme=scheme)
        return seen[width, scheme]

    return look


def look_at_all(chromium: Any, live: Live, *, width: int, scheme: str) -> Sight:
    found = Sight()
    with visitor(chromium, live, width=width, scheme=scheme) as page:
        for name in walk(page, live):
            page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.wide[name] = ["the page itself"]
            found.wide.setdefault(name, []).extend(page.evaluate(_STICKS_OUT))
            found.low[name] = page.evaluate(_TOO_LOW) if width <= TABLET else []
            if find_axe() and width in (DESK, PHONE):
                found.axe[name] = run_axe(page)
    return found


def problems(found: dict[str, list[str]]) -> dict[str, list[str]]:
    assert len(found) > 40
    return {name: problems for name, problems in found.items() if problems}


@pytest.mark.parametrize(("width", "scheme"), [w for w in WINDOWS if w[0] in (DESK, PHONE)])
def test_axe_finds_nothing_on_any_page(
    sight: Callable[[int, str], Sight], width: int, scheme: str
) -> None:
    axe_script()  # or it skips

    assert problems(sight(width, scheme).axe) == {}


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_nothing_sticks_out_of_its_window(
    sight: Callable[[int, str], Sight], width: int, scheme: str
) -> None:
    assert problems(sight(width, scheme).wide) == {}


@pytest.mark.parametrize(("width", "scheme"), [w for w in WINDOWS if w[0] <= TABLET])
def test_everything_is_high_enough_for_a_thumb(
    sight: Callable[[int, str], Sight], width: int, scheme: str
) -> None:
    assert problems(sight(width, scheme).low) == {}


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
    with visitor(chromium, live, width=DESK, scheme="dark") as page:
        page.goto(live.url)
        page.emulate_media(media="print")

        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        assert not page.locator(".join").is_visible()
        assert not page.locator(".masthead nav").is_visible()
        assert page.locator(".title").first.is_visible()
