"""What an item says in the mail."""

from __future__ import annotations

from typing import Any

import pytest

from digest.compose.view import (
    ABSTRACT_LENGTHS,
    REASONS_MAX,
    ItemView,
    Personal,
    ReasonView,
    Shared,
    author_line,
    fact_view,
    item_view,
    own_view,
)
from digest.model import Reason, ReasonKind, Section, Seen, Why, Wording
from tests.mail_pieces import INTEREST, TREND, wording

NOBODY = Personal(position="1", reasons=(), why="", more_url="m", less_url="l")


def view(said: Wording | None = None, **changes: Any) -> ItemView:
    fields: dict[str, Any] = {
        "wording": said or wording(),
        "section": Section.PICK,
        "comments": None,
        "stars": None,
        "level": 0,
        "shape": (),
    }
    return item_view(Shared(**(fields | changes)), NOBODY)


@pytest.mark.parametrize(
    ("count", "line"),
    [
        (0, ""),
        (1, "A1"),
        (4, "A1, A2, A3, A4"),
        (5, "A1, A2, A3 and 2 more"),
        (664, "A1, A2, A3 and 661 more"),
        (1_004, "A1, A2, A3 and 1,001 more"),
    ],
)
def test_three_authors_are_named_and_the_rest_counted(count: int, line: str) -> None:
    assert author_line([f"A{n}" for n in range(1, count + 1)]) == line


def test_an_author_of_a_thousand_letters_is_cut() -> None:
    assert len(author_line(["x" * 1_000])) <= 80


def test_links_are_words_with_their_numbers() -> None:
    links = view(comments=14, stars=1234).links

    assert [(link.label, link.note) for link in links] == [
        ("Abstract", ""),
        ("PDF", ""),
        ("Code", "1.2k ★"),
        ("Discussion", "14"),
    ]


def test_a_number_of_nothing_is_not_shown() -> None:
    assert [link.note for link in view(comments=0, stars=0).links] == ["", "", "", ""]


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "data:text/html,x", "ftp://example.org/x", "", "//", "mailto:a@b"],
)
def test_only_web_links_are_links(url: str) -> None:
    shown = view(wording(url=url, pdf_url=url, code_url=url, discussion_url=url))

    assert shown.url is None
    assert shown.links == ()


def test_a_project_page_is_named_when_there_is_no_code() -> None:
    said = wording(code_url=None, project_url="https://example.org/project")

    assert "Project" in [link.label for link in view(said).links]


def test_a_post_is_read_and_has_no_abstract() -> None:
    assert view(wording(key="url:abc")).links[0].label == "Read"


def test_an_item_without_a_title_is_called_by_its_key() -> None:
    assert view(wording(title=" ")).title == "arxiv:2603.00001"


def test_a_title_is_readable_and_not_endless() -> None:
    assert view(wording(title="$k$-means")).title == "k-means"
    assert len(view(wording(title="word " * 5_000)).title) <= 300


def test_an_abstract_of_megabytes_is_a_few_lines() -> None:
    shown = view(wording(abstract="It is long. " * 350_000)).abstract

    assert shown.startswith("It is long.")
    assert len(shown) <= ABSTRACT_LENGTHS[0]


@pytest.mark.parametrize("level", range(len(ABSTRACT_LENGTHS)))
def test_each_level_has_a_shorter_abstract(level: int) -> None:
    assert len(view(wording(abstract="A b c. " * 100), level=level).abstract) <= ABSTRACT_LENGTHS[level]  # fmt: skip


def test_wide_characters_take_twice_the_room() -> None:
    shown = view(wording(abstract="稀疏注意力机制的训练。" * 100)).abstract

    assert ABSTRACT_LENGTHS[0] // 3 < len(shown) <= ABSTRACT_LENGTHS[0] // 2


def test_rising_items_have_no_abstract() -> None:
    assert view(section=Section.RISING).abstract == ""


def seen(trend: Reason | None = None, votes: int | None = None) -> Seen:
    return Seen(wording=wording(), trend=trend, votes=votes, comments=None, stars=None)


def test_the_why_line_is_the_ranker_s() -> None:
    assert own_view(Why(reasons=(INTEREST,))).reasons == (
        ReasonView(
            lead="your interest",
            subject="sparse attention",
            text="your interest *sparse attention*",
            columns=32,
        ),
    )
    assert fact_view(seen(TREND, 84)) == ReasonView(
        lead="84 votes in 9 h, 5× usual",
        subject="",
        text="84 votes in 9 h, 5× usual",
        columns=25,
    )


def test_a_reason_without_words_is_none() -> None:
    nothing = Reason(kind=ReasonKind.TEXT, lead="", subject=" ")

    assert own_view(Why(reasons=(nothing, INTEREST))).shape == (True,)
    assert fact_view(seen(nothing)) is None


def test_a_why_line_is_never_endless() -> None:
    long = Reason(kind=ReasonKind.TEXT, lead="x" * 5_000, subject="y z " * 5_000)

    views = own_view(Why(reasons=(long,) * 50)).reasons

    assert len(views) < REASONS_MAX
    assert sum(len(view.text) for view in views) < 3_000


def told(votes: int | None) -> str | None:
    fact = fact_view(seen(None, votes))
    return fact and fact.lead


def test_votes_are_told_when_the_trend_is_not() -> None:
    assert told(84) == "84 votes"
    assert told(1) == "1 vote"
    assert told(0) is None
    assert told(None) is None
