"""Editions, sites and composers for the tests of mail; made up, so that no recording is needed."""

from __future__ import annotations

import email.policy
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from digest.compose.composer import Composer
from digest.compose.links import Links
from digest.model import (
    Edition,
    Entry,
    Parts,
    Pick,
    Reason,
    ReasonKind,
    Section,
    Site,
    Wording,
)
from digest.templates import Templates
from digest.tokens import Tokens

MADE_AT = datetime(2026, 3, 12, 6, 0, 3, tzinfo=UTC)
MESSAGE_ID = "<edition-42@digest.example.org>"
TOKENS = Tokens(["a secret of thirty-two characters!"])
SITE = Site(
    name="Trending Papers",
    url="https://digest.example.org",
    from_name="Trending Papers",
    from_address="digest@example.org",
    reply_to="editor@example.org",
    operator_email="ops@example.org",
    postal_address="Example Society, 1 Long Street, 10115 Berlin",
)
INTEREST = Reason(kind=ReasonKind.TEXT, lead="your interest", subject="sparse attention")
TREND = Reason(kind=ReasonKind.TREND, lead="84 votes in 9 h, 5× usual")


def wording(number: int = 1, **changes: Any) -> Wording:
    fields: dict[str, Any] = {
        "key": f"arxiv:2603.{number:05d}",
        "title": f"Sparse attention that trains, part {number}",
        "abstract": "We train it. It is fast. " * 6,
        "authors": ("Ada Lovelace", "Alan Turing", "Grace Hopper", "Emmy Noether", "Sofja Kow"),
        "categories": ("cs.LG",),
        "url": f"https://arxiv.org/abs/2603.{number:05d}",
        "organization": "Analytical Engines",
        "pdf_url": f"https://arxiv.org/pdf/2603.{number:05d}",
        "code_url": "https://github.com/ada/engine",
        "discussion_url": f"https://example.org/papers/2603.{number:05d}",
    }
    return Wording(**(fields | changes))


def entry(
    number: int = 1,
    *,
    section: Section = Section.PICK,
    reasons: tuple[Reason, ...] = (INTEREST, TREND),
    said: Wording | None = None,
    votes: int | None = 84,
    comments: int | None = 14,
    stars: int | None = 1234,
) -> Entry:
    pick = Pick(
        item_id=number,
        section=section,
        position=number,
        score=0.5,
        parts=Parts(match=0.5, trend=0.5, freshness=0.5),
        reasons=reasons,
    )
    said = said or wording(number)
    return Entry(pick=pick, wording=said, votes=votes, comments=comments, stars=stars)


def edition(
    entries: tuple[Entry, ...] | int = 3, rising: tuple[Entry, ...] | int = 2, **changes: Any
) -> Edition:
    if isinstance(entries, int):
        entries = tuple(entry(n) for n in range(1, entries + 1))
    if isinstance(rising, int):
        rising = tuple(
            entry(n, section=Section.RISING, said=wording(900 + n)) for n in range(1, rising + 1)
        )
    fields: dict[str, Any] = {
        "id": 42,
        "subscriber_id": 7,
        "email": "reader@example.net",
        "zone": "Europe/Berlin",
        "due_at": datetime(2026, 3, 12, 6, tzinfo=UTC),
        "made_at": MADE_AT,
        "local_on": date(2026, 3, 12),
        "entries": entries,
        "rising": rising,
        "considered": 214,
        "interests": 3,
    }
    return Edition(**(fields | changes))


def composer(site: Site = SITE, templates: Templates | None = None, **options: Any) -> Composer:
    return Composer(site, Links(site.url, TOKENS), templates or Templates(), **options)


def compose(made: Edition, **options: Any) -> bytes:
    return composer(**options).edition(made.sheet(), outbox_id=9, message_id=MESSAGE_ID).content


def receive(content: bytes) -> EmailMessage:
    """The message as a receiver's program reads it."""
    message = BytesParser(policy=email.policy.default).parsebytes(content)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def part(message: EmailMessage, kind: str) -> str:
    """The text of the part of that kind, "plain" or "html"."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")
