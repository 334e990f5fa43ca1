"""Every page in every state, one after the other in a browser, with content that is hard to set.

`walk` opens them and gives their names; what is looked at is the caller's. Used by test_browser.py
and pictures.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sqlalchemy import update

from digest.account import Accounts
from digest.addresses import parse_address
from digest.enrol import Choices
from digest.model import BounceKind, OutboxState, PaperData
from digest.store import people
from digest.store.bounces import NewBounce, add_bounce
from digest.store.editions import edition_ids
from digest.store.items import merge_listing
from digest.store.schema import outbox
from tests.live_site import Live
from tests.web_site import ADMIN_TOKEN, MARA, NANAMI, NOW, SURESH, THEO

PENDING = "pending.reader@example.org"
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitän" * 3
HARD = (
    {"title": "稀疏注意力机制在长上下文语言模型中的高效训练与推理方法研究：一种统一的视角", "authors": ("王小明", "李华")},
    {"title": "انتباه متفرق للنماذج اللغوية الكبيرة", "abstract": "نقترح آلية انتباه متفرق جديدة. وهي أسرع.", "authors": ("ليلى حداد",)},
    {"title": LONG_WORD, "abstract": LONG_WORD * 4, "organization": LONG_WORD},
    {"title": r"$\nabla^2$DFT: errors of $10^{-3}$ & <think> at $\mathcal{O}(n \log n)$", "authors": tuple(f"Writer Number {n}" for n in range(300))},
    {"title": "A title that goes on and on, as titles of surveys do, through every word that anybody might search for, and then a subtitle: what we know, what we do not know, and what we would like to know", "stars": 123_456, "comments": 1_234},
    {"title": "Q", "abstract": "", "authors": (), "votes": None},
)  # fmt: skip


def add_hard_papers(live: Live) -> None:
    """Papers in other scripts, too long, too short, with formulas, at the top of the list."""
    papers = [
        PaperData(
            **{
                "url": f"https://papers.example/{number}",
                "arxiv_id": f"2603.777{number:02d}",
                "abstract": "We show that it works. It is also fast. " * 6,
                "authors": ("Ada Writer", "Bo Author"),
                "categories": ("cs.CL", "cs.LG"),
                "published_at": NOW - timedelta(days=1),
                "code_url": "https://code.example/x",
                "votes": 900 - number,
                "position": number,
            }
            | hard
        )
        for number, hard in enumerate(HARD, 1)
    ]
    for hours in (6, 3, 0):
        at = NOW - timedelta(hours=hours)
        with live.app.store.write() as tx:
            merge_listing(tx, papers, source="huggingface", kind="huggingface", now=at)


def add_hard_people(live: Live) -> None:
    """A pending reader, one who left, one who is suppressed, one who pauses; and returned mail."""
    app, now = live.app, live.clock.now()
    app.enrolment.join(PENDING, Choices(), now=now, source="web")
    app.enrolment.unsubscribe(THEO, now=now, source="web")
    Accounts(app.enrolment, app.tokens).pause(NANAMI, timedelta(days=14), now=now)
    with app.store.write() as tx:
        new = NewBounce(
            fingerprint="f1",
            subscriber_id=SURESH,
            outbox_id=1,
            kind=BounceKind.HARD,
            status="5.1.1",
            diagnostic="550 5.1.1 <suresh@example.org>: " + "no such mailbox here, " * 8,
            is_proven=True,
            evidence=b"x",
        )
        add_bounce(tx, new, now=now)
        people.suppress_subscriber(tx, SURESH, reason="hard bounce", now=now)
        failed = {
            "state": OutboxState.FAILED,
            "reason": "refused",
            "answer": "550 5.7.1 " + "no " * 40,
        }
        tx.execute(update(outbox).where(outbox.c.id == 1).values(failed))


def add_hard(live: Live) -> None:
    add_hard_papers(live)
    add_hard_people(live)


# --- the walk


def public_pages(live: Live) -> dict[str, str]:
    """Pages for everybody, by a name."""
    paths = {
        "front": "/",
        "day": "/day/2026-03-11",
        "day-empty": "/day/2026-03-07",
        "day-to-come": "/day/2026-05-01",
        "topic": "/topic/robotics",
        "paper": "/paper/arxiv:2603.90417",
        "paper-cjk": "/paper/arxiv:2603.77701",
        "paper-rtl": "/paper/arxiv:2603.77702",
        "paper-long": "/paper/arxiv:2603.77703",
        "paper-many": "/paper/arxiv:2603.77704",
        "paper-bare": "/paper/arxiv:2603.77706",
        "search": "/search?q=attention",
        "search-blank": "/search",
        "search-none": "/search?q=zeppelin+philately&source=arxiv",
        "search-wrong": "/search?q=x&to=9999-12-31",
        "subscribe": "/subscribe?topic=robotics",
        "missing": "/nowhere",
        "admin-login": "/admin/login",
    }
    return {name: live.url + path for name, path in paths.items()}


def own_pages(live: Live) -> dict[str, str]:
    """Pages behind a token, by a name."""
    links, clock = live.app.composer._links, live.clock
    with live.app.store.read() as tx:
        edition = edition_ids(tx, MARA)[-1]
        found = people.find_subscriber(tx, parse_address(PENDING).key)
    assert found is not None
    feedback = links.feedback(MARA, edition)
    return {
        "confirm": links.confirm(found.id, clock.now() + timedelta(days=1)),
        "preferences": links.preferences(MARA),
        "preferences-pending": links.preferences(found.id),
        "preferences-left": links.preferences(THEO),
        "preferences-paused": links.preferences(NANAMI),
        "preferences-suppressed": links.preferences(SURESH),
        "unsubscribe": links.unsubscribe(MARA),
        "unsubscribed": links.unsubscribe(THEO),
        "feedback": f"{feedback}?pick=1&vote=up",
        "feedback-down": f"{feedback}?pick=2&vote=down",
        "edition": links.edition(edition),
        "link-cut": links.preferences(MARA)[:-5],
    }


ADMIN_PAGES = {
    "admin": "/admin",
    "admin-outbox": "/admin/outbox",
    "admin-outbox-none": "/admin/outbox?state=uncertain",
    "admin-readers": "/admin/readers",
    "admin-reader": f"/admin/readers/{MARA}",
    "admin-reader-lost": f"/admin/readers/{SURESH}",
    "admin-returns": "/admin/returns",
    "admin-topics": "/admin/topics",
    "admin-topic": "/admin/topics/robotics",
    "admin-topic-new": "/admin/topics/-",
    "admin-mail": "/admin/mail",
}


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def answers(page: Any, live: Live) -> Iterator[str]:
    """Pages that come as the answer to a form."""
    page.goto(f"{live.url}/subscribe")
    page.get_by_label("Robotics").check()
    press(page, "Preview")
    page.get_by_role("heading", name="What you would get now").wait_for()
    yield "subscribe-preview"
    page.get_by_label("Your address").fill("nobody@localhost")
    page.get_by_label("In your own words").fill("x" * 3_000)
    press(page, "Subscribe")
    page.get_by_role("alert").wait_for()
    yield "subscribe-wrong"
    page.get_by_label("Your address").fill("new.reader@example.org")
    page.get_by_label("In your own words").fill("sleeping robots")
    press(page, "Subscribe")
    page.get_by_role("heading", name="Look into your mailbox").wait_for()
    yield "asked"
    own = own_pages(live)
    page.goto(own["confirm"])
    press(page, "Yes, send it to me")
    page.get_by_role("heading", name="You are in").wait_for()
    yield "confirmed"
    page.goto(own["feedback"])
    press(page, "👍 More like this")
    page.get_by_role("heading", name="Recorded").wait_for()
    yield "feedback-recorded"
    press(page, "Take the vote back")
    page.get_by_role("heading", name="taken back").wait_for()
    yield "feedback-back"
    page.goto(own["preferences"])
    page.get_by_label("In your own words").fill("x" * 3_000)
    press(page, "Save")
    page.get_by_role("alert").wait_for()
    yield "preferences-wrong"


def log_in(page: Any, live: Live) -> None:
    page.goto(f"{live.url}/admin/login")
    page.get_by_label("Token").fill(ADMIN_TOKEN)
    press(page, "Log in")
    page.wait_for_url(re.compile(r"/admin$"))


def walk(page: Any, live: Live) -> Iterator[str]:
    """Open every page in turn; gives its name."""
    for name, url in {**public_pages(live), **own_pages(live)}.items():
        page.goto(url)
        yield name
    yield from answers(page, live)
    log_in(page, live)
    for name, path in ADMIN_PAGES.items():
        page.goto(live.url + path)
        yield name
