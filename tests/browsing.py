"""Where a browser and the page checkers are, for tests that look at pages as people see them.

Chromium comes from the system, playwright drives it; axe-core, html-validate and caniemail come
from npm: their folder is `node_modules` here or $DIGEST_TEST_NODE_MODULES, axe alone
$DIGEST_TEST_AXE. What is missing skips the tests that need it, by name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.paths import REPO

ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@contextmanager
def open_browser(*arguments: str) -> Iterator[Any]:
    """A headless Chromium; skips the test when there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)  # fmt: skip
    if path is None:
        pytest.skip("no Chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, *arguments])
        yield browser
        browser.close()


def find_node_module(name: str) -> Path | None:
    """The folder of an npm package; None when it is not there."""
    bases = filter(None, (os.environ.get("DIGEST_TEST_NODE_MODULES"), REPO / "node_modules"))
    return next((Path(b) / name for b in bases if (Path(b) / name).is_dir()), None)


def node_module(name: str) -> Path:
    """The folder of an npm package; skips the test when it is not there."""
    found = find_node_module(name)
    if found is None:
        pytest.skip(f"the npm package {name} is not installed (DIGEST_TEST_NODE_MODULES)")
    return found


def find_axe() -> Path | None:
    """axe-core's script; None when it is not there."""
    given, module = os.environ.get("DIGEST_TEST_AXE"), find_node_module("axe-core")
    path = Path(given) if given else module / "axe.min.js" if module else None
    return path if path is not None and path.is_file() else None


def axe_script() -> str:
    """The source of axe-core; skips the test when it is not there."""
    path = find_axe()
    if path is None:
        pytest.skip("axe-core is not there (DIGEST_TEST_NODE_MODULES, DIGEST_TEST_AXE)")
    return path.read_text(encoding="utf-8")


def run_axe(page: Any) -> list[str]:
    """What axe finds on the page as it stands: rule, and the first place of each."""
    page.evaluate(axe_script())
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [f"{v['id']}: {v['nodes'][0]['html'][:160]}" for v in found]
