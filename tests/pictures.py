"""Pictures of every page in every state, to be looked at.

    python -m tests.pictures FOLDER [NAME…]
    python -m tests.pictures --readme

At 375, 768 and 1280 px, light and dark, of the demo's site with content that is hard to set.
--readme takes the two that the README shows, of the demo as it is.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.browsing import open_browser
from tests.live_site import DESK, PHONE, TABLET, served, visitor
from tests.page_states import add_hard, walk
from tests.paths import REPO
from tests.web_site import aside


def main(folder: Path, wanted: frozenset[str]) -> None:
    """Take them all, or those named."""
    from digest.demo import run_demo

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, open_browser() as chromium:
        demo = Path(name) / "demo"
        aside(lambda: run_demo(demo))
        for width in (PHONE, TABLET, DESK):
            for scheme in ("light", "dark"):
                copy = Path(name) / f"{width}-{scheme}"
                with (
                    served(demo, copy, prepare=add_hard) as live,
                    visitor(chromium, live, width=width, scheme=scheme) as page,
                ):
                    for page_name in walk(page, live):
                        if not wanted or page_name in wanted:
                            path = folder / f"{page_name}-{width}-{scheme}.png"
                            page.screenshot(path=path, full_page=True)


#: file → path, width, height, scheme
README = {
    "web-front": ("/", 1160, 760, "light"),
    "web-paper-dark": ("/paper/arxiv:2603.90417", PHONE, 1000, "dark"),
}


def for_readme() -> None:
    """Take those of the README anew."""
    from digest.demo import run_demo

    with tempfile.TemporaryDirectory() as name, open_browser() as chromium:
        demo = Path(name) / "demo"
        aside(lambda: run_demo(demo))
        with served(demo, Path(name) / "copy") as live:
            for file, (path, width, height, scheme) in README.items():
                with visitor(chromium, live, width=width, scheme=scheme) as page:
                    page.set_viewport_size({"width": width, "height": height})
                    page.goto(live.url + path)
                    page.screenshot(path=REPO / "docs" / f"{file}.png")


if __name__ == "__main__":
    if sys.argv[1:] == ["--readme"]:
        for_readme()
    else:
        main(Path(sys.argv[1]), frozenset(sys.argv[2:]))
