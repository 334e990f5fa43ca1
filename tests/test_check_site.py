"""Our own pages as the links in mails lead to them: real servers, good and bad."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from email import message_from_bytes

import pytest
import trustme

from digest.check.findings import Finding
from digest.check.site import judge_identity, judge_one_click, judge_url
from digest.fetch.probe import Form, Page, ask_page
from tests.check_pieces import levels, only
from tests.fetching import PROXY_VARIABLES, USUAL_TLS
from tests.loopback import Behaviour, Served, reply, serve
from tests.smtp_servers import closed_port

HTML = reply(body=b"<title>Unsubscribe</title>", content_type="text/html; charset=utf-8")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def site(get: bytes = HTML, post: bytes = HTML, multipart: bytes | None = None) -> Behaviour:
    """Answers by method, and by the form's type when `multipart` is another answer."""

    def behave(connection: socket.socket, head: str) -> None:
        answer = get if head.startswith("GET") else post
        if multipart is not None and "multipart/form-data" in head:
            answer = multipart
        connection.sendall(answer)
        # a form that is closed upon unread is a connection reset
        while connection.recv(4096):
            pass

    return behave


def judged(url: str, timeout_s: float = 5.0, tls: ssl.SSLContext | None = USUAL_TLS) -> Finding:
    def ask(link: str, form: Form | None) -> Page:
        return ask_page(link, agent="digest/test", form=form, timeout_s=timeout_s, tls=tls)

    return only(judge_one_click(f"{url}/unsubscribe/TOKEN", ask))


@contextlib.contextmanager
def looked_at(behaviour: Behaviour) -> Iterator[tuple[Finding, Served]]:
    with serve(behaviour) as server:
        yield judged(server.url), server


# -- one click


def test_a_page_and_an_answer_to_both_forms_are_green() -> None:
    with looked_at(site()) as (found, server):
        assert found.level == "green"

    asked = [head.split("\r\n")[0] for head in server.heads]
    assert asked == ["GET /unsubscribe/TOKEN HTTP/1.1"] + ["POST /unsubscribe/TOKEN HTTP/1.1"] * 2


def test_the_forms_say_what_mail_programs_say() -> None:
    from digest.check.site import FORMS

    plain, multipart = FORMS
    head = f"Content-Type: {multipart.content_type}\r\n\r\n".encode()
    (part,) = message_from_bytes(head + multipart.body).get_payload()

    assert plain.body == b"List-Unsubscribe=One-Click"
    assert part.get_param("name", header="Content-Disposition") == "List-Unsubscribe"
    assert part.get_payload() == "One-Click"


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("404 Not Found", "404; it must be 200"),
        ("502 Bad Gateway", "502"),
        ("403 Forbidden", "403"),
    ],
)
def test_a_page_that_is_not_there_is_red(status: str, shown: str) -> None:
    with looked_at(site(get=reply(status, b"x"))) as (found, server):
        assert found.level == "red"
        assert shown in found.said

    assert len(server.heads) == 1


def test_a_redirect_is_red_and_says_where_to_without_the_token() -> None:
    moved = reply("301 Moved Permanently", location="https://www.example.org/unsubscribe/TOKEN")
    with looked_at(site(get=moved)) as (found, _):
        assert found.level == "red"
        assert "301, a redirect to www.example.org" in found.said
        assert "TOKEN" not in found.said + found.advice


def test_a_redirect_to_another_path_is_red() -> None:
    with looked_at(site(get=reply("302 Found", location="/login"))) as (found, _):
        assert "302, a redirect to another path" in found.said


@pytest.mark.parametrize(
    "page", [reply(body=b"{}", content_type="application/json"), reply(body=b"x"), reply()]
)
def test_something_that_is_no_page_is_red(page: bytes) -> None:
    with looked_at(site(get=page)) as (found, _):
        assert found.level == "red"
        assert "is no page" in found.said


@pytest.mark.parametrize(
    "answer",
    [
        reply("405 Method Not Allowed"),
        reply("403 Forbidden", b"csrf"),
        reply("303 See Other", location="/done"),
        reply("202 Accepted"),
    ],
)
def test_a_post_that_is_not_answered_200_is_red(answer: bytes) -> None:
    with looked_at(site(post=answer)) as (found, _):
        assert found.level == "red"
        assert "application/x-www-form-urlencoded" in found.said


def test_a_site_that_only_takes_one_of_the_forms_is_red() -> None:
    with looked_at(site(multipart=reply("415 Unsupported Media Type"))) as (found, _):
        assert found.level == "red"
        assert "multipart/form-data" in found.said


def test_a_site_that_is_down_is_yellow() -> None:
    with closed_port() as port:
        found = judged(f"http://127.0.0.1:{port}")

    assert found.level == "yellow"
    assert "refuses connections" in found.said
    assert "source" not in found.said + found.advice


def test_a_site_that_says_nothing_is_yellow() -> None:
    with serve(lambda connection, head: connection.recv(1) and None) as server:
        assert judged(server.url, timeout_s=0.3).level == "yellow"


def test_a_certificate_that_nobody_trusts_is_red() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serve(site(), tls=context) as server:
        found = judged(server.url)

    assert found.level == "red"
    assert "cannot be trusted" in found.said


def test_a_site_with_tls_is_green() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with serve(site(), tls=context) as server:
        assert judged(server.url, tls=trusting).level == "green"


def test_a_port_that_speaks_no_tls_is_red() -> None:
    clear = reply("400 Bad Request")
    with serve(lambda c, h: c.sendall(clear), reads_head=False) as server:
        found = judged(server.url.replace("http:", "https:"))

    assert found.level == "red"
    assert "does not speak TLS" in found.said


# -- the address and who is behind it


@pytest.mark.parametrize(
    ("url", "when_sending", "when_not"),
    [
        ("https://digest.example.org", "green", "green"),
        ("http://digest.example.org", "red", "yellow"),
        ("http://localhost:8080", "red", "yellow"),
        ("https://127.0.0.1", "red", "yellow"),
        ("https://[::1]:8443/papers", "red", "yellow"),
        ("https://digest.localhost", "red", "yellow"),
    ],
)
def test_links_lead_readers_somewhere(url: str, when_sending: str, when_not: str) -> None:
    assert only([judge_url(url, sends_mail=True)]).level == when_sending
    assert only([judge_url(url, sends_mail=False)]).level == when_not


@pytest.mark.parametrize(
    ("email", "address", "expected"),
    [
        ("op@example.org", "1 Example Street", ["green"]),
        (None, "1 Example Street", ["yellow"]),
        ("op@example.org", None, ["yellow"]),
        (None, "", ["yellow", "yellow"]),
    ],
)
def test_readers_are_told_who_writes(
    email: str | None, address: str | None, expected: list[str]
) -> None:
    assert levels(judge_identity(email, address)) == expected
