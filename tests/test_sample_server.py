"""The sample's server answers like the real sources, as of a clock that the caller moves."""

from __future__ import annotations

from datetime import datetime, timedelta
from xml.etree import ElementTree

import httpx
import pytest

from digest.sample import SAMPLE_DAYS, SampleServer, sample_feed, sample_list
from tests.sample_files import ATOM, LATER, at, bare_id


def ask(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=20)


def test_the_api_answers_as_of_its_clock():
    with SampleServer(at(10, 6)) as server:
        url = f"{server.url}/api/daily_papers?date=2026-03-10&limit=100&p=0"
        early = ask(url).json()
        server.now = at(12, 6)
        late = ask(url).json()

    assert early == sample_list(SAMPLE_DAYS[0], at(10, 6))
    assert late == sample_list(SAMPLE_DAYS[0], at(12, 6))
    assert early != late
    assert [item["paper"]["upvotes"] for item in late] == sorted(
        (item["paper"]["upvotes"] for item in late), reverse=True
    )


def test_the_same_question_at_the_same_time_has_the_same_bytes():
    answers = []
    for _ in range(2):
        with SampleServer(at(11, 9, 17)) as server:
            path = "/api/daily_papers?date=2026-03-11"
            answers += [ask(server.url + path), ask(server.url + "/atom/cs.CL")]

    assert answers[0].content == answers[2].content and answers[1].content == answers[3].content
    assert answers[0].headers == answers[2].headers


@pytest.mark.parametrize("day", ["2026-03-09", "2026-03-13", "2026-03-14", "2026-03-15"])
def test_days_without_a_list_are_empty(day: str):
    with SampleServer(LATER) as server:
        assert ask(f"{server.url}/api/daily_papers?date={day}").json() == []


def test_a_day_that_has_not_begun_is_empty():
    with SampleServer(at(10, 23)) as server:
        assert ask(f"{server.url}/api/daily_papers?date=2026-03-11").json() == []


def test_pages_have_the_size_asked_for_and_end():
    with SampleServer(LATER) as server:
        base = f"{server.url}/api/daily_papers?date=2026-03-12"
        whole = ask(base).json()
        pages = [ask(f"{base}&limit=5&p={page}").json() for page in range(4)]

    assert [len(page) for page in pages] == [5, 5, 4, 0]
    assert [item for page in pages for item in page] == whole


def test_without_a_date_the_newest_list_comes_by_publication():
    with SampleServer(at(11, 12)) as server:
        items = ask(f"{server.url}/api/daily_papers").json()

    published = [item["publishedAt"] for item in items]
    assert published == sorted(published, reverse=True)
    assert {item["paper"]["submittedOnDailyAt"][:10] for item in items} == {"2026-03-11"}


@pytest.mark.parametrize("query", ["date=yesterday", "date=2026-03-10&p=-1", "limit=many"])
def test_a_question_without_sense_is_refused(query: str):
    with SampleServer(LATER) as server:
        answer = ask(f"{server.url}/api/daily_papers?{query}")

    assert answer.status_code == 400 and "Invalid query" in answer.json()["error"]


def test_an_unchanged_answer_is_not_sent_again():
    with SampleServer(at(10, 12)) as server:
        url = f"{server.url}/api/daily_papers?date=2026-03-10"
        etag = ask(url).headers["ETag"]
        again = ask(url, **{"If-None-Match": etag})
        server.now = at(10, 13)
        grown = ask(url, **{"If-None-Match": etag})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert grown.status_code == 200 and grown.headers["ETag"] != etag


def test_answers_are_packed_only_for_those_who_unpack():
    with SampleServer(at(10, 12)) as server:
        url = f"{server.url}/api/daily_papers?date=2026-03-10"
        packed = ask(url, **{"Accept-Encoding": "gzip"})
        plain = ask(url, **{"Accept-Encoding": "identity"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content


def test_a_head_request_has_no_body_and_other_paths_do_not_exist():
    with SampleServer(at(10, 12)) as server:
        head = httpx.head(f"{server.url}/api/daily_papers?date=2026-03-10", trust_env=False)
        robots = ask(f"{server.url}/robots.txt")
        missing = ask(f"{server.url}/papers/2603.90012")

    assert head.status_code == 200 and head.content == b""
    assert int(head.headers["Content-Length"]) > 1000
    assert "Disallow" not in robots.text and "User-agent: *" in robots.text
    assert missing.status_code == 404


def test_it_stops_although_a_client_keeps_its_connection_open():
    with httpx.Client(trust_env=False, timeout=20) as client:
        with SampleServer(at(10, 12)) as server:
            address = server.url
            assert client.get(f"{address}/robots.txt").status_code == 200

        with pytest.raises(httpx.TransportError):
            client.get(f"{address}/robots.txt")


def test_its_clock_refuses_a_moment_without_a_zone():
    with pytest.raises(ValueError, match="zone"):
        SampleServer(datetime(2026, 3, 10))


# The announcement feed


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (at(10, 4), "2026-03-10"),
        (at(11, 3, 59), "2026-03-10"),
        (at(11, 4), "2026-03-11"),
        (at(13, 3, 59), "2026-03-12"),
    ],
)
def test_a_feed_stays_until_the_next_announcement(now: datetime, day: str):
    root = ElementTree.fromstring(sample_feed("cs.CL", now))

    published = {e.findtext("a:published", "", ATOM) for e in root.findall("a:entry", ATOM)}
    assert published == {f"{day}T00:00:00-04:00"}


@pytest.mark.parametrize("now", [at(10, 3, 59), at(14, 12), at(15, 12)])
def test_a_day_of_rest_has_a_feed_without_entries(now: datetime):
    root = ElementTree.fromstring(sample_feed("cs.LG+stat.ML", now))

    announced_on = (now - timedelta(hours=4)).date()
    assert root.findall("a:entry", ATOM) == []
    assert root.findtext("a:updated", "", ATOM).startswith(str(announced_on))
    assert root.findtext("a:title", "", ATOM) == "cs.LG+stat.ML updates on arXiv.org"


def test_a_feed_has_only_the_categories_asked_for():
    def ids(categories: str) -> list[str]:
        root = ElementTree.fromstring(sample_feed(categories, at(10, 12)))
        return [bare_id(entry) for entry in root.findall("a:entry", ATOM)]

    assert ids("q-bio.BM") == ids("q-bio") == ["2603.90105"]
    assert ids("cs.RO") == ["2603.91003"]
    assert set(ids("cs.RO+q-bio")) == {"2603.90105", "2603.91003"}
    assert ids("math.AG") == []
    assert len(ids("cs+eess+q-bio+stat")) == 9


def test_the_server_answers_with_that_feed():
    with SampleServer(at(12, 12)) as server:
        answer = ask(f"{server.url}/atom/cs.LG+cs.CL")

    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    assert answer.text == sample_feed("cs.LG+cs.CL", at(12, 12))
