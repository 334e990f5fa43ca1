"""feedparser's own sanitiser cases, read by the feed source, on our pages, in our feeds and mails:
an independent parser finds nothing that runs, loads, or leads to a strange scheme.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from lxml import html

from digest.enrol import Choices
from digest.errors import ParseError
from digest.model import PaperData, Request
from digest.sources import SourceOptions, build_source
from digest.store.items import merge_listing
from tests.paths import LISTINGS, needs_shared
from tests.web_site import NOW, Site, demo_folder, site

__all__ = ["demo_folder", "site"]

CASES = LISTINGS / "feedparser_cases"
#: what no page, feed or mail of ours has
FORBIDDEN = (
    "script style iframe frame frameset object embed applet img image video audio source track"
    " base math link meta form input button textarea select svg use foreignobject template"
    " noscript marquee blink layer ilayer bgsound xml plaintext"
).split()
#: a few of the same kind, for machines without the recordings
BUNDLED = [
    "<script>alert(1)</script>",
    "<a href='javascript:alert(1)' onclick='x()'>press</a>",
    "<img src='x' onerror='alert(1)'>",
    "<p style='background:url(javascript:x)'>y</p>",
    "<iframe src='//evil.example'></iframe>",
    "<svg><script>1</script></svg><math><mtext><b>x",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<a href='java\tscript:x'>a</a><a href='data:text/html,x'>b</a>",
]


def feed_of(markup: str) -> bytes:
    escaped = markup.replace("&", "&amp;").replace("<", "&lt;")
    return (
        '<rss version="2.0"><channel><title>t</title>'
        f"<item><title>{escaped}</title><link>https://a.example/</link>"
        f"<description>{escaped}</description></item></channel></rss>"
    ).encode()


def entries_of(body: bytes) -> list[PaperData]:
    source = build_source("feed", "strangers", SourceOptions(url="https://feed.example/f.xml"))
    request = Request(url="https://feed.example/f.xml", label="f")
    try:
        return list(source.parse(request, body, "application/xml").entries)
    except ParseError:
        return []


def entries_of_case(path: Path) -> list[PaperData]:
    """The entries of a case; most have but one element, so that a link and a title are added.

    Cases about a feed's own elements are taken as if they were an entry's: those are shown.
    """
    body = path.read_bytes()
    found = entries_of(body)
    if found:
        return found
    if not re.search(rb"<(entry|item)\b", body):
        body = re.sub(rb"(<feed[^>]*>)(.*)(</feed>)", rb"\1<entry>\2</entry>\3", body, flags=re.S)
        body = re.sub(
            rb"(<channel[^>]*>)(.*)(</channel>)", rb"\1<item>\2</item>\3", body, flags=re.S
        )
    link = b"https://case.example/" + path.stem.encode()
    title = b"" if b"<title" in body else b"<title>T</title>"
    body = re.sub(rb"<entry[^>]*>", rb'\g<0><link href="' + link + rb'"/>' + title, body)
    body = re.sub(rb"<item[^>]*>", rb"\g<0><link>" + link + rb"</link>" + title, body)
    return entries_of(body)


def put(site: Site, entries: list[PaperData]) -> None:
    """Each entry as a paper of its own, with the most votes there are."""
    papers = [
        PaperData(
            title=e.title,
            abstract=e.abstract,
            authors=e.authors,
            categories=e.categories,
            url=e.url,
            doi=f"10.5555/case.{number}",
            pdf_url=e.pdf_url,
            code_url=e.code_url,
            project_url=e.project_url,
            discussion_url=e.discussion_url,
            organization=e.organization,
            position=number,
            votes=10_000 + number,
        )
        for number, e in enumerate(entries, 1)
    ]
    with site.app.store.write() as tx:
        merge_listing(tx, papers, source="huggingface", kind="huggingface", now=NOW)
    site.refresh()


def problems_of(page: html.HtmlElement, *, allowed: tuple[str, ...] = ()) -> Iterator[str]:
    """What an independent parser finds that may not be there.

    A mail has styles of our own, inlined; there only what could load or run is one.
    """
    for element in page.iter():
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.lower().rpartition("}")[2]
        if tag in FORBIDDEN and tag not in allowed:
            yield f"<{tag}>"
        for name, value in element.attrib.items():
            if name.lower().startswith("on") or name.lower() in ("srcdoc", "formaction", "ping"):
                yield f"{tag} {name}"
            if name.lower() == "style":
                if not allowed or re.search(r"url|expression|import|javascript", value, re.I):
                    yield f"{tag} style={value[:60]}"
            if name.lower() in ("href", "src", "action", "xlink:href", "background"):
                scheme = urlsplit("".join(value.split())).scheme.lower()
                if scheme not in ("", "http", "https", "mailto"):
                    yield f"{tag} {name}={value[:60]}"


def stripped(page: html.HtmlElement) -> html.HtmlElement:
    """A page without what is our own: its head, its forms and its charts."""
    for element in page.xpath("//head|//form|//*[local-name()='svg']"):
        element.drop_tree()
    return page


def check_everywhere(site: Site) -> None:
    """Every page, feed and mail that shows the papers."""
    listing = site.page("/")
    paths = listing.xpath("//li[@class='paper']/h2/a/@href")
    assert any("case." in path for path in paths)
    for path in ("/", "/day/2026-03-12", "/search?q=alert", *paths):
        found = list(problems_of(stripped(site.page(path))))
        assert found == [], path
    for path in ("/feed.atom", "/feed.json"):
        answer = site.get(path)
        assert "<script" not in answer.text or path.endswith("json")
        if path.endswith("atom"):
            for element in ElementTree.fromstring(answer.content).iter():
                assert urlsplit(element.get("href", "")).scheme in ("", "http", "https")
    for mail in mail_pages(site):
        assert list(problems_of(mail, allowed=("style", "meta"))) == []


def mail_pages(site: Site) -> Iterator[html.HtmlElement]:
    """The HTML part of the mail that a new reader without interests gets."""
    address = "curious@example.org"
    joined = site.app.enrolment.join(
        address, Choices(max_items=100), now=NOW, source="test", vouched=True
    )
    due = joined.subscriber.next_edition_at
    assert due is not None
    site.clock.at = due
    site.app.editor.make_due(due)
    site.deliver()
    for path in site.mails(address):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        part = mail.get_body(("html",))
        assert part is not None
        yield html.fromstring(part.get_content())


def batches() -> list[list[Path]]:
    cases = sorted(CASES.rglob("*.xml")) if CASES.is_dir() else []
    chosen = [p for p in cases if "sanitize" in p.parts or "base" in p.parts]
    return [chosen[at : at + 150] for at in range(0, len(chosen), 150)]


def test_markup_of_strangers_is_text_wherever_it_is_shown(site: Site) -> None:
    put(site, [entry for markup in BUNDLED for entry in entries_of(feed_of(markup))])

    check_everywhere(site)


@pytest.mark.parametrize("markup", [m for m in BUNDLED if not m.startswith("&")])
def test_the_judge_of_these_tests_finds_what_is_there(markup: str) -> None:
    assert list(problems_of(html.fromstring(f"<div>{markup}</div>")))


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("batch", batches(), ids=lambda batch: batch[0].stem)
def test_feedparsers_sanitiser_cases_leave_nothing_that_runs(site: Site, batch: list[Path]) -> None:
    entries = [entry for path in batch for entry in entries_of_case(path)]
    assert len(entries) > len(batch) // 2

    # a listing shows so many at once
    for start in range(0, len(entries), 25):
        put(site, entries[start : start + 25])
        listing = site.page("/")
        for path in listing.xpath("//li[@class='paper']/h2/a/@href"):
            if "case." in path:
                assert list(problems_of(stripped(site.page(path)))) == [], path
        assert list(problems_of(stripped(listing))) == []
    check_everywhere(site)


def test_templates_of_the_operator_win_and_broken_ones_are_named(
    demo_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import shutil

    from starlette.testclient import TestClient

    from digest.web import build_web
    from tests.web_site import URL, open_site

    folder = tmp_path / "site"
    shutil.copytree(demo_folder, folder)
    own = folder / "own" / "web"
    own.mkdir(parents=True)
    (own / "topic.html").write_text("<p>Mine: {{ topic.name }}</p>")
    (own / "day.html").write_text("<p>\n{% if on %}\n<b>open\n")
    (own / "paper.html").write_text("<p>\n\n{{ nothing.of.the.kind }}</p>")
    (own / "style.css").write_text("body { color: teal }")
    config = folder / "config.toml"
    config.write_text(
        config.read_text().replace("[mail]\n", '[mail]\ntemplates = "own"\n', 1), "utf-8"
    )
    app, _ = open_site(folder)

    with TestClient(build_web(app), base_url=URL) as client:
        topic = client.get("/topic/robotics").text
        day = client.get("/day/2026-03-11")
        paper = client.get("/paper/arxiv:2603.90417")
        style = client.get("/static/style.css").text
    app.close()

    assert topic == "<p>Mine: Robotics</p>"
    assert day.status_code == paper.status_code == 200
    assert "Wednesday 11 March 2026" in day.text
    assert style == "body { color: teal }"
    assert re.search(r"day\.html:\d+: ", caplog.text)
    assert re.search(r"paper\.html:3: ", caplog.text)
