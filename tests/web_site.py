"""A whole site in the test process: the demo's three days as its archive, and a client to read it.

The demo is lived through once for a test run; each test gets a copy of its folder. Import the
fixtures by name: `from tests.web_site import demo_folder, site`.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
from lxml import html
from sqlalchemy import MetaData, select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from digest.app import App
from digest.config import load_settings
from digest.demo import run_demo
from digest.model import Subscriber
from digest.store import people
from digest.web import build_web
from digest.web.desk import Desk
from tests.fakes import StepClock

T = TypeVar("T")
URL = "https://digest.example.org"
ADMIN_TOKEN = "correct horse battery"
#: the evening of the demo's last day
NOW = datetime(2026, 3, 12, 18, 0, tzinfo=UTC)
#: who the demo's readers are, by id
MARA, THEO, NANAMI, SURESH = 1, 2, 3, 4


@dataclass
class Site:
    """An application with its parts, and a reader's browser without scripts."""

    app: App
    web: Starlette
    client: TestClient
    clock: StepClock
    folder: Path
    seen: list[str] = field(default_factory=list)

    @property
    def desk(self) -> Desk:
        desk: Desk = self.web.state.desk
        return desk

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def page(self, path: str) -> html.HtmlElement:
        """A page that must be there, parsed."""
        answer = self.get(path)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
        return html.fromstring(answer.text)

    def send(self, path: str, number: int = 0, /, **fields: Any) -> Any:
        """Open a page, fill in its form as a browser would, and send it.

        `number` picks among the page's POST forms; a field given as None is left out.
        """
        form = self.forms(path)[number]
        values = filled(form) | {k: v for k, v in fields.items() if v is not None}
        values = {k: v for k, v in values.items() if k not in fields or fields[k] is not None}
        target = form.get("action") or path
        return self.client.post(target, data=values, follow_redirects=False)

    def forms(self, path: str) -> list[html.HtmlElement]:
        return [f for f in self.page(path).forms if f.method == "POST"]

    def refresh(self) -> None:
        """Forget what was made ready: the archive was changed behind the back of collecting."""
        self.desk.cache._kept.clear()
        self.desk.stand._pool = self.desk.stand._ranker = None
        self.desk.version._asked_at -= 60

    def settle(self) -> None:
        """Wait until the sign-ups that were answered have been dealt with."""
        self.desk._after.submit(lambda: None).result(20)

    def deliver(self) -> None:
        self.app.deliverer.deliver(self.app.transport())

    def mails(self, address: str) -> list[Path]:
        """The mails to an address, oldest first."""
        name = address.partition("@")[0]
        return sorted((self.folder / "mail").glob(f"*-{name}.eml"))

    def subscriber(self, subscriber_id: int) -> Subscriber | None:
        with self.app.store.read() as tx:
            return people.get_subscriber(tx, subscriber_id)

    def find(self, address: str) -> Subscriber | None:
        from digest.addresses import parse_address

        with self.app.store.read() as tx:
            return people.find_subscriber(tx, parse_address(address).key)

    def wishes(self, subscriber_id: int) -> list[tuple[str, str]]:
        with self.app.store.read() as tx:
            found = people.wishes_of(tx, [subscriber_id])
        return [(wish.kind.value, wish.value) for wish, _ in found.get(subscriber_id, [])]

    def path(self, link: str) -> str:
        return link.removeprefix(URL)

    def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything in the database, to see whether anything has changed."""
        return database_rows(self.app)


def filled(form: html.HtmlElement) -> dict[str, Any]:
    """The values that a browser would send, the submit button left out."""
    values: dict[str, Any] = {}
    for element in form.xpath(".//input|.//select|.//textarea"):
        name = element.get("name")
        if not name or element.get("type") in ("submit", "image"):
            continue
        if element.get("type") in ("checkbox", "radio"):
            if element.get("checked") is not None:
                values.setdefault(name, []).append(element.get("value", "on"))
        elif element.tag == "select":
            values[name] = element.value or ""
        elif element.tag == "textarea":
            values[name] = (element.text or "").lstrip("\n")
        elif element.get("type") == "hidden" and name in values:
            first = values[name]
            values[name] = [*(first if isinstance(first, list) else [first]), element.get("value")]
        else:
            values[name] = element.get("value", "")
    return values


def database_rows(app: App) -> dict[str, list[tuple[Any, ...]]]:
    metadata = MetaData()
    with app.store.read() as tx:
        metadata.reflect(tx)
        return {
            name: sorted((tuple(row) for row in tx.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
            if not name.startswith("item_text")
        }


def query_of(link: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's folder: config, database, mails."""
    folder = tmp_path_factory.mktemp("demo") / "demo"
    aside(lambda: run_demo(folder))
    return folder


def aside(do: Callable[[], T]) -> T:
    """Do something in a thread of its own: Playwright's event loop occupies the main one."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(do).result(120)


def open_site(folder: Path, *, url: str = URL, web: str = "") -> tuple[App, StepClock]:
    """The parts of a copy of the demo, on a clock of its own."""
    config = folder / "config.toml"
    text = re.sub(r"(?m)^url = \"[^\"]*\"", f'url = "{url}"', config.read_text("utf-8"), count=1)
    section = f'[web]\nadmin_token = "{ADMIN_TOKEN}"\n{web}\n'
    config.write_text(re.sub(r"\[web\]\n[^\[]*", section, text, count=1), "utf-8")
    clock = StepClock(NOW)
    return App(load_settings(config, environ={}), clock), clock


@pytest.fixture
def site(demo_folder: Path, tmp_path: Path) -> Iterator[Site]:
    """The pages over a copy of the demo's archive."""
    folder = tmp_path / "site"
    shutil.copytree(demo_folder, folder)
    app, clock = open_site(folder)
    web = build_web(app)
    with TestClient(web, base_url=URL) as client:
        deadline = time.monotonic() + 20
        while not web.state.warming.done() and time.monotonic() < deadline:
            time.sleep(0.002)
        yield Site(app=app, web=web, client=client, clock=clock, folder=folder)
    app.close()
