"""Codes decide where they are exact, words where they are not, and doubt is never held against
a person."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.bounce import judge, names_no_address
from digest.bounce.verdict import find_status
from digest.model import BounceKind

HARD, SOFT, POLICY = BounceKind.HARD, BounceKind.SOFT, BounceKind.POLICY


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        ("5.1.1", "", HARD),
        ("5.1.2", "", HARD),
        ("5.1.6", "mailbox has moved", HARD),
        ("5.1.10", "null MX", HARD),
        ("5.1.0", "", HARD),
        ("5.1.0", "sender rejected", POLICY),
        ("5.1.0", "mailbox full, try again later", SOFT),
        ("5.1.7", "bad sender's mailbox", POLICY),
        ("5.1.8", "bad sender's domain", POLICY),
        ("5.2.1", "mailbox disabled", HARD),
        ("5.2.1", "is receiving mail at a rate that prevents delivery", SOFT),
        ("5.2.2", "user unknown", SOFT),
        ("5.2.3", "message too long", SOFT),
        ("5.3.4", "", SOFT),
        ("5.4.4", "Host or domain name not found", HARD),
        ("5.4.6", "loop detected", SOFT),
        ("5.4.1", "Recipient address rejected: Access denied", HARD),
        ("5.4.1", "no answer from host", SOFT),
        ("5.6.7", "SMTPUTF8 needed", SOFT),
        ("5.7.1", "user unknown", POLICY),
        ("5.7.0", "user unknown", POLICY),
        ("5.7.515", "", POLICY),
        ("4.7.1", "greylisted", POLICY),
        ("4.2.2", "over quota", SOFT),
        ("4.4.7", "delivery time expired", SOFT),
        ("4.0.0", "user unknown", SOFT),
    ],
)
def test_a_code_decides(status: str, text: str, kind: BounceKind) -> None:
    assert judge(status, text) is kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("550 user unknown", HARD),
        ("550 <a@example.net>... User unknown", HARD),
        ("550 No such user here", HARD),
        ("550 This account has been disabled or discontinued", HARD),
        ("550 Unrouteable address", HARD),
        ("This user doesn't have an example.net account", HARD),
        ("550 Requested action not taken: mailbox unavailable", SOFT),
        ("554 delivery error", SOFT),
        ("552 mailbox is full", SOFT),
        ("452 user unknown", SOFT),
        ("554 message size exceeds the maximum", SOFT),
        ("550 no such user, account temporarily disabled", SOFT),
        ("550 blocked using a blocklist", POLICY),
        ("550 rejected: spam content", POLICY),
        ("554 relay access denied", POLICY),
        ("550 user unknown; your host is on our blacklist", POLICY),
        ("550 recipient's server closed the connection", SOFT),
        ("", SOFT),
    ],
)
@pytest.mark.parametrize("status", [None, "5.0.0"])
def test_words_decide_where_the_code_says_nothing(
    status: str | None, text: str, kind: BounceKind
) -> None:
    assert judge(status, text) is kind


def test_names_of_hosts_and_addresses_are_no_words() -> None:
    text = "550 user unknown (spam-policy.example.net, see https://example.net/blocked)"

    assert judge(None, text) is HARD


def test_a_code_beside_the_words_counts_too() -> None:
    assert judge(None, "user unknown", code=450) is SOFT
    assert judge(None, "user unknown", code=550) is HARD


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("550 5.1.1 unknown", "5.1.1"),
        ("no mailbox (#5.1.1)", "5.1.1"),
        ("550-5.7.26 first\n550 5.7.26 second", "5.7.26"),
        ("5.0.0 (see 5.2.2)", "5.2.2"),
        ("5.0.0 undefined", "5.0.0"),
        ("from 192.0.2.5.1.1 by host", None),
        ("Internet Mail Service (5.5.2653.19)", None),
        ("MTA v5.1.1-beta", None),
        ("5.9.1 is no code, nor is 2.0.0", None),
        ("nothing", None),
    ],
)
def test_a_code_is_found_among_numbers_that_are_none(text: str, status: str | None) -> None:
    assert find_status(text) == status


@pytest.mark.parametrize(
    ("status", "gone"),
    [("5.1.1", True), ("5.1.10", True), ("5.1.8", False), ("5.2.1", False), (None, False)],
)
def test_only_a_code_about_the_reader_s_address_says_that_there_is_none(
    status: str | None, gone: bool
) -> None:
    assert names_no_address(status) is gone


@given(st.text(max_size=400), st.none() | st.from_regex(r"[45]\.[0-9]\.[0-9]{1,3}", fullmatch=True))
@settings(deadline=None)
def test_whatever_a_server_says_is_one_of_three_things(text: str, status: str | None) -> None:
    kind = judge(status, text)

    assert kind in (HARD, SOFT, POLICY)
    if status is not None and status.startswith("4."):
        assert kind is not HARD
