"""The pages' pure parts: clients behind proxies, forms, charts, cached pages, choices, feeds."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from xml.etree import ElementTree

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from digest.enrol import Defaults
from digest.errors import BadInput
from digest.model import Cadence, Count, InterestKind, Topic
from digest.tokens import Tokens
from digest.web.cache import PageCache
from digest.web.charts import day_bars, growth_chart, round_up, sparkline
from digest.web.choosing import empty_form, known_zones, parts, read_choices, typed_form
from digest.web.client import client_address, client_mark, networks
from digest.web.crowd import Crowd
from digest.web.feeds import Feed, FeedEntry, atom_bytes, json_bytes
from digest.web.forms import FIELDS_MAX, FORM_BYTES_MAX, Form, FormName, FormTokens, read_form
from digest.web.matching import rate_words
from digest.web.page import Page, answer_for, make_page, takes_gzip
from digest.web.refusals import Refused

NOW = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
DEFAULTS = Defaults(
    zone="UTC", send_at=NOW.time().replace(hour=7), cadence=Cadence.DAILY, max_items=12
)


# --- who is asking


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("203.0.113.9", [], [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], [], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.1"], ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1, 10.0.0.2"], ["10.0.0.0/8"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], ["10.0.0.0/8"], "10.0.0.3"),
        ("10.0.0.1", ["6.6.6.6, nonsense"], ["10.0.0.0/8"], "10.0.0.1"),
        ("10.0.0.1", [""], ["10.0.0.0/8"], "10.0.0.1"),
        ("::1", ["[2001:db8::7]:4711"], ["::1"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["198.51.100.1:99"], ["10.0.0.1"], "198.51.100.1"),
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(
    peer: str, forwarded: list[str], trusted: list[str], client: str
) -> None:
    assert client_address(peer, forwarded, networks(trusted)) == ip_address(client)


def test_a_peer_without_an_address_is_nobody_in_particular() -> None:
    assert client_address("testclient", ["1.2.3.4"], networks(["0.0.0.0/0"])) is None
    assert client_mark(None, "s") == client_mark(None, "s")


@given(st.lists(st.text(max_size=40), max_size=4))
@settings(deadline=None)
def test_no_header_breaks_the_reading_of_addresses(forwarded: list[str]) -> None:
    client_address("127.0.0.1", forwarded, networks(["127.0.0.0/8", "::/0"]))


def test_a_mark_tells_clients_apart_and_no_address() -> None:
    one, other = (
        client_mark(ip_address("192.0.2.1"), "s"),
        client_mark(ip_address("192.0.2.2"), "s"),
    )
    same_home = [client_mark(ip_address(f"2001:db8:1:2::{n}"), "s") for n in (1, 99)]

    assert one != other
    assert same_home[0] == same_home[1]
    assert client_mark(ip_address("192.0.2.1"), "t") != one
    assert "192" not in one


# --- forms


def read(body: bytes, kind: str = "application/x-www-form-urlencoded", **headers: str) -> Form:
    sent = False

    async def receive() -> dict[str, object]:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    raw = [(b"content-type", kind.encode())]
    raw += [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    request = Request({"type": "http", "method": "POST", "headers": raw}, receive)
    return asyncio.run(read_form(request))


def multipart(fields: dict[str, bytes]) -> tuple[bytes, str]:
    lines = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (k.encode(), v)
        for k, v in fields.items()
    )
    return lines + b"--b--\r\n", "multipart/form-data; boundary=b"


def test_forms_are_read_in_both_kinds() -> None:
    plain = read(b"a=1&a=2&b=%C3%A9+x&c=")
    parted = read(*multipart({"b": "é x".encode(), "c": b""}))

    assert plain.many("a") == ("1", "2")
    assert plain.one("b") == parted.one("b") == "é x"
    assert plain.has("c")
    assert parted.has("c")
    assert plain.one("d", "none") == "none"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=" + b"x" * FORM_BYTES_MAX, "application/x-www-form-urlencoded", 413),
        (b"&".join([b"a=1"] * (FIELDS_MAX + 1)), "application/x-www-form-urlencoded", 413),
        (b"a=%ff%fe", "application/x-www-form-urlencoded", 400),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
        (*multipart({"a": b"\xff\xfe"}), 400),
        (*multipart({f"f{n}": b"" for n in range(FIELDS_MAX + 1)}), 400),
        (b"--x", "multipart/form-data", 400),
        (b"garbage", "multipart/form-data; boundary=b", 400),
    ],
)
def test_a_form_beyond_every_measure_is_refused(body: bytes, kind: str, status: int) -> None:
    with pytest.raises(Refused) as caught:
        read(body, kind)

    assert caught.value.status == status


def test_a_form_that_is_announced_too_large_is_not_even_read() -> None:
    with pytest.raises(Refused) as caught:
        read(b"", content_length="10000000")

    assert caught.value.status == 413


@given(st.binary(max_size=300), st.sampled_from(["application/x-www-form-urlencoded", "x"]))
@settings(deadline=None, max_examples=50)
def test_any_bytes_are_a_form_or_refused(body: bytes, kind: str) -> None:
    try:
        read(body, kind)
    except Refused as refused:
        assert refused.status in (400, 413)


def test_a_form_token_is_for_one_form_one_thing_and_some_days() -> None:
    tokens = FormTokens(Tokens(["k" * 40]))
    token = tokens.issue(FormName.PREFERENCES, 7, NOW)

    tokens.check(FormName.PREFERENCES, 7, token, NOW + timedelta(days=6))
    for form, bound_to, moment in (
        (FormName.PREFERENCES, 8, NOW),
        (FormName.ADMIN, 7, NOW),
        (FormName.PREFERENCES, 7, NOW + timedelta(days=9)),
        (FormName.PREFERENCES, 7, NOW - timedelta(days=3)),
    ):
        with pytest.raises(Refused):
            tokens.check(form, bound_to, token, moment)


# --- choices


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a, b;c\nd", ("a", "b", "c", "d")),
        (' "x, y" , z', ('"x, y"', "z")),
        ('one "open, quote', ('one "open', "quote")),
        (" ,; \n", ()),
    ],
)
def test_values_are_separated_by_commas_but_not_within_quotes(
    text: str, values: tuple[str, ...]
) -> None:
    assert parts(text) == values


def test_fields_that_a_form_does_not_have_are_not_said() -> None:
    choices, problems = read_choices(Form({"email": ["x"]}))

    assert problems == ()
    assert choices.zone is choices.send_at is choices.rising is None
    assert choices.wishes == {InterestKind.TOPIC: ()}


def test_everything_that_is_wrong_is_told_at_once() -> None:
    form = Form({"zone": ["X"], "send_at": ["9"], "cadence": ["never"], "max_items": ["0"]})

    _, problems = read_choices(form)

    assert len(problems) == 4


@given(st.dictionaries(st.sampled_from(["zone", "send_at", "cadence", "max_items", "interests",
    "keywords", "likes", "rising", "rising_asked", "topic"]), st.lists(st.text(max_size=60), min_size=1, max_size=3)))  # fmt: skip
@settings(deadline=None)
def test_whatever_is_typed_can_be_shown_again(fields: dict[str, list[str]]) -> None:
    form = Form(fields)

    choices, problems = read_choices(form)
    view = typed_form(form, [Topic(slug="t", name="T")], DEFAULTS)

    assert view.interests == form.one("interests")[:20_000]
    assert problems or choices.zone is None or choices.zone in known_zones()


def test_the_form_of_a_newcomer_has_the_defaults_and_every_zone() -> None:
    view = empty_form([Topic(slug="t", name="T", description="d")], DEFAULTS)

    zones = [zone.value for group in view.zones.values() for zone in group]
    assert view.send_at == "07:00"
    assert {"Europe/Berlin", "America/Argentina/Ushuaia", "UTC"} <= set(zones)
    assert len(zones) == len(set(zones))
    assert [z.value for group in view.zones.values() for z in group if z.is_chosen] == ["UTC"]


@pytest.mark.parametrize(
    ("matches", "days", "words"),
    [
        (0, 7, "Nothing of the last days would have matched."),
        (42, 7, "About 6 papers a day would match."),
        (7, 7, "About 1 paper a day would match."),
        (2, 7, "About 2 papers a week would match."),
        (1, 30, "About 1 paper a week would match."),
        (5, 0.1, "About 5 papers a day would match."),
    ],
)
def test_rates_are_told_so_that_people_can_picture_them(
    matches: int, days: float, words: str
) -> None:
    assert rate_words(matches, days=days) == words
    assert rate_words(200, days=4, is_capped=True) == "More than 50 papers a day would match."


# --- charts


def count(hours: float, votes: int | None) -> Count:
    return Count(at=NOW + timedelta(hours=hours), votes=votes)


def test_a_sparkline_begins_low_and_ends_at_the_last_number() -> None:
    line = sparkline([count(1, 5), count(5, 20)], NOW)

    assert line is not None
    assert line.points == "2,16 14,12.5 62,2"
    assert (line.x, line.y) == ("62", "2")


@pytest.mark.parametrize(
    "counts", [[], [count(0, 5)], [count(0, 0), count(1, 0)], [count(0, None), count(1, None)]]
)
def test_without_growth_there_is_no_sparkline(counts: list[Count]) -> None:
    assert sparkline(counts, NOW) is None


@given(st.lists(st.integers(0, 10**9), min_size=2, max_size=40))
@settings(deadline=None)
def test_points_stay_within_the_chart(numbers: list[int]) -> None:
    series = [(NOW + timedelta(hours=at), number) for at, number in enumerate(numbers)]

    chart = growth_chart(series, label="x")

    assert chart is not None
    points = [tuple(map(float, p.split(","))) for p in chart.points.split()]
    assert len(points) == len(numbers)
    assert all(chart.left <= x <= chart.right for x, _ in points)
    assert all(chart.top - 0.1 <= y <= chart.bottom + 0.1 for _, y in points)


def test_bars_are_stacked_and_say_what_they_are() -> None:
    days = [NOW.date(), NOW.date() + timedelta(days=1)]

    chart = day_bars(days, [[("sent", 3), ("failed", 1)], [("sent", 0)]], label="Messages")

    sent, failed = chart.bars
    assert (sent.title, failed.title) == ("12 March: 3 sent", "12 March: 1 failed")
    assert float(failed.y) + float(failed.height) == pytest.approx(float(sent.y), abs=0.2)
    assert day_bars([], [], label="nothing").bars == ()


@pytest.mark.parametrize(
    ("number", "rounded"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (74, 100), (501, 1000)]
)
def test_axes_end_at_a_round_number(number: int, rounded: int) -> None:
    assert round_up(number) == rounded


# --- pages


def page(body: bytes = b"x" * 2_000) -> Page:
    return make_page(body, modified_at=NOW)


@pytest.mark.parametrize(
    ("accepted", "takes"),
    [
        (b"gzip", True),
        (b"br, gzip;q=0.5", True),
        (b"deflate;q=1, *", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.000", False),
        (b"br", False),
        (b"", False),
    ],
)
def test_gzip_is_sent_to_those_who_take_it(accepted: bytes, takes: bool) -> None:
    assert takes_gzip(accepted) is takes


def test_small_pages_are_not_packed() -> None:
    answer = answer_for(page(b"small"), [(b"accept-encoding", b"gzip")])

    assert answer.body == b"small"


@pytest.mark.parametrize("value", [b"garbage", b"\xff", b"Thu, 99 Foo 2026", b""])
def test_a_date_that_is_none_gets_the_page(value: bytes) -> None:
    assert answer_for(page(), [(b"if-modified-since", value)]).status == 200


def test_many_who_ask_for_one_page_wait_for_one() -> None:
    made = 0

    async def version() -> str:
        return "1"

    async def make() -> Page:
        nonlocal made
        made += 1
        await asyncio.sleep(0.01)
        return page()

    async def run() -> set[str]:
        cache = PageCache(version)
        pages = await asyncio.gather(*(cache.page(("/", ""), make) for _ in range(20)))
        return {p.etag for p in pages}

    assert len(asyncio.run(run())) == 1
    assert made == 1


def test_a_page_that_cannot_be_made_fails_for_those_who_asked_and_is_tried_again() -> None:
    async def version() -> str:
        return "1"

    async def broken() -> Page:
        raise BadInput("no")

    async def fine() -> Page:
        return page()

    async def run() -> Page:
        cache = PageCache(version)
        with pytest.raises(BadInput):
            await cache.page(("/", ""), broken)
        return await cache.page(("/", ""), fine)

    assert asyncio.run(run()).body


def test_in_a_rush_a_stale_page_is_served_while_a_new_one_is_made() -> None:
    state = {"version": "1", "body": b"old" * 1000}

    async def version() -> str:
        return state["version"]  # type: ignore[return-value]

    async def make() -> Page:
        return page(state["body"])  # type: ignore[arg-type]

    async def run() -> list[bytes]:
        cache = PageCache(version)
        key = ("/", "")
        first = await cache.page(key, make)
        state.update(version="2", body=b"new" * 1000)
        cache._kept[key].checked_at -= 2
        during = await cache.page(key, make)
        while cache._making:
            await asyncio.sleep(0)
        after = cache.ready(key)
        cache._kept[key].checked_at -= 60
        assert cache.ready(key) is None
        assert after is not None
        return [first.body[:3], during.body[:3], after.body[:3]]

    assert asyncio.run(run()) == [b"old", b"old", b"new"]


def test_the_cache_keeps_within_its_size() -> None:
    async def version() -> str:
        return "1"

    async def run() -> tuple[int, int]:
        cache = PageCache(version, bytes_max=50_000)
        for number in range(100):

            async def make(number: int = number) -> Page:
                return page(bytes([number]) * 4_000)

            await cache.page((f"/{number}", ""), make)
        return cache._bytes, len(cache._kept)

    used, kept = asyncio.run(run())
    assert used <= 50_000
    assert 5 < kept < 12


# --- feeds

ENTRY = FeedEntry(
    url="https://d.example/paper/arxiv:1",
    title="A <b>title</b> & more \x0b\ud800 \u202e",
    summary="Sum ]]> mary",
    updated_at=NOW,
    authors=["Ada", "\x00", "Łukasz"],
    categories=["cs.LG", ""],
    external_url="https://arxiv.org/abs/1",
)


def feed(*entries: FeedEntry) -> Feed:
    return Feed(
        title="T & t",
        subtitle="s",
        home_url="https://d.example/",
        atom_url="https://d.example/feed.atom",
        json_url="https://d.example/feed.json",
        author="D",
        now=NOW,
        entries=entries,
    )


def test_atom_is_well_formed_and_read_back_as_it_was_meant() -> None:
    raw = atom_bytes(feed(ENTRY))

    ElementTree.fromstring(raw)
    found = feedparser.parse(raw)
    assert found.bozo == 0
    assert found.feed.title == "T & t"
    entry = found.entries[0]
    assert entry.title_detail.type == "text/plain"
    assert entry.title.startswith("A <b>title</b> & more")
    assert entry.id == entry.link == ENTRY.url
    assert [author.name for author in entry.authors] == ["Ada", "Łukasz"]
    assert entry.updated == "2026-03-12T12:00:00Z"


def test_json_feed_has_what_the_format_asks_for() -> None:
    found = json.loads(json_bytes(feed(ENTRY)))

    assert found["version"] == "https://jsonfeed.org/version/1.1"
    assert found["items"][0]["id"] == ENTRY.url
    assert found["items"][0]["external_url"] == "https://arxiv.org/abs/1"
    assert found["items"][0]["tags"] == ["cs.LG"]


def test_a_feed_without_entries_is_a_feed() -> None:
    assert feedparser.parse(atom_bytes(feed())).bozo == 0
    assert json.loads(json_bytes(feed()))["items"] == []


@given(st.text(), st.text())
@settings(deadline=None)
def test_any_text_makes_a_well_formed_feed(title: str, summary: str) -> None:
    entry = FeedEntry(url="https://d.example/x", title=title, summary=summary, updated_at=NOW)

    ElementTree.fromstring(atom_bytes(feed(entry)))
    json.loads(json_bytes(feed(entry)))


# --- crowds


def test_a_client_has_so_many_connections_and_one_that_ends_makes_room() -> None:
    crowd = Crowd(per_client=2)
    names = [crowd.enter("192.0.2.1") for _ in range(3)]

    assert names[0] == names[1] != ""
    assert names[2] is None
    assert crowd.enter("192.0.2.2")
    crowd.leave("192.0.2.1")
    assert crowd.enter("192.0.2.1") == "192.0.2.1"
    assert crowd.enter("192.0.2.1") is None


def test_a_whole_network_of_ipv6_is_one_client() -> None:
    crowd = Crowd(per_client=1)

    assert crowd.enter("2001:db8::1")
    assert crowd.enter("2001:db8::2") is None
    assert crowd.enter("2001:db8:0:1::1")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "", "::ffff:127.0.0.1"])
def test_this_machine_and_proxies_are_not_counted(peer: str) -> None:
    crowd = Crowd(per_client=1)

    assert {crowd.enter(peer) for _ in range(5)} == {""}
    crowd.leave("")
