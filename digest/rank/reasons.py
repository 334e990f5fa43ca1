"""The why-line in words, made from the score's own parts.

Takes which interests claimed an item and how it trends; gives Reasons. Used by Pool.
"""

from __future__ import annotations

from digest.model import Reason, ReasonKind
from digest.rank.interests import Interest
from digest.rank.trend import Trend

#: a trend is worth a word from that many times the usual on, and from that many votes
RATIO_SHOWN = 1.5
VOTES_SHOWN = 3
#: a longer text of a person's own is cut at a word
SUBJECT_MAX = 60


def reason_for(interest: Interest) -> Reason:
    """One interest as a reason, in the person's own words."""
    return Reason(kind=interest.kind, lead=interest.lead, subject=shorten(interest.subject))


def trend_reason(trend: Trend, *, always: bool = False) -> Reason | None:
    """ "84 votes in 9 h, 5× usual"; None when it is nothing to speak of.

    `always` tells the plain numbers too, for lists that are about nothing else.
    """
    if trend.ratio is None:
        return None
    is_rising = trend.ratio >= RATIO_SHOWN and trend.votes >= VOTES_SHOWN
    if not is_rising and not (always and trend.votes > 0):
        return None
    noun = "vote" if trend.votes == 1 else "votes"
    lead = f"{trend.votes:,} {noun} in {span_words(trend.hours)}"
    if is_rising:
        lead += f", {ratio_words(trend.ratio)} usual"
    return Reason(kind=ReasonKind.TREND, lead=lead)


def ratio_words(ratio: float) -> str:
    """ "5×", "1.8×", "2×": one digit after the point below 3, where it says something."""
    return (f"{ratio:.1f}".removesuffix(".0") if ratio < 2.95 else f"{ratio:,.0f}") + "×"


def span_words(hours: float) -> str:
    """ "40 min", "9 h", "3 days"."""
    if hours < 1:
        return f"{max(round(hours * 60), 1)} min"
    if hours < 47.5:
        return f"{round(hours)} h"
    return f"{round(hours / 24)} days"


def shorten(text: str) -> str:
    """A subject short enough for one line, cut at a word."""
    flat = " ".join(text.split())
    if len(flat) <= SUBJECT_MAX:
        return flat
    head = flat[:SUBJECT_MAX].rsplit(" ", 1)[0].rstrip(" ,;:.-–")
    return f"{head}…"
