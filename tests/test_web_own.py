"""A subscriber's own page: change, pause, move, come back, take the data along, be forgotten."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from lxml import html
from sqlalchemy import insert, select

from digest.addresses import parse_address
from digest.model import Status
from digest.store.people import suppress, suppress_subscriber, suppression_of
from digest.store.schema import edition, outbox
from digest.tokens import Purpose
from tests.test_web_subscribe import question, subscribe
from tests.web_site import MARA, NOW, THEO, Site, demo_folder, site

__all__ = ["demo_folder", "site"]

OTHER = "mara.new@example.org"


def own(site: Site, who: int = MARA) -> str:
    return site.path(site.desk.links.preferences(who))


def save(site: Site, **fields: object) -> str:
    answer = site.send(own(site), do="save", **fields)
    assert answer.status_code == 303, answer.text
    return str(site.get(answer.headers["location"]).text)


def test_the_page_shows_what_was_chosen_and_what_comes_next(site: Site) -> None:
    page = site.page(own(site))

    assert page.xpath("//input[@value='language-models']/@checked")
    assert page.xpath("//textarea[@id='interests']")[0].text.strip() == (
        "sparse attention that keeps long contexts cheap"
    )
    assert page.xpath("//input[@id='keywords']/@value") == ["KV cache"]
    assert page.xpath("//select[@id='zone']//option[@selected]/@value") == ["Europe/Berlin"]
    assert "next edition Friday 13 March at 07:30" in page.text_content()
    assert page.xpath("//section[@class='preview']//li[@class='paper']")
    assert len(page.xpath("//section[@aria-labelledby='past']//li")) == 3


def test_saving_changes_everything_at_once_and_a_reload_sends_nothing_twice(site: Site) -> None:
    text = save(
        site,
        topic=["robotics"],
        interests="tactile sensing",
        keywords="",
        exclude="",
        zone="America/New_York",
        send_at="18:45",
        cadence="weekly",
        max_items="7",
        rising=None,
    )

    person = site.subscriber(MARA)
    assert person is not None
    assert "Saved." in text
    assert site.wishes(MARA) == [("topic", "robotics"), ("interest", "tactile sensing")]
    assert (person.zone, person.cadence, person.max_items, person.rising) == (
        "America/New_York",
        "weekly",
        7,
        False,
    )
    assert person.next_edition_at is not None
    assert person.next_edition_at.isoformat() == "2026-03-16T22:45:00+00:00"


def test_no_topic_ticked_means_no_topic(site: Site) -> None:
    save(site, topic=None)

    assert "topic" not in dict(site.wishes(MARA))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("zone", "Nowhere", "not a time zone"),
        ("send_at", "noon", "not an hour"),
        ("likes", "the one about robots", "names no paper"),
        ("interests", "x" * 3000, "2000 characters"),
        ("pause", "forever", "how long to pause"),
    ],
)
def test_what_cannot_be_saved_is_told_and_nothing_is_changed(
    site: Site, field: str, value: str, said: str
) -> None:
    before = site.rows()

    answer = site.send(own(site), do="save", **{field: value})

    assert answer.status_code == 400
    assert said in html.fromstring(answer.text).xpath("//*[@role='alert']")[0].text_content()
    assert site.rows() == before


def test_a_pause_is_kept_by_further_saving_and_can_be_ended(site: Site) -> None:
    text = save(site, pause="14")
    person = site.subscriber(MARA)
    assert person is not None
    assert person.paused_until == NOW + timedelta(days=14)
    assert "Paused until Thursday 26 March" in text

    save(site, max_items="3")
    kept = site.subscriber(MARA)
    save(site, pause="none")
    ended = site.subscriber(MARA)

    assert kept is not None
    assert kept.paused_until == person.paused_until
    assert ended is not None
    assert ended.paused_until is None


def test_nothing_is_sent_while_paused(site: Site) -> None:
    save(site, pause="7")
    site.clock.at += timedelta(days=1)
    site.app.editor.make_due(site.clock.now())

    with site.app.store.read() as tx:
        row = tx.execute(
            select(outbox).where(outbox.c.subscriber_id == MARA).order_by(outbox.c.id.desc())
        ).first()

    assert row is not None
    assert (row.state, row.reason) == ("skipped", "paused by the subscriber")


def test_papers_are_named_by_id_or_link_and_votes_taken_back_by_unticking(site: Site) -> None:
    save(site, likes="2603.90417v1\nhttps://huggingface.co/papers/2603.90302")
    likes = [w for w in site.wishes(MARA) if w[0] == "like"]
    assert likes == [("like", "arxiv:2603.90417"), ("like", "arxiv:2603.90302")]

    save(site, example=["like arxiv:2603.90302"])

    assert [w for w in site.wishes(MARA) if w[0] == "like"] == [likes[1]]


def test_more_votes_than_a_form_may_name_do_not_stop_saving(site: Site) -> None:
    for n in range(250):
        site.desk.accounts.vote(MARA, f"arxiv:2601.{n:05d}", site_vote("up"), now=site.clock.now())

    assert "Saved." in save(site, max_items="4")
    assert len([w for w in site.wishes(MARA) if w[0] == "like"]) == 250


def site_vote(text: str):  # type: ignore[no-untyped-def]
    from digest.account import Vote

    return Vote(text)


# --- another address


def test_an_address_changes_only_when_the_new_one_confirms(site: Site) -> None:
    answer = site.send(own(site), 1, new_email=OTHER, do="move")
    assert answer.status_code == 303
    path = question(site, OTHER)
    person = site.subscriber(MARA)
    assert person is not None
    assert person.email == "mara@example.org"
    assert f"{OTHER} was asked" in site.get(own(site)).text
    wishes = site.wishes(MARA)

    done = site.send(path)

    moved = site.subscriber(MARA)
    assert moved is not None
    assert "The address is changed" in done.text
    assert moved.email == OTHER
    assert moved.status is Status.CONFIRMED
    assert site.wishes(MARA) == wishes
    assert site.find(OTHER) == moved
    assert site.find("mara@example.org") is None


@pytest.mark.parametrize("typed", ["mara@example.org", " MARA@Example.org ", "nonsense", ""])
def test_an_address_that_cannot_be_the_new_one_is_told_at_once(site: Site, typed: str) -> None:
    before = site.rows()

    answer = site.send(own(site), 1, do="move", new_email=typed)

    told = html.fromstring(answer.text).xpath("//*[@role='alert']")[0].text_content()
    assert answer.status_code == 400
    assert "is the address already" in told if "mara" in typed.lower() else "address" in told
    assert site.rows() == before


def test_pressing_twice_at_the_new_address_is_no_trouble(site: Site) -> None:
    site.send(own(site), 1, do="move", new_email="new@example.org")
    path = question(site, "new@example.org")
    form = {"form": site.forms(path)[0].fields["form"]}
    site.client.post(path, data=form)

    again = site.client.post(path, data=form)

    assert "all is settled" in again.text
    assert site.get(path).status_code == 404
    person = site.subscriber(MARA)
    assert person is not None
    assert person.email == "new@example.org"


def test_the_new_address_gets_the_next_edition_and_the_old_links_still_work(site: Site) -> None:
    old_leave = site.path(site.desk.links.unsubscribe(MARA))
    site.send(own(site), 1, new_email=OTHER, do="move")
    site.send(question(site, OTHER))
    site.clock.at += timedelta(days=1)

    site.app.editor.make_due(site.clock.now())
    site.deliver()
    site.client.post(old_leave, data={"List-Unsubscribe": "One-Click"})

    person = site.subscriber(MARA)
    assert len(site.mails(OTHER)) == 2
    assert person is not None
    assert person.status is Status.UNSUBSCRIBED


def test_asking_for_an_address_tells_nothing_about_it(site: Site) -> None:
    texts = set()
    for address in ("theo@example.org", "unknown@example.org", "suresh@example.org"):
        answer = site.send(own(site), 1, new_email=address, do="move")
        texts.add((answer.status_code, answer.headers["location"]))
    site.settle()
    site.deliver()

    theo = site.subscriber(THEO)
    assert len(texts) == 1
    assert theo is not None
    assert (theo.email, theo.status) == ("theo@example.org", Status.CONFIRMED)


def test_somebody_who_signs_up_is_nobodys_new_address(site: Site) -> None:
    site.send(own(site), 1, new_email=OTHER, do="move")
    site.settle()
    site.clock.at += timedelta(hours=2)
    subscribe(site, OTHER, topic=["safety"])

    site.send(question(site, OTHER))

    mara, newcomer = site.subscriber(MARA), site.find(OTHER)
    assert mara is not None
    assert mara.email == "mara@example.org"
    assert newcomer is not None
    assert newcomer.id != MARA
    assert site.wishes(newcomer.id) == [("topic", "safety")]


def test_addresses_can_be_named_a_few_times_a_day(site: Site) -> None:
    answers = [
        site.send(own(site), 1, new_email=f"m{n}@example.org", do="move").status_code
        for n in range(5)
    ]

    assert answers == [303, 303, 303, 429, 429]


def test_a_dead_address_is_left_behind_for_a_new_one(site: Site) -> None:
    with site.app.store.write() as tx:
        suppress_subscriber(tx, MARA, reason="hard bounce", now=NOW)
    assert "came back" in site.get(own(site)).text

    site.send(own(site), 1, new_email=OTHER, do="move")
    site.send(question(site, OTHER))

    person = site.subscriber(MARA)
    assert person is not None
    assert (person.email, person.status) == (OTHER, Status.CONFIRMED)
    assert person.next_edition_at is not None


# --- leaving and coming back


def test_who_has_left_can_come_back_by_the_link(site: Site) -> None:
    site.app.enrolment.unsubscribe(MARA, now=NOW, source="web")
    assert "no mail comes" in site.get(own(site)).text

    answer = site.send(own(site), 0, do="back")

    person = site.subscriber(MARA)
    assert answer.status_code == 303
    assert person is not None
    assert person.status is Status.CONFIRMED
    assert person.next_edition_at is not None


def test_a_suppressed_address_cannot_bring_itself_back(site: Site) -> None:
    with site.app.store.write() as tx:
        suppress_subscriber(tx, MARA, reason="complaint", now=NOW)

    token = html.fromstring(site.get(own(site)).text).xpath("//input[@name='form']/@value")[0]
    site.client.post(own(site), data={"form": token, "do": "back"})

    person = site.subscriber(MARA)
    assert person is not None
    assert person.status is Status.SUPPRESSED


def test_everything_kept_about_a_person_can_be_taken_along(site: Site) -> None:
    site.desk.accounts.vote(MARA, "arxiv:2603.90417", site_vote("down"), now=NOW)

    answer = site.get(f"{own(site)}/data.json")

    data = json.loads(answer.text)
    assert "attachment" in answer.headers["content-disposition"]
    assert data["address"] == "mara@example.org"
    assert {"kind": "topic", "value": "language-models"} in [
        {k: i[k] for k in ("kind", "value")} for i in data["interests"]
    ]
    assert data["interests"][-1]["kind"] == "dislike"
    assert len(data["editions"]) == 3
    assert data["editions"][0]["papers"][0]["reasons"]
    assert [m["state"] for m in data["messages"]] == ["sent"] * 3
    assert data["consents"]


def test_erasing_forgets_the_person_and_keeps_the_ledger(site: Site) -> None:
    with site.app.store.read() as tx:
        before = len(tx.execute(select(outbox.c.id)).all())
    forms = site.forms(own(site))
    unsure = site.send(own(site), len(forms) - 1, do="erase")
    assert unsure.status_code == 400
    assert site.subscriber(MARA) is not None

    done = site.send(own(site), len(forms) - 1, do="erase", sure="yes")

    assert "Everything is erased" in done.text
    assert site.subscriber(MARA) is None
    assert "mara@" not in repr(site.rows())
    with site.app.store.read() as tx:
        assert len(tx.execute(select(outbox.c.id)).all()) == before
    for path in (own(site), site.path(site.desk.links.edition(1))):
        answer = site.get(path)
        assert answer.status_code == 404
        assert "does not exist any more" in answer.text


def test_a_suppression_outlives_erasure_as_a_hash(site: Site) -> None:
    key = parse_address("mara@example.org").key
    with site.app.store.write() as tx:
        suppress(tx, key, reason="complaint", now=NOW)

    site.app.enrolment.erase(MARA, now=NOW)

    with site.app.store.read() as tx:
        assert suppression_of(tx, key) == "complaint"


# --- editions on the web


def test_past_editions_are_read_as_pages_and_tell_no_way_to_the_account(site: Site) -> None:
    links = site.page(own(site)).xpath("//section[@aria-labelledby='past']//li/a/@href")

    page = site.page(links[0])

    hrefs = page.xpath("//a/@href")
    assert page.xpath("//h1")[0].text == "Thursday 12 March 2026"
    assert page.xpath("//li[@class='paper']")
    assert not [h for h in hrefs if "/preferences" in h or "/unsubscribe" in h or "feedback" in h]
    assert page.xpath("//meta[@name='robots']/@content") == ["noindex, nofollow"]


def test_every_past_edition_is_within_reach(site: Site) -> None:
    import digest.web.own as page_of

    assert page_of._EDITIONS_SHOWN == 30
    with site.app.store.write() as tx:
        for number in range(1, 41):
            values = {"local_on": NOW.date() - timedelta(days=200 + number), "zone": "UTC"}
            values |= {"subscriber_id": MARA, "due_at": NOW, "made_at": NOW}
            tx.execute(insert(edition).values(**values, considered=0, interests=0))

    first = site.page(own(site))
    link = first.xpath("//a[text()='All editions']/@href")[0]
    every = site.page(link.partition("#")[0])

    past = "//section[@aria-labelledby='past']//li"
    assert len(first.xpath(past)) == 30
    assert len(every.xpath(past)) == 43
    assert not every.xpath("//a[text()='All editions']")


def test_the_private_feed_has_every_edition_and_is_kept_by_nobody(site: Site) -> None:
    import feedparser

    link = site.page(own(site)).xpath("//input[@id='feed']/@value")[0]

    answer = site.get(site.path(link))

    feed = feedparser.parse(answer.content)
    assert feed.bozo == 0
    assert feed.entries[0].title.startswith("Thursday 12 March 2026: ")
    assert len(feed.entries) == 3
    assert answer.headers["cache-control"] == "private, no-cache"
    token = site.app.tokens.sign(Purpose.FEED, THEO)
    assert "Thursday" in site.get(f"/feed/{token}.json").json()["items"][0]["title"]
