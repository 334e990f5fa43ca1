"""`digest demo`: the whole way on a bundled sample, with the real parts and nothing else needed.

A local server plays the sources over three days; the collector reads it, editions are made for
four sample readers, and the mails are written into a folder. Nothing is left outside of it.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from digest.app import App
from digest.clock import parse_send_at
from digest.config import load_settings
from digest.enrol import Choices
from digest.errors import BadInput
from digest.model import Cadence, Edition, InterestKind
from digest.report import DayReport, day_report
from digest.sample import SAMPLE_DAYS, SAMPLE_SUBSCRIBERS, SAMPLE_TOPICS, SampleServer
from digest.sample.people import SampleSubscriber
from digest.store import editions as shelf
from digest.store.people import all_subscribers

_MARK = ".digest-demo"
_TOP = 3
_START = datetime.combine(SAMPLE_DAYS[0], datetime.min.time(), UTC)
#: until every reader's hour of the last day has passed
_HOURS = 24 * len(SAMPLE_DAYS)
#: when the demo is over
DEMO_END = _START + timedelta(hours=_HOURS)
#: where the links in the mails lead when no pages are served
_URL = "https://digest.example.org"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demo made and where."""

    folder: Path
    #: address → that reader's editions, oldest first
    editions: dict[str, tuple[Edition, ...]]
    reports: tuple[DayReport, ...]
    mails: tuple[Path, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "mails": [str(path) for path in self.mails],
            "editions": {
                email: [
                    {
                        "local_on": edition.local_on.isoformat(),
                        "picks": [
                            {
                                "title": entry.wording.title,
                                "key": entry.wording.key,
                                "score": entry.pick.score,
                                "reasons": [str(reason) for reason in entry.pick.reasons],
                            }
                            for entry in edition.entries
                        ],
                    }
                    for edition in editions
                ]
                for email, editions in self.editions.items()
            },
            "reports": [report.as_json() for report in self.reports],
        }


class _SampleClock:
    """The demo's time: it stands still until it is moved, and nothing waits for it."""

    def __init__(self, now: datetime) -> None:
        self.moment = now

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        """The sample's server needs no politeness."""


def run_demo(folder: Path, *, site_url: str = _URL) -> DemoResult:
    """Live through the sample's three days, hour by hour, and leave the mails in `folder`.

    `site_url` is where the links in them lead. Raises BadInput when the folder holds anything but
    an earlier demo.
    """
    _prepare(folder)
    clock = _SampleClock(_START)
    with SampleServer(_START) as server, _opened(folder, server.url, site_url, clock) as app:
        for reader in SAMPLE_SUBSCRIBERS:
            _subscribe(app, reader)
        for hour in range(_HOURS):
            server.now = clock.moment = _START + timedelta(hours=hour, minutes=30)
            app.collector.collect_due(clock.moment)
            app.editor.make_due(clock.moment)
            app.deliverer.deliver(app.transport())
        return DemoResult(
            folder=folder,
            editions=_editions(app),
            reports=tuple(day_report(app.store, day, app.source_names) for day in SAMPLE_DAYS),
            mails=_write_html(folder / "mail"),
        )


def _prepare(folder: Path) -> None:
    mark = folder / _MARK
    if folder.exists() and not folder.is_dir():
        raise BadInput(f"{folder} is a file; name another folder with --folder")
    if mark.exists():
        shutil.rmtree(folder)
    elif folder.exists() and any(folder.iterdir()):
        raise BadInput(f"{folder} holds other files; name another folder with --folder")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()


@contextmanager
def _opened(folder: Path, source_url: str, site_url: str, clock: _SampleClock) -> Iterator[App]:
    config = folder / "config.toml"
    config.write_text(_config_text(source_url, site_url), encoding="utf-8")
    app = App(load_settings(config, environ={}), clock)
    try:
        yield app
    finally:
        app.close()


def _config_text(source_url: str, site_url: str) -> str:
    """Settings in the form of config.toml; the strings of JSON are strings of TOML."""
    said = json.dumps
    lines = [
        "[site]",
        'name = "Trending Papers"',
        f"url = {said(site_url)}",
        f"secret_key = {said(secrets.token_urlsafe(48))}",
        'postal_address = "Digest, 1 Example Street, 12345 Exampleton"',
        "[web]",
        f"admin_token = {said(secrets.token_urlsafe(12))}",
        "[mail]",
        'from = "Trending Papers <digest@example.org>"',
        "[smtp]",
        'transport = "folder"',
        'path = "mail"',
    ]
    for kind in ("huggingface", "arxiv"):
        lines += ["[[source]]", f"name = {said(kind)}", f"kind = {said(kind)}"]
        lines += [f"url = {said(source_url)}", 'every = "4h"', 'pause = "0s"']
        lines += ['categories = ["cs.AI", "cs.CL", "cs.CV", "cs.LG"]'] * (kind == "arxiv")
    for topic in SAMPLE_TOPICS:
        lines.append("[[topic]]")
        lines += [f"{key} = {said(value, ensure_ascii=False)}" for key, value in topic.items()]
    return "\n".join(lines) + "\n"


def _subscribe(app: App, reader: SampleSubscriber) -> None:
    app.enrolment.join(
        reader["email"],
        Choices(
            zone=reader["zone"],
            send_at=parse_send_at(reader["send_at"]),
            cadence=Cadence(reader["cadence"]),
            wishes={
                InterestKind.TOPIC: tuple(reader["topics"]),
                InterestKind.TEXT: tuple(reader["interests"]),
                InterestKind.KEYWORD: tuple(reader["keywords"]),
                InterestKind.EXCLUDE: tuple(reader["exclude"]),
                InterestKind.AUTHOR: tuple(reader["authors"]),
            },
        ),
        now=app.now(),
        source="demo",
        vouched=True,
    )


def _editions(app: App) -> dict[str, tuple[Edition, ...]]:
    found: dict[str, tuple[Edition, ...]] = {}
    with app.store.read() as tx:
        for subscriber in all_subscribers(tx):
            ids = shelf.edition_ids(tx, subscriber.id)
            found[subscriber.email] = tuple(shelf.load_editions(tx, ids).values())
    return found


def _write_html(folder: Path) -> tuple[Path, ...]:
    """Beside every .eml its HTML part, to be looked at in a browser."""
    mails = tuple(sorted(folder.glob("*.eml")))
    for path in mails:
        message = message_from_bytes(path.read_bytes(), policy=policy.default)
        part = message.get_body(preferencelist=("html",))
        if part is not None:
            path.with_suffix(".html").write_text(part.get_content(), encoding="utf-8")
    return mails


def tell_demo(result: DemoResult) -> str:
    """What happened, for a newcomer."""
    lines = []
    for email, editions in result.editions.items():
        lines.append(f"{email}: {len(editions)} editions")
        for entry in editions[-1].entries[:_TOP] if editions else ():
            why = " · ".join(str(reason) for reason in entry.pick.reasons)
            lines.append(f"  {entry.pick.position}. {entry.wording.title}")
            lines.append(f"     {why}")
        lines.append("")
    for report in result.reports:
        account = report.ledger
        states = [f"{n} {state.value}" for state, n in account.states.items() if n]
        lines.append(f"{account.day}: {account.due} due = {' + '.join(states)}")
        for state, reasons in account.reasons.items():
            lines += [f"  {state.value}: {n} × {reason}" for reason, n in reasons.items()]
        for source in report.sources:
            lines.append(
                f"  {source.name}: {source.read} read, {source.new} new, {source.merged} known,"
                f" {source.broken} broken"
            )
    lines += ["", f"The mails are in {result.folder / 'mail'}: .eml for a mail program,"]
    lines += [f".html for a browser. Begin with {result.mails[-1].with_suffix('.html')}"]
    return "\n".join(lines)
