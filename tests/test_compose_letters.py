"""Subject, summary and preheader."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.compose.letters import PREHEADER_MAX, preheader
from digest.model import Edition
from tests.mail_pieces import composer, edition, entry, wording

COMPOSER = composer()


def subject(made: Edition) -> str:
    return COMPOSER.parts(made.sheet()).subject


def titled(*titles: str) -> Edition:
    entries = tuple(entry(n, said=wording(n, title=t)) for n, t in enumerate(titles, 1))
    return edition(entries, 0)


def test_the_subject_begins_with_the_best_title() -> None:
    made = titled("Sparse attention that trains", *["x"] * 7)

    assert subject(made) == "Sparse attention that trains: 8 papers for Thursday"


def test_one_paper_is_one_paper() -> None:
    assert subject(titled("One")) == "One: 1 paper for Thursday"


def test_an_edition_of_rising_papers_says_so() -> None:
    assert subject(edition(0, 2)).endswith("2 rising papers for Thursday")


def test_an_empty_edition_says_so_with_its_date() -> None:
    assert subject(edition(0, 0)) == "No new papers for Thursday 12 March"


@pytest.mark.parametrize("count", [0, 1, 8])
@pytest.mark.parametrize("days", [1, 7])
def test_no_subject_comes_twice(count: int, days: int) -> None:
    today = edition(count, 0)
    entries = tuple(entry(n, said=wording(n + 100)) for n in range(1, count + 1))
    later = edition(entries, 0, local_on=today.local_on + timedelta(days=days))

    assert subject(today) != subject(later)


@settings(deadline=None, max_examples=50)
@given(st.text(st.one_of(st.sampled_from("ab :稀ש😀$\\"), st.characters()), max_size=200))
def test_a_subject_is_one_short_line_whatever_the_title(title: str) -> None:
    line = subject(titled(title, "b", "c"))

    assert len(line) <= 80
    assert "\n" not in line
    assert line.endswith("3 papers for Thursday")


@pytest.mark.parametrize(
    ("count", "considered", "interests", "line"),
    [
        (8, 214, 3, "8 of 214 papers, picked for your 3 interests"),
        (1, 1, 1, "1 of 1 paper, picked for your interest"),
        (8, 1_214, 0, "8 of 1,214 papers: what is being read today"),
        (0, 214, 2, "Nothing among 214 new papers matched your interests"),
        (0, 0, 2, "Nothing new was listed"),
    ],
)
def test_the_summary_counts(count: int, considered: int, interests: int, line: str) -> None:
    made = edition(count, 0, considered=considered, interests=interests)

    assert line in COMPOSER.parts(made.sheet()).text
    assert line in COMPOSER.parts(made.sheet()).html


def test_the_date_is_the_reader_s() -> None:
    assert "Sunday 29 February" not in COMPOSER.parts(edition().sheet()).text
    assert (
        "Thursday 29 February" in COMPOSER.parts(edition(local_on=date(2024, 2, 29)).sheet()).text
    )


def test_the_preheader_has_three_titles() -> None:
    assert preheader(["One", "Two", "Three", "Four"]) == "One · Two · Three"


def test_long_titles_share_the_preheader() -> None:
    line = preheader([f"{word} is a title that goes on and on and on" for word in "ABC"])

    assert 80 <= len(line) <= PREHEADER_MAX
    assert [part[0] for part in line.split(" · ")] == ["A", "B", "C"]


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("abc d"), min_size=1, max_size=200), max_size=5))
def test_the_preheader_is_never_too_long(titles: list[str]) -> None:
    assert len(preheader(titles)) <= PREHEADER_MAX


def test_a_note_is_shown_in_both_parts() -> None:
    note = "You named no interests yet: these are what others read."

    made = COMPOSER.parts(edition(note=note).sheet())

    assert "You named no interests yet" in made.text
    assert "You named no interests yet" in made.html


@pytest.mark.parametrize("kind", ["text", "html"])
def test_a_pick_without_reasons_has_no_line_for_them(kind: str) -> None:
    bare = entry(1, reasons=(), votes=None)

    made = composer().parts(edition((bare, entry(2))).sheet())
    said = getattr(made, kind)

    assert said.count("Why:" if kind == "text" else 'class="why"') == 1
    assert not any(line.endswith(": ") for line in said.splitlines())
