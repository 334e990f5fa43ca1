"""Chromium for tests: found or named as missing, started without a word to the outside, with axe.

Import the fixture by name: `from tests.browser import chromium`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.paths import REPO

AXE_VARIABLE = "DIGEST_TEST_AXE"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_chromium() -> str | None:
    """The browser's program; None when there is none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


def find_axe() -> Path | None:
    """axe-core's axe.min.js: $DIGEST_TEST_AXE, or what `npm install axe-core` leaves here."""
    named = os.environ.get(AXE_VARIABLE)
    places = [Path(named)] if named else []
    places.append(REPO / "node_modules" / "axe-core" / "axe.min.js")
    return next((path for path in places if path.is_file()), None)


needs_axe = pytest.mark.skipif(
    find_axe() is None,
    reason=f"axe-core is not here: npm install axe-core, or set ${AXE_VARIABLE} to axe.min.js",
)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser."""
    path = find_chromium()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("playwright is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


def run_axe(page: Any) -> list[str]:
    """What axe finds on the page as it stands: rule, and the first place of each."""
    axe = find_axe()
    assert axe is not None
    # in the page's own world a strict policy would refuse it; the test may look past that
    session = page.context.new_cdp_session(page)
    session.send("Page.setBypassCSP", {"enabled": True})
    page.evaluate(axe.read_text("utf-8"))
    found = page.evaluate("async () => (await axe.run(document)).violations")
    session.detach()
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found]
