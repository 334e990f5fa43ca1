"""Ending the mail: one click in the mail program (RFC 8058), one button on the page."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from digest.app import App
from digest.config import load_settings
from digest.model import Status
from digest.store.schema import outbox
from digest.tokens import Purpose
from digest.web import build_web
from tests.web_site import MARA, NOW, URL, Site, demo_folder, site

__all__ = ["demo_folder", "site"]

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
_BOUNDARY = "xYzZY"
MULTIPART = (
    f"--{_BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
    f"One-Click\r\n--{_BOUNDARY}--\r\n"
).encode()


def header_link(site: Site, address: str = "mara@example.org") -> str:
    """The https link that a mail program finds in a mail's header."""
    mail = message_from_bytes(site.mails(address)[0].read_bytes(), policy=policy.default)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.search(r"<(https://[^>]+)>", mail["List-Unsubscribe"])
    assert found
    return site.path(found[1])


def status(site: Site) -> Status:
    person = site.subscriber(MARA)
    assert person is not None
    return person.status


def test_one_click_ends_it_at_once_without_cookie_or_redirect(site: Site) -> None:
    site.client.cookies.clear()

    answer = site.client.post(header_link(site), data=ONE_CLICK, follow_redirects=False)

    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert len(answer.content) < 5_000
    assert status(site) is Status.UNSUBSCRIBED


def test_one_click_may_come_as_multipart(site: Site) -> None:
    kind = f"multipart/form-data; boundary={_BOUNDARY}"

    answer = site.client.post(header_link(site), content=MULTIPART, headers={"content-type": kind})

    assert answer.status_code == 200
    assert status(site) is Status.UNSUBSCRIBED


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"origin": "https://mail.example"}, b"List-Unsubscribe=One-Click"),
        ({"origin": "null", "sec-fetch-site": "cross-site"}, b"List-Unsubscribe=One-Click"),
        ({"content-type": "text/plain"}, b"List-Unsubscribe=One-Click"),
        ({"content-type": "multipart/form-data; boundary=no"}, b"nonsense"),
        ({}, b"\xff\xfe%"),
        ({}, b""),
    ],
)
def test_whatever_a_mail_program_sends_with_it_the_post_is_acted_on(
    site: Site, headers: dict[str, str], body: bytes
) -> None:
    usual = {"content-type": "application/x-www-form-urlencoded"}

    answer = site.client.post(header_link(site), content=body, headers=usual | headers)

    assert answer.status_code == 200
    assert status(site) is Status.UNSUBSCRIBED


def test_doing_it_again_is_answered_as_kindly(site: Site) -> None:
    first = site.client.post(header_link(site), data=ONE_CLICK)

    again = site.client.post(header_link(site), data=ONE_CLICK)

    assert (again.status_code, again.text) == (200, first.text)


def test_it_works_a_year_later_and_after_the_key_was_changed(site: Site, tmp_path: Path) -> None:
    link = header_link(site)
    config = site.folder / "config.toml"
    text = config.read_text("utf-8")
    old = re.search(r'secret_key = ("[^"]+")', text)
    assert old
    config.write_text(text.replace(old[0], f'secret_key = ["{"n" * 40}", {old[1]}]'), "utf-8")
    site.clock.at = NOW + timedelta(days=365)
    app = App(load_settings(config, environ={}), site.clock)

    with TestClient(build_web(app), base_url=URL) as client:
        answer = client.post(link, data=ONE_CLICK)

    app.close()
    assert answer.status_code == 200
    assert status(site) is Status.UNSUBSCRIBED


def test_erased_people_are_answered_kindly(site: Site) -> None:
    link = header_link(site)
    site.app.enrolment.erase(MARA, now=NOW)

    opened, pressed = site.get(link), site.client.post(link, data=ONE_CLICK)

    for answer in (opened, pressed):
        assert answer.status_code == 200
        assert "nothing about you is kept" in answer.text


def test_the_page_has_a_button_and_opening_it_ends_nothing(site: Site) -> None:
    link = header_link(site)

    page = site.page(link)
    site.client.head(link)

    assert page.xpath("//form[@method='post']//button")[0].text == "Unsubscribe"
    assert status(site) is Status.CONFIRMED
    assert "You are unsubscribed" in site.send(link).text
    assert status(site) is Status.UNSUBSCRIBED


def test_what_waits_in_the_outbox_is_cancelled(site: Site) -> None:
    site.clock.at += timedelta(days=1)
    site.app.editor.make_due(site.clock.now())

    site.client.post(header_link(site), data=ONE_CLICK)

    with site.app.store.read() as tx:
        rows = tx.execute(select(outbox).where(outbox.c.subscriber_id == MARA)).all()
    assert [(r.state, r.reason) for r in rows if r.state != "sent"] == [
        ("cancelled", "unsubscribed")
    ]


def test_a_token_for_something_else_ends_nothing(site: Site) -> None:
    for purpose in set(Purpose) - {Purpose.UNSUBSCRIBE}:
        token = site.app.tokens.sign(purpose, MARA)

        answer = site.client.post(f"/unsubscribe/{token}", data=ONE_CLICK)

        assert answer.status_code == 404
        assert "This link does not work" in answer.text
    assert status(site) is Status.CONFIRMED
