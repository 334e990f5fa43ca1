from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Count, Profile, ReasonKind, Section, Standing, Topic
from digest.rank import Ranker, RankSettings, Verdict
from digest.rank.trend import measure_trend
from tests.rank_pieces import ARCHIVE, NOW, candidate, liked

RANKER = Ranker.lexical(ARCHIVE)
PAPERS = (
    candidate(1, "Sparse attention for long documents", "Attention in blocks.", votes=9, hours=5),
    candidate(2, "Folding proteins with diffusion", "Structures of proteins.", votes=3, hours=5),
    candidate(3, "Grasping by robots in the kitchen", "A robot learns to grip.", votes=40, hours=6),
    candidate(4, "Weather prediction at one kilometre", "Rain and wind.", votes=1, hours=30),
    candidate(5, "Speech recognition for rare languages", "Words and errors.", votes=5, hours=9),
    candidate(6, "Faster sparse attention kernels", "Kernels for attention.", votes=2, hours=20),
)


def picked(profile: Profile, **more: object) -> list[int]:
    ranking = RANKER.pool(PAPERS, now=NOW).pick(profile, **more)  # type: ignore[arg-type]
    return [p.item_id for p in ranking.picks]


def test_what_matches_an_interest_comes_first_and_the_rest_not_at_all() -> None:
    assert set(picked(Profile(texts=("sparse attention",)))) == {1, 6}


def test_a_topic_matches_by_its_text() -> None:
    topic = Topic(slug="bio", name="Biology", text="protein structures, folding, enzymes")

    assert picked(Profile(topics=(topic,))) == [2]


def test_two_interests_are_both_served_and_not_averaged() -> None:
    both = picked(Profile(texts=("sparse attention", "protein folding")))

    assert {1, 2, 6} <= set(both)


def test_the_reason_is_in_the_persons_own_words() -> None:
    profile = Profile(texts=("Weather prediction, please!",))

    pick = RANKER.pool(PAPERS, now=NOW).pick(profile).picks[0]

    assert pick.item_id == 4
    assert str(pick.reasons[0]) == "your interest Weather prediction, please!"


def test_a_liked_paper_attracts_its_like_and_is_named() -> None:
    profile = Profile(
        liked=(liked("Robots that grasp cups", "A robot hand learns to grip cups in kitchens."),)
    )

    pick = RANKER.pool(PAPERS, now=NOW).pick(profile).picks[0]

    assert pick.item_id == 3
    assert str(pick.reasons[0]) == "you liked Robots that grasp cups"
    assert pick.reasons[-1].kind is ReasonKind.TREND


def test_a_quoted_keyword_matches_as_a_phrase_only() -> None:
    papers = [candidate(1, "Attention that is sparse"), candidate(2, "On Sparse-Attention layers")]
    pool = RANKER.pool(papers, now=NOW)

    ranking = pool.pick(Profile(keywords=('"sparse attention"',)))

    assert [p.item_id for p in ranking.picks] == [2]


@pytest.mark.parametrize("wish", ["robot", "ROBOTS", '"in the kitchen"', "cs.RO"])
def test_an_excluded_word_is_a_hard_no(wish: str) -> None:
    papers = [
        candidate(1, "Grasping by robots in the kitchen", "A robot grips.", categories=("cs.RO",))
    ]
    profile = Profile(texts=("robots that grasp",), excluded=(wish,))
    pool = RANKER.pool(papers, now=NOW)

    assert not pool.pick(profile).picks
    assert pool.explain(profile, 1).verdict is Verdict.EXCLUDED


def test_an_excluded_word_does_not_match_inside_another() -> None:
    assert picked(Profile(texts=("robots that grasp",), excluded=("bot", "grasp"))) == [3]


def test_followed_authors_and_categories_attract() -> None:
    papers = [
        candidate(1, "On nothing", authors=("José García",)),
        candidate(2, "On everything", categories=("math.AG",)),
        candidate(3, "On something", authors=("Ann Other",), categories=("cs.CL",)),
    ]
    pool = RANKER.pool(papers, now=NOW)

    ranking = pool.pick(Profile(authors=("J. Garcia",), categories=("math",)))

    assert [(p.item_id, str(p.reasons[0])) for p in ranking.picks] == [
        (1, "by J. Garcia"),
        (2, "in math"),
    ]


def test_an_empty_profile_gets_what_rises_and_is_told() -> None:
    ranking = RANKER.pool(PAPERS, now=NOW).pick(Profile(), limit=2)

    assert ranking.picks[0].item_id == 3
    assert ranking.note is not None and "no interests" in ranking.note
    assert "votes in" in str(ranking.picks[0].reasons[0])


def test_when_nothing_matches_there_is_no_filler() -> None:
    ranking = RANKER.pool(PAPERS, now=NOW).pick(Profile(texts=("medieval poetry",)))

    assert ranking.picks == ()
    assert ranking.note is not None and ranking.note.startswith("nothing matched")
    assert {p.section for p in ranking.rising} == {Section.RISING}


def test_the_same_paper_under_two_keys_is_picked_once() -> None:
    papers = [
        candidate(1, "Sparse Attention, Revisited", votes=3),
        candidate(2, "sparse attention revisited", votes=9, key="doi:10.1/x"),
    ]
    pool = RANKER.pool(papers, now=NOW)
    profile = Profile(texts=("sparse attention",))

    assert [p.item_id for p in pool.pick(profile).picks] == [2]
    assert pool.explain(profile, 1).rival_id == 2
    assert not pool.pick(profile, seen={1}).picks


def test_diversity_puts_another_thing_before_the_fourth_on_one() -> None:
    same = [
        candidate(i, f"Sparse attention kernels {n}", "Fast sparse attention kernels in blocks.")
        for i, n in enumerate(("one", "two", "three", "four"), 1)
    ]
    papers = [*same, candidate(9, "Sparse attention in the brain", "Neurons of mice attend.")]
    profile = Profile(texts=("sparse attention kernels",))

    def ranked(diversity: float) -> list[int]:
        settings = RankSettings(diversity=diversity, min_score=0.05)
        pool = Ranker.lexical(ARCHIVE, settings).pool(papers, now=NOW)
        return [p.item_id for p in pool.pick(profile).picks]

    assert ranked(0.0)[-1] == 9
    assert ranked(0.9).index(9) < 3


def test_explain_names_every_rule() -> None:
    pool = RANKER.pool(PAPERS, now=NOW)
    profile = Profile(texts=("sparse attention",))

    verdicts = {
        "picked": pool.explain(profile, 1).verdict,
        "seen": pool.explain(profile, 1, seen={1}).verdict,
        "low": pool.explain(profile, 4).verdict,
        "over": pool.explain(profile, 6, limit=1).verdict,
        "absent": pool.explain(profile, 77).verdict,
    }

    assert verdicts == {
        "picked": Verdict.PICKED,
        "seen": Verdict.SEEN,
        "low": Verdict.LOW_SCORE,
        "over": Verdict.OVER_LIMIT,
        "absent": Verdict.ABSENT,
    }


def test_explain_tells_the_same_numbers_as_the_ranking() -> None:
    pool = RANKER.pool(PAPERS, now=NOW)
    profile = Profile(texts=("sparse attention", "robots"))

    for pick in pool.pick(profile).picks:
        told = pool.explain(profile, pick.item_id)
        assert (told.score, told.parts, told.reasons, told.position) == (
            pick.score,
            pick.parts,
            pick.reasons,
            pick.position,
        )


def test_similar_finds_neighbours_of_a_text_and_of_an_item() -> None:
    pool = RANKER.pool(PAPERS, now=NOW)

    assert [s.item_id for s in pool.similar("attention kernels", 1)] == [6]
    assert [s.item_id for s in pool.similar(1, 1)] == [6]


words = st.sampled_from(
    "sparse attention robot protein 模型 扩散 نموذج $\\alpha$ \\textbf{x} kernel a of weather".split()
)
texts = st.lists(words, max_size=8).map(" ".join)
papers_ = st.lists(
    st.tuples(texts, texts, st.none() | st.integers(0, 500), st.floats(0, 400)), max_size=12
)
profiles = st.builds(
    Profile,
    texts=st.lists(texts, max_size=2).map(tuple),
    keywords=st.lists(words, max_size=2).map(tuple),
    excluded=st.lists(words, max_size=1).map(tuple),
    liked=st.lists(texts.map(liked), max_size=2).map(tuple),
    disliked=st.lists(texts.map(liked), max_size=1).map(tuple),
)


@settings(deadline=None, max_examples=60)
@given(papers_, profiles, st.sets(st.integers(0, 11)), st.randoms(use_true_random=False))
def test_whatever_comes_the_list_keeps_its_promises(
    papers: list[tuple[str, str, int | None, float]],
    profile: Profile,
    seen: set[int],
    rng: random.Random,
) -> None:
    candidates = [
        candidate(i, title, abstract, votes=votes, hours=hours)
        for i, (title, abstract, votes, hours) in enumerate(papers)
    ]
    shuffled = rng.sample(candidates, len(candidates))

    pool = RANKER.pool(candidates, now=NOW)
    ranking = pool.pick(profile, seen=seen)
    again = RANKER.pool(shuffled, now=NOW).pick(profile, seen=seen)

    assert ranking == again
    shown = [p.item_id for p in (*ranking.picks, *ranking.rising)]
    assert len(shown) == len(set(shown)) and not set(shown) & seen
    for pick in (*ranking.picks, *ranking.rising):
        parts = (pick.score, pick.parts.match, pick.parts.trend, pick.parts.freshness)
        assert all(0.0 <= x <= 1.0 for x in parts)
        assert pool.explain(profile, pick.item_id, seen=seen).verdict is not Verdict.EXCLUDED
    assert ranking.picks or ranking.note


def test_a_list_that_is_read_no_more_does_not_stand_still():
    listed = NOW - timedelta(days=7)
    counts = (Count(at=listed + timedelta(hours=6), votes=30),)
    standing = Standing(
        source="hf",
        kind="huggingface",
        first_seen_at=listed,
        last_seen_at=listed + timedelta(hours=6),
        counts=counts,
    )

    then = measure_trend([standing], now=listed + timedelta(hours=6))
    a_week_later = measure_trend([standing], now=NOW)

    assert a_week_later == then
    assert then.strength > 0.5
