"""Ranking: which of the day's candidates one person should get, in what order, and why.

Pure: values in, values out; no store, no clock, no network. docs/ranking.md has the formula.

    ranker = Ranker.lexical(background)             # once a day, from archive texts
    pool = ranker.pool(candidates, now=now)         # once a day, shared by all people
    ranking = pool.pick(profile, limit=12, seen=had_before)
"""

from digest.rank.asked import Asked
from digest.rank.explain import Evidence, Explanation, Verdict
from digest.rank.interests import own_texts
from digest.rank.pool import NO_INTERESTS, Pool, Similar
from digest.rank.ranker import Ranker
from digest.rank.settings import RankSettings

__all__ = [
    "NO_INTERESTS",
    "Asked",
    "Evidence",
    "Explanation",
    "Pool",
    "RankSettings",
    "Ranker",
    "Similar",
    "Verdict",
    "own_texts",
]
