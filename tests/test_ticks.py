"""What the daemon's jobs do in one beat, and what they leave undone when something fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from digest.app import App
from digest.config import load_settings
from digest.model import CONFIRM_WITHIN, Status
from digest.schedule import _Heart, _scheduler
from digest.store import facts
from digest.store.schema import subscriber
from digest.ticks import tidy_tick
from tests.config_folder import MINIMAL
from tests.store_pieces import add_person, count

DAY = timedelta(days=1)


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    (tmp_path / "config.toml").write_text(MINIMAL, "utf-8")
    made = App(load_settings(tmp_path / "config.toml", {}))
    yield made
    made.close()


def test_what_cannot_be_tidied_keeps_nothing_else_from_it_and_all_is_told(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    long_ago = app.now() - CONFIRM_WITHIN - DAY
    how = {"status": Status.PENDING, "created_at": long_ago, "next_edition_at": None}
    add_person(app.store, "new@example.org", **how)
    with app.store.alter() as tx:
        tx.execute(text("DROP TABLE bounce"))
        tx.execute(text("DROP TABLE embedding"))

    _Heart(app, threading.Event()).beat("tidy", tidy_tick)

    assert count(app.store, subscriber) == 0
    (told,) = (r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR)
    assert "no such table: bounce" in told
    assert "no such table: embedding" in told
    with app.store.read() as tx:
        assert facts.get_fact(tx, "heartbeat.tidy") is None, "it is not well"


def test_a_process_that_only_serves_pages_says_which_model_it_uses(app: App) -> None:
    jobs = {
        roles: {job.id for job in _scheduler(app, roles.split(), threading.Event()).get_jobs()}
        for roles in ("web", "web deliver", "web edition")
    }

    assert [("model" in found, "meaning" in found) for found in jobs.values()] == [
        (True, False),
        (True, False),
        (False, True),
    ]
