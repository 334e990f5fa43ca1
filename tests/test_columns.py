"""Text in columns."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.columns import cut, width, wrap

TEXTS = st.text(
    st.sampled_from("abcdefgh   .,·×★—é\u0301稀疏注意力。」，가😀عرب"), max_size=300
).map(lambda text: " ".join(text.split()))


@pytest.mark.parametrize(
    ("text", "columns"),
    [("abc", 3), ("84 votes, 5× · ★", 16), ("稀疏", 4), ("e\u0301", 1), ("", 0), ("ab稀", 4)],
)
def test_width_counts_terminal_columns(text: str, columns: int) -> None:
    assert width(text) == columns


@settings(deadline=None)
@given(text=TEXTS, columns=st.integers(10, 72))
def test_wrapped_lines_fit_unless_one_word_cannot(text: str, columns: int) -> None:
    for line in wrap(text, columns).split("\n"):
        assert width(line) <= columns or " " not in line


@settings(deadline=None)
@given(text=TEXTS, columns=st.integers(1, 72), indent=st.integers(0, 8))
def test_wrapping_changes_white_space_only(text: str, columns: int, indent: int) -> None:
    wrapped = wrap(text, columns, indent=indent)

    assert wrapped.replace("\n", "").replace(" ", "") == text.replace(" ", "")


def test_lines_after_the_first_are_indented() -> None:
    assert wrap("one two three", 7, indent=2) == "one two\n  three"


def test_a_url_is_never_broken() -> None:
    url = "https://example.org/" + "a" * 90

    assert wrap(f"see {url} there", 40).split("\n") == ["see", url, "there"]


def test_chinese_breaks_anywhere_but_not_before_its_full_stop() -> None:
    lines = wrap("稀疏注意力机制的训练。然后", 20).split("\n")

    assert lines == ["稀疏注意力机制的训", "练。然后"]


@settings(deadline=None)
@given(text=TEXTS, length=st.integers(2, 80))
def test_a_cut_text_is_short_enough_and_marked(text: str, length: int) -> None:
    shown = cut(text, length)

    assert len(shown) <= length
    assert shown == text or shown.endswith("…")


def test_a_text_is_cut_at_a_word_without_hanging_punctuation() -> None:
    assert cut("Flash attention, slowly explained", 18) == "Flash attention…"
