"""Votes from the mail: shown by GET, recorded by one press, taken back by another."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

import pytest

from tests.web_site import MARA, NOW, THEO, Site, demo_folder, site

__all__ = ["demo_folder", "site"]


def vote_links(site: Site) -> list[str]:
    """The links of the first mail's first pick: more, less."""
    mail = message_from_bytes(site.mails("mara@example.org")[0].read_bytes(), policy=policy.default)
    text = mail.get_body(("plain",)).get_content()
    return [site.path(link) for link in re.findall(r"https://\S+/feedback/\S+", text)][:2]


def likes(site: Site) -> list[tuple[str, str]]:
    return [w for w in site.wishes(MARA) if w[0] in ("like", "dislike")]


def test_one_press_records_the_vote_that_the_mail_made_ready(site: Site) -> None:
    more, less = vote_links(site)
    page = site.page(more)
    title = page.xpath("//li[@class='paper']/h2")[0].text_content()
    assert page.xpath("//button")[0].text == "👍 More like this"
    assert site.page(less).xpath("//button")[0].text == "👎 Less like this"
    assert likes(site) == []

    done = site.send(more, vote="up")

    assert "Recorded: more like this" in done.text
    assert title in done.text
    assert len(likes(site)) == 1
    assert likes(site)[0][0] == "like"


def test_the_last_word_counts_and_can_be_taken_back(site: Site) -> None:
    more, _ = vote_links(site)
    site.send(more, vote="up")
    site.send(more, vote="up")
    assert len(likes(site)) == 1

    site.send(more, vote="down")
    assert [kind for kind, _ in likes(site)] == ["dislike"]
    done = site.send(more, vote="none")

    assert "Your vote is taken back" in done.text
    assert likes(site) == []


def test_a_vote_changes_what_comes_next(site: Site) -> None:
    """The same reader is asked twice, before and after disliking everything about its topic."""
    from digest.account import Vote
    from digest.store.profiles import profiles_of

    def scores() -> dict[int, float]:
        with site.app.store.read() as tx:
            profile = profiles_of(tx, [MARA])[MARA]
        picks = site.app.editor.pool(NOW).pick(profile, limit=60).picks
        return {pick.item_id: pick.score for pick in picks}

    before = scores()
    with site.app.store.read() as tx:
        from digest.store.catalogue import candidates_by_id

        found = candidates_by_id(tx, list(before)[-1:], until=NOW)[0]
    site.desk.accounts.vote(MARA, found.wording.key, Vote.UP, now=NOW)

    assert scores()[found.item_id] > before[found.item_id]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?pick=1&vote=sideways", 200),
        ("?pick=1", 200),
        ("?pick=99&vote=up", 404),
        ("?pick=-1&vote=up", 404),
        ("?pick=1%00&vote=up", 404),
        ("", 404),
    ],
)
def test_a_link_that_was_cut_or_changed_gets_a_page_of_words(
    site: Site, query: str, status: int
) -> None:
    link = vote_links(site)[0].partition("?")[0]

    assert site.get(link + query).status_code == status


def test_a_vote_for_another_reader_or_edition_is_refused(site: Site) -> None:
    from digest.tokens import Purpose

    link = vote_links(site)[0]
    token = link.split("/")[2].partition("?")[0]
    other = site.app.tokens.sign(Purpose.FEEDBACK, THEO, 99_999)

    form = site.forms(link)[0]
    stolen = {
        "form": form.xpath(".//input[@name='form']/@value")[0],
        "pick": "1",
        "vote": "up",
    }
    theirs = site.app.tokens.sign(Purpose.FEEDBACK, THEO, 4)

    assert site.get(f"/feedback/{other}?pick=1").status_code == 404
    assert site.get(f"/feedback/{token[:-1]}?pick=1").status_code == 404
    assert site.client.post(f"/feedback/{theirs}", data=stolen).status_code in (403, 404)
    assert [w for w in site.wishes(THEO) if w[0] == "like"] == []
