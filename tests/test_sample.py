"""The bundled sample has the shape of the real sources, and its server behaves like them."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.clock import find_zone, parse_send_at
from digest.model import Announce, Cadence, PaperData, Request
from digest.sample import (
    SAMPLE_DAYS,
    SAMPLE_SUBSCRIBERS,
    SAMPLE_TOPICS,
    SampleServer,
    sample_feed,
    sample_list,
)
from digest.sources.base import SourceOptions
from digest.sources.huggingface import HuggingFace
from tests.paths import LISTINGS, REPO, needs_shared
from tests.recordings import HUGGINGFACE, daily_items

FOLDER = REPO / "digest" / "sample"
ATOM = {"a": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}
LATER = datetime(2026, 3, 20, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def final_items() -> list[dict]:
    return [item for day in SAMPLE_DAYS for item in sample_list(day, LATER)]


def feed_file(day: date) -> ElementTree.Element:
    return ElementTree.parse(FOLDER / f"atom-{day}.xml").getroot()


def feed_entries() -> list[ElementTree.Element]:
    return [entry for day in SAMPLE_DAYS for entry in feed_file(day).findall("a:entry", ATOM)]


def bare_id(entry: ElementTree.Element) -> str:
    found = re.fullmatch(r"oai:arXiv\.org:(\d{4}\.\d{5})v\d+", entry.findtext("a:id", "", ATOM))
    assert found
    return found[1]


def spelt(title: str) -> str:
    return " ".join(title.split())


def words(text: str) -> int:
    return len(text.split())


def keys_in(items: list[dict]) -> dict[str, set[tuple[str, str]]]:
    """For each kind of object in the answer: its keys with the types of their values."""
    found: dict[str, set[tuple[str, str]]] = {}

    def note(kind: str, value: dict) -> None:
        found.setdefault(kind, set()).update((k, type(v).__name__) for k, v in value.items())

    for item in items:
        paper = item["paper"]
        note("item", item)
        note("paper", paper)
        note("submitter", item["submittedBy"])
        note("daily submitter", paper["submittedOnDailyBy"])
        note("organization", item.get("organization", {}))
        for author in paper["authors"]:
            note("author", author)
            note("user", author.get("user", {}))
    return found


def required_keys(items: list[dict]) -> tuple[set[str], set[str]]:
    """The keys that every item, and every paper, has."""
    return (
        set.intersection(*(set(item) for item in items)),
        set.intersection(*(set(item["paper"]) for item in items)),
    )


# The content


def test_it_has_sixty_papers_over_three_days():
    listed = {item["paper"]["id"] for item in final_items()}
    announced = {bare_id(entry) for entry in feed_entries()}

    assert [day.strftime("%a") for day in SAMPLE_DAYS] == ["Tue", "Wed", "Thu"]
    assert len(listed | announced) == 60
    assert len(listed & announced) >= 7
    assert all(re.fullmatch(r"260[123]\.9\d{4}", one) for one in listed | announced)


def test_no_two_papers_share_a_title():
    titles = {item["paper"]["id"]: spelt(item["paper"]["title"]) for item in final_items()}
    for entry in feed_entries():
        titles.setdefault(bare_id(entry), spelt(entry.findtext("a:title", "", ATOM)))

    assert len(set(titles.values())) == len(titles) == 60


def test_abstracts_are_as_long_as_abstracts_are():
    texts = [item["summary"] for item in final_items()]
    texts += [e.findtext("a:summary", "", ATOM).partition("Abstract: ")[2] for e in feed_entries()]
    withdrawn = [text for text in texts if "has been withdrawn" in text]

    assert len(withdrawn) == 1
    assert all(90 <= words(text) <= 180 for text in texts if text not in withdrawn)


def test_one_paper_is_listed_on_two_days_and_no_day_lists_one_twice():
    days: dict[str, list[date]] = {}
    for day in SAMPLE_DAYS:
        for item in sample_list(day, LATER):
            days.setdefault(item["paper"]["id"], []).append(day)

    assert [on for on in days.values() if len(on) > 1] == [[SAMPLE_DAYS[0], SAMPLE_DAYS[2]]]


def test_a_list_repeats_in_the_item_what_the_paper_says():
    for item in final_items():
        paper = item["paper"]

        assert item["title"] == spelt(paper["title"])
        assert item["summary"] == paper["summary"]
        assert item.get("organization") == paper.get("organization")
        assert item["submittedBy"]["_id"] == paper["submittedOnDailyBy"]["_id"]
        assert item["thumbnail"].endswith(f"/{paper['id']}.png")


def test_the_odd_values_of_real_lists_are_in_it():
    papers = [item["paper"] for item in final_items()]
    titles = [paper["title"] for paper in papers]
    names = [author["name"] for paper in papers for author in paper["authors"]]
    avatars = [item["submittedBy"]["avatarUrl"] for item in final_items()]

    assert any("$k$" in title for title in titles)
    assert any("\\textsc{" in title for title in titles)
    assert any("\n  " in title for title in titles)
    assert any("10^{-3}" in paper["summary"] for paper in papers)
    assert any("<think>" in paper["summary"] for paper in papers)
    assert max(len(paper["authors"]) for paper in papers) > 40
    assert any("\n" in paper.get("githubRepo", "") for paper in papers)
    assert any(paper.get("projectPage", "").startswith(" ") for paper in papers)
    assert any(re.search(r"[\u4e00-\u9fff]", name) for name in names)
    assert any(re.search(r"[À-ž]", name) for name in names)
    assert any(avatar.startswith("/avatars/") for avatar in avatars)
    assert any("organization" not in paper for paper in papers)
    assert any("ai_summary" not in paper for paper in papers)
    assert any(author["hidden"] for paper in papers for author in paper["authors"])


def test_feeds_announce_everything_that_arxiv_announces():
    kinds = [entry.findtext("arxiv:announce_type", "", ATOM) for entry in feed_entries()]

    assert set(kinds) == {str(kind) for kind in Announce}
    assert all(8 <= len(feed_file(day).findall("a:entry", ATOM)) <= 12 for day in SAMPLE_DAYS)


def test_the_files_stay_small_enough_to_review():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json")) <= 150_000


@needs_shared
def test_lists_have_the_keys_and_types_of_recorded_ones():
    files = [HUGGINGFACE / "daily_papers" / f"{day}.json" for day in SAMPLE_DAYS]
    recorded = [item for path in files for item in daily_items(path)]

    ours, theirs = keys_in(final_items()), keys_in(recorded)

    assert {kind: ours[kind] - theirs[kind] for kind in ours} == {kind: set() for kind in ours}
    for ours_always, theirs_always in zip(
        required_keys(final_items()), required_keys(recorded), strict=True
    ):
        assert ours_always >= theirs_always - {"ai_summary", "ai_keywords"}


@needs_shared
def test_feeds_have_the_elements_of_a_recorded_one():
    (recorded,) = (LISTINGS / "arxiv" / "rss_atom").glob("*.xml")

    def shape(root: ElementTree.Element) -> tuple[list[str], list[str], list[str]]:
        first = root.findall("a:entry", ATOM)[0]
        distinct = list(dict.fromkeys(child.tag for child in first))
        head = [child.tag for child in root if not child.tag.endswith("entry")]
        return head, distinct, sorted(first.find("a:link", ATOM).attrib)

    theirs = shape(ElementTree.parse(recorded).getroot())
    assert all(shape(feed_file(day)) == theirs for day in SAMPLE_DAYS)


# Growth


def test_growth_covers_every_listing_and_ends_at_the_final_answer():
    growth = json.loads((FOLDER / "growth.json").read_text("utf-8"))
    for day in SAMPLE_DAYS:
        final = json.loads((FOLDER / f"hf-{day}.json").read_text("utf-8"))
        series = growth["lists"][str(day)]

        assert set(series) == {item["paper"]["id"] for item in final}
        for item in final:
            counts = series[item["paper"]["id"]]
            assert counts["votes"][-1] == item["paper"]["upvotes"]
            assert counts["comments"][-1] == item["numComments"]
            assert counts.get("stars", [None])[-1] == item["paper"].get("githubStars")
            assert all(len(values) == len(growth["hours"]) for values in counts.values())


def test_the_final_answers_are_the_files_themselves():
    for day in SAMPLE_DAYS:
        assert sample_list(day, LATER) == json.loads((FOLDER / f"hf-{day}.json").read_text("utf-8"))


@settings(deadline=None)
@given(st.integers(0, 5 * 24 * 60), st.integers(0, 24 * 60))
def test_counts_never_fall_and_nothing_leaves_a_list(start: int, wait: int):
    earlier = at(10, 0) + timedelta(minutes=start)
    later = earlier + timedelta(minutes=wait)
    for day in SAMPLE_DAYS:
        after = {item["paper"]["id"]: item for item in sample_list(day, later)}
        for item in sample_list(day, earlier):
            grown = after[item["paper"]["id"]]
            assert grown["paper"]["upvotes"] >= item["paper"]["upvotes"] >= 0
            assert grown["numComments"] >= item["numComments"] >= 0
            assert grown["paper"].get("githubStars", 0) >= item["paper"].get("githubStars", 0)


def test_a_late_addition_appears_at_its_hour():
    before = {item["paper"]["id"] for item in sample_list(SAMPLE_DAYS[0], at(10, 11, 42))}
    after = {item["paper"]["id"] for item in sample_list(SAMPLE_DAYS[0], at(10, 11, 43))}

    assert after - before == {"2603.90170"}


def test_order_changes_while_a_list_grows():
    def order(hour: int) -> list[str]:
        shown = sample_list(SAMPLE_DAYS[0], at(10, hour))
        return [item["paper"]["id"] for item in shown if item["paper"]["id"] in first]

    first = {item["paper"]["id"] for item in sample_list(SAMPLE_DAYS[0], at(10, 8))}

    assert order(8) != order(23)


# The server


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


# The feed


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


# The real sources read it


def read_list(day: date) -> tuple[PaperData, ...]:
    source = HuggingFace("sample", SourceOptions(url="http://127.0.0.1"))
    asked = Request(url="http://127.0.0.1", label=str(day), accept="application/json")
    body = Path(FOLDER / f"hf-{day}.json").read_bytes()
    listing = source.parse(asked, body, "application/json")
    assert listing.broken == ()
    return listing.entries


@pytest.mark.parametrize("day", SAMPLE_DAYS)
def test_the_hugging_face_source_reads_every_entry(day: date):
    papers = read_list(day)

    assert [paper.arxiv_id for paper in papers] == [
        item["paper"]["id"] for item in sample_list(day, LATER)
    ]
    assert all(paper.listed_at and paper.listed_at.date() == day for paper in papers)
    assert all("\n" not in paper.title + paper.abstract for paper in papers)


# The people


def test_the_readers_differ_and_every_value_is_usable():
    slugs = {topic["slug"] for topic in SAMPLE_TOPICS}

    assert len(slugs) == len(SAMPLE_TOPICS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in slugs)
    assert len({person["zone"] for person in SAMPLE_SUBSCRIBERS}) == len(SAMPLE_SUBSCRIBERS) == 4
    for person in SAMPLE_SUBSCRIBERS:
        assert person["email"].endswith("@example.org")
        assert set(person["topics"]) <= slugs
        assert find_zone(person["zone"]) and parse_send_at(person["send_at"])
        assert Cadence(person["cadence"]) is not Cadence.WEEKLY  # no Monday among the days


def test_authors_whom_readers_follow_have_papers():
    names = {author for day in SAMPLE_DAYS for paper in read_list(day) for author in paper.authors}
    followed = {author for person in SAMPLE_SUBSCRIBERS for author in person["authors"]}

    assert followed <= names
