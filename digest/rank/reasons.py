"""The why-line in words, made from the score's own parts.

Takes which interests claimed an item and how it trends; gives Reasons. Used by Pool.
"""

from __future__ import annotations

from collections.abc import Sequence

from digest.model import Reason, ReasonKind
from digest.rank.archive import Gist
from digest.rank.interests import Interest
from digest.rank.likeness import like
from digest.rank.rules import ItemText
from digest.rank.trend import Trend

#: a trend is worth a word from that many times the usual on, and from that many votes
RATIO_SHOWN = 1.5
VOTES_SHOWN = 3
#: a longer text of a person's own is cut at a word
SUBJECT_MAX = 60


def reason_for(interest: Interest) -> Reason:
    """One interest as a reason, in the person's own words."""
    return Reason(kind=interest.kind, lead=interest.lead, subject=shorten(interest.subject))


def nearest_interest(said: Sequence[Interest], text: ItemText, gist: Gist) -> Interest:
    """Of all that was said of one wish, what comes nearest to an item: a phrase of it in the text,
    else what is most like it; the first of equals.
    """
    if len(said) == 1:
        return said[0]
    found = next((i for i in said if any(text.has(phrase) for phrase in i.phrases)), None)
    if found is not None:
        return found
    return max(said, key=lambda i: like(i.gist, gist) if i.gist is not None else 0.0)


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
