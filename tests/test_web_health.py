"""/health and /metrics: true at every call, readable by machines, silent to strangers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update
from starlette.testclient import TestClient

from digest.model import MessageKind
from digest.store.facts import put_fact
from digest.store.outbox import NewMessage, add_messages
from digest.store.schema import source
from digest.vitals import ALARM_QUESTIONS
from tests.web_site import ADMIN_TOKEN, MARA, NOW, URL, Site, demo_folder, site

__all__ = ["demo_folder", "site"]


def names(site: Site, grade: str) -> list[str]:
    return [c["name"] for c in site.get("/health").json()["checks"] if c["grade"] == grade]


def test_a_service_that_keeps_its_promises_is_well(site: Site) -> None:
    answer = site.get("/health")

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.headers["cache-control"] == "no-store"


def test_late_collecting_is_told_with_503(site: Site) -> None:
    with site.app.store.write() as tx:
        tx.execute(update(source).values(next_fetch_at=NOW - timedelta(hours=9)))

    answer = site.get("/health")

    assert answer.status_code == 503
    assert answer.json()["status"] == "unwell"
    assert names(site, "bad") == ["source arxiv", "source huggingface"]


def test_late_editions_and_late_sending_are_told_with_503(site: Site) -> None:
    site.clock.at += timedelta(hours=18)
    assert names(site, "bad")[-1] == "editions"

    site.app.editor.make_due(site.clock.now())
    assert "sending" not in names(site, "bad")
    site.clock.at += timedelta(hours=2)
    assert "sending" in names(site, "bad")

    site.deliver()
    assert "sending" not in names(site, "bad")


def test_paused_sending_is_told_with_503(site: Site) -> None:
    pause = {"times": 1, "since": NOW.isoformat(), "until": NOW.isoformat(), "reason": "no relay"}
    with site.app.store.write() as tx:
        put_fact(tx, "sending_paused", pause)

    assert site.get("/health").status_code == 503
    assert names(site, "bad") == ["sending"]


def test_a_database_that_is_gone_is_told_with_503(site: Site) -> None:
    site.app.store.engine.dispose()
    database = site.folder / "digest.db"
    database.rename(site.folder / "gone.db")
    (site.folder / "digest.db").mkdir()

    answer = site.get("/health")

    assert answer.status_code == 503
    assert answer.json()["checks"][0]["name"] == "database"
    (site.folder / "digest.db").rmdir()
    (site.folder / "gone.db").rename(database)


def test_many_questions_in_an_hour_raise_the_alarm_everywhere(site: Site) -> None:
    with site.app.store.write() as tx:
        questions = [
            NewMessage(
                kind=MessageKind.CONFIRMATION,
                subscriber_id=MARA,
                dedupe_key=f"confirm:{n}",
                message_id=f"<{n}@example.org>",
                due_at=NOW,
            )
            for n in range(ALARM_QUESTIONS)
        ]
        add_messages(tx, questions, now=NOW)

    site.send("/admin/login", token=ADMIN_TOKEN)

    assert names(site, "warn") == ["sign-ups"]
    assert "typing in other people" in site.get("/admin").text
    assert f"digest_asked_hour {ALARM_QUESTIONS}.0" in metrics(site)


def metrics(site: Site, **headers: str) -> str:
    return str(_local(site).get("/metrics", headers=headers).text)


def _local(site: Site) -> TestClient:
    return TestClient(site.web, base_url=URL, client=("127.0.0.1", 50_000))


def test_metrics_are_what_prometheus_reads(site: Site) -> None:
    site.get("/")
    families = {f.name: f for f in text_string_to_metric_families(metrics(site))}

    def value(name: str, **labels: str) -> float:
        return next(s.value for s in families[name].samples if s.labels == labels)

    assert value("digest_healthy") == 1
    assert value("digest_subscribers", status="confirmed") == 4
    assert value("digest_messages_today", state="sent") == 4
    assert value("digest_messages_due_today") == 4
    assert value("digest_source_failures", source="arxiv") == 0
    assert value("digest_items") == 58
    assert families["digest_web_responses"].samples


def test_metrics_are_for_this_machine_or_the_bearer_of_the_token(site: Site) -> None:
    stranger = TestClient(site.web, base_url=URL, client=("203.0.113.9", 50_000))
    bearer = {"authorization": f"Bearer {ADMIN_TOKEN}"}

    assert _local(site).get("/metrics").status_code == 200
    assert stranger.get("/metrics").status_code == 403
    assert stranger.get("/metrics", headers={"authorization": "Bearer x"}).status_code == 403
    assert stranger.get("/metrics", headers=bearer).status_code == 200
    proxied = {"x-forwarded-for": "203.0.113.9"}
    assert _local(site).get("/metrics", headers=proxied).status_code == 403


@pytest.mark.parametrize("host", ["10.0.0.7:8080", "digest-0.digest.svc", "localhost"])
def test_watchers_may_ask_by_any_name(site: Site, host: str) -> None:
    assert site.client.get("/health", headers={"host": host}).status_code == 200
