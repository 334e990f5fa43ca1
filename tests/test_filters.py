"""How dates and numbers look."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from digest import filters

THURSDAY = date(2026, 3, 12)


def test_days_are_told_in_words() -> None:
    assert filters.long_day(THURSDAY) == "Thursday 12 March"
    assert filters.weekday(THURSDAY) == "Thursday"
    assert filters.short_day(THURSDAY) == "12 March"
    assert filters.full_day(THURSDAY) == "12 March 2026"


@pytest.mark.parametrize(
    ("zone", "shown", "on"),
    [
        ("Europe/Berlin", "00:30", date(2026, 3, 13)),
        ("America/New_York", "19:30", date(2026, 3, 12)),
        ("UTC", "23:30", date(2026, 3, 12)),
    ],
)
def test_moments_are_told_in_the_reader_s_zone(zone: str, shown: str, on: date) -> None:
    moment = datetime(2026, 3, 12, 23, 30, tzinfo=UTC)

    assert filters.clock_time(moment, zone) == shown
    assert filters.local_day(moment, zone) == on


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1k"),
        (1234, "1.2k"),
        (9_999, "9.9k"),
        (12_600, "12k"),
        (999_999, "999k"),
        (3_450_000, "3.4M"),
    ],
)
def test_large_numbers_are_short_and_never_rounded_up(number: int, shown: str) -> None:
    assert filters.short_number(number) == shown


def test_plurals_follow_the_number() -> None:
    assert filters.plural(1, "paper") == "1 paper"
    assert filters.plural(0, "paper") == "0 papers"
    assert filters.plural(1234, "entry", "entries") == "1,234 entries"


def test_numbers_have_thousands() -> None:
    assert filters.long_number(1234567) == "1,234,567"


def test_a_heading_is_underlined_to_its_width() -> None:
    assert filters.underline("Also rising") == "Also rising\n-----------"
    assert filters.underline("稀疏") == "稀疏\n----"


def test_lines_can_be_moved_and_wrapped() -> None:
    assert filters.indent("a\nb", 2) == "a\n  b"
    assert filters.wrapped("one two three", 9, indent=2) == "one two\n  three"


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Sparse attention that trains", "Sparse attention that trains:"),
        ("Can models keep up?", "Can models keep up? ·"),
        (
            "A very long headline before the colon: and what follows it at length",
            "A very long headline before the colon:",
        ),
        (
            "SAM: a name too short to stand alone before what follows it",
            "SAM: a name too short to stand alone before… ·",
        ),
    ],
)
def test_a_headline_leads_on_to_what_follows(title: str, shown: str) -> None:
    assert filters.headline(title) == shown


def test_every_filter_has_a_docstring() -> None:
    assert all(filter.__doc__ for filter in filters.ALL.values())
