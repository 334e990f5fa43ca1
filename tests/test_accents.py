from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.accents import untex_accents


@pytest.mark.parametrize(
    ("tex", "expected"),
    [
        (r"Paulo Andr\'e Lima de Castro", "Paulo André Lima de Castro"),
        (r"Tom\'a\v{s} Vina\v{r}", "Tomáš Vinař"),
        (r"Fran\c{c}ois", "François"),
        (r"Fran\c cois", r"Fran\c cois"),
        (r"Fran{\c c}ois", "François"),
        (r"J\"org K{\"o}nig M\"{u}ller", "Jörg König Müller"),
        (r"M{\aa}ns S\o ren \AA ngstr\"om", "Måns Søren Ångström"),
        (r"Zangh\`i Pag\`es \^{\i}le \'{\i}", "Zanghì Pagès île í"),
        (r"Stra\ss{}e {\L}ukasz \O{}re", "Straße Łukasz Øre"),
        (r"na\"\i ve", "naïve"),
        (r"\~nandu \=a \.z \u{g} \H{o} \k{a} \r{u} \d{s}", "ñandu ā ż ğ ő ą ů ṣ"),
        (
            r"Schr\"odinger in $\ddot{\"o} \alpha$ and \textsc{caps}",
            r"Schrödinger in $\ddot{\"o} \alpha$ and \textsc{caps}",
        ),
        (
            r"\kappa \cite{a} \label \order \irr \theta",
            r"\kappa \cite{a} \label \order \irr \theta",
        ),
        (r"100\% of \$5 \& more", r"100\% of \$5 \& more"),
        ("no TeX at all", "no TeX at all"),
        ("ends in \\", "ends in \\"),
    ],
)
def test_accents_become_letters_and_other_tex_stays(tex: str, expected: str) -> None:
    assert untex_accents(tex) == unicodedata.normalize("NFC", expected)


@given(st.text(st.sampled_from("\\'`^\"~{}$caov ikAe%"), max_size=25))
@settings(deadline=None, max_examples=400)
def test_no_text_breaks_it(text: str) -> None:
    assert isinstance(untex_accents(text), str)
