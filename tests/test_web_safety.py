"""What must never happen, whoever asks: changes by GET, forged forms, other people's links, markup
of strangers on our pages. Crawls the site and its mails as a scanner does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from lxml import html
from starlette.routing import Route

from digest.model import PaperData
from digest.store.items import merge_listing
from digest.tokens import Purpose
from tests.test_web_subscribe import question, subscribe
from tests.web_site import ADMIN_TOKEN, MARA, NOW, THEO, URL, Site, demo_folder, site

__all__ = ["demo_folder", "site"]

#: paths with a token each, for a subscriber and its first edition
TOKEN_PAGES = {
    Purpose.CONFIRM: "/confirm/{}",
    Purpose.PREFERENCES: "/preferences/{}",
    Purpose.UNSUBSCRIBE: "/unsubscribe/{}",
    Purpose.FEEDBACK: "/feedback/{}?pick=1&vote=up",
    Purpose.EDITION: "/edition/{}",
    Purpose.FEED: "/feed/{}.atom",
}
#: posts that need no token of a form: RFC 8058
WITHOUT_TOKEN = {"/unsubscribe/{token}"}


def links_of_mails(site: Site) -> set[str]:
    """Every http link in every part and header of every mail."""
    found: set[str] = set()
    for path in site.folder.glob("mail/*.eml"):
        mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        texts = [str(value) for value in mail.values()]
        texts += [part.get_content() for part in mail.walk() if not part.is_multipart()]
        for text in texts:
            found |= set(re.findall(r"https?://[^\s<>\"']+", text))
    return {link.replace("&amp;", "&") for link in found}


def token_path(site: Site, purpose: Purpose, who: int = MARA) -> str:
    numbers: tuple[int, ...] = (who, 1) if purpose is Purpose.FEEDBACK else (who,)
    if purpose is Purpose.CONFIRM:
        numbers = (who, int((NOW + timedelta(days=1)).timestamp()))
    return TOKEN_PAGES[purpose].format(site.app.tokens.sign(purpose, *numbers))


def crawl(site: Site, starts: set[str]) -> Iterator[tuple[str, Any]]:
    """Follow every link of every page with GET and HEAD, as far as the site goes."""
    waiting, seen = sorted(starts), set(starts)
    # days go back for ever
    queries: Counter[str] = Counter()
    while waiting:
        link = waiting.pop()
        path = link.removeprefix(URL)
        answer = site.get(path)
        site.client.head(path)
        yield path, answer
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        page = html.fromstring(answer.text)
        for href in page.xpath("//@href|//@src|//form[@method='get']/@action"):
            target = urljoin(URL + path, href).partition("#")[0]
            page_path = urlsplit(target).path
            if target.startswith(URL) and target not in seen and queries[page_path] < 30:
                queries[page_path] += "?" in target
                seen.add(target)
                waiting.append(target)


def test_a_scanner_that_opens_every_link_changes_nothing(site: Site) -> None:
    subscribe(site, topic=["robotics"])
    question(site)
    starts = {link for link in links_of_mails(site) if link.startswith(URL)} | {f"{URL}/"}
    starts |= {URL + token_path(site, purpose) for purpose in TOKEN_PAGES}
    before = site.rows()

    visited = dict(crawl(site, starts))

    kinds = {urlsplit(path).path.split("/")[1] for path in visited}
    assert {"confirm", "unsubscribe", "feedback", "preferences", "edition", "paper"} <= kinds
    assert len(visited) > 100
    bad = {p: a.status_code for p, a in visited.items() if a.status_code >= 400}
    assert bad == {}
    assert site.rows() == before


def test_what_machines_ask_for_changes_nothing(site: Site) -> None:
    before = site.rows()

    for path in ("/health", "/metrics", "/robots.txt", "/favicon.ico", "/static/style.css", "/no"):
        for method in ("GET", "HEAD"):
            site.client.request(method, path)

    assert site.rows() == before


def test_the_operator_s_links_change_nothing_either(site: Site) -> None:
    site.send("/admin/login", token=ADMIN_TOKEN)
    before = site.rows()

    visited = dict(crawl(site, {f"{URL}/admin", f"{URL}/admin/outbox?state=sent"}))

    admin = [path for path in visited if path.startswith("/admin/")]
    assert len(admin) > 20
    assert {p: a.status_code for p, a in visited.items() if a.status_code >= 400} == {}
    assert site.rows() == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "x"])
def test_other_methods_do_nothing_anywhere(site: Site, method: str) -> None:
    site.send("/admin/login", token=ADMIN_TOKEN)
    before = site.rows()

    for path in {real_path(site, route.path) for route in site.web.routes if is_page(route)}:
        answer = site.client.request(method, path, follow_redirects=False)
        assert answer.status_code in (303, 405), (path, answer.status_code)

    assert site.rows() == before


def is_page(route: Any) -> bool:
    return isinstance(route, Route) and "{" not in route.path.replace("{token}", "")


def test_every_page_carries_the_security_headers(site: Site) -> None:
    paths = ["/", "/nowhere", "/subscribe", "/feed.atom", "/static/style.css", "/search?q=x"]
    paths += [token_path(site, purpose) for purpose in TOKEN_PAGES]

    for path in paths:
        headers = site.get(path).headers
        policy_text = headers["content-security-policy"]
        assert "default-src 'none'" in policy_text
        assert "frame-ancestors 'none'" in policy_text
        assert "unsafe" not in policy_text
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-frame-options"] == "DENY"


def test_pages_of_persons_are_kept_by_nobody(site: Site) -> None:
    for purpose in TOKEN_PAGES:
        answer = site.get(token_path(site, purpose))

        assert answer.status_code == 200, purpose
        cached = answer.headers["cache-control"]
        assert cached in ("no-store", "private, no-cache")


def test_nothing_inline_runs_and_nothing_comes_from_elsewhere(site: Site) -> None:
    paths = ["/", "/subscribe", "/search?q=attention", "/day/2026-03-11"]
    paths += [token_path(site, p) for p in TOKEN_PAGES if p is not Purpose.FEED]

    for path in paths:
        page = site.page(path)
        assert not page.xpath("//script[not(@src)]|//style|//@style|//iframe|//object|//img")
        assert not page.xpath("//@*[starts-with(name(),'on')]")
        loaded = page.xpath("//script/@src|//link[@rel='stylesheet' or @rel='icon']/@href")
        assert all(address.startswith("/static/") for address in loaded)


# --- links


@pytest.mark.parametrize("purpose", list(TOKEN_PAGES))
def test_a_token_opens_only_what_it_was_made_for(site: Site, purpose: Purpose) -> None:
    right = token_path(site, purpose)
    token = right.split("/")[2].partition("?")[0].removesuffix(".atom")
    assert site.get(right).status_code == 200

    for other, pattern in TOKEN_PAGES.items():
        if other is not purpose:
            answer = site.get(pattern.format(token))
            assert answer.status_code == 404, other
            assert "This link does not work" in answer.text


@pytest.mark.parametrize("purpose", list(TOKEN_PAGES))
def test_a_token_that_was_changed_gets_a_friendly_page(site: Site, purpose: Purpose) -> None:
    path = token_path(site, purpose)
    token = path.split("/")[2].partition("?")[0].removesuffix(".atom")
    payload, _, signature = token.partition(".")
    theirs = site.app.tokens.sign(purpose, THEO).partition(".")[0]

    for changed in (
        f"{theirs}.{signature}",
        f"{payload}.{signature[::-1]}",
        f"{payload}.",
        payload,
        token[:-1],
        token + "A",
        "A" * 5_000,
        "%00",
        "..%2f..",
    ):
        answer = site.get(path.replace(token, changed))
        assert answer.status_code == 404, changed
        assert "Traceback" not in answer.text


# --- forms


def posts(site: Site) -> list[str]:
    """The paths of all routes that take a POST."""
    routes = [route for route in site.web.routes if isinstance(route, Route)]
    return [route.path for route in routes if "POST" in (route.methods or ())]


def real_path(site: Site, pattern: str) -> str:
    kind = pattern.split("/")[1]
    if "{token}" in pattern:
        token = token_path(site, Purpose(kind)).partition("?")[0]
        return token + "/data.json" * pattern.endswith("data.json")
    return re.sub(r"\{[^}]*\}", "1", pattern)


def test_every_form_but_the_one_click_needs_its_own_token(site: Site) -> None:
    before = site.rows()
    checked = set(posts(site)) - WITHOUT_TOKEN
    assert {"/subscribe", "/confirm/{token}", "/preferences/{token}"} <= checked
    tokens = {"", "x", site.desk.form_token(max(_forms(site)))}
    tokens |= {site.desk.form_token(form, 99) for form in _forms(site)}

    for pattern in sorted(checked):
        for token in sorted(tokens):
            data = {"form": token, "do": "erase", "sure": "yes", "pick": "1", "vote": "up"}
            answer = site.client.post(real_path(site, pattern), data=data, follow_redirects=False)
            assert answer.status_code in (303, 403, 404), (pattern, token, answer.status_code)
            assert answer.status_code != 303 or "login" in answer.headers["location"]

    assert site.rows() == before


def _forms(site: Site) -> list[Any]:
    from digest.web.forms import FormName

    return list(FormName)


def test_a_form_that_another_site_sends_is_refused(site: Site) -> None:
    before = site.rows()
    token = site.desk.form_token(min(_forms(site)))
    data = {"form": token, "email": "x@example.org", "do": "subscribe"}

    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://digest.example.org.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": URL},
    ):
        answer = site.client.post("/subscribe", data=data, headers=headers)
        assert answer.status_code == 403, headers
        assert "another site" in answer.text

    assert site.rows() == before
    fine = {"origin": URL, "sec-fetch-site": "same-origin"}
    assert site.client.post("/subscribe", data=data, headers=fine).status_code == 200


def test_a_form_that_lay_open_for_weeks_says_so(site: Site) -> None:
    form = site.forms("/subscribe")[0]
    token = form.xpath(".//input[@name='form']/@value")[0]
    site.clock.at += timedelta(days=20)

    answer = site.client.post("/subscribe", data={"form": token, "email": "x@example.org"})

    assert answer.status_code == 403
    assert "open for too long" in answer.text


# --- hosts and headers


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "digest.example.org.evil.example",
        "digest.example.org@evil.example",
        "",
        "a b",
    ],
)
def test_a_request_under_another_name_is_not_served(site: Site, host: str) -> None:
    answer = site.client.get("/", headers={"host": host})

    assert answer.status_code == 400
    assert "evil" not in answer.text


def test_no_header_of_a_request_ends_up_in_a_link(site: Site) -> None:
    tricks = {
        "x-forwarded-host": "evil.example",
        "x-forwarded-proto": "gopher",
        "forwarded": "host=evil.example",
        "x-original-url": "/admin",
        "x-rewrite-url": "/admin",
        "referer": "https://evil.example/",
    }
    for host in ("digest.example.org", "localhost:8080", "127.0.0.1", "[::1]:8080"):
        for path in ("/", "/feed.atom", "/paper/2603.90417"):
            answer = site.client.get(path, headers=tricks | {"host": host}, follow_redirects=False)
            assert answer.status_code in (200, 302)
            assert "evil" not in answer.text + str(answer.headers)


def test_paths_lead_nowhere_else(site: Site) -> None:
    for path in ("//evil.example", "/%5cevil.example", "/\\evil.example", "/paper//evil.example"):
        answer = site.client.get(path, follow_redirects=False)
        location = answer.headers.get("location", "")
        assert not location.startswith(("//", "http", "\\")), path


# --- what strangers write

NASTY = (
    '<script>alert(1)</script>"><img src=x onerror=alert(2)> {{ 7*7 }} {% raw %} &amp; \u202egnp'
)


def test_what_sources_write_is_text_on_every_page_and_feed(site: Site) -> None:
    with site.app.store.write() as tx:
        paper = PaperData(
            title=f"Nasty {NASTY}",
            abstract=f"Words {NASTY}",
            authors=(NASTY, "B"),
            categories=(NASTY,),
            organization=NASTY,
            url="https://a.example/?q=<script>",
            arxiv_id="2603.66666",
            pdf_url="javascript:alert(3)",
            code_url="data:text/html,<script>alert(4)</script>",
            project_url="https://ok.example/' onmouseover='x",
            discussion_url="vbscript:x",
            position=1,
            votes=5_000,
        )
        merge_listing(tx, [paper], source="huggingface", kind="huggingface", now=NOW)
    site.refresh()

    for path in (
        "/",
        "/day/2026-03-12",
        "/paper/arxiv:2603.66666",
        "/search?q=nasty",
        "/search?q=%3Cscript%3Ealert(1)%3C/script%3E%22%3E%3Cimg%20src=x%20onerror=y%3E",
    ):
        page = site.page(path)
        if "%3C" not in path:
            assert "alert(1)" in page.text_content(), path
        assert_clean(page)
    for path in ("/feed.atom", "/feed.json", "/search/feed.atom?q=nasty"):
        text = site.get(path).text
        assert "alert(1)" in text
        assert "javascript:" not in text
        if path.endswith("atom?q=nasty") or path.endswith(".atom"):
            assert "<script" not in text


def assert_clean(page: html.HtmlElement) -> None:
    """No element, attribute or address that could run anything or load anything from elsewhere."""
    assert not page.xpath("//script[not(starts-with(@src,'/static/'))]|//style|//iframe|//object")
    assert not page.xpath(
        "//embed|//img|//video|//audio|//base|//meta[@http-equiv]|//math|//link[@rel='import']"
    )
    assert not page.xpath("//@*[starts-with(name(),'on')]|//@style|//@srcdoc")
    assert set(page.xpath("//@formaction")) <= {"/subscribe#preview"}
    for address in page.xpath("//@href|//@src|//@action"):
        assert urlsplit(address).scheme in ("", "http", "https", "mailto"), address
