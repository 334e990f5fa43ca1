"""The operator's pages: the login, the day at a glance, messages, readers, topics, the test mail."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from lxml import html
from sqlalchemy import select, update

from digest.addresses import parse_address
from digest.model import OutboxState, Status
from digest.store import editions as shelf
from digest.store.people import suppression_of
from digest.store.schema import outbox, pick
from digest.store.topics import topics_by_slug
from digest.web.admin.session import COOKIE, PER_CLIENT
from tests.web_site import ADMIN_TOKEN, MARA, NOW, THEO, Site, demo_folder, site

__all__ = ["demo_folder", "site"]

PAGES = (
    "/admin",
    "/admin/outbox",
    "/admin/readers",
    "/admin/readers/1",
    "/admin/returns",
    "/admin/topics",
    "/admin/topics/robotics",
    "/admin/topics/-",
    "/admin/mail",
)


def log_in(site: Site) -> None:
    answer = site.send("/admin/login", token=ADMIN_TOKEN)
    assert answer.status_code == 303, answer.text


def act(site: Site, path: str, **fields: Any) -> Any:
    """Send a form of the operator's with the token that the page has."""
    page = site.page(path.partition("?")[0])
    token = page.xpath("//input[@name='form']/@value")[0]
    return site.client.post(path, data={"form": token, **fields}, follow_redirects=False)


# --- the login


def test_without_a_login_every_page_leads_to_it_and_nothing_is_shown(site: Site) -> None:
    for path in PAGES:
        for method in ("GET", "POST", "HEAD"):
            answer = site.client.request(method, path, follow_redirects=False)

            if answer.status_code == 405:
                assert method == "POST"
                continue
            assert answer.status_code == 303, path
            assert answer.headers["location"] == "/admin/login"
            assert answer.content == b""


def test_the_token_opens_every_page(site: Site) -> None:
    log_in(site)

    for path in PAGES:
        assert site.get(path).status_code == 200, path
        assert site.get(path).headers["cache-control"] == "no-store"


def test_the_cookie_is_for_the_admin_pages_of_this_site_alone(site: Site) -> None:
    answer = site.send("/admin/login", token=ADMIN_TOKEN)

    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    for attribute in ("HttpOnly", "Secure", "SameSite=strict", "Path=/admin", "Max-Age=43200"):
        assert attribute in cookie
    assert ADMIN_TOKEN not in cookie


def test_a_session_ends_after_half_a_day_with_the_cookie_and_with_the_token(site: Site) -> None:
    log_in(site)
    cookie = site.client.cookies[COOKIE]
    site.clock.at += timedelta(hours=13)
    assert site.client.get("/admin", follow_redirects=False).status_code == 303
    site.clock.at = NOW
    assert site.get("/admin").status_code == 200

    act(site, "/admin/logout")
    assert site.client.get("/admin", follow_redirects=False).status_code == 303

    site.client.cookies.set(COOKIE, cookie, path="/admin")
    object.__setattr__(site.app.settings.web, "admin_token", type(_token(site))("another one"))
    assert site.client.get("/admin", follow_redirects=False).status_code == 303


def _token(site: Site) -> Any:
    return site.app.settings.web.admin_token


@pytest.mark.parametrize("value", ["", "x", "WzEsMl0.forged", "é", "a" * 10_000])
def test_a_cookie_that_was_made_up_opens_nothing(site: Site, value: str) -> None:
    header = f"{COOKIE}={value}".encode("latin-1")

    answer = site.client.get("/admin", headers={"cookie": header}, follow_redirects=False)

    assert answer.status_code == 303


def test_wrong_tokens_are_counted_and_even_the_right_one_must_then_wait(site: Site) -> None:
    for _ in range(PER_CLIENT.times):
        assert site.send("/admin/login", token="wrong").status_code == 403

    shut = site.send("/admin/login", token=ADMIN_TOKEN)
    site.clock.at += timedelta(minutes=16)
    opened = site.send("/admin/login", token=ADMIN_TOKEN)

    assert shut.status_code == 429
    assert opened.status_code == 303


def test_without_a_token_in_the_settings_there_is_no_such_place(site: Site) -> None:
    object.__setattr__(site.app.settings.web, "admin_token", None)

    for path in ("/admin/login", "/admin"):
        assert site.client.get(path).status_code == 404
    token = site.desk.form_token(_login_form())
    answer = site.client.post("/admin/login", data={"form": token, "token": ""})
    assert answer.status_code == 404


def _login_form() -> Any:
    from digest.web.forms import FormName

    return FormName.ADMIN_LOGIN


def test_a_form_of_one_session_is_refused_in_another(site: Site) -> None:
    log_in(site)
    token = site.page("/admin/mail").xpath("//input[@name='form']/@value")[0]
    site.client.cookies.clear()
    log_in(site)

    answer = site.client.post(
        "/admin/readers/1", data={"form": token, "do": "erase"}, follow_redirects=False
    )

    assert answer.status_code == 403
    assert site.subscriber(MARA) is not None


# --- today


def test_the_first_line_says_whether_everything_is_all_right(site: Site) -> None:
    log_in(site)
    assert site.page("/admin").xpath("//h1")[0].text == "Everything is all right."

    site.clock.at += timedelta(days=2)
    log_in(site)

    page = site.page("/admin")
    assert page.xpath("//h1")[0].text.startswith("Not well: ")
    assert "is a process making editions?" in page.text_content()


def test_the_ledger_of_a_day_stands_with_its_reasons_and_adds_up(site: Site) -> None:
    log_in(site)

    page = site.page("/admin?day=2026-03-10")

    rows = {
        r.xpath("./th")[0].text_content(): [c.text_content() for c in r.xpath("./td")]
        for r in page.xpath("//section[@aria-labelledby='ledger']//tr[th[@scope='row']]")
    }
    assert rows["sent"][0] == "3"
    assert rows["skipped"] == ["1", "1 × nothing matched"]
    assert rows["due"] == ["4", "adds up"]


def test_sources_stand_against_their_usual_and_charts_show_the_weeks(site: Site) -> None:
    log_in(site)

    page = site.page("/admin")

    names = page.xpath("//section[@aria-labelledby='sources']//th[@scope='row']/text()")
    charts = page.xpath("//figure//*[local-name()='svg']/@aria-label")
    assert names == ["arxiv", "huggingface"]
    assert any(label.startswith("Confirmed readers: 0 on the first day, 4 now") for label in charts)
    assert any(label.startswith("Messages by the day due: 12 in 30 days") for label in charts)
    assert len([label for label in charts if label.startswith("New items from")]) == 2


# --- messages


def fail(site: Site, message_id: int) -> None:
    """As if the relay had refused it for good."""
    with site.app.store.write() as tx:
        tx.execute(
            update(outbox)
            .where(outbox.c.id == message_id)
            .values(state="failed", reason="refused: 5.2.2", answer="552 5.2.2 mailbox full")
        )
        shelf.forget_picks(tx, outbox_ids=[message_id])


def state_of(site: Site, message_id: int) -> str:
    with site.app.store.read() as tx:
        return str(tx.execute(select(outbox.c.state).where(outbox.c.id == message_id)).scalar_one())


def shown(page: html.HtmlElement) -> list[str]:
    return [cell.text for cell in page.xpath("//table//tr/td[1]")]


def test_messages_are_found_by_state_day_reader_and_words(site: Site) -> None:
    fail(site, 10)
    log_in(site)

    assert len(shown(site.page("/admin/outbox"))) == 12
    assert shown(site.page("/admin/outbox?state=failed")) == ["10"]
    assert shown(site.page("/admin/outbox?words=MAILBOX+full")) == ["10"]
    assert shown(site.page("/admin/outbox?address=Mara@example.org")) == ["10", "6", "2"]
    assert len(shown(site.page("/admin/outbox?day=2026-03-11"))) == 4
    assert shown(site.page("/admin/outbox?before=3")) == ["2", "1"]
    assert shown(site.page("/admin/outbox?words=%25")) == []
    assert "is not a date" in site.get("/admin/outbox?day=soon").text
    assert "not a mail address" in site.get("/admin/outbox?address=x").text


def test_a_failed_message_is_sent_again_with_the_papers_that_it_had(site: Site) -> None:
    fail(site, 10)
    log_in(site)
    with site.app.store.read() as tx:
        edition = tx.execute(select(outbox.c.edition_id).where(outbox.c.id == 10)).scalar_one()

    answer = act(site, "/admin/outbox", do="retry", id="10", query="state=failed")

    assert answer.headers["location"] == "/admin/outbox?state=failed&done=retry"
    assert state_of(site, 10) == "queued"
    with site.app.store.read() as tx:
        items = list(
            tx.execute(select(pick.c.item_id).where(pick.c.edition_id == edition)).scalars()
        )
    assert items
    assert all(items)
    site.deliver()
    assert state_of(site, 10) == "sent"


def test_a_failed_message_whose_papers_came_since_is_not_sent_again(site: Site) -> None:
    fail(site, 10)
    site.clock.at += timedelta(days=1)
    site.app.editor.make_due(site.clock.now())
    log_in(site)

    answer = act(site, "/admin/outbox", do="retry", id="10")

    assert answer.headers["location"].endswith("done=not")
    assert state_of(site, 10) == "failed"


def test_what_waits_can_be_cancelled_and_what_is_sent_cannot(site: Site) -> None:
    site.clock.at += timedelta(days=1)
    site.app.editor.make_due(site.clock.now())
    log_in(site)
    with site.app.store.read() as tx:
        waiting = list(tx.execute(select(outbox.c.id).where(outbox.c.state == "queued")).scalars())

    act(site, "/admin/outbox", do="cancel", id=str(waiting[0]))
    refused = act(site, "/admin/outbox", do="cancel", id="2")

    assert state_of(site, waiting[0]) == "cancelled"
    assert state_of(site, 2) == "sent"
    assert refused.headers["location"].endswith("done=not")
    for bad in ({"do": "burn", "id": "2"}, {"do": "retry", "id": "x"}, {"do": "retry"}):
        assert act(site, "/admin/outbox", **bad).status_code == 400


def test_only_what_can_be_done_has_a_button(site: Site) -> None:
    fail(site, 10)
    log_in(site)

    page = site.page("/admin/outbox")

    assert page.xpath("//table//button/@value") == ["retry"]
    for state in OutboxState:
        assert f'value="{state}"' in site.get("/admin/outbox").text


# --- readers and what came back


def test_readers_are_found_and_looked_at(site: Site) -> None:
    log_in(site)

    found = site.page("/admin/readers?begins=MA")
    one = site.page("/admin/readers/1")

    assert [a.text for a in found.xpath("//table//th[@scope='row']/a")] == ["mara@example.org"]
    assert "vouched" in one.text_content()
    assert "KV cache" in one.text_content()
    assert len(one.xpath("//section[@aria-labelledby='messages']//tbody/tr")) == 3
    assert shown(site.page("/admin/readers?begins=%25")) == []
    assert site.get("/admin/readers/999").status_code == 404


def test_a_reader_is_ended_suppressed_lifted_and_erased(site: Site) -> None:
    log_in(site)
    key = parse_address("theo@example.org").key

    act(site, "/admin/readers/2", do="suppress")
    suppressed = site.subscriber(THEO)
    with site.app.store.read() as tx:
        reason = suppression_of(tx, key)
    act(site, "/admin/readers/2", do="lift")
    lifted = site.subscriber(THEO)
    act(site, "/admin/readers/2", do="unsubscribe")
    ended = site.subscriber(THEO)
    unsure = act(site, "/admin/readers/2", do="erase")
    assert unsure.status_code == 400
    assert site.subscriber(THEO) is not None
    act(site, "/admin/readers/2", do="erase", sure="yes")

    assert suppressed is not None
    assert (suppressed.status, reason) == (Status.SUPPRESSED, "operator")
    assert lifted is not None
    assert lifted.status is Status.CONFIRMED
    assert ended is not None
    assert ended.status is Status.UNSUBSCRIBED
    assert site.subscriber(THEO) is None


def test_an_address_that_is_no_reader_can_be_suppressed_and_lifted(site: Site) -> None:
    log_in(site)
    key = parse_address("angry@example.org").key

    act(site, "/admin/returns", do="suppress", address="angry@example.org")
    with site.app.store.read() as tx:
        assert suppression_of(tx, key) == "operator"
    assert "angry" not in site.get("/admin/returns").text
    act(site, "/admin/returns", do="lift", address="Angry@example.org")

    with site.app.store.read() as tx:
        assert suppression_of(tx, key) is None


# --- topics


def test_a_topic_is_previewed_before_it_is_saved(site: Site) -> None:
    log_in(site)
    fields = {"name": "Walking", "text": "Legged robots", "keywords": "quadruped, legged"}

    seen = act(site, "/admin/topics/robotics", do="preview", **fields)
    with site.app.store.read() as tx:
        before = topics_by_slug(tx)["robotics"].name
    saved = act(site, "/admin/topics/robotics", do="save", **fields)

    with site.app.store.read() as tx:
        topic = topics_by_slug(tx)["robotics"]
    page = html.fromstring(seen.text)
    assert "Quadruped" in page.xpath("//section[@class='preview']//h3/a")[0].text_content()
    assert before == "Robotics"
    assert saved.status_code == 303
    assert (topic.name, topic.keywords) == ("Walking", ("quadruped", "legged"))


def test_a_topic_is_made_and_removed(site: Site) -> None:
    log_in(site)
    fields = {"slug": "whales", "name": "Whales", "keywords": "whales", "description": "Large"}

    made = act(site, "/admin/topics/-", do="save", **fields)
    twice = act(site, "/admin/topics/-", do="save", **fields)

    assert made.headers["location"] == "/admin/topics/whales"
    assert "already" in twice.text
    assert site.get("/topic/whales").status_code == 200
    assert act(site, "/admin/topics/whales", do="remove").status_code == 400
    act(site, "/admin/topics/whales", do="remove", sure="yes")
    with site.app.store.read() as tx:
        assert "whales" not in topics_by_slug(tx)


@pytest.mark.parametrize(
    "fields",
    [
        {"slug": "Not a slug!", "name": "X", "text": "y"},
        {"slug": "x", "name": "", "text": "y"},
        {"slug": "x", "name": "X" * 200, "text": "y"},
        {"slug": "x", "name": "X", "text": ""},
        {"slug": "x", "name": "X", "text": "y" * 9_000},
        {"slug": "x", "name": "X", "keywords": ",".join(map(str, range(500)))},
    ],
)
def test_what_cannot_be_a_topic_is_told(site: Site, fields: dict[str, str]) -> None:
    log_in(site)

    answer = act(site, "/admin/topics/-", do="save", **fields)

    assert answer.status_code == 400
    assert html.fromstring(answer.text).xpath("//*[@role='alert']")


# --- the test mail


def test_a_test_mail_leaves_at_once_and_is_no_part_of_the_ledger(site: Site) -> None:
    log_in(site)
    before = site.rows()["outbox"]

    answer = act(site, "/admin/mail", address="operator@example.org")

    (mail,) = site.mails("operator@example.org")
    assert "The relay took it" in answer.text
    assert b"Subject: " in mail.read_bytes()
    assert site.rows()["outbox"] == before


def test_a_test_mail_that_cannot_leave_says_why(site: Site) -> None:
    log_in(site)
    folder = site.folder / "mail"
    folder.rename(site.folder / "gone")
    folder.write_text("a file where a folder should be")

    answer = act(site, "/admin/mail", address="operator@example.org")

    assert answer.status_code == 400
    assert html.fromstring(answer.text).xpath("//*[@role='alert']")[0].text_content().strip()
    assert "not a mail address" in act(site, "/admin/mail", address="x").text


def test_test_mails_are_limited(site: Site) -> None:
    log_in(site)

    answers = [act(site, "/admin/mail", address="o@example.org").status_code for _ in range(12)]

    assert answers == [200] * 10 + [429, 429]
    assert re.search(r"in an hour", act(site, "/admin/mail", address="o@example.org").text)
