"""Bounces add up as Mailman's do, and are forgotten again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.bounce import is_too_much, score
from digest.bounce.tally import QUIET_DAYS, WINDOW_DAYS
from digest.model import BounceKind, Mark

NOW = datetime(2026, 3, 11, 7, tzinfo=UTC)


def marks(kind: BounceKind, *days_ago: float) -> list[Mark]:
    return [Mark(kind=kind, at=NOW - timedelta(days=days)) for days in days_ago]


@pytest.mark.parametrize(
    ("kind", "weight"),
    [
        (BounceKind.HARD, 1.0),
        (BounceKind.COMPLAINT, 1.0),
        (BounceKind.SOFT, 0.5),
        (BounceKind.POLICY, 0.0),
        (BounceKind.DELAYED, 0.0),
        (BounceKind.AUTOMATIC, 0.0),
    ],
)
def test_a_bounce_has_the_weight_of_its_kind(kind: BounceKind, weight: float) -> None:
    assert score(marks(kind, 1), NOW) == weight


def test_a_day_counts_once_by_its_gravest() -> None:
    found = marks(BounceKind.SOFT, 1.1, 1.2) + marks(BounceKind.HARD, 1.0)

    assert score(found, NOW) == 1.0


def test_five_days_of_hard_bounces_are_too_much_and_four_are_not() -> None:
    assert is_too_much(marks(BounceKind.HARD, 0, 1, 2, 3, 4), NOW)
    assert not is_too_much(marks(BounceKind.HARD, 0, 1, 2, 3), NOW)


def test_ten_days_of_soft_bounces_are_too_much_and_nine_are_not() -> None:
    assert is_too_much(marks(BounceKind.SOFT, *range(10)), NOW)
    assert not is_too_much(marks(BounceKind.SOFT, *range(9)), NOW)


def test_five_weeks_of_hard_bounces_end_a_weekly_digest() -> None:
    assert is_too_much(marks(BounceKind.HARD, 0, 7, 14, 21, 28), NOW)


def test_quiet_days_wipe_out_what_was_before() -> None:
    before = [QUIET_DAYS + 2 + day for day in range(4)]

    assert score(marks(BounceKind.HARD, 0, *before), NOW) == 1.0
    assert score(marks(BounceKind.HARD, *before), NOW) == 0.0


def test_a_mailbox_that_is_full_once_a_week_stays_on_the_list() -> None:
    assert not is_too_much(marks(BounceKind.SOFT, *range(0, 700, 7)), NOW)


def test_what_lies_in_the_future_counts_nothing() -> None:
    assert score(marks(BounceKind.HARD, -1), NOW) == 0.0


@given(
    st.lists(
        st.builds(
            Mark,
            kind=st.sampled_from(BounceKind),
            at=st.integers(0, 200 * 24).map(lambda hours: NOW - timedelta(hours=hours)),
        )
    )
)
@settings(deadline=None)
def test_a_score_grows_with_bounces_and_never_beyond_one_a_day(found: list[Mark]) -> None:
    days = {mark.at.date() for mark in found}

    assert 0 <= score(found, NOW) <= min(len(days), WINDOW_DAYS + 1)
    assert score([*found, *marks(BounceKind.HARD, 0)], NOW) >= score(found, NOW)
    assert score(reversed(found), NOW) == score(found, NOW)
