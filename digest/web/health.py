"""/health for the machine that watches, /metrics for the one that draws curves (Prometheus).

Both ask the database at every call: what they say is true now. /metrics tells how many readers
there are, so it answers this machine, and others with the admin token.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from digest.errors import StoreError
from digest.store.bounces import count_bounces
from digest.store.collecting import source_states
from digest.store.ledger import Ledger, ledger
from digest.store.outbox import waiting
from digest.store.pages import newest_id
from digest.store.people import count_subscribers
from digest.store.vitals import Asking, Vitals, read_asking, read_vitals
from digest.vitals import Grade, Health, judge
from digest.web.desk import Desk

K = TypeVar("K", bound=str)


def health(desk: Desk, request: Request) -> Response:
    """200 when everything promised happens, 503 when it does not, with what is wrong."""
    try:
        found = look(desk)
    except StoreError as error:
        check = {"name": "database", "grade": "bad", "text": str(error)}
        return JSONResponse({"status": "unwell", "checks": [check]}, 503)
    is_well = found.grade is not Grade.BAD
    checks = [{"name": c.name, "grade": c.grade, "text": c.text} for c in found.checks]
    value = {"status": "ok" if is_well else "unwell", "checks": checks}
    return JSONResponse(value, 200 if is_well else 503)


def look(desk: Desk) -> Health:
    """How the service is doing now."""
    now = desk.app.now()
    with desk.store.read() as tx:
        vitals, asking = read_vitals(tx), read_asking(tx, now)
    return _judged(desk, vitals, asking)


def _judged(desk: Desk, vitals: Vitals, asking: Asking) -> Health:
    every = {source.name: source.every for source in desk.settings.sources}
    return judge(vitals, asking, every=every, now=desk.app.now())


def metrics(desk: Desk, request: Request) -> Response:
    """The numbers in Prometheus' text format."""
    if not _may_see(desk, request):
        text = "for this machine, or with Authorization: Bearer and the admin token\n"
        return PlainTextResponse(text, 403)
    registry = CollectorRegistry()
    registry.register(_Numbers(desk))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _may_see(desk: Desk, request: Request) -> bool:
    token = desk.settings.web.admin_token
    given = request.headers.get("authorization", "").encode()
    if token is not None:
        wanted = f"Bearer {token.get_secret_value()}".encode()
        if hmac.compare_digest(given, wanted):
            return True
    # a proxy on this machine speaks for others, and says so
    forwarded = {"x-forwarded-for", "forwarded"} & set(request.headers)
    return not forwarded and request.client is not None and _is_local(request.client.host)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class _Numbers:
    """Asks for all numbers when they are collected."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def collect(self) -> Iterator[Metric]:
        desk, now = self._desk, self._desk.app.now()
        with desk.store.read() as tx:
            vitals, asking = read_vitals(tx), read_asking(tx, now)
            people, queue = count_subscribers(tx), waiting(tx)
            today, items = ledger(tx, now.date()), newest_id(tx)
            returned = count_bounces(tx, since=now - desk.day)
            states = source_states(tx, [s.name for s in vitals.sources])
        grade = _judged(desk, vitals, asking).grade
        yield _gauge("digest_healthy", "1 when /health says 200", grade is not Grade.BAD)
        yield _gauge("digest_items", "Papers and posts in the archive", items)
        yield _by("subscribers", "Subscribers by status", "status", people)
        yield _by("outbox_messages", "Messages that can still move, by state", "state", queue)
        yield from _of_today(today)
        yield _by("bounces_day", "What came back within a day, by kind", "kind", returned)
        yield _gauge("digest_asked_hour", "Addresses asked to confirm in an hour", asking.last_hour)
        yield from _of_sources(vitals)
        usual = {s.name: s.usual for s in states if s.usual is not None}
        yield _by("source_usual_entries", "Usual length of a source's list", "source", usual)
        read = {s.name: s.last_reading.entries for s in states if s.last_reading}
        yield _by("source_entries", "Length of the list read last", "source", read)
        beats = {stage: at.timestamp() for stage, at in vitals.heartbeats.items()}
        yield _by("heartbeat_timestamp_seconds", "Last sign of life of a stage", "stage", beats)
        yield from _of_web(desk)


def _of_today(today: Ledger) -> Iterator[Metric]:
    yield _gauge("digest_messages_due_today", "Messages due this UTC day", today.due)
    states = {state.value: count for state, count in today.states.items()}
    yield _by("messages_today", "Where the messages due today stand", "state", states)


def _of_sources(vitals: Vitals) -> Iterator[Metric]:
    read = {s.name: s.last_read_at.timestamp() for s in vitals.sources if s.last_read_at}
    yield _by("source_last_read_timestamp_seconds", "Last good reading", "source", read)
    failures = {s.name: s.failures for s in vitals.sources}
    yield _by("source_failures", "Passes in a row without a reading", "source", failures)


def _of_web(desk: Desk) -> Iterator[Metric]:
    answers = CounterMetricFamily(
        "digest_web_responses", "Answers of this process", labels=["status"]
    )
    for status, count in sorted(desk.answers.items()):
        answers.add_metric([f"{status}xx"], count)
    yield answers


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))


def _by(name: str, text: str, label: str, values: Mapping[K, float]) -> Metric:
    family = GaugeMetricFamily(f"digest_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([str(key)], float(value))
    return family
