"""Signed links: good for one thing, for as long as said, and for nobody who changes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from digest.errors import TokenError
from digest.tokens import Purpose, Tokens

NOW = datetime(2026, 3, 11, 7, 0, tzinfo=UTC)
tokens = Tokens(["k" * 32])


def test_a_token_gives_back_its_numbers():
    token = tokens.sign(Purpose.FEEDBACK, 12, 345)

    assert tokens.read(Purpose.FEEDBACK, token, count=2) == (12, 345)


def test_the_same_numbers_always_give_the_same_short_url_safe_token():
    token = tokens.sign(Purpose.UNSUBSCRIBE, 123_456)

    assert token == Tokens(["k" * 32]).sign(Purpose.UNSUBSCRIBE, 123_456)
    assert len(token) < 50
    assert token.replace(".", "").replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("purpose", Purpose)
def test_a_token_for_one_purpose_is_refused_for_every_other(purpose: Purpose):
    token = tokens.sign(purpose, 12)

    for other in set(Purpose) - {purpose}:
        with pytest.raises(TokenError):
            tokens.read(other, token, count=1)


def test_a_token_of_another_site_is_refused():
    with pytest.raises(TokenError):
        tokens.read(Purpose.CONFIRM, Tokens(["x" * 32]).sign(Purpose.CONFIRM, 12), count=1)


def test_a_token_with_another_count_of_numbers_is_refused():
    token = tokens.sign(Purpose.CONFIRM, 12, 13)

    for count in (0, 1, 3):
        with pytest.raises(TokenError):
            tokens.read(Purpose.CONFIRM, token, count=count)


def test_links_in_old_mails_survive_a_change_of_key():
    old = Tokens(["old" * 12]).sign(Purpose.UNSUBSCRIBE, 12)
    both = Tokens(["new" * 12, "old" * 12])

    assert both.read(Purpose.UNSUBSCRIBE, old, count=1) == (12,)
    assert both.sign(Purpose.UNSUBSCRIBE, 12) == Tokens(["new" * 12]).sign(Purpose.UNSUBSCRIBE, 12)


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject):
    token = tokens.sign(Purpose.CONFIRM, 123, 456)
    at = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.characters(codec="ascii").filter(lambda c: c != token[at]))
    changed = token[:at] + char + token[at + 1 :]
    cut = token[: data.draw(st.integers(0, len(token) - 1))]

    for wrong in (changed, cut, token + char):
        try:
            read = tokens.read(Purpose.CONFIRM, wrong, count=2)
        except TokenError:
            continue
        # the last letter of base64 has bits that mean nothing
        assert read == (123, 456)


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_whatever_comes_as_a_token_is_refused_kindly(text: str):
    with pytest.raises(TokenError):
        tokens.read(Purpose.CONFIRM, text, count=1)


def test_a_token_is_good_until_its_moment():
    token = tokens.sign_until(Purpose.CONFIRM, NOW, 12)

    assert tokens.read_until(Purpose.CONFIRM, token, now=NOW, count=1) == (12,)
    with pytest.raises(TokenError, match="expired"):
        tokens.read_until(Purpose.CONFIRM, token, now=NOW + timedelta(seconds=1), count=1)


def test_a_token_without_a_moment_is_refused_where_one_is_needed():
    with pytest.raises(TokenError):
        tokens.read_until(Purpose.CONFIRM, tokens.sign(Purpose.CONFIRM, 12), now=NOW, count=1)


@given(st.sampled_from(Purpose), st.lists(st.integers(0, 2**40), min_size=1, max_size=3))
def test_tokens_are_those_of_the_library(purpose: Purpose, numbers: list[int]):
    """Whoever changes how they are made must not make the links in old mails invalid."""
    plain = URLSafeSerializer(["old" * 11, "k" * 32], salt=f"digest.{purpose}")
    ours = Tokens(["k" * 32, "old" * 11])

    token = ours.sign(purpose, *numbers)

    assert plain.loads(token) == numbers
    assert ours.read(purpose, plain.dumps(numbers), count=len(numbers)) == tuple(numbers)
    if not plain.dumps(numbers).startswith("."):
        assert token == plain.dumps(numbers)
