"""The trend: hours count, sources add up, and recorded papers went the way it says.

The recordings are the same days' lists read again hours or days later (../shared/listings).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from digest.model import Count, Standing
from digest.rank.trend import measure_trend, usual_votes
from tests.listing_server import recorded_snapshots
from tests.paths import needs_shared
from tests.rank_pieces import NOW, series, standing
from tests.recordings import daily_items

#: read again three weeks later, but hardly grown: probably an old answer that was saved again
DOUBTFUL = datetime(2025, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """A paper's first and last recorded reading."""

    day: str
    listed_at: datetime
    first: Count
    last: Count


def rereads() -> Iterator[Reread]:
    for day, taken in recorded_snapshots().items():
        good = [(at, path) for at, path in taken if at.date() != DOUBTFUL.date()]
        (begun, before), (ended, after) = good[0], good[-1]
        later = {str(i["paper"]["id"]): i["paper"] for i in daily_items(after)}  # type: ignore[index]  # as recorded
        for item in daily_items(before):
            paper: dict[str, object] = item["paper"]  # type: ignore[assignment]  # as recorded
            if paper["id"] in later:
                # in those years the moment at which it came to the list
                listed_at = datetime.fromisoformat(str(item["publishedAt"]))
                votes = int(str(paper["upvotes"])), int(str(later[str(paper["id"])]["upvotes"]))
                yield Reread(
                    day=day,
                    listed_at=listed_at,
                    first=Count(at=begun, votes=votes[0]),
                    last=Count(at=ended, votes=votes[1]),
                )


def hours(paper: Reread, count: Count) -> float:
    return (count.at - paper.listed_at) / timedelta(hours=1)


def strength(paper: Reread, count: Count) -> float:
    stands = Standing(
        source="hf", kind="huggingface", first_seen_at=paper.listed_at, counts=(count,)
    )
    return measure_trend((stands,), now=count.at).strength


def test_eight_votes_after_two_hours_beat_twenty_after_twenty() -> None:
    young = measure_trend((standing(8, hours=2),), now=NOW)
    older = measure_trend((standing(20, hours=20),), now=NOW)

    assert young.strength > older.strength > 0.5


def test_what_gains_as_usual_is_in_the_middle_at_any_age() -> None:
    for age_h in (1, 4, 12, 24, 72):
        usual = measure_trend((standing(round(usual_votes(age_h)), hours=age_h),), now=NOW)
        assert usual.strength == pytest.approx(0.5, abs=0.04)


def test_several_sources_add_up() -> None:
    here, there = standing(20, hours=5), standing(20, hours=5, kind="reddit")

    alone = measure_trend((here,), now=NOW)
    both = measure_trend((here, there), now=NOW)

    assert both.ratio is not None and alone.ratio is not None
    assert both.ratio - 1 == pytest.approx(2 * (alone.ratio - 1))


def test_a_quiet_source_takes_nothing_from_a_loud_one() -> None:
    loud, quiet = standing(40, hours=5), standing(0, hours=5, kind="reddit")

    assert measure_trend((loud, quiet), now=NOW) == measure_trend((loud,), now=NOW)


def test_what_rose_long_ago_rises_no_more() -> None:
    risen = series((120, 2), (100, 60), (30, 80), (0, 80))
    rising = series((120, 2), (100, 4), (30, 10), (0, 80))

    assert measure_trend((rising,), now=NOW).strength > measure_trend((risen,), now=NOW).strength


@needs_shared
def test_recorded_papers_grew_as_the_curve_says() -> None:
    grown = [
        math.log((paper.last.votes or 0) + 1)
        - math.log((paper.first.votes or 0) + 1)
        - math.log(usual_votes(hours(paper, paper.last)) + 1)
        + math.log(usual_votes(hours(paper, paper.first)) + 1)
        for paper in rereads()
    ]

    assert len(grown) > 80
    assert abs(median(grown)) < math.log(1.1), "half grew more, half less"


@needs_shared
def test_papers_of_different_ages_end_as_the_trend_orders_them_more_often_than_votes_do() -> None:
    """One read for the first time, beside one of another day that is settled: which ends higher?"""
    papers = list(rereads())
    right = {"votes": 0.0, "trend": 0.0}
    pairs = 0
    for young, settled in itertools.permutations(papers, 2):
        ahead = (young.last.votes or 0) - (settled.last.votes or 0)
        if young.day == settled.day or not ahead:
            continue
        pairs += 1
        votes = (young.first.votes or 0) - (settled.last.votes or 0)
        trend = strength(young, young.first) - strength(settled, settled.last)
        for name, said in (("votes", votes), ("trend", trend)):
            right[name] += 1.0 if said * ahead > 0 else 0.5 * (said == 0)

    assert pairs > 5000
    assert right["trend"] / pairs > right["votes"] / pairs + 0.015
    assert right["trend"] / pairs == pytest.approx(0.935, abs=0.005), "as docs/ranking.md says"
    assert right["votes"] / pairs == pytest.approx(0.911, abs=0.005), "as docs/ranking.md says"
