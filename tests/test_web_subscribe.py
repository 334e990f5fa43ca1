"""Subscribing on the web: preview, sign-up, the question, the answer, and what nobody learns."""

from __future__ import annotations

import re
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from lxml import html
from sqlalchemy import event, select

from digest.model import Status
from digest.signup import PER_ADDRESS, PER_CLIENT
from digest.store.people import suppress_subscriber
from digest.store.schema import consent, signup
from tests.web_site import MARA, NOW, THEO, URL, Site, demo_folder, site

__all__ = ["demo_folder", "site"]

NEW = "newcomer@example.org"


def subscribe(site: Site, email: str = NEW, **fields: Any) -> Any:
    return site.send("/subscribe", email=email, do="subscribe", **fields)


def question(site: Site, email: str = NEW) -> str:
    """The link in the last confirmation mail to an address."""
    site.settle()
    site.deliver()
    mail = message_from_bytes(site.mails(email)[-1].read_bytes(), policy=policy.default)
    text = mail.get_body(("plain",)).get_content()
    found = re.search(rf"{URL}/confirm/\S+", text)
    assert found, text
    return site.path(found[0])


def test_a_newcomer_signs_up_confirms_and_is_due_the_next_morning(site: Site) -> None:
    answer = subscribe(
        site,
        topic=["robotics", "safety"],
        interests="robots that sleep\n\n  legged locomotion ",
        keywords='gripper, "world model"',
        exclude="satellite",
        authors="Haruka Minobe",
        likes="https://arxiv.org/abs/2603.90417v2",
        zone="Asia/Tokyo",
        send_at="06:15",
        cadence="weekdays",
        max_items="5",
        rising=None,
    )
    assert "Look into your mailbox" in answer.text
    path = question(site)
    asked = site.find(NEW)
    assert asked is not None
    assert asked.status is Status.PENDING

    assert site.page(path).xpath("//form[@method='post']//button")
    done = site.send(path)

    person = site.find(NEW)
    assert person is not None
    assert "You are in" in done.text
    assert person.status is Status.CONFIRMED
    assert (person.zone, f"{person.send_at:%H:%M}", person.cadence) == (
        "Asia/Tokyo",
        "06:15",
        "weekdays",
    )
    assert (person.max_items, person.rising) == (5, False)
    assert person.next_edition_at is not None
    assert person.next_edition_at.isoformat() == "2026-03-12T21:15:00+00:00"
    assert site.wishes(person.id) == [
        ("topic", "robotics"),
        ("topic", "safety"),
        ("interest", "robots that sleep"),
        ("interest", "legged locomotion"),
        ("author", "Haruka Minobe"),
        ("keyword", "gripper"),
        ("keyword", '"world model"'),
        ("exclude", "satellite"),
        ("like", "arxiv:2603.90417"),
    ]


def test_opening_the_confirmation_link_confirms_nothing(site: Site) -> None:
    subscribe(site)
    path = question(site)

    for _ in range(3):
        assert site.get(path).status_code == 200
        assert site.client.head(path).status_code == 200

    person = site.find(NEW)
    assert person is not None
    assert person.status is Status.PENDING


def test_confirming_twice_is_fine_and_a_late_press_is_told_so(site: Site) -> None:
    subscribe(site)
    path = question(site)
    site.send(path)
    assert "You are in" in site.get(path).text
    subscribe(site, "late@example.org")
    late = question(site, "late@example.org")
    site.clock.at += timedelta(days=8)

    answer = site.get(late)

    assert answer.status_code == 404
    assert "its time is over" in answer.text
    assert html.fromstring(answer.text).xpath("//main//a/@href") == ["/subscribe"]


def test_the_confirmation_mail_holds_nothing_of_the_form(site: Site) -> None:
    marked = {
        name: f"buy-{name}-now https://spam.example/{name}"
        for name in ("interests", "keywords", "exclude", "authors", "categories")
    }
    subscribe(site, **marked, name="Click https://spam.example", email=NEW)
    question(site)

    mail = message_from_bytes(site.mails(NEW)[-1].read_bytes(), policy=policy.default)
    parts = [part.get_content() for part in mail.walk() if not part.is_multipart()]
    everything = "\n".join([*parts, *map(str, mail.values())])

    assert "spam" not in everything
    assert "buy-" not in everything


def test_consent_is_noted_with_form_and_client_at_both_steps(site: Site) -> None:
    subscribe(site)
    site.send(question(site))

    with site.app.store.read() as tx:
        person = site.find(NEW)
        assert person is not None
        rows = tx.execute(select(consent).where(consent.c.subscriber_id == person.id)).all()

    assert [row.action for row in rows] == ["asked", "confirmed"]
    assert all(re.fullmatch(r"form 2026-11; client [0-9a-f]{16}", row.detail) for row in rows)


def test_a_preview_needs_no_address_and_stores_nothing(site: Site) -> None:
    before = site.rows()

    answer = site.send("/subscribe", topic=["robotics"], do="preview", max_items="3", email=None)

    page = html.fromstring(answer.text)
    assert answer.status_code == 200
    assert len(page.xpath("//section[@class='preview']//li[@class='paper']")) == 3
    assert re.search(r"About \d+ papers? a (day|week) would match", page.text_content())
    assert page.xpath("//input[@value='robotics']/@checked")
    assert site.rows() == before


def test_a_preview_without_interests_shows_what_is_rising_and_says_so(site: Site) -> None:
    answer = site.send("/subscribe", do="preview")

    assert "You named no interests yet: this is what is rising." in answer.text


def test_a_preview_says_which_named_papers_are_not_here(site: Site) -> None:
    known = site.send("/subscribe", do="preview", likes="https://arxiv.org/abs/2603.90417v2")
    both = site.send(
        "/subscribe", do="preview", likes="2603.90417\nhttps://arxiv.org/pdf/2401.99999"
    )
    unknown = site.send("/subscribe", do="preview", likes="2401.99999")

    assert "would match" in known.text
    assert "Not in the archive" not in known.text
    assert "would match" in both.text
    assert "Not in the archive yet: 2401.99999." in both.text
    assert "named no interests" not in unknown.text
    assert "Not in the archive yet: 2401.99999." in unknown.text


def test_the_live_sentence_counts_what_would_match(site: Site) -> None:
    token = html.fromstring(site.get("/subscribe").text).xpath("//input[@name='form']/@value")[0]

    answer = site.client.post("/subscribe/match", data={"form": token, "topic": "robotics"})
    nothing = site.client.post(
        "/subscribe/match", data={"form": token, "keywords": "xylophone zugzwang"}
    )

    assert re.fullmatch(r"About \d+ papers? a (day|week) would match\.", answer.json()["sentence"])
    assert nothing.json()["sentence"] == "Nothing of the last days would have matched."


def test_the_answer_is_the_same_whoever_is_on_the_list(site: Site) -> None:
    with site.app.store.write() as tx:
        suppress_subscriber(tx, THEO, reason="complaint", now=NOW)
    site.app.enrolment.unsubscribe(3, now=NOW, source="web")

    answers = {
        address: subscribe(site, address, topic=["robotics"])
        for address in (
            "mara@example.org",
            "theo@example.org",
            "nanami@example.org",
            "nobody@example.org",
            "MARA@example.org",
        )
    }

    assert len({(a.status_code, a.text) for a in answers.values()}) == 1
    assert len({tuple(sorted(a.headers.items())) for a in answers.values()}) == 1


def test_the_work_before_the_answer_is_the_same_whoever_is_on_the_list(site: Site) -> None:
    """Statements are counted and compared: what takes the same steps takes the same time."""
    statements: list[str] = []
    engine = site.app.store.engine
    held: list[Any] = []
    site.desk._after.submit(lambda: None).result(10)
    site.desk.deal_soon = lambda: held.append(1)  # type: ignore[method-assign]

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(re.sub(r"\s+", " ", statement))

    steps = {}
    event.listen(engine, "before_cursor_execute", note)
    form = {"do": "subscribe", "topic": "robotics"}
    token = html.fromstring(site.get("/subscribe").text).xpath("//input[@name='form']/@value")[0]
    for address in ("mara@example.org", "nobody@example.org", "theo@example.org"):
        statements.clear()
        site.client.post("/subscribe", data={**form, "email": address, "form": token})
        steps[address] = list(statements)
    event.remove(engine, "before_cursor_execute", note)

    assert len(held) == 3
    assert steps["mara@example.org"] == steps["nobody@example.org"] == steps["theo@example.org"]
    assert any("INSERT INTO signup" in s for s in steps["mara@example.org"])


def test_a_confirmed_reader_keeps_what_it_has_and_is_not_mailed(site: Site) -> None:
    before, mails = site.wishes(MARA), site.mails("mara@example.org")

    subscribe(site, "mara@example.org", topic=["robotics"], zone="Asia/Tokyo")
    site.settle()
    site.deliver()

    person = site.subscriber(MARA)
    assert person is not None
    assert (site.wishes(MARA), person.zone) == (before, "Europe/Berlin")
    assert site.mails("mara@example.org") == mails


def test_an_address_is_asked_once_an_hour_however_often_it_is_typed(site: Site) -> None:
    for _ in range(4):
        assert subscribe(site).status_code == 200
    question(site)
    assert len(site.mails(NEW)) == 1

    site.clock.at += timedelta(minutes=61)
    subscribe(site)
    question(site)

    assert len(site.mails(NEW)) == 2


def test_a_client_is_limited_and_told_when_to_come_again(site: Site) -> None:
    answers = [
        subscribe(site, f"n{n}@example.org").status_code for n in range(PER_CLIENT.times + 2)
    ]

    assert answers == [200] * PER_CLIENT.times + [429, 429]
    assert "Try again in an hour" in subscribe(site, "one-more@example.org").text
    site.settle()
    assert site.find(f"n{PER_CLIENT.times - 1}@example.org") is not None
    assert site.find(f"n{PER_CLIENT.times}@example.org") is None
    site.clock.at += timedelta(minutes=61)
    assert subscribe(site, "later@example.org").status_code == 200


def test_a_forwarded_address_counts_only_behind_our_own_proxy(site: Site) -> None:
    for n in range(PER_CLIENT.times):
        headers = {"x-forwarded-for": f"198.51.100.{n}"}
        site.client.headers.update(headers)
        subscribe(site, f"n{n}@example.org")

    assert subscribe(site, "more@example.org").status_code == 429


def test_beyond_its_limit_an_address_gets_nothing_and_nobody_is_told(site: Site) -> None:
    answers = {subscribe(site).text for _ in range(PER_ADDRESS.times + 3)}

    site.settle()
    assert len(answers) == 1


def test_a_sign_up_that_was_answered_survives_the_end_of_the_process(site: Site) -> None:
    site.settle()
    site.desk.deal_soon = lambda: None  # type: ignore[method-assign]  # as if it died just then
    subscribe(site)
    assert site.find(NEW) is None

    site.desk.intake.deal(site.clock.now())

    person = site.find(NEW)
    assert person is not None
    with site.app.store.read() as tx:
        assert tx.execute(select(signup)).all() == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"email": "not an address"}, "not a mail address"),
        ({"email": ""}, "not a mail address"),
        ({"email": "a@b.example\r\nBcc: c@d.example"}, "not a mail address"),
        ({"zone": "Mars/Olympus"}, "not a time zone"),
        ({"send_at": "25:00"}, "not an hour"),
        ({"cadence": "hourly"}, "daily, weekdays or weekly"),
        ({"max_items": "100000"}, "from 1 to 100"),
        ({"topic": ["alchemy"]}, "no topic"),
        ({"likes": "my favourite"}, "names no paper"),
        ({"interests": "x" * 100_000}, "2000 characters at most"),
        ({"interests": "\n".join(f"interest {n}" for n in range(300))}, "At most 200 interests"),
    ],
)
def test_what_cannot_be_used_is_told_and_everything_typed_stands_again(
    site: Site, fields: dict[str, Any], said: str
) -> None:
    typed = {"interests": "robots that sleep", "topic": ["safety"], "email": NEW} | fields

    answer = site.send("/subscribe", do="subscribe", **typed)

    page = html.fromstring(answer.text)
    assert answer.status_code == 400
    assert said in page.xpath("//*[@role='alert']")[0].text_content()
    if "interests" not in fields:
        assert page.xpath("//textarea[@id='interests']")[0].text == "robots that sleep"
    if "topic" not in fields:
        assert page.xpath("//input[@value='safety']/@checked")
    site.settle()
    assert site.find(NEW) is None


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=" + b"x" * 10_000_000, "application/x-www-form-urlencoded", 413),
        (b"&".join(b"topic=%d" % n for n in range(10_000)), "application/x-www-form-urlencoded", 413),
        (b"email=%ff%fe@example.org", "application/x-www-form-urlencoded", 400),
        (b"email=\xff", "application/x-www-form-urlencoded", 400),
        (b"--b\r\n" * 5_000, "multipart/form-data; boundary=b", 400),
        (b"{}", "application/json", 403),
        (b"", "application/x-www-form-urlencoded", 403),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/subscribe", "/admin/login"])
def test_a_form_that_is_none_gets_a_page_of_words(
    site: Site, path: str, body: bytes, kind: str, status: int
) -> None:
    before = site.rows()

    answer = site.client.post(path, content=body, headers={"content-type": kind})

    assert answer.status_code == status
    assert html.fromstring(answer.text).xpath("//h1")
    assert site.rows() == before


def test_everything_wrong_is_told_at_once(site: Site) -> None:
    answer = site.send("/subscribe", do="subscribe", email="nobody", interests="x" * 3_000)

    told = html.fromstring(answer.text).xpath("//*[@role='alert']//li")
    assert len(told) == 2


def test_every_topic_there_is_may_be_chosen(site: Site) -> None:
    from digest.model import Topic
    from digest.store.topics import put_topic

    with site.app.store.write() as tx:
        for n in range(50):
            put_topic(tx, Topic(slug=f"topic-{n}", name=f"Topic {n}"))
    site.desk.cache._kept.clear()

    answer = subscribe(site, topic=[f"topic-{n}" for n in range(50)])
    site.settle()

    person = site.find(NEW)
    assert answer.status_code == 200
    assert person is not None
    assert len(site.wishes(person.id)) == 50


def test_links_that_people_give_are_never_fetched(site: Site) -> None:
    from tests.loopback import pages, serve

    with serve(pages({})) as server:
        answer = subscribe(site, likes=f"{server.url}/paper\nhttp://169.254.169.254/latest")
        site.settle()
        person = site.find(NEW)
        assert person is not None
        site.send(question(site))
        site.app.editor.make_due(site.clock.now() + timedelta(days=1))

    assert answer.status_code == 200
    assert server.heads == []
