"""What choices would give: a preview of the edition, and how many papers a day would match.

Works on the pool of the moment; nothing is stored. Used before anybody gives an address.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.embed import unkept
from digest.filters import plural
from digest.model import Profile
from digest.rank import Pool
from digest.web.views import LONG, PaperView, pick_view

#: matches beyond that are not counted
_COUNTED_MAX = 200
#: papers that are named as missing
_UNKNOWN_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The edition that some choices would give now."""

    papers: tuple[PaperView, ...]
    #: "About 6 papers a day would match."
    sentence: str
    #: why there is nothing, or how it came about; empty: nothing to say
    note: str


@unkept()
def preview(
    profile: Profile,
    pool: Pool,
    *,
    limit: int,
    days: float,
    seen: frozenset[int] = frozenset(),
    unknown: Sequence[str] = (),
) -> Preview:
    """What the profile's next edition would hold; the pool spans `days` days.

    `unknown` are keys of liked papers that no source has listed.
    """
    ranking = pool.pick(profile, limit=limit, seen=seen, rising=0)
    note = "this is what is rising" if unknown and profile.is_empty else ranking.note or ""
    return Preview(
        papers=tuple(pick_view(p, pool.candidate(p.item_id), level=LONG) for p in ranking.picks),
        sentence=match_sentence(profile, pool, days=days, unknown=unknown),
        note=note,
    )


@unkept()
def match_sentence(
    profile: Profile, pool: Pool, *, days: float, unknown: Sequence[str] = ()
) -> str:
    """How many papers a day would match, in words; and which of those named are not here."""
    known = _match_sentence(profile, pool, days=days)
    if not unknown:
        return known
    names = ", ".join(key.removeprefix("arxiv:") for key in unknown[:_UNKNOWN_NAMED])
    more = f" and {len(unknown) - _UNKNOWN_NAMED} more" if len(unknown) > _UNKNOWN_NAMED else ""
    missing = f"Not in the archive yet: {names}{more}. It counts from the day a source lists it."
    return missing if profile.is_empty else f"{known} {missing}"


def _match_sentence(profile: Profile, pool: Pool, *, days: float) -> str:
    if profile.is_empty:
        return "Choose a topic or write a line, and this will say how much would match."
    matches = len(pool.pick(profile, limit=_COUNTED_MAX, rising=0).picks)
    return rate_words(matches, days=days, is_capped=matches == _COUNTED_MAX)


def rate_words(matches: int, *, days: float, is_capped: bool = False) -> str:
    """A number of matches in some days as a rate that people can picture."""
    if matches == 0:
        return "Nothing of the last days would have matched."
    a_day = matches / max(days, 1.0)
    if is_capped:
        return f"More than {plural(int(a_day), 'paper')} a day would match."
    if a_day >= 1:
        return f"About {plural(round(a_day), 'paper')} a day would match."
    return f"About {plural(max(round(a_day * 7), 1), 'paper')} a week would match."


def days_covered(first_at: datetime | None, now: datetime, lookback: timedelta) -> float:
    """How many days of papers a pool of that look-back holds, in an archive of that age."""
    if first_at is None:
        return 1.0
    return max(min(now - first_at, lookback) / timedelta(days=1), 1.0)
