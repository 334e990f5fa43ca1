"""Whole messages: headers, envelope, size, and nothing that a stranger could slip in."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from digest.columns import width
from digest.compose.composer import Question
from digest.errors import BadInput
from digest.model import Envelope, Reason, ReasonKind, Section
from digest.tokens import Purpose
from tests.mail_pieces import (
    MADE_AT,
    MESSAGE_ID,
    SITE,
    TOKENS,
    compose,
    composer,
    edition,
    entry,
    part,
    receive,
    wording,
)

GOLDEN = Path(__file__).parent / "golden" / "edition.eml"


def confirmation(email: str = "reader@example.net", **changes: Any) -> Envelope:
    question = Question(
        subscriber_id=7, email=email, made_at=MADE_AT, until=MADE_AT + timedelta(days=7)
    )
    site = dataclasses.replace(SITE, **changes)
    return composer(site).confirmation(question, outbox_id=3, message_id=MESSAGE_ID)


class _Page(HTMLParser):
    """What a reader's program makes of the HTML part."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._silent = tag in ("style", "title")
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.text += data


def page(content: bytes) -> _Page:
    parsed = _Page()
    parsed.feed(part(receive(content), "html"))
    return parsed


def test_the_bytes_of_an_edition_are_these() -> None:
    """A change here is a change of every mail: look at it, then write the file anew.

    python -c "from tests.test_compose_composer import *; GOLDEN.write_bytes(compose(edition()))"
    """
    assert compose(edition()) == GOLDEN.read_bytes()


def test_the_same_edition_has_the_same_bytes_in_another_process() -> None:
    first, second = composer(), composer()
    first.edition(edition(9).sheet(), outbox_id=1, message_id="<other@example.org>")

    def made(by: Any) -> Envelope:
        envelope = by.edition(edition().sheet(), outbox_id=9, message_id=MESSAGE_ID)
        assert isinstance(envelope, Envelope)
        return envelope

    assert made(first) == made(second)


def test_every_header_of_the_sender_rules_is_there() -> None:
    message = receive(compose(edition()))

    unsubscribe = f"https://digest.example.org/unsubscribe/{TOKENS.sign(Purpose.UNSUBSCRIBE, 7)}"
    mailto = f"mailto:unsub+{TOKENS.sign(Purpose.UNSUBSCRIBE, 7)}@example.org"
    assert message["From"] == "Trending Papers <digest@example.org>"
    assert message["To"] == "reader@example.net"
    assert message["Reply-To"] == "editor@example.org"
    assert parsedate_to_datetime(message["Date"]) == MADE_AT
    assert message["Message-ID"] == MESSAGE_ID
    assert message["List-Id"] == "Trending Papers <digest.example.org>"
    assert message["List-Unsubscribe"] == f"<{unsubscribe}>, <{mailto}?subject=unsubscribe>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Archive"] == "<https://digest.example.org/day/2026-03-12>"
    assert message["List-Help"].startswith("<https://digest.example.org/>")
    assert message["List-Owner"] == "<mailto:ops@example.org>"
    assert message["List-Post"] == "NO"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert message["Precedence"] == "bulk"
    assert message["Feedback-ID"] == "20260312:edition:digest:example-org"


def test_no_header_comes_twice() -> None:
    names = receive(compose(edition())).keys()

    assert len(names) == len(set(names))


def test_a_long_unsubscribe_link_stays_on_one_raw_line() -> None:
    site = dataclasses.replace(SITE, url="https://digest.example.org/" + "a" * 200)

    content = compose(edition(), site=site)

    assert re.search(
        rb"\r\nList-Unsubscribe: <https://[^\r\n ]{200,}>, <mailto:[^\r\n]*>\r\n", content
    )


def test_the_envelope_sender_is_verp_and_leads_to_the_outbox_row() -> None:
    made = composer(bounce_domain="bounces.example.org").edition(
        edition().sheet(), outbox_id=123456, message_id=MESSAGE_ID
    )

    local, _, domain = made.envelope_from.partition("@")
    assert domain == "bounces.example.org"
    assert TOKENS.read(Purpose.BOUNCE, local.removeprefix("bounce+"), count=1) == (123456,)
    assert made.outbox_id == 123456
    assert made.envelope_to == "reader@example.net"
    assert not made.needs_smtputf8


def test_an_idn_domain_is_ascii_in_envelope_and_header() -> None:
    made = composer().edition(
        edition(email="ada@bücher.example").sheet(), outbox_id=1, message_id=MESSAGE_ID
    )

    assert made.envelope_to == "ada@xn--bcher-kva.example"
    assert b"\r\nTo: ada@xn--bcher-kva.example\r\n" in made.content
    assert not made.needs_smtputf8


def test_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    made = composer().edition(
        edition(email="grüße@example.net").sheet(), outbox_id=1, message_id=MESSAGE_ID
    )

    assert made.needs_smtputf8
    assert made.envelope_to == "grüße@example.net"
    assert "\r\nTo: grüße@example.net\r\n".encode() in made.content


def test_a_quoted_local_part_is_kept() -> None:
    made = composer().edition(
        edition(email='"ada lovelace"@example.net').sheet(), outbox_id=1, message_id=MESSAGE_ID
    )

    assert made.envelope_to == '"ada lovelace"@example.net'


@pytest.mark.parametrize("address", ["a@b\r\nBcc: c@example.org", "nobody", "a@b@c d"])
def test_what_is_no_address_is_not_written_to(address: str) -> None:
    with pytest.raises(BadInput):
        compose(edition(email=address))


@pytest.mark.parametrize(
    "changes",
    [
        {"from_address": "a@example.org\r\nBcc: b@example.org"},
        {"url": "https://digest.example.org/\r\nBcc: b@example.org"},
        {"operator_email": "x\ny@example.org"},
        {"reply_to": "nobody"},
    ],
)
def test_settings_that_would_break_a_header_are_refused_at_start(changes: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        composer(dataclasses.replace(SITE, **changes))


def test_a_title_cannot_add_a_header_or_a_part() -> None:
    evil = "Hi\r\nBcc: all@example.org\r\n\r\n--=_x\r\nContent-Type: text/html\r\n\r\n<b>"

    message = receive(compose(edition((entry(said=wording(title=evil)),), 0)))

    assert message["Bcc"] is None
    assert len(list(message.iter_parts())) == 2


@pytest.mark.parametrize(
    "title",
    [
        "🚀 Rockets 🚀 and 👩‍🔬 science",
        "انتباه متفرق للغات",
        "稀疏注意力机制",
        "Ünïcödé = a=b =?x?= _",
    ],
)
def test_subjects_of_all_scripts_come_back(title: str) -> None:
    message = receive(compose(edition((entry(said=wording(title=title)),), 0)))

    assert message["Subject"].startswith(title)
    assert title in part(message, "html")


def test_markup_in_sources_is_text_to_the_reader() -> None:
    words = "Let's <think> &amp; </a></td> \"quote\" 'n' <script>alert(1)</script> {{ 7*7 }} %(x)b"
    said = wording(title=words, abstract=words, authors=(words,), organization=words)
    why = (Reason(kind=ReasonKind.TEXT, lead=words, subject=words),)

    content = compose(edition((entry(said=said, reasons=why),), 1, note=words))

    shown = page(content)
    assert shown.text.count(words) >= 6
    assert "script" not in shown.tags
    assert "think" not in shown.tags
    assert part(receive(content), "plain").count("7*7") >= 3


def test_only_web_links_are_ever_linked() -> None:
    said = wording(url="javascript:alert(1)", pdf_url="data:text/html,x", code_url="//evil.example")

    links = page(compose(edition((entry(said=said),), 0))).links

    assert links
    assert all(link.startswith("https://") for link in links)


def test_nothing_is_loaded_from_anywhere() -> None:
    html = part(receive(compose(edition())), "html")

    assert not re.search(r"<(img|link|script|iframe|object|video)\b|url\(|@import|@font-face", html)


def test_dark_mode_survives_the_inlining() -> None:
    html = part(receive(compose(edition())), "html")

    assert "prefers-color-scheme: dark" in html
    assert 'style="' in html
    assert "data-css-inline" not in html


def test_the_reader_can_vote_change_pause_leave_and_read_on_the_web() -> None:
    content = compose(edition(2))

    links = " ".join(page(content).links)
    text = part(receive(content), "plain")
    for wanted in (
        f"/feedback/{TOKENS.sign(Purpose.FEEDBACK, 7, 42)}?pick=2&vote=down",
        f"/preferences/{TOKENS.sign(Purpose.PREFERENCES, 7)}#pause",
        f"/unsubscribe/{TOKENS.sign(Purpose.UNSUBSCRIBE, 7)}",
        f"/edition/{TOKENS.sign(Purpose.EDITION, 42)}",
    ):
        assert wanted in links
        assert wanted in text


def test_the_text_part_says_the_same_as_the_html_part() -> None:
    content = compose(edition())

    text = " ".join(part(receive(content), "plain").split())
    for said in (
        "Sparse attention that trains, part 3",
        "Ada Lovelace, Alan Turing, Grace Hopper and 2 more",
        "your interest",
        "84 votes in 9 h, 5× usual",
        "Code (1.2k ★)",
        "Discussion (14)",
        "Also rising",
        "Example Society, 1 Long Street, 10115 Berlin",
    ):
        assert said in text
        assert said in page(content).text


def test_the_text_part_keeps_to_72_columns_but_for_links() -> None:
    long = wording(title="A title of many words " * 6, abstract="稀疏注意力机制的训练。" * 30)
    why = tuple(
        Reason(kind=ReasonKind.TEXT, lead="your interest", subject="a b " * 20) for _ in "ab"
    )

    text = part(
        receive(compose(edition((entry(said=long, reasons=why),), note="a b " * 90))), "plain"
    )

    assert not [line for line in text.splitlines() if width(line) > 72 and "://" not in line]


def test_three_hundred_picks_fit_and_the_rest_is_on_the_web() -> None:
    entries = tuple(entry(n, said=wording(n, abstract="Much to say. " * 90)) for n in range(1, 301))

    content = compose(edition(entries))

    html_part = list(receive(content).iter_parts())[1]
    assert len(str(html_part.get_payload())) <= 90_000
    shown = page(content)
    left = re.search(r"(\d+) more papers on the web", shown.text)
    assert left
    assert shown.text.count("Sparse attention that trains") == 300 - int(left[1]) + 2 + 3
    assert "Unsubscribe" in shown.text


def test_abstracts_are_shortened_before_papers_are_left_out() -> None:
    entries = tuple(entry(n, said=wording(n, abstract="Much to say. " * 90)) for n in range(1, 32))

    shown = page(compose(edition(entries)))

    assert "on the web" not in shown.text.replace("Read on the web", "")
    assert 1 < shown.text.count("Much to say.") / 31 < 15


def test_an_edition_without_papers_is_still_a_whole_message() -> None:
    message = receive(compose(edition(0, 0)))

    assert message["Subject"] == "No new papers for Thursday 12 March"
    assert "Unsubscribe" in part(message, "html")


def test_previews_are_what_is_sent() -> None:
    made = composer()

    parts = made.parts(edition().sheet())

    message = receive(made.edition(edition().sheet(), outbox_id=1, message_id=MESSAGE_ID).content)
    assert message["Subject"] == parts.subject
    assert part(message, "plain") == parts.text
    assert part(message, "html") == parts.html


def test_a_confirmation_asks_and_holds_nothing_else() -> None:
    made = confirmation()

    message = receive(made.content)
    until = MADE_AT + timedelta(days=7)
    link = f"https://digest.example.org/confirm/{TOKENS.sign_until(Purpose.CONFIRM, until, 7)}"
    assert link in part(message, "plain")
    assert page(made.content).links == [link, link]
    assert "Thursday 19 March" in part(message, "plain")
    assert made.outbox_id == 3
    assert message["To"] == made.envelope_to == "reader@example.net"


def test_a_confirmation_promises_no_unsubscribing() -> None:
    message = receive(confirmation().content)

    assert not [name for name in message.keys() if name.startswith("List-")]
    assert message["Precedence"] is None
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_site_needs_only_a_name_and_an_address() -> None:
    site = dataclasses.replace(SITE, reply_to=None, operator_email=None, postal_address=None)

    message = receive(compose(edition(), site=site))

    assert message["Reply-To"] is None
    assert message["List-Owner"] == "<mailto:digest@example.org>"


def test_messages_of_the_year_2100_and_of_rising_sections_are_made() -> None:
    made_at = datetime(2100, 2, 28, 23, 59, 59, tzinfo=UTC)
    rising = (entry(1, section=Section.RISING),)

    message = receive(compose(edition(0, rising, made_at=made_at)))

    assert parsedate_to_datetime(message["Date"]) == made_at
    assert message["Subject"].endswith("1 rising paper for Thursday")
