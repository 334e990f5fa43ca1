"""Three recorded months, lived through: who was due got one edition, and nothing came twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from digest.app import App
from digest.model import Cadence, OutboxState
from digest.report import day_report
from tests.listing_server import ReplayServer
from tests.paths import LISTINGS, needs_shared
from tests.replaying import END, PEOPLE, START, Person, live, opened

pytestmark = [
    pytest.mark.slow,
    needs_shared,
    pytest.mark.timeout(900),
]

OFF_FROM = datetime(2026, 3, 11, tzinfo=UTC)
OFF_UNTIL = datetime(2026, 3, 14, tzinfo=UTC)
CATCH_UP = timedelta(hours=20)
DAILY = LISTINGS / "huggingface" / "daily_papers"
_PAPER = re.compile(rb"arxiv\.org/abs/(\d{4}\.\d{5})")


@dataclass(frozen=True)
class Row:
    """An outbox row of the replay."""

    email: str
    due_at: datetime
    state: OutboxState
    reason: str | None
    picks: int


def rows_of(app: App) -> list[Row]:
    with app.store.read() as tx:
        found = tx.execute(
            text(
                "SELECT s.email, o.due_at, o.state, o.reason, (SELECT count(*) FROM pick p"
                " WHERE p.edition_id = o.edition_id AND p.section = 'pick') AS picks"
                " FROM outbox o JOIN subscriber s ON s.id = o.subscriber_id ORDER BY o.id"
            )
        ).all()
    return [
        Row(
            email=r.email,
            due_at=datetime.fromisoformat(r.due_at).replace(tzinfo=UTC),
            state=OutboxState(r.state),
            reason=r.reason,
            picks=r.picks,
        )
        for r in found
    ]


def is_off(moment: datetime) -> bool:
    return OFF_FROM <= moment < OFF_UNTIL


@dataclass(frozen=True)
class Lived:
    """What three months left behind."""

    app: App
    mails: Path
    rows: list[Row]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("replay") / "first"
    with ReplayServer() as server, opened(folder, server.url) as (app, clock):
        live(app, clock, END, is_off=is_off)
        yield Lived(app=app, mails=folder / "mail", rows=rows_of(app))


def due_dates(person: Person) -> dict[date, datetime]:
    """Local dates on which this person's hour passed, by zoneinfo alone."""
    zone = ZoneInfo(person.zone)
    days = (START.date() + timedelta(days=n) for n in range(-1, 91))
    slots = {
        day: datetime.combine(day, person.send_at, zone).astimezone(UTC)
        for day in days
        if person.cadence is Cadence.DAILY
        or (person.cadence is Cadence.WEEKDAYS and day.weekday() < 5)
        or (person.cadence is Cadence.WEEKLY and day.weekday() == 0)
    }
    last_tick = END - timedelta(hours=2)
    return {day: slot for day, slot in slots.items() if START < slot <= last_tick}


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.email)
def test_every_due_local_date_has_one_row(lived: Lived, person: Person) -> None:
    zone = ZoneInfo(person.zone)

    mine = [row for row in lived.rows if row.email == person.email]

    dates = [row.due_at.astimezone(zone).date() for row in mine]
    assert sorted(dates) == sorted(due_dates(person))
    assert sorted(row.due_at for row in mine) == sorted(due_dates(person).values())


def test_every_date_with_something_to_say_was_mailed(lived: Lived) -> None:
    outcomes = Counter((row.state, row.picks > 0) for row in lived.rows)

    assert set(outcomes) == {(OutboxState.SENT, True), (OutboxState.SKIPPED, False)}
    assert outcomes[OutboxState.SENT, True] == len(list(lived.mails.iterdir()))
    assert outcomes[OutboxState.SENT, True] > 200


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.email)
def test_nobody_is_sent_a_paper_twice(lived: Lived, person: Person) -> None:
    local = person.email.partition("@")[0]
    papers: Counter[bytes] = Counter()

    for path in sorted(lived.mails.glob(f"*{local}*.eml")):
        # the links stand in both parts: once per mail counts
        papers.update(set(_PAPER.findall(path.read_bytes().replace(b"=\r\n", b""))))

    assert papers, "this reader got nothing in three months"
    assert max(papers.values()) == 1


def test_the_ledger_of_every_day_adds_up(lived: Lived) -> None:
    days = [START.date() + timedelta(days=n) for n in range((END - START).days)]

    accounts = [day_report(lived.app.store, day, lived.app.source_names).ledger for day in days]

    assert all(account.adds_up for account in accounts)
    assert sum(account.due for account in accounts) == len(lived.rows)
    due = Counter(slot.date() for person in PEOPLE for slot in due_dates(person).values())
    assert {a.day: a.due for a in accounts if a.due} == due


def test_three_days_off_are_caught_up_once(lived: Lived) -> None:
    missed = [row for row in lived.rows if row.reason == "missed: the daemon was down"]
    slots = [
        slot
        for person in PEOPLE
        for slot in due_dates(person).values()
        if OFF_FROM - timedelta(hours=2) < slot < OFF_UNTIL
    ]
    last = {
        person.email: max(s for s in due_dates(person).values() if s < OFF_UNTIL)
        for person in PEOPLE
    }

    late = {email: slot for email, slot in last.items() if OFF_UNTIL - slot <= CATCH_UP}

    assert late, "somebody's last slot was recent enough to be caught up"
    too_late = [slot for slot in slots if OFF_UNTIL - slot > CATCH_UP]
    too_late += [s for s in slots if OFF_UNTIL - s <= CATCH_UP and s not in late.values()]
    assert Counter(row.due_at for row in missed) == Counter(too_late)
    for email, slot in late.items():
        (row,) = [row for row in lived.rows if row.email == email and row.due_at == slot]
        assert row.reason != "missed: the daemon was down"


def test_every_recorded_paper_is_one_item(lived: Lived) -> None:
    days = ((START + timedelta(days=n)).date() for n in range((END - START).days))
    files = [path for day in days if (path := DAILY / f"{day}.json").exists()]
    recorded = {item["paper"]["id"] for path in files for item in json.loads(path.read_bytes())}

    with lived.app.store.read() as tx:
        known = list(tx.execute(text("SELECT arxiv_id FROM item")).scalars())

    assert len(files) == 64
    assert sorted(known) == sorted(recorded)


def test_a_second_life_with_the_same_clock_has_the_same_bytes(lived: Lived, tmp_path: Path) -> None:
    until = START + timedelta(days=21)

    with ReplayServer() as server, opened(tmp_path / "second", server.url) as (app, clock):
        live(app, clock, until, is_off=is_off)
    again = {p.name: p.read_bytes() for p in (tmp_path / "second" / "mail").iterdir()}

    assert len(again) > 50
    first = {p.name: p.read_bytes() for p in lived.mails.iterdir() if p.name in again}
    assert first == again
