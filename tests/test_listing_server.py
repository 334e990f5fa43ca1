"""The replaying server answers as recorded, fails as told, and always ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests import listing_server as troubles
from tests.listing_server import ReplayServer, recorded_snapshots
from tests.paths import needs_shared
from tests.recordings import HUGGINGFACE, daily_files, daily_items

DAY = "2026-03-11"
PATH = f"/api/daily_papers?date={DAY}"


def item(number: int, **paper: object) -> dict[str, object]:
    named = {"id": f"2603.9{number:04}", "upvotes": 99 - number}
    return {
        "paper": named | paper,
        "publishedAt": f"2026-03-{1 + number % 9:02}",
        "title": f"Paper {number}, as long as titles usually are",
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of two days: 60 and 2 papers."""
    for day, count in ((DAY, 60), ("2026-03-12", 2)):
        items = [item(number) for number in range(count)]
        (tmp_path / f"{day}.json").write_text(json.dumps(items), "utf-8")
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[ReplayServer]:
    with ReplayServer(folder) as running:
        yield running


def ask(server: ReplayServer, path: str = PATH, timeout: float = 20) -> httpx.Response:
    return httpx.get(server.url + path, trust_env=False, timeout=timeout)


def ids(answer: httpx.Response) -> list[str]:
    return [entry["paper"]["id"] for entry in answer.json()]


# As recorded


def test_a_day_is_answered_in_pages_of_fifty_unless_asked(server: ReplayServer):
    assert len(ids(ask(server))) == 50
    assert len(ids(ask(server, PATH + "&p=1"))) == 10
    assert len(ids(ask(server, PATH + "&limit=100"))) == 60
    assert len(ids(ask(server, PATH + "&limit=999"))) == 60
    assert ids(ask(server, PATH + "&limit=100&p=1")) == []


def test_days_that_were_not_recorded_are_empty(server: ReplayServer):
    assert ask(server, "/api/daily_papers?date=2026-03-14").json() == []


def test_a_date_that_is_none_is_refused(server: ReplayServer):
    assert ask(server, "/api/daily_papers?date=tomorrow").status_code == 400


def test_without_a_date_the_newest_day_comes_by_publication(server: ReplayServer):
    assert ids(ask(server, "/api/daily_papers")) == ["2603.90001", "2603.90000"]


def test_days_after_its_clock_are_empty(server: ReplayServer):
    server.now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    early = ask(server).json()
    server.now = datetime(2026, 3, 11, 0, tzinfo=UTC)

    assert early == [] and len(ids(ask(server))) == 50
    assert len(ids(ask(server, "/api/daily_papers"))) == 50


def test_snapshots_are_served_as_of_the_clock(folder: Path, tmp_path: Path):
    taken = []
    for hour, votes in ((6, 3), (12, 9)):
        path = tmp_path / f"{DAY}__at_20260311T{hour:02}0000Z.json"
        path.write_text(json.dumps([item(0, upvotes=votes)]), "utf-8")
        taken.append((datetime(2026, 3, 11, hour, tzinfo=UTC), path))

    assert recorded_snapshots(tmp_path) == {DAY: taken}
    with ReplayServer(folder, snapshots={DAY: taken}) as server:
        seen = []
        for hour in (5, 6, 11, 12, 23):
            server.now = datetime(2026, 3, 11, hour, tzinfo=UTC)
            seen.append([entry["paper"]["upvotes"] for entry in ask(server).json()])

    assert seen == [[], [3], [3], [9], [9]]


def test_a_recorded_page_is_served_and_others_do_not_exist(folder: Path, tmp_path: Path):
    (tmp_path / f"papers_date_{DAY}__captured_2026-03-12.html").write_text("<p>Wednesday", "utf-8")
    with ReplayServer(folder, html=tmp_path) as server:
        page = ask(server, f"/papers/date/{DAY}")
        other = ask(server, "/papers/date/2026-03-12")

    assert page.headers["Content-Type"].startswith("text/html") and page.text == "<p>Wednesday"
    assert other.status_code == 404


def test_requests_are_logged_with_their_day_and_time(server: ReplayServer):
    server.now = datetime(2026, 3, 12, tzinfo=UTC)
    ask(server)
    ask(server, "/papers/date/2026-03-12")
    ask(server, "/robots.txt")

    assert server.days_asked() == [DAY, "2026-03-12"]
    assert [logged.path for logged in server.requests][2] == "/robots.txt"
    times = [logged.at_s for logged in server.requests]
    assert times == sorted(times)
    assert server.requests[0].now == server.now
    assert "user-agent" in server.requests[0].headers


# As told


def test_trouble_holds_for_its_day_and_for_so_many_requests(server: ReplayServer):
    server.misbehave(troubles.status(500), on=DAY, times=2)

    assert [ask(server).status_code for _ in range(3)] == [500, 500, 200]
    assert ask(server, "/api/daily_papers?date=2026-03-12").status_code == 200


def test_general_trouble_spares_robots_txt_and_can_be_ended(server: ReplayServer):
    server.misbehave(troubles.status(403))
    during = [ask(server).status_code, ask(server, "/robots.txt").status_code]
    server.behave()

    assert during == [403, 200] and ask(server).status_code == 200


def test_a_path_goes_before_a_day_and_a_day_before_everything(server: ReplayServer):
    server.misbehave(troubles.status(500))
    server.misbehave(troubles.status(502), on=DAY)
    server.misbehave(troubles.status(503), on=f"/papers/date/{DAY}")
    asked = (f"/papers/date/{DAY}", PATH, "/api/daily_papers")

    assert [ask(server, path).status_code for path in asked] == [503, 502, 500]


def test_a_busy_server_says_when_to_come_back(server: ReplayServer):
    server.misbehave(troubles.status(429, headers={"Retry-After": "120"}))

    assert ask(server).headers["Retry-After"] == "120"


def test_what_should_be_a_list_can_be_something_else(server: ReplayServer):
    server.misbehave(troubles.empty_list(), times=1)
    assert ask(server).json() == []

    server.misbehave(troubles.html_page(), times=1)
    assert ask(server).headers["Content-Type"].startswith("text/html")

    server.misbehave(troubles.half_json(), times=1)
    half = ask(server)
    assert half.status_code == 200 and half.text.startswith("[{")
    with pytest.raises(ValueError):
        half.json()


def test_a_connection_can_break_in_the_middle_or_at_once(server: ReplayServer):
    for trouble in (troubles.cut_short(), troubles.hang_up()):
        server.misbehave(trouble, times=1)
        with pytest.raises(httpx.RemoteProtocolError):
            ask(server)

    assert ask(server).status_code == 200


def test_a_redirect_can_lead_in_a_circle_or_elsewhere(server: ReplayServer):
    server.misbehave(troubles.redirect())
    with pytest.raises(httpx.TooManyRedirects):
        httpx.get(server.url + PATH, follow_redirects=True, trust_env=False)

    server.misbehave(troubles.redirect("/papers/date/2026-03-12", code=301))
    assert ask(server).headers["Location"] == "/papers/date/2026-03-12"


def test_an_endless_body_goes_on_until_the_client_has_had_enough(server: ReplayServer):
    server.misbehave(troubles.endless())
    size = 0
    with httpx.stream("GET", server.url + PATH, trust_env=False) as answer:
        for chunk in answer.iter_raw():
            size += len(chunk)
            if size > 2_000_000:
                break

    assert size > 2_000_000
    server.behave()
    assert ask(server).status_code == 200


@pytest.mark.parametrize("trouble", [troubles.silence(), troubles.stall()])
def test_a_request_without_an_answer_times_out_and_others_go_on(
    server: ReplayServer, trouble: troubles.Trouble
):
    server.misbehave(trouble, on=DAY)
    with pytest.raises(httpx.ReadTimeout):
        ask(server, timeout=0.2)

    assert ask(server, "/api/daily_papers?date=2026-03-12").status_code == 200


def test_releasing_ends_what_hangs(server: ReplayServer):
    server.misbehave(troubles.silence())
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(ask, server)
        server.wait_for_requests(1)
        server.release()

        with pytest.raises(httpx.RemoteProtocolError):
            hanging.result(20)


@pytest.mark.parametrize("trouble", [troubles.silence(), troubles.stall()])
def test_the_context_ends_although_a_client_waits(folder: Path, trouble: troubles.Trouble):
    with ThreadPoolExecutor(1) as pool:
        with ReplayServer(folder) as server:
            server.misbehave(trouble)
            waiting = pool.submit(ask, server, PATH, 60)
            server.wait_for_requests(1)

        with pytest.raises(httpx.TransportError):
            waiting.result(20)


def test_the_context_ends_although_a_body_does_not(folder: Path):
    with httpx.Client(trust_env=False, timeout=20) as client:
        with ReplayServer(folder) as server:
            server.misbehave(troubles.endless())
            answer = client.send(client.build_request("GET", server.url + PATH), stream=True)
            chunks = answer.iter_raw()
            size = len(next(chunks))

        with suppress(httpx.TransportError):  # cut in the middle or at a chunk's end
            size += sum(len(chunk) for chunk in chunks)

    assert size < troubles.ENDLESS_BYTES_MAX


# The recordings themselves


@needs_shared
def test_a_recorded_day_is_replayed_whole():
    path = daily_files()[-1]
    with ReplayServer() as server:
        answer = ask(server, f"/api/daily_papers?date={path.stem}&limit=100")

    assert answer.json() == daily_items(path)


@needs_shared
def test_recorded_snapshots_grow_with_the_clock():
    snapshots = recorded_snapshots()
    taken = snapshots["2025-01-22"]
    with ReplayServer(snapshots=snapshots) as server:
        counts = []
        for moment, _ in taken:
            server.now = moment
            counts.append(len(ask(server, "/api/daily_papers?date=2025-01-22").json()))

    assert counts == [1, 13]


@needs_shared
def test_the_recorded_page_is_served():
    with ReplayServer(html=HUGGINGFACE / "html") as server:
        page = ask(server, "/papers/date/2024-08-01")

    assert 'data-target="DailyPapers"' in page.text
