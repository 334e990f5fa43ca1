"""Many people at once get what each would get alone; what is looked up is what a search would find."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from digest.model import Profile, Ranking, Topic
from digest.rank import Asked, Pool, Ranker
from digest.rank.lexicon import Lexicon, Postings, cosines, count_words
from digest.rank.names import Names
from digest.rank.phrases import Phrases
from digest.rank.pool import BLOCK
from digest.rank.rules import ItemText, has_category, same_author
from tests.rank_pieces import ARCHIVE, NOW, candidate, liked, wording

WORDS = sorted({word for title, text in ARCHIVE for word in f"{title} {text}".split()})
TOPICS = (
    Topic(slug="bio", name="Biology", text="protein folding", keywords=("lower energies",)),
    Topic(slug="sky", name="Weather", text="weather prediction", exclude=("diffusion",)),
)


def made_up(chance: random.Random) -> Asked:
    """Somebody who wants something, or nothing."""

    def said(count: int, length: int) -> tuple[str, ...]:
        told = (chance.choices(WORDS, k=chance.randint(1, length)) for _ in range(count))
        return tuple(" ".join(words) for words in told)

    profile = Profile(
        topics=tuple(chance.sample(TOPICS, chance.randint(0, 2))),
        texts=said(chance.randint(0, 2), 5),
        keywords=(*said(chance.randint(0, 2), 2), *(['"sparse attention"'] * chance.randint(0, 1))),
        excluded=said(chance.choice((0, 0, 1)), 1),
        authors=("Ann Example",) * chance.choice((0, 0, 1)),
        categories=("cs",) * chance.choice((0, 0, 1)),
        liked=tuple(liked(*chance.choice(ARCHIVE)) for _ in range(chance.choice((0, 1, 7)))),
        disliked=tuple(liked(*chance.choice(ARCHIVE)) for _ in range(chance.choice((0, 0, 1)))),
    )
    seen = set(chance.sample(range(60), chance.randint(0, 20)))
    return Asked(
        profile=profile, limit=chance.choice((0, 3, 12)), seen=seen, rising=chance.choice((0, 5))
    )


def pool_of(ranker: Ranker, chance: random.Random) -> Pool:
    """Candidates like the archive, with equal titles among them."""
    return ranker.pool(
        [
            candidate(
                number,
                *chance.choice(ARCHIVE),
                votes=chance.choice((None, 1, 9, 80)),
                hours=chance.choice((2.0, 9.0, 70.0)),
                authors=("Example, A.",) if number % 9 == 0 else (),
                categories=("cs.LG",) if number % 5 == 0 else (),
            )
            for number in range(60)
        ],
        now=NOW,
    )


def one_by_one(pool: Pool, people: Sequence[Asked]) -> list[Ranking]:
    return [
        pool.pick(one.profile, limit=one.limit, seen=one.seen, rising=one.rising) for one in people
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_block_by_words_is_bit_for_bit_what_each_gets_alone(seed: int) -> None:
    chance = random.Random(seed)
    pool = pool_of(Ranker.lexical(ARCHIVE), chance)
    people = [made_up(chance) for _ in range(BLOCK + 9)]

    together = pool.pick_many(people)

    assert together == one_by_one(pool, people)
    assert sum(bool(ranking.picks) for ranking in together) > BLOCK / 2


def embed(texts: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """A made-up model: texts with the same words point the same way."""
    rows = [
        sum(
            (np.random.default_rng(len(w) * 7919 + ord(w[0])).standard_normal(24) for w in words),
            start=np.zeros(24),
        )
        for words in (f"{title} {text}".split() for title, text in texts)
    ]
    return np.array(rows, np.float32).reshape(len(texts), 24)


@pytest.mark.parametrize("seed", range(3))
def test_a_block_by_meaning_is_what_each_gets_alone(seed: int) -> None:
    """Products of blocks and of single rows differ in their last bits."""
    chance = random.Random(seed)
    pool = pool_of(Ranker.semantic(ARCHIVE, embed), chance)
    people = [made_up(chance) for _ in range(40)]

    for mine, alone in zip(pool.pick_many(people), one_by_one(pool, people), strict=True):
        assert [p.item_id for p in mine.picks] == [p.item_id for p in alone.picks]
        assert [p.reasons for p in mine.picks] == [p.reasons for p in alone.picks]
        assert (mine.rising, mine.note) == (alone.rising, alone.note)
        scores = [p.score for p in mine.picks]
        assert scores == pytest.approx([p.score for p in alone.picks], abs=1e-5)


def test_cosines_that_are_looked_up_are_those_of_the_words_themselves() -> None:
    lexicon = Lexicon()
    counted = [count_words(title, text) for title, text in (*ARCHIVE, ("", ""))]
    lexicon.add(counted)
    vectors = lexicon.weigh_many(counted)
    asked = [*vectors, lexicon.weigh(count_words("words that nobody else has"))] * (BLOCK // 8)

    found = Postings(vectors).cosines_many(asked)

    told = [dict(zip(v.ids.tolist(), v.weights.tolist(), strict=True)) for v in vectors]
    for line, vector in zip(found, asked, strict=True):
        assert cosines(vector, vectors) == pytest.approx(line, abs=1e-6)
        own = list(zip(vector.ids.tolist(), vector.weights.tolist(), strict=True))
        expected = [sum(text.get(word, 0.0) * weight for word, weight in own) for text in told]
        assert line.tolist() == pytest.approx(expected, abs=1e-6)
    assert cosines(asked[0], []).shape == (0,)
    assert Postings([]).cosines_many(asked).shape == (len(asked), 0)
    assert Postings(vectors).cosines_many([]).shape == (0, len(vectors))


signs = st.text(alphabet="ab c-+.ä_中文A1'\"", max_size=8)


@settings(deadline=None, max_examples=200)
@given(st.lists(signs, max_size=6), st.lists(signs, min_size=1, max_size=4))
def test_phrases_that_are_looked_up_are_those_that_a_search_finds(
    titles: list[str], sought: list[str]
) -> None:
    texts = [ItemText(wording(str(n), title, title[::-1])) for n, title in enumerate(titles)]
    phrases = Phrases(texts)

    for phrase in sought + titles:
        expected = [row for row, text in enumerate(texts) if text.has(phrase)]
        assert phrases.rows(phrase).tolist() == expected


def test_names_that_are_looked_up_are_those_that_the_rules_find() -> None:
    written = ("Ann Example", "Example, A.", "Ben Example", "Li Wei", "Ann B. Other", "")
    filed = ("cs.LG", "cs.CL", "math.ST", "cs", "")
    rows = [
        wording(str(n), "t", authors=(a, "Zoe Last"), categories=(filed[n % 5],))
        for n, a in enumerate(written)
    ]
    names = Names(rows)

    for name in (*written, "A. Example", "Zoe Last", "Nobody"):
        expected = [n for n, w in enumerate(rows) if any(same_author(name, a) for a in w.authors)]
        assert names.by_author(name).tolist() == expected
    for category in (*filed, "math", "CS.lg"):
        expected = [n for n, w in enumerate(rows) if has_category(w.categories, category)]
        assert names.in_category(category).tolist() == expected
