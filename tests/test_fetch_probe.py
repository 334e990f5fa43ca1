"""A page is asked once, as it is: real servers on loopback."""

from __future__ import annotations

import socket
import ssl

import pytest
import trustme

from digest.errors import FetchError
from digest.fetch.probe import Form, Page, ask_page
from tests.fetching import PROXY_VARIABLES, USUAL_TLS, quickly
from tests.loopback import drip, pages, reply, serve


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def ask(url: str, form: Form | None = None, timeout_s: float = 5.0) -> Page:
    return ask_page(url, agent="digest/test", form=form, timeout_s=timeout_s, tls=USUAL_TLS)


def test_a_page_comes_back_with_its_status() -> None:
    with serve(pages({"/a": reply("404 Not Found", b"gone", content_type="text/html")})) as server:
        page = ask(f"{server.url}/a")

    assert (page.status, page.body, page.content_type) == (404, b"gone", "text/html")
    assert server.header("User-Agent") == "digest/test"


def test_a_redirect_is_told_and_not_followed() -> None:
    with serve(pages({"/a": reply("302 Found", location="/b")})) as server:
        page = ask(f"{server.url}/a")

    assert (page.status, page.location, server.paths) == (302, "/b", ["/a"])


def test_a_form_is_posted_as_it_is() -> None:
    form = Form(content_type="application/x-www-form-urlencoded", body=b"a=b")

    def take(connection: socket.socket, head: str) -> None:
        connection.sendall(reply())
        while connection.recv(100):
            pass  # a form that is closed upon unread is a connection reset

    with serve(take) as server:
        page = ask(f"{server.url}/a", form)

    assert page.status == 200
    assert server.heads[0].startswith("POST /a ")
    assert server.header("Content-Type") == form.content_type
    assert server.header("Content-Length") == "3"


def test_a_page_that_drips_is_left_in_time() -> None:
    with quickly(), serve(lambda c, h: drip(c, reply(body=b"x" * 100))) as server:
        with pytest.raises(FetchError, match="no whole answer"):
            ask(server.url, timeout_s=0.3)


def test_a_page_without_end_is_left() -> None:
    with serve(lambda c, h: c.sendall(reply(body=b"x" * 3_000_000))) as server:
        with pytest.raises(FetchError, match="cannot be read"):
            ask(server.url)


def test_a_certificate_of_nobody_we_trust_is_an_error_with_its_cause() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with serve(pages({}), tls=context) as server:
        with pytest.raises(FetchError, match=r"certificate of .* cannot be trusted"):
            ask(server.url)


def test_a_proxy_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://nowhere")
    with pytest.raises(FetchError, match="HTTP_PROXY"):
        ask("http://127.0.0.1:1/")
