"""feedparser's own sanitiser cases, collected from a server, on our pages, in our feeds and mails:
an independent parser finds nothing that runs, loads, or leads to a strange scheme.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import pytest
from lxml import html
from sqlalchemy import select, update
from starlette.testclient import TestClient

from digest.app import App
from digest.config import load_settings
from digest.store.catalogue import candidates_by_id
from digest.store.schema import item, sighting, standing
from digest.web import build_web
from digest.web.views import paper_path
from tests.fakes import StepClock
from tests.loopback import pages, reply, serve
from tests.mail_pieces import edition, entry
from tests.paths import LISTINGS, needs_shared
from tests.web_site import NOW, URL, Site, demo_folder, open_site

__all__ = ["demo_folder"]

CASES = LISTINGS / "feedparser_cases"
CONFIG = f"""
[site]
url = "{URL}"
secret_key = "{"k" * 40}"
[mail]
from = "Papers <digest@example.org>"
[smtp]
transport = "folder"
path = "mail"
"""
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
        f"<item><title>{escaped}</title><link>https://a.example/{hash(markup)}</link>"
        f"<author>{escaped}</author><category>{escaped}</category>"
        f"<description>{escaped}</description></item></channel></rss>"
    ).encode()


def case_body(path: Path) -> bytes:
    """A case as a feed with an entry; most have but one element, so a link and a title are added.

    Cases about a feed's own elements are taken as if they were an entry's: those are shown.
    """
    body = path.read_bytes()
    if not re.search(rb"<(entry|item)\b", body):
        body = re.sub(rb"(<feed[^>]*>)(.*)(</feed>)", rb"\1<entry>\2</entry>\3", body, flags=re.S)
        body = re.sub(
            rb"(<channel[^>]*>)(.*)(</channel>)", rb"\1<item>\2</item>\3", body, flags=re.S
        )
    link = b"https://case.example/" + str(path.relative_to(CASES)).encode()
    title = b"" if b"<title" in body else b"<title>T</title>"
    body = re.sub(rb"<entry[^>]*>", rb'\g<0><link href="' + link + rb'"/>' + title, body)
    return re.sub(rb"<item[^>]*>", rb"\g<0><link>" + link + rb"</link>" + title, body)


@contextmanager
def site_of(folder: Path, feeds: Sequence[bytes]) -> Iterator[tuple[Site, list[str]]]:
    """A site whose collector has read those feeds from a server; and the keys of what they had."""
    answers = {
        f"/{number}.xml": reply(body=body, content_type="application/xml")
        for number, body in enumerate(feeds)
    }
    with serve(pages(answers)) as server:
        sources = "".join(
            f'[[source]]\nname = "case-{number}"\nkind = "feed"\nurl = "{server.url}/{number}.xml"\n'
            for number in range(len(feeds))
        )
        folder.mkdir()
        (folder / "config.toml").write_text(CONFIG + sources, "utf-8")
        clock = StepClock(NOW)
        app = App(load_settings(folder / "config.toml", environ={}), clock)
        app.collector.collect_due(NOW)
        assert len(server.heads) >= len(feeds)
    with app.store.write() as tx:
        # so many votes that every list and mail shows them
        tx.execute(update(standing).values(votes=10_000 + standing.c.item_id))
        tx.execute(update(sighting).values(votes=10_000 + sighting.c.item_id))
        keys = list(tx.execute(select(item.c.key)).scalars())
    web = build_web(app)
    with TestClient(web, base_url=URL) as client:
        yield Site(app=app, web=web, client=client, clock=clock, folder=folder), keys
    app.close()


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


def check_everywhere(site: Site, keys: Sequence[str]) -> None:
    """Every page, feed and mail that shows the papers."""
    day = f"/day/{site.clock.now().date()}"
    # some say that they are years old
    assert len(site.page(day).xpath("//li[@class='paper']")) > len(keys) * 0.8
    for path in ("/", day, "/search?q=alert", "/search?q=T", *map(paper_path, keys)):
        assert list(problems_of(stripped(site.page(path)))) == [], path
    for path in ("/feed.atom", "/feed.json"):
        answer = site.get(path)
        if path.endswith("atom"):
            assert "<script" not in answer.text
            for element in ElementTree.fromstring(answer.content).iter():
                assert urlsplit(element.get("href", "")).scheme in ("", "http", "https")
    mails = list(mails_of(site))
    assert sum(len(mail.xpath("//h2")) for mail in mails) >= len(keys)
    for mail in mails:
        assert list(problems_of(mail, allowed=("style", "meta"))) == []


def mails_of(site: Site) -> Iterator[html.HtmlElement]:
    """The HTML parts of mails that hold every paper of the archive, a few in each."""
    with site.app.store.read() as tx:
        ids = tx.execute(select(item.c.id)).scalars().all()
        found = candidates_by_id(tx, ids, until=site.clock.now())
    for start in range(0, len(found), 8):
        few = enumerate(found[start : start + 8], 1)
        entries = tuple(entry(n, said=candidate.wording) for n, candidate in few)
        made = edition(entries, entries[:2])
        message = site.app.composer.edition(made.sheet(), outbox_id=9, message_id="<x@example.org>")
        part = message_from_bytes(message.content, policy=policy.default).get_body(("html",))
        assert part is not None
        yield html.fromstring(part.get_content())


def batches() -> list[list[Path]]:
    cases = sorted(CASES.rglob("*.xml")) if CASES.is_dir() else []
    chosen = [p for p in cases if "sanitize" in p.parts or "base" in p.parts]
    # as many as a day's list and a mail show
    return [chosen[at : at + 90] for at in range(0, len(chosen), 90)]


def test_markup_of_strangers_is_text_wherever_it_is_shown(tmp_path: Path) -> None:
    with site_of(tmp_path / "site", [feed_of(markup) for markup in BUNDLED]) as (site, keys):
        assert len(keys) == len(BUNDLED)

        check_everywhere(site, keys)


@pytest.mark.parametrize("markup", [m for m in BUNDLED if not m.startswith("&")])
def test_the_judge_of_these_tests_finds_what_is_there(markup: str) -> None:
    assert list(problems_of(html.fromstring(f"<div>{markup}</div>")))


@needs_shared
@pytest.mark.slow
@pytest.mark.parametrize("batch", batches(), ids=lambda batch: batch[0].stem)
def test_feedparsers_sanitiser_cases_leave_nothing_that_runs(
    tmp_path: Path, batch: list[Path]
) -> None:
    with site_of(tmp_path / "site", [case_body(path) for path in batch]) as (site, keys):
        # a few of the cases are no feeds at all
        assert len(keys) > len(batch) * 0.8

        check_everywhere(site, keys)


def test_templates_of_the_operator_win_and_broken_ones_are_named(
    demo_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
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
