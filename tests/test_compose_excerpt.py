"""The beginning of an abstract."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.compose.excerpt import excerpt
from digest.compose.readable import readable

LONG = " and so on and on" * 10


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("It works. It is fast. It is small.", 24, "It works. It is fast."),
        (
            "We follow Smith et al. (2020) closely. Then" + LONG,
            60,
            "We follow Smith et al. (2020) closely.",
        ),
        (
            "We use tools, e.g. Python and, i.e. more. Then" + LONG,
            60,
            "We use tools, e.g. Python and, i.e. more.",
        ),
        (
            "Gains of 3.5 points over v. 2.1 are seen. Then" + LONG,
            60,
            "Gains of 3.5 points over v. 2.1 are seen.",
        ),
        ("Does it scale? Yes! And" + LONG, 30, "Does it scale? Yes!"),
        ("He said “it works.” Then" + LONG, 30, "He said “it works.”"),
        ("See Fig. 3 by J. Doe. Then" + LONG, 30, "See Fig. 3 by J. Doe."),
        ("稀疏注意力很快。它也很小。然后呢", 13, "稀疏注意力很快。它也很小。"),
    ],
)
def test_it_ends_where_a_sentence_ends(text: str, length: int, shown: str) -> None:
    assert excerpt(text, length) == shown


def test_a_short_text_is_whole_and_unmarked() -> None:
    assert excerpt("No stop at the end", 80) == "No stop at the end"


def test_a_long_first_sentence_is_cut_at_a_word() -> None:
    assert excerpt("One sentence that does not end soon at all", 24) == "One sentence that does…"


def test_a_short_first_sentence_does_not_stand_alone() -> None:
    assert excerpt("Yes. But the second sentence is long" + LONG, 40).startswith(
        "Yes. But the second"
    )


def test_nothing_is_shown_when_there_is_no_room() -> None:
    assert excerpt("Something.", 0) == ""


def test_a_formula_is_never_cut() -> None:
    text = readable(r"We bound the loss by $a + b + c + d + e$ and more things still")

    assert excerpt(text, 30) == "We bound the loss by…"


@settings(deadline=None)
@given(st.text("ab .?!。,e", max_size=200).map(lambda t: " ".join(t.split())), st.integers(4, 90))
def test_it_is_a_beginning_and_short_enough(text: str, length: int) -> None:
    shown = excerpt(text, length)

    assert len(shown) <= length
    assert text.startswith(shown.removesuffix("…").rstrip())
