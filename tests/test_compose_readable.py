r"""TeX as readable text."""

from __future__ import annotations

import gzip
import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.compose.readable import readable
from tests.paths import LISTINGS, needs_shared


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("$k$-means", "k-means"),
        ("$10^{-3}$ and 10^{-3}", "10⁻³ and 10⁻³"),
        (r"Models with \textsc{AIEV-Instruct}", "Models with AIEV-Instruct"),
        (r"$\textit{Trans-LoRA}$: towards", "Trans-LoRA: towards"),
        ("SL$^{2}$A-INR", "SL²A-INR"),
        (r"$\nabla^2$DFT", "∇²DFT"),
        (r"LLM$\times$MapReduce", "LLM×MapReduce"),
        (r"$\mathcal{O}(n \log n)$", "O(n\u00a0log\u00a0n)"),
        (r"$x \in \mathbb{R}^d$", "x\u00a0∈\u00a0ℝᵈ"),
        (r"$\frac{1}{n}$ and $\sqrt{d_k}$", "1/n and √(dₖ)"),
        (r"$\hat{y}_{max}$", "ŷ_max"),
        (r"\emph{very} {\it old} and {\sigma}", "very old and σ"),
        (r"50\% of R\&D at \$5", "50% of R&D at $5"),
        ("``quoted'' text", "“quoted” text"),
        ("Figure~1, Smith~et~al.", "Figure 1, Smith et al."),
        (r"Pok\'emon, Gr\"onwall, \c{c}a, na\"{\i}ve", "Pokémon, Grönwall, ça, naïve"),
        (r"(\ie, \eg) our \method works", "(i.e., e.g.) our method works"),
        ("texttt{D}ual-texttt{H}ead", "Dual-Head"),
        ("C^3, VCT^2 and FaSTA^*", "C³, VCT² and FaSTA*"),
        ("V_{0.5}", "V_0.5"),
        (r"Network\\ for Time", "Network for Time"),
        (r"\url{https://example.org/~a_b}", "https://example.org/~a_b"),
        (r"\href{https://example.org}{here}", "here"),
        ("$γ-$MoD", "γ-MoD"),
    ],
)
def test_tex_becomes_text(source: str, shown: str) -> None:
    assert readable(source) == shown


@pytest.mark.parametrize(
    "text",
    [
        "Let's <think> about LLM reasoning",
        "from $5 to $10",
        "Earn $1 Million from Real-World Work",
        "for under $0.1",
        "US$5/US$6 and $200k",
        "$5 million for models and $10 million (US$) for data",
        "snake_case and V_AI and x^ab",
        "about ~5 GB in ~/models, 3~5 times",
        'a set {"a": 1} and {question}',
        "run --verbose, or a -- b",
        r"C:\Users\ada and \1",
        "稀疏注意力机制",
        "انتباه متفرق",
        "a < b && c > d </a> <script>alert(1)</script>",
    ],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert readable(text) == text


def test_formulas_hold_together() -> None:
    assert " " not in readable(r"$a + b = c$")


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_becomes_one_line(text: str) -> None:
    shown = readable(text)

    assert "\n" not in shown
    assert shown == shown.strip()


@settings(deadline=None)
@given(st.lists(st.sampled_from([*r"\${}^_~`'% &()[]|-", r"\frac", "a", "1", "é"]), max_size=60))
@example(["\\", "^", "\\"])
def test_broken_tex_never_raises(pieces: list[str]) -> None:
    readable("".join(pieces))


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z]{1,8}|\$[0-9]{1,3}|<[a-z]{1,5}>|[0-9]+%", fullmatch=True)))
def test_plain_words_and_prices_are_never_lost(words: list[str]) -> None:
    assert readable(" ".join(words)).split() == words


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[A-Za-z]{2,8}", fullmatch=True), min_size=1), st.data())
def test_words_around_tex_are_never_lost(words: list[str], data: st.DataObject) -> None:
    tex = data.draw(st.sampled_from(["$x^2$", r"\emph{it}", "``so''", r"5\%", "10^{-3}", "{", "$"]))
    at = data.draw(st.integers(0, len(words)))

    shown = readable(" ".join([*words[:at], tex, *words[at:]]))

    assert [w for w in shown.split() if w in words][: len(words)] == words


def test_a_huge_text_is_quick_and_whole() -> None:
    shown = readable("$x^{2}$ " * 500_000)

    assert shown.startswith("x² x²")


@needs_shared
def test_recorded_titles_keep_no_tex() -> None:
    with gzip.open(LISTINGS / "huggingface/all_days_2024-05_2026-04.jsonl.gz", "rt") as lines:
        titles = {readable(json.loads(line)["title"]) for line in lines}

    assert len(titles) > 5_000
    assert not [t for t in titles if re.search(r"\\[a-z]|\$[a-z\\]|[\^_]\{|\^\d", t)]
