"""The public pages: what a reader finds on them, and what a browser need not fetch again."""

from __future__ import annotations

import gzip
from datetime import timedelta
from pathlib import Path

import feedparser
import pytest
from lxml import html
from starlette.testclient import TestClient

from digest.app import App
from digest.config import load_settings
from digest.model import PaperData
from digest.store.items import merge_listing
from digest.web import build_web
from tests.config_folder import MINIMAL
from tests.fakes import StepClock
from tests.web_site import NOW, URL, Site, demo_folder, site

__all__ = ["demo_folder", "site"]

TOP = "One Room, Many Suns: Relighting Photographs with a Diffusion Prior"


def titles(page: html.HtmlElement) -> list[str]:
    return [
        h.text_content() for h in page.xpath("//ol[contains(@class,'papers')]/li/*[@class='title']")
    ]


def test_the_front_page_lists_what_rises_with_votes_trend_and_links(site: Site) -> None:
    page = site.page("/")

    first = page.xpath("//li[@class='paper']")[0]
    assert titles(page)[0] == TOP
    assert "74 votes in 17 h, 3× usual" in first.text_content()
    assert first.xpath(".//*[local-name()='svg']//*[local-name()='polyline']/@points")
    assert [a.text for a in first.xpath(".//p[@class='links']/a")][:2] == ["Abstract", "PDF"]
    assert "Thursday 12 March" in page.text_content()


def test_the_front_page_has_the_form_with_every_topic(site: Site) -> None:
    page = site.page("/")

    form = page.xpath("//form[@action='/subscribe']")[0]
    assert len(form.xpath(".//input[@name='topic']")) == 9
    assert "How they are built, trained and made to reason" in form.text_content()
    assert form.xpath(".//input[@name='email']/@type") == ["email"]


def test_a_day_lists_what_was_listed_then_and_leads_to_its_neighbours(site: Site) -> None:
    page = site.page("/day/2026-03-11")

    assert page.xpath("//h1")[0].text == "Wednesday 11 March 2026"
    assert len(titles(page)) == 20
    assert page.xpath("//a[@rel='prev']/@href")[0] == "/day/2026-03-10"
    assert page.xpath("//a[@rel='next']/@href")[0] == "/day/2026-03-12"


def test_a_day_without_lists_says_so_and_leads_to_the_one_before(site: Site) -> None:
    site.clock.at += timedelta(days=3)

    page = site.page("/day/2026-03-15")

    assert "No source listed anything on this day" in page.text_content()
    assert "/day/2026-03-12" in page.xpath("//main//a/@href")


def test_a_settled_day_is_told_the_same_a_year_later(site: Site) -> None:
    site.clock.at = NOW + timedelta(days=30)
    first = site.get("/day/2026-03-11").text
    site.clock.at = NOW + timedelta(days=365)

    again = site.get("/day/2026-03-11", params={"later": "1"}).text
    site.desk.cache._kept.clear()
    later = site.get("/day/2026-03-11").text

    assert first == again == later


def test_a_day_lists_copies_too(site: Site) -> None:
    papers = [
        PaperData(
            title=f"The same words again and again, number {number}",
            abstract="We say the same. We say it twice. " * 5,
            url=f"https://a.example/{number}",
            arxiv_id=f"2603.7770{number}",
            position=number,
            votes=100 + number,
        )
        for number in range(5)
    ]
    with site.app.store.write() as tx:
        merge_listing(tx, papers, source="huggingface", kind="huggingface", now=NOW)
    site.refresh()

    page = site.page("/day/2026-03-12")

    copies = [title for title in titles(page) if title.startswith("The same words")]
    assert len(copies) == 5
    assert page.xpath("//p[@class='lead']")[0].text.startswith(f"{len(titles(page))} papers")
    places = page.xpath("//span[@class='place']/text()")
    assert places == [str(n) for n in range(1, len(titles(page)) + 1)]


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "2026-3-1", "99999-01-01", "%00"])
def test_a_day_that_is_none_is_not_found(site: Site, day: str) -> None:
    answer = site.get(f"/day/{day}")

    assert answer.status_code == 404
    assert "There is no such" in answer.text


def test_a_topic_lists_its_papers_and_leaves_out_what_goes_without_saying(site: Site) -> None:
    page = site.page("/topic/robotics")

    assert any("Quadruped" in title for title in titles(page))
    assert "topic Robotics" not in page.xpath("//ol")[0].text_content()
    assert "42 votes in 15 h" in page.xpath("//li[@class='paper']")[0].text_content()
    assert page.xpath("//aside//a/@href") == ["/subscribe?topic=robotics"]
    assert site.get("/topic/alchemy").status_code == 404


def test_a_paper_has_its_abstract_its_sources_its_growth_and_others_like_it(site: Site) -> None:
    path = site.page("/").xpath("//li[@class='paper']/h2/a/@href")[0]

    page = site.page(path)

    text = page.text_content()
    assert page.xpath("//h1")[0].text_content() == TOP
    assert "Architects could not tell its noon from a measured noon" in text
    listed = page.xpath("//section[@aria-labelledby='sights']//li")[0].text_content()
    assert listed == "12 March 2026 by huggingface · place 2 · 74 votes · 3 comments · 110 stars"
    chart = page.xpath("//*[local-name()='svg'][@role='img']")[0]
    assert chart.get("aria-label").startswith("Votes on huggingface: 74 after")
    assert TOP not in titles(page)
    assert len(titles(page)) >= 3


def test_every_spelling_of_a_paper_leads_to_its_one_page(site: Site) -> None:
    for name in ("2603.90417", "arxiv:2603.90417v3", "https://arxiv.org/abs/2603.90417"):
        answer = site.get(f"/paper/{name}", follow_redirects=False)

        assert answer.status_code == 302
        assert answer.headers["location"] == "/paper/arxiv:2603.90417"
    assert site.get("/paper/2401.00001").status_code == 404
    assert site.get("/paper/no%20such%20thing").status_code == 404


def test_search_finds_words_and_then_what_is_about_the_same(site: Site) -> None:
    page = site.page("/search?q=quadruped")

    by_words, by_meaning = page.xpath("//ol[contains(@class,'papers')]")
    assert "Quadruped" in by_words.text_content()
    assert "Quadruped" not in by_meaning.xpath("./li/*[@class='title']")[0].text_content()
    assert "1 paper with these words" in page.text_content()


def test_search_keeps_within_source_topic_and_days(site: Site) -> None:
    everything = titles(site.page("/search?q=models"))
    of_arxiv = titles(site.page("/search?q=models&source=arxiv"))
    of_robots = titles(site.page("/search?q=models&topic=robotics"))
    of_a_day = titles(site.page("/search?q=models&from=2026-03-10&to=2026-03-10"))

    assert len(everything) > len(of_arxiv) > 0
    assert len(everything) > len(of_robots)
    assert len(everything) > len(of_a_day) > 0
    assert "is not a date" in site.get("/search?q=models&from=soon").text


@pytest.mark.parametrize(
    "query", ['"', "AND OR NOT", "title:x*", "NEAR(a b)", "(", "x" * 5_000, "\x00", "…", "%27"]
)
def test_search_takes_anything_as_words(site: Site, query: str) -> None:
    answer = site.get("/search", params={"q": query})

    assert answer.status_code == 200
    assert "papers you" not in answer.text


def test_an_archive_without_anything_says_what_will_be_there(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(MINIMAL, "utf-8")
    app = App(load_settings(config, environ={}), StepClock(NOW))

    with TestClient(build_web(app), base_url=URL) as client:
        pages = {path: client.get(path) for path in ("/", "/day/2026-03-12", "/search?q=x")}

    app.close()
    assert {answer.status_code for answer in pages.values()} == {200}
    assert "within the hour" in pages["/"].text


def test_a_page_that_has_not_changed_is_not_sent_again(site: Site) -> None:
    first = site.get("/")
    etag, modified = first.headers["etag"], first.headers["last-modified"]

    by_etag = site.get("/", headers={"if-none-match": f'"other", {etag}'})
    by_date = site.get("/", headers={"if-modified-since": modified})
    older = site.get("/", headers={"if-modified-since": "Thu, 12 Mar 2026 17:00:00 GMT"})
    other = site.get("/", headers={"if-none-match": '"x"', "if-modified-since": modified})

    assert [a.status_code for a in (first, by_etag, by_date, older, other)] == [
        200,
        304,
        304,
        200,
        200,
    ]
    assert by_etag.content == b""
    assert by_etag.headers["etag"] == etag


def test_pages_are_packed_for_those_who_take_it(site: Site) -> None:
    site.client.headers.pop("accept-encoding")
    plain = site.client.get("/", headers={"accept-encoding": "identity"})
    with site.client.stream("GET", "/", headers={"accept-encoding": "br, gzip;q=0.5"}) as answer:
        packed = b"".join(answer.iter_raw())
        coding = answer.headers["content-encoding"]
    refused = site.client.get("/", headers={"accept-encoding": "gzip;q=0"})

    assert coding == "gzip"
    assert gzip.decompress(packed) == plain.content
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in refused.headers


def test_head_answers_like_get_without_the_body(site: Site) -> None:
    for path in ("/", "/feed.atom", "/static/style.css", "/nowhere", "/subscribe"):
        get, head = site.get(path), site.client.head(path)

        assert head.status_code == get.status_code
        assert head.content == b""
        assert head.headers["content-type"] == get.headers["content-type"]


def test_what_was_just_collected_stands_on_the_page_soon(site: Site) -> None:
    site.get("/")
    with site.app.store.write() as tx:
        paper = PaperData(
            title="Fresh as the dew", url="https://a.example/x", position=1, votes=900
        )
        merge_listing(tx, [paper], source="huggingface", kind="huggingface", now=NOW)
        from digest.model import Reading, ReadingState
        from digest.store.collecting import add_reading

        reading = Reading(
            source="huggingface", label="x", url="u", read_at=NOW, state=ReadingState.OK
        )
        add_reading(tx, reading, settled=False)
    # a reader who was gone for a minute
    for kept in site.desk.cache._kept.values():
        kept.checked_at -= 60
    site.desk.version._asked_at -= 60

    page = site.page("/")

    assert "Fresh as the dew" in titles(page)


def test_links_stand_below_the_path_that_the_site_has(demo_folder: Path, tmp_path: Path) -> None:
    import shutil

    from tests.web_site import open_site

    shutil.copytree(demo_folder, tmp_path / "site")
    app, _ = open_site(tmp_path / "site", url="https://example.org/papers")

    with TestClient(build_web(app), base_url="https://example.org") as client:
        cut_off, whole = client.get("/search?q=x"), client.get("/papers/search?q=x")
        page = html.fromstring(whole.text)
        paths = page.xpath("//a/@href[starts-with(.,'/')]|//form/@action|//link/@href")
        moved = client.get("/papers/paper/2603.90417", follow_redirects=False)
        style = client.get(page.xpath("//link[@rel='stylesheet']/@href")[0])

    app.close()
    assert cut_off.status_code == whole.status_code == style.status_code == 200
    assert all(p.startswith(("/papers/", "https://example.org/papers/")) for p in paths), paths
    assert moved.headers["location"] == "/papers/paper/arxiv:2603.90417"


def test_files_are_named_by_their_content_and_nothing_else_is_served(site: Site) -> None:
    page = site.page("/")
    style = page.xpath("//link[@rel='stylesheet']/@href")[0]

    answer = site.get(style)

    assert "?v=" in style
    assert "max-age=31536000" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/css")
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/", "/static/app.py"):
        assert site.get(path).status_code == 404


def test_pages_say_nothing_of_the_clock_that_made_them(site: Site) -> None:
    first = site.get("/search?q=attention")
    site.desk.cache._kept.clear()
    site.clock.at = NOW + timedelta(seconds=20)

    again = site.get("/search?q=attention")

    assert first.headers["etag"] == again.headers["etag"]


@pytest.mark.parametrize(
    "path", ["/", "/topic/robotics", "/paper/arxiv:2603.90417", "/search?q=models&source=arxiv"]
)
def test_every_list_has_its_feeds(site: Site, path: str) -> None:
    links = site.page(path).xpath("//link[@rel='alternate']/@href")
    atom, plain = (site.get(link) for link in links)

    feed = feedparser.parse(atom.content)
    items = plain.json()["items"]
    assert feed.bozo == 0
    assert len(feed.entries) == len(items) > 0
    assert [e.id for e in feed.entries] == [i["id"] for i in items]
    assert plain.json()["feed_url"] == URL + links[1]
    assert atom.headers["content-type"].startswith("application/atom+xml")
