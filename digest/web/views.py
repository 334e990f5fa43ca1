"""What the pages show of a paper: its words made readable, its votes, its growth, its reasons.

Turns records into views for the templates; pure. The words are the mail's own (compose/view.py), so
that a paper reads the same in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from digest.columns import cut
from digest.compose.readable import readable
from digest.compose.view import ItemView, Personal, ReasonView, Shared, item_view
from digest.model import (
    Candidate,
    Entry,
    Item,
    Pick,
    Reason,
    ReasonKind,
    Section,
    Standing,
    Wording,
)
from digest.text import clean
from digest.web.charts import Chart, Spark, growth_chart, sparkline

#: which of the mail's abstract lengths: whole sentences for an edition, one or two for a list
LONG, SHORT = 0, 1
_ABSTRACT_MAX = 20_000
#: names before the rest is folded away, and the most that are written out at all
_AUTHORS_FIRST = 12
_AUTHORS_MAX = 400
_NAME_MAX = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperView:
    """A paper in a list."""

    #: its page, below the site's address
    path: str
    item: ItemView
    #: over all sources; None where none shows any
    votes: int | None
    #: "84 votes in 9 h, 5× usual"; empty when there is nothing to speak of
    trend: str
    spark: Spark | None
    #: why it is in the list, the trend left out; empty where nobody's interests were asked
    reasons: tuple[ReasonView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SightView:
    """Where a paper was listed."""

    source: str
    #: when the source listed it; or when it was first seen there, when it does not say
    listed_at: datetime
    position: int | None
    votes: int | None
    comments: int | None
    stars: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperPage:
    """Everything on a paper's own page."""

    paper: PaperView
    #: the first names; all of them unless they are many
    authors: str
    #: the rest, how many they are, and how many of those are not even named
    more_authors: str
    more_count: int
    authors_left: int
    abstract: str
    categories: str
    withdrawn: bool
    sights: tuple[SightView, ...]
    chart: Chart | None


def paper_path(key: str) -> str:
    """The page of an item, below the site's address."""
    return f"/paper/{quote(key, safe=':')}"


def pick_view(
    pick: Pick, candidate: Candidate, *, level: int = SHORT, without: ReasonKind | None = None
) -> PaperView:
    """A pick out of a pool; `without` is a kind of reason that goes without saying."""
    return _view(
        candidate.wording,
        candidate.standings,
        position=pick.position,
        reasons=[reason for reason in pick.reasons if reason.kind is not without],
        level=level,
    )


def candidate_view(candidate: Candidate, *, position: int | None = None) -> PaperView:
    """An item that was found, not picked."""
    return _view(candidate.wording, candidate.standings, position=position)


def entry_view(entry: Entry, *, level: int = LONG) -> PaperView:
    """A pick of an edition, with the words and numbers of then."""
    return _view(
        entry.wording,
        (),
        position=entry.pick.position,
        reasons=entry.pick.reasons,
        level=level,
        numbers=(entry.votes, entry.comments, entry.stars),
    )


def _view(
    wording: Wording,
    standings: Sequence[Standing],
    *,
    position: int | None = None,
    reasons: Sequence[Reason] = (),
    level: int = SHORT,
    numbers: tuple[int | None, int | None, int | None] | None = None,
) -> PaperView:
    votes, comments, stars = numbers or totals(standings)
    shared = Shared(
        wording=wording,
        section=Section.PICK,
        comments=comments,
        stars=stars,
        level=level,
        shape=(),
    )
    nobody = Personal(position=str(position or ""), reasons=(), why="", more_url="", less_url="")
    return PaperView(
        path=paper_path(wording.key),
        item=item_view(shared, nobody),
        votes=votes,
        trend=next((clean(r.lead) for r in reasons if r.kind is ReasonKind.TREND), ""),
        spark=_spark(standings),
        reasons=tuple(
            ReasonView(lead=clean(r.lead), subject=cut(clean(r.subject), 90))
            for r in reasons
            if r.kind is not ReasonKind.TREND
        ),
    )


def totals(standings: Sequence[Standing]) -> tuple[int | None, int | None, int | None]:
    """Votes and comments over all sources, and stars, which every source counts alike."""

    def latest(name: str) -> list[int]:
        numbers = (getattr(s.latest, name) for s in standings)
        return [n for n in numbers if n is not None]

    votes, comments = latest("votes"), latest("comments")
    return (
        sum(votes) if votes else None,
        sum(comments) if comments else None,
        max(latest("stars"), default=None),
    )


def _main(standings: Sequence[Standing]) -> Standing | None:
    """The source that says most about how a paper grew."""
    counted = [s for s in standings if s.latest.votes is not None]
    return max(counted, key=lambda s: (s.latest.votes or 0, len(s.counts)), default=None)


def _spark(standings: Sequence[Standing]) -> Spark | None:
    main = _main(standings)
    return sparkline(main.counts, main.since) if main else None


def paper_page(item: Item, candidate: Candidate) -> PaperPage:
    """A paper's own page."""
    named = [cut(readable(name[:500]), _NAME_MAX) for name in item.authors[:_AUTHORS_MAX]]
    names = [name for name in named if name]
    # a few more than fit are no reason to fold
    first = len(names) if len(names) <= _AUTHORS_FIRST + 3 else _AUTHORS_FIRST
    left = max(len(item.authors) - _AUTHORS_MAX, 0)
    return PaperPage(
        paper=candidate_view(candidate),
        authors=", ".join(names[:first]),
        more_authors=", ".join(names[first:]),
        more_count=len(names) - first + left,
        authors_left=left,
        abstract=readable(item.abstract[:_ABSTRACT_MAX]),
        categories=", ".join(item.categories[:20]),
        withdrawn=item.withdrawn,
        sights=tuple(map(_sight, candidate.standings)),
        chart=_growth(candidate.standings),
    )


def _sight(standing: Standing) -> SightView:
    latest = standing.latest
    return SightView(
        source=standing.source,
        listed_at=standing.since,
        position=standing.position,
        votes=latest.votes,
        comments=latest.comments,
        stars=latest.stars,
    )


def _growth(standings: Sequence[Standing]) -> Chart | None:
    main = _main(standings)
    if main is None:
        return None
    series = [(c.at, c.votes) for c in main.counts if c.votes is not None]
    if series and main.since < series[0][0]:
        series.insert(0, (main.since, 0))
    if len({votes for _, votes in series}) < 2:
        return None
    hours = (series[-1][0] - series[0][0]).total_seconds() / 3600
    span = f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
    label = f"Votes on {main.source}: {series[-1][1]:,} after {span}"
    return growth_chart(series, label=label)
