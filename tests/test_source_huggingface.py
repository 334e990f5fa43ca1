from __future__ import annotations

import html
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ParseError
from digest.model import Listing, PaperData, Request
from digest.papers import keys_of
from digest.sources import SourceOptions, build_source
from digest.sources.huggingface import LOOK_BACK_DAYS, PAGES_MAX, HuggingFace
from tests import recordings
from tests.paths import needs_shared

SOURCE = HuggingFace("hf", SourceOptions())
DAY = "2026-03-11"
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def item(**known: Any) -> dict[str, Any]:
    paper = {
        "id": "2603.01234",
        "title": "A paper",
        "summary": "What it says.",
        "authors": [{"name": "Ada One", "hidden": False}, {"name": "Bo Two", "hidden": False}],
        "publishedAt": "2026-03-09T00:00:00.000Z",
        "submittedOnDailyAt": "2026-03-11T01:34:18.710Z",
        "upvotes": 12,
    }
    return {"paper": paper | known, "title": "A paper", "numComments": 2}


def ask(day: str = DAY, *, page: int = 1, accept: str = "application/json") -> Request:
    return Request(url="https://huggingface.co/", label=day, accept=accept, page=page)


def parse(items: Any, **about: Any) -> Listing:
    return SOURCE.parse(ask(**about), json.dumps(items).encode(), "application/json")


def parse_page(props: Any, day: str = DAY) -> Listing:
    page = f'<main><div data-target="DailyPapers" data-props="{html.escape(json.dumps(props))}"></div></main>'
    return SOURCE.parse(ask(day, accept="text/html"), page.encode(), "text/html; charset=utf-8")


def one(**known: Any) -> PaperData:
    (paper,) = parse([item(**known)]).entries
    return paper


def test_all_that_an_item_says_is_kept() -> None:
    found = one(
        githubRepo="https://github.com/lab/code",
        githubStars=2276,
        projectPage=" https://lab.example/",
        organization={"name": "lab", "fullname": "The Lab"},
    )

    assert found == PaperData(
        title="A paper",
        url="https://arxiv.org/abs/2603.01234",
        abstract="What it says.",
        authors=("Ada One", "Bo Two"),
        arxiv_id="2603.01234",
        published_at=datetime(2026, 3, 9, tzinfo=UTC),
        listed_at=datetime(2026, 3, 11, 1, 34, 18, 710000, tzinfo=UTC),
        position=1,
        votes=12,
        comments=2,
        stars=2276,
        pdf_url="https://arxiv.org/pdf/2603.01234",
        code_url="https://github.com/lab/code",
        project_url="https://lab.example/",
        discussion_url="https://huggingface.co/papers/2603.01234",
        organization="The Lab",
    )


def test_an_item_needs_only_an_id_and_a_title() -> None:
    (found,) = parse([{"paper": {"id": "2603.01234", "title": "0"}}]).entries

    assert (found.title, found.votes, found.authors, found.listed_at) == ("0", None, (), None)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"submittedOnDailyAt": "2026-03-11T00:00:00.000Z"}, None),
        ({"submittedOnDailyAt": "2026-03-11T06:00:00.000Z"}, datetime(2026, 3, 11, 6, tzinfo=UTC)),
        ({"submittedOnDailyAt": "soon"}, None),
        ({"submittedOnDailyAt": 7}, None),
    ],
)
def test_a_day_without_its_hour_is_no_moment_of_listing(
    stated: dict[str, Any], expected: datetime | None
) -> None:
    assert one(**stated).listed_at == expected


def test_before_the_field_existed_a_publication_on_the_list_day_was_the_listing() -> None:
    old = item()
    del old["paper"]["submittedOnDailyAt"]

    on_the_day, another_day = (
        parse([old | {"publishedAt": stated}]).entries[0].listed_at
        for stated in ("2026-03-11T03:50:58.348Z", "2026-03-10T20:00:00.000Z")
    )

    assert on_the_day == datetime(2026, 3, 11, 3, 50, 58, 348000, tzinfo=UTC)
    assert another_day is None


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://github.com/lab/\ncode", "https://github.com/lab/code"),
        ("https://github.com/lab/code/", "https://github.com/lab/code"),
        ("https://github.com/lab/code.git", "https://github.com/lab/code"),
        ("https://github.com/lab/code/tree/main", "https://github.com/lab/code"),
        (
            "https://github.com/lab/code/tree/main/part",
            "https://github.com/lab/code/tree/main/part",
        ),
        ("https://github.com/lab", None),
        ("https://gitlab.com/lab/code/-/tree/main", "https://gitlab.com/lab/code/-/tree/main"),
        ("lab/code", None),
        ("javascript:alert(1)", None),
        (7, None),
    ],
)
def test_a_code_link_is_a_repository_or_nothing(link: Any, expected: str | None) -> None:
    assert one(githubRepo=link).code_url == expected


def test_texts_become_one_line_and_stay_what_they_say() -> None:
    found = one(
        title="Large Multimodal\n  Models", summary="It uses <think> and\n$R_{200}$ & \\textsc{x}."
    )

    assert found.title == "Large Multimodal Models"
    assert found.abstract == "It uses <think> and $R_{200}$ & \\textsc{x}."


def test_hidden_authors_are_left_out_unless_that_leaves_nobody() -> None:
    hidden = {"name": "Hidden", "hidden": True}

    assert one(authors=[{"name": "Ada"}, hidden, "odd", {"name": ""}]).authors == ("Ada",)
    assert one(authors=[hidden]).authors == ("Hidden",)


@pytest.mark.parametrize(
    "broken",
    [
        None,
        7,
        "a text",
        [],
        {},
        {"paper": None},
        {"paper": {"title": "no id"}},
        {"paper": {"id": "2603.01234"}},
        item(id="../../etc"),
        item(id="a b"),
        item(title=" \n ") | {"title": ""},
    ],
)
def test_a_broken_item_costs_itself_only(broken: Any) -> None:
    listing = parse([item(id="2603.00001"), broken, item(id="2603.00003")])

    assert [(paper.arxiv_id, paper.position) for paper in listing.entries] == [
        ("2603.00001", 1),
        ("2603.00003", 3),
    ]
    assert [entry.position for entry in listing.broken] == [2]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "id",
        "title",
        "summary",
        "authors",
        "publishedAt",
        "submittedOnDailyAt",
        "upvotes",
        "githubRepo",
        "githubStars",
        "projectPage",
        "organization",
    ]
)


@given(
    st.dictionaries(FIELDS, JSON),
    st.dictionaries(st.sampled_from(["title", "publishedAt", "numComments"]), JSON),
)
@settings(deadline=None, max_examples=300)
def test_no_value_of_any_field_breaks_the_reading(
    paper: dict[str, Any], around: dict[str, Any]
) -> None:
    odd = item(**paper) | around

    listing = parse([odd, item(id="2603.00002")])

    assert len(listing.entries) + len(listing.broken) == 2
    assert listing.entries[-1].arxiv_id == "2603.00002"


@given(JSON.filter(lambda answer: not isinstance(answer, list)))
@settings(deadline=None)
def test_an_answer_that_is_no_list_is_refused(answer: Any) -> None:
    with pytest.raises(ParseError, match="expected a list of papers, got application/json"):
        parse(answer)


@pytest.mark.parametrize(
    "body", [b"", b"<html>Too busy</html>", b'[{"paper": {"id"', b"\xff\xfe", b"[" * 100_000]
)
def test_an_answer_that_is_no_json_is_refused_with_what_was_seen(body: bytes) -> None:
    with pytest.raises(ParseError, match=r"expected JSON, got text/html, .*"):
        SOURCE.parse(ask(), body, "text/html; charset=utf-8")


def test_an_empty_list_is_a_rest_on_weekends_only() -> None:
    assert parse([], day="2026-03-14").rest
    assert parse([], day="2026-03-13").rest is None


def test_a_full_page_is_followed_by_the_next() -> None:
    full = [item(id=f"2603.{n:05d}") for n in range(100)]

    (second,) = parse(full).more
    (third,) = SOURCE.parse(second, json.dumps(full).encode(), "application/json").more

    assert second.url == f"https://huggingface.co/api/daily_papers?date={DAY}&limit=100&p=1"
    assert (second.label, second.page, second.settled, second.instead) == (DAY, 2, False, None)
    assert third.page == 3
    assert SOURCE.parse(second, json.dumps(full).encode(), "").entries[0].position == 101


@pytest.mark.parametrize(
    ("count", "follows"), [(0, 0), (49, 0), (50, 1), (51, 0), (99, 0), (100, 1), (105, 1)]
)
def test_only_a_page_that_may_be_cut_is_followed(count: int, follows: int) -> None:
    assert len(parse([item() for _ in range(count)]).more) == follows


def test_an_api_that_repeats_itself_is_not_followed_for_ever() -> None:
    body = json.dumps([item() for _ in range(100)]).encode()
    request, asked = ask(), 1

    while more := SOURCE.parse(request, body, "application/json").more:
        (request,) = more
        asked += 1

    assert asked == PAGES_MAX


def test_the_first_pass_asks_for_every_day_of_the_look_back() -> None:
    requests = SOURCE.requests({}, NOW)

    assert [request.label for request in requests] == [
        f"2026-03-{day:02d}" for day in range(14, 6, -1)
    ]
    assert (
        requests[0].url == "https://huggingface.co/api/daily_papers?date=2026-03-14&limit=100&p=0"
    )
    assert requests[0].instead is not None
    assert requests[0].instead.url == "https://huggingface.co/papers/date/2026-03-14"
    assert requests[0].instead.robots and not requests[0].robots


def test_only_weekdays_that_ended_a_day_ago_are_settled() -> None:
    settled = [request.label for request in SOURCE.requests({}, NOW) if request.settled]

    # NOW is Saturday noon: Friday ended 12 h ago; the 7th and 8th are a weekend
    assert settled == ["2026-03-12", "2026-03-11", "2026-03-10", "2026-03-09"]


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
AGES = st.timedeltas(timedelta(0), timedelta(days=9))


@given(MOMENTS, AGES)
@settings(deadline=None, max_examples=300)
def test_a_day_is_asked_until_read_once_after_it_closed(now: datetime, age: timedelta) -> None:
    read_at = now - age
    memory = {str((now - timedelta(days=back)).date()): read_at for back in range(12)}

    asked = {request.label for request in SOURCE.requests(memory, now)}

    for back in range(12):
        day = (now - timedelta(days=back)).date()
        closed_at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=3)
        assert (str(day) in asked) == (back <= LOOK_BACK_DAYS and read_at < closed_at)


@given(
    MOMENTS,
    st.lists(st.timedeltas(timedelta(minutes=1), timedelta(days=3)), min_size=1, max_size=30),
)
@settings(deadline=None, max_examples=100)
def test_no_day_is_missed_by_a_daemon_that_is_never_off_for_a_week(
    start: datetime, pauses: list[timedelta]
) -> None:
    memory: dict[str, datetime] = {}
    now = start
    for pause in pauses:
        memory |= {request.label: now for request in SOURCE.requests(memory, now)}
        now += pause

    last = now - pauses[-1]
    for day in (
        start.date() + timedelta(days=n) for n in range((last.date() - start.date()).days + 1)
    ):
        end = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
        closed = end + timedelta(hours=48)
        assert str(day) in memory
        assert memory[str(day)] >= closed or last < closed + timedelta(days=5)


def test_the_base_address_page_size_and_token_come_from_the_settings() -> None:
    source = build_source(
        "huggingface",
        "mirror",
        SourceOptions(url="http://127.0.0.1:9/hf/", limit=20, token="t0ken", pause_s=0.0),
    )

    request = source.requests({}, NOW)[0]

    assert request.url == "http://127.0.0.1:9/hf/api/daily_papers?date=2026-03-14&limit=20&p=0"
    assert request.headers == (("Authorization", "Bearer t0ken"),)
    assert source.pause_s == 0.0


@pytest.mark.parametrize(
    "props",
    [
        {"date": "2026-03-11T00:00:00.000Z", "dailyPapers": [item()], "nextDate": "2026-03-12"},
        {"dateString": "2026-03-11", "periodType": "day", "dailyPapers": [item()], "query": None},
    ],
)
def test_the_page_is_read_in_both_its_layouts(props: dict[str, Any]) -> None:
    assert parse_page(props).entries == parse([item()]).entries


@pytest.mark.parametrize(
    ("props", "complaint"),
    [
        (
            {"dateString": "2026-03-10", "dailyPapers": [item()]},
            "asked for the page of 2026-03-11, got that of 2026-03-10",
        ),
        ({"dateString": "2026-03-11", "periodType": "week", "dailyPapers": []}, "no single day"),
        ({"dailyPapers": [item()]}, "no single day"),
        ({"dateString": "2026-03-11"}, "layout has changed"),
        ([], "layout has changed"),
    ],
)
def test_a_page_of_another_day_or_layout_is_refused(props: Any, complaint: str) -> None:
    with pytest.raises(ParseError, match=complaint):
        parse_page(props)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Trending papers</body></html>",
        b'<div data-target="DailyPapers">',
        b"\xff" * 100,
        b"[]",
    ],
)
def test_a_page_without_its_data_is_refused_loudly(body: bytes) -> None:
    with pytest.raises(ParseError, match="no daily papers in it"):
        SOURCE.parse(ask(accept="text/html"), body, "text/html")


def test_a_page_with_cut_data_is_refused() -> None:
    with pytest.raises(ParseError, match="not JSON"):
        SOURCE.parse(
            ask(accept="text/html"), b'<div data-target="DailyPapers" data-props="{">', "text/html"
        )


@needs_shared
@pytest.mark.parametrize(
    "path", recordings.daily_files() + recordings.snapshot_files(), ids=lambda p: p.stem
)
def test_every_recorded_list_is_read_whole(path: Any) -> None:
    day = path.stem[:10]
    items = recordings.daily_items(path)

    listing = SOURCE.parse(ask(day), recordings.daily_body(path), "application/json")

    assert listing.broken == ()
    assert [paper.arxiv_id for paper in listing.entries] == [one["paper"]["id"] for one in items]
    assert [paper.votes for paper in listing.entries] == [one["paper"]["upvotes"] for one in items]
    assert all(
        paper.abstract and paper.authors and "\n" not in paper.title for paper in listing.entries
    )
    assert all(keys_of(paper) == (f"arxiv:{paper.arxiv_id}",) for paper in listing.entries)
    for paper in listing.entries:
        assert paper.listed_at is None or paper.listed_at.date() == date.fromisoformat(day)


@needs_shared
@pytest.mark.parametrize("name", ["2025-01-08", "2025-01-10"])
def test_what_an_archive_kept_in_its_own_form_reads_the_same(name: str) -> None:
    path = recordings.HUGGINGFACE / "daily_papers" / f"{name}.json"

    as_kept = SOURCE.parse(ask(name), path.read_bytes(), "application/json")

    assert as_kept == SOURCE.parse(ask(name), recordings.daily_body(path), "application/json")


@needs_shared
def test_the_recorded_page_and_the_api_tell_of_the_same_papers() -> None:
    (page,) = (recordings.HUGGINGFACE / "html").glob("*.html")
    answer = recordings.HUGGINGFACE / "daily_papers" / "2024-08-01.json"

    by_page = SOURCE.parse(ask("2024-08-01", accept="text/html"), page.read_bytes(), "text/html")
    by_api = SOURCE.parse(ask("2024-08-01"), recordings.daily_body(answer), "application/json")

    later = {paper.arxiv_id: paper for paper in by_page.entries}
    assert (len(by_api.entries), len(by_page.entries)) == (11, 13)
    for paper in by_api.entries:
        grown = later[paper.arxiv_id]
        assert (grown.title, grown.abstract, grown.listed_at) == (
            paper.title,
            paper.abstract,
            paper.listed_at,
        )
        assert set(grown.authors) <= set(paper.authors)  # one had himself hidden in between
        assert grown.votes is not None and paper.votes is not None and grown.votes >= paper.votes
