"""Links lead where they should and carry no address."""

from __future__ import annotations

from datetime import UTC, date, datetime

from digest.compose.links import Links, vote_query
from digest.tokens import Purpose
from tests.mail_pieces import TOKENS

LINKS = Links("https://digest.example.org/", TOKENS)
UNTIL = datetime(2026, 3, 19, tzinfo=UTC)


def token(link: str, page: str) -> str:
    start = f"https://digest.example.org/{page}/"
    assert link.startswith(start)
    return link.removeprefix(start)


def test_each_link_carries_what_its_page_needs() -> None:
    read = TOKENS.read

    assert read(Purpose.UNSUBSCRIBE, token(LINKS.unsubscribe(7), "unsubscribe"), count=1) == (7,)
    assert read(Purpose.PREFERENCES, token(LINKS.preferences(7), "preferences"), count=1) == (7,)
    assert read(Purpose.FEEDBACK, token(LINKS.feedback(7, 42), "feedback"), count=2) == (7, 42)
    assert read(Purpose.EDITION, token(LINKS.edition(42), "edition"), count=1) == (42,)


def test_a_confirmation_link_expires() -> None:
    link = token(LINKS.confirm(7, UNTIL), "confirm")

    assert TOKENS.read_until(Purpose.CONFIRM, link, now=UNTIL, count=1) == (7,)


def test_keys_are_escaped() -> None:
    assert LINKS.paper("arxiv:2401.01234").endswith("/paper/arxiv:2401.01234")
    assert LINKS.paper("doi:10.1/a?b#c").endswith("/paper/doi:10.1%2Fa%3Fb%23c")


def test_days_are_written_as_iso_dates() -> None:
    assert LINKS.day(date(2026, 3, 1)) == "https://digest.example.org/day/2026-03-01"


def test_a_vote_names_its_pick() -> None:
    assert vote_query(3, "up") == "?pick=3&vote=up"


def test_a_bounce_address_fits_and_leads_back_for_every_id() -> None:
    address = LINKS.bounce_address(2**63 - 1, "bounces.example.org")

    local, _, domain = address.partition("@")
    assert len(local) <= 64
    assert domain == "bounces.example.org"
    assert local.replace("+", "").replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert ".." not in local and not local.endswith(".")
    assert TOKENS.read(Purpose.BOUNCE, local.removeprefix("bounce+"), count=1) == (2**63 - 1,)


def test_the_unsubscribe_address_carries_the_link_s_token() -> None:
    address = LINKS.unsubscribe_address(LINKS.unsubscribe(2**63 - 1), "example.org")

    assert address == f"unsub+{token(LINKS.unsubscribe(2**63 - 1), 'unsubscribe')}@example.org"
    assert len(address.partition("@")[0]) <= 64
