"""The ranker with a model of meaning, and what it keeps of its promises when the model fails."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from digest.errors import ModelError
from digest.model import Profile
from digest.rank import Ranker, RankSettings, Verdict
from digest.rank.reader import Embed
from tests.rank_pieces import ARCHIVE, NOW, candidate, embed_themes, liked

PURE = RankSettings(trend_weight=0.0, diversity=0.0)
BY_MEANING = Ranker.semantic(ARCHIVE, embed_themes, PURE)
BY_WORDS = Ranker.lexical(ARCHIVE, PURE)
PAPERS = (
    candidate(1, "Enzyme molecules", "Biology of the cell."),
    candidate(2, "Storm and wind", "Rain in the climate."),
    candidate(3, "A gripper for the kitchen", "Its hand is soft."),
    candidate(4, "Kernels for a long context", "Tokens in blocks."),
)


def best(ranker: Ranker, profile: Profile) -> int:
    ranking = ranker.pool(PAPERS, now=NOW).pick(profile, limit=1, rising=0)
    return ranking.picks[0].item_id if ranking.picks else 0


def test_what_shares_no_word_is_found_by_its_meaning() -> None:
    profile = Profile(texts=("protein folding",))

    assert best(BY_MEANING, profile) == 1
    assert best(BY_WORDS, profile) == 0


def test_one_like_helps() -> None:
    profile = Profile(liked=(liked("Robots that grasp", "Robot manipulation by hand."),))

    pick = BY_MEANING.pool(PAPERS, now=NOW).pick(profile).picks[0]

    assert pick.item_id == 3
    assert str(pick.reasons[0]) == "you liked Robots that grasp"


@pytest.mark.parametrize("embed", [embed_themes, None], ids=["meaning", "words"])
def test_a_hundred_likes_do_not_drown_a_new_one(embed: Embed | None) -> None:
    # an eighth of this small archive is on each thing: nothing stands out far from it
    low = RankSettings(trend_weight=0.0, diversity=0.0, min_score=0.1)
    ranker = Ranker.semantic(ARCHIVE, embed, low) if embed else Ranker.lexical(ARCHIVE, low)
    old = tuple(
        liked(f"Weather prediction {n}", f"Rain and wind in forecast {n}.", days=9)
        for n in range(100)
    )
    new = liked("A robot gripper for the kitchen", "Its soft hand grips.", days=1)
    pool = ranker.pool(PAPERS, now=NOW)

    picks = {p.item_id: p for p in pool.pick(Profile(liked=(*old, new)), limit=4).picks}

    assert 3 in picks and not {1, 4} & set(picks)
    assert str(picks[3].reasons[0]) == "you liked A robot gripper for the kitchen"


def test_newer_likes_count_more() -> None:
    storms, robots = ("Storm", "Wind and rain."), ("Robots", "A robot hand.")
    pool = BY_MEANING.pool(PAPERS, now=NOW)

    def match(item_id: int, *, storm_days: float, robot_days: float) -> float:
        profile = Profile(liked=(liked(*storms, days=storm_days), liked(*robots, days=robot_days)))
        parts = pool.explain(profile, item_id).parts
        assert parts is not None
        return parts.match

    assert match(2, storm_days=1, robot_days=900) > match(2, storm_days=900, robot_days=1)
    assert match(3, storm_days=1, robot_days=900) < match(3, storm_days=900, robot_days=1)


def test_a_dislike_pushes_down_what_is_like_it() -> None:
    pool = BY_MEANING.pool(PAPERS, now=NOW)
    wish = Profile(texts=("weather forecast",))
    soured = Profile(texts=("weather forecast",), disliked=(liked("Storm and wind", "Rain."),))

    before, after = pool.explain(wish, 2).parts, pool.explain(soured, 2).parts

    assert before is not None and after is not None
    assert after.match < before.match / 2


def test_what_the_archive_has_nothing_of_is_no_match() -> None:
    ranking = BY_MEANING.pool(PAPERS, now=NOW).pick(Profile(texts=("medieval poetry",)))

    assert ranking.picks == ()
    assert ranking.note is not None and ranking.note.startswith("nothing matched")


def test_the_order_of_candidates_changes_nothing() -> None:
    profile = Profile(texts=("protein folding",), keywords=("kernels",), liked=(liked("Storm"),))
    shuffled = random.Random(5).sample(PAPERS, len(PAPERS))

    straight = BY_MEANING.pool(PAPERS, now=NOW).pick(profile)

    assert BY_MEANING.pool(shuffled, now=NOW).pick(profile) == straight


def test_reasons_are_of_the_wish_with_the_strongest_part() -> None:
    profile = Profile(texts=("storm in the wind", "soft gripper in the kitchen"))
    pool = BY_MEANING.pool(PAPERS, now=NOW)

    for pick in pool.pick(profile, rising=0).picks:
        told = pool.explain(profile, pick.item_id)
        assert told.evidence[0].match == max(e.match for e in told.evidence)
        assert pick.reasons[0] == told.evidence[0].reason
        assert told.evidence[0].match <= pick.parts.match


def broken(texts: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """A model that knows nothing of every second text."""
    rows = embed_themes(texts)
    rows[::2] = np.nan
    return rows


def test_rows_that_are_no_numbers_count_as_unknown() -> None:
    pool = Ranker.semantic(ARCHIVE, broken, PURE).pool(PAPERS, now=NOW)
    profile = Profile(texts=("storm and wind", "protein"), liked=(liked("Robots"),))

    ranking = pool.pick(profile)

    assert ranking.picks[0].item_id == 2
    for item_id in (1, 2, 3, 4):
        told = pool.explain(profile, item_id)
        assert told.score is not None and 0.0 <= told.score <= 1.0


def test_another_dimension_is_refused_with_a_way_on() -> None:
    widths = iter([16, 8])

    def embed(texts: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        return np.ones((len(texts), next(widths)), np.float32)

    ranker = Ranker.semantic(ARCHIVE, embed, PURE)

    with pytest.raises(ModelError, match="was the model changed"):
        ranker.pool(PAPERS, now=NOW)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_first_day_without_an_archive_works(count: int) -> None:
    pool = Ranker.semantic(ARCHIVE[:count], embed_themes, PURE).pool(PAPERS, now=NOW)

    assert pool.explain(Profile(texts=("storm and wind",)), 2).verdict is Verdict.PICKED


@pytest.mark.parametrize(
    "odd",
    ["", "注意力机制的稀疏化", "نموذج لغوي كبير", r"$\alpha^2 + \beta$", "Three small words", "x " * 1_500_000],
    ids=["empty", "chinese", "arabic", "latex", "short", "3 MB"],
)  # fmt: skip
def test_odd_texts_are_candidates_and_likes_like_others(odd: str) -> None:
    papers = (*PAPERS, candidate(9, odd or "untitled", odd))
    pool = BY_MEANING.pool(papers, now=NOW)
    profile = Profile(texts=(odd,), liked=(liked(odd, odd),), keywords=("storm",))

    ranking = pool.pick(profile, limit=9)

    assert all(0.0 <= p.score <= 1.0 for p in ranking.picks)
    assert 2 in [p.item_id for p in ranking.picks]
