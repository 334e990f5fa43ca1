"""How fast an item gains votes against what is usual for its kind of source at its age.

Pure: standings and `now` in, a Trend out; nothing is asked and nothing is kept.
Used by Pool for every candidate. Formula, constants and their sources: docs/ranking.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from digest.model import Count, Standing

#: the span whose gain is the trend; a shorter one is mostly noise at one reading an hour
WINDOW_H = 24.0
#: added to gain and usual gain alike, so that 2 votes against 1 are no sensation
PRIOR_VOTES = 3.0
#: readings of a kind that its own level must outweigh before it counts in full
PRIOR_READINGS = 10.0
#: median votes on Hugging Face by hours since the item was listed (listings, cross-section of
#: 2024–2026 for the first 17 h, the same papers re-read later for the rest): (hours, votes)
GROWTH = (
    (0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (4.0, 4.0), (6.0, 5.5), (8.0, 6.5), (12.0, 7.5),
    (17.0, 8.5),
    (28.0, 11.0), (57.0, 13.0), (168.0, 14.0), (720.0, 15.0),
)  # fmt: skip
#: median votes of a settled item, by kind, relative to Hugging Face's
LEVELS: Mapping[str, float] = {"huggingface": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """How an item is doing. `strength` is 0…1; 0.5 is usual, or unknown."""

    strength: float = 0.5
    #: times the usual gain, all sources together; None when no source shows numbers
    ratio: float | None = None
    #: the votes and the hours they took, at the source that says most; for the why-line
    votes: int = 0
    hours: float = 0.0


NEUTRAL = Trend()


def usual_votes(age_h: float) -> float:
    """Median votes of a Hugging Face paper that many hours after it was listed."""
    before = GROWTH[0]
    for point in GROWTH[1:]:
        if age_h <= point[0]:
            share = (max(age_h, 0.0) - before[0]) / (point[0] - before[0])
            return before[1] + share * (point[1] - before[1])
        before = point
    return before[1]


def learn_levels(standings: Iterable[Standing], now: datetime) -> dict[str, float]:
    """Each kind's level of votes against Hugging Face's curve, from the candidates themselves.

    A median over the standings, drawn to the kind's known level while there are few readings.
    """
    seen: dict[str, list[float]] = {}
    for standing in standings:
        total = _votes(standing.latest)
        if total is not None:
            usual = usual_votes(_hours(standing.since, _as_of(standing, now))) + 1.0
            seen.setdefault(standing.kind, []).append((total + 1.0) / usual)
    levels = dict(LEVELS)
    for kind, ratios in seen.items():
        weight = len(ratios) / (len(ratios) + PRIOR_READINGS)
        prior = math.log(LEVELS.get(kind, 1.0))
        levels[kind] = math.exp(weight * math.log(median(ratios)) + (1 - weight) * prior)
    return levels


def measure_trend(
    standings: Sequence[Standing], *, now: datetime, levels: Mapping[str, float] = LEVELS
) -> Trend:
    """The item's trend at `now`. Excess over the usual adds up over sources; lacks do not."""
    gains = [g for s in standings if (g := _gain(s, now, levels.get(s.kind, 1.0))) is not None]
    if not gains:
        return NEUTRAL
    best = max(gains, key=lambda g: (g.ratio, g.votes))
    excess = sum(max(g.ratio - 1.0, 0.0) for g in gains)
    ratio = 1.0 + excess if excess > 0 else best.ratio
    return Trend(
        strength=ratio / (1.0 + ratio), ratio=ratio, votes=best.votes, hours=round(best.hours, 3)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gain:
    ratio: float
    votes: int
    hours: float


def _gain(standing: Standing, now: datetime, level: float) -> _Gain | None:
    """Votes gained within the window against the usual gain over the same hours of life."""
    total = _votes(standing.latest)
    if total is None:
        return None
    now = _as_of(standing, now)
    age_h = _hours(standing.since, now)
    start = now - timedelta(hours=WINDOW_H)
    earlier = [c for c in standing.counts if c.at <= start and _votes(c) is not None]
    if not earlier:
        usual = level * usual_votes(age_h)
        return _Gain(ratio=_ratio(total, usual), votes=total, hours=age_h)
    base = earlier[-1]
    gained = max(total - (_votes(base) or 0), 0)
    base_age_h = max(age_h - _hours(base.at, now), 0.0)
    usual = level * (usual_votes(age_h) - usual_votes(base_age_h))
    recent = _ratio(gained, usual)
    # an old item's small window says little: the whole life's ratio holds it in place
    whole = _ratio(total, level * usual_votes(age_h))
    if recent < whole:
        return _Gain(ratio=math.sqrt(recent * whole), votes=total, hours=age_h)
    return _Gain(ratio=recent, votes=gained, hours=_hours(base.at, now))


def _as_of(standing: Standing, now: datetime) -> datetime:
    """The moment its numbers speak of: a list that is no longer read is not standing still."""
    return min(now, standing.last_seen_at) if standing.last_seen_at is not None else now


def _ratio(gained: float, usual: float) -> float:
    return (max(gained, 0.0) + PRIOR_VOTES) / (max(usual, 0.0) + PRIOR_VOTES)


def _votes(count: Count) -> int | None:
    """What a source counts for an item: votes, or stars where it has no votes."""
    return count.votes if count.votes is not None else count.stars


def _hours(start: datetime, end: datetime) -> float:
    return max((end - start).total_seconds() / 3600.0, 0.0)
