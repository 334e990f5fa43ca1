"""The ranker as a filter: requests in, ranked candidates out, for evaluation and other programs.

A request sees the texts of its background and its candidates and its own profile, nothing of other
requests. Used by `digest rank`, which reads and writes the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from digest.model import Candidate, Example, Profile, Wording
from digest.rank.lexicon import Floats
from digest.rank.pool import Pool
from digest.rank.ranker import Ranker
from digest.rank.reader import Embed, Text

#: files have no dates: everything is as old as everything else
_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
#: texts given to a model at once
_PORTION = 256

#: makes a ranker from background texts
MakeRanker = Callable[[Sequence[Text]], Ranker]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One person on one day."""

    id: str
    #: ids of articles, oldest first
    liked: tuple[str, ...]
    keywords: tuple[str, ...]
    #: free texts
    topics: tuple[str, ...]
    #: ids of articles
    candidates: tuple[str, ...]
    #: names of pools
    background: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A request's answer: all its candidates with their scores (0…1), best first."""

    id: str
    ranked: tuple[tuple[str, float], ...]


def read_once(embed: Embed, texts: Sequence[Text], tell: Callable[[int], None]) -> Embed:
    """An embedding that has read those texts already and remembers all it reads.

    Texts of like length are read together; `tell` hears now and then how many are done.
    """
    known: dict[Text, Floats] = {}

    def remember(new: Sequence[Text]) -> None:
        known.update(zip(new, embed(new), strict=True))

    order = sorted(texts, key=lambda text: len(text[0]) + len(text[1]))
    for start in range(0, len(order), _PORTION):
        remember(order[start : start + _PORTION])
        if start // _PORTION % 8 == 7:
            tell(len(known))

    def remembered(wanted: Sequence[Text]) -> Floats:
        new = [text for text in dict.fromkeys(wanted) if text not in known]
        if new or not known:
            remember(new or [("", "")])
        width = len(next(iter(known.values())))
        rows = np.zeros((len(wanted), width), np.float32)
        for row, text in enumerate(wanted):
            rows[row] = known[text]
        return rows

    return remembered


def rank_requests(
    requests: Sequence[Request],
    *,
    articles: Mapping[str, Text],
    pools: Mapping[str, Sequence[str]],
    make_ranker: MakeRanker,
) -> Iterator[Ranked]:
    """Answer requests; those with one background share a ranker, and are answered together."""
    groups: dict[tuple[str, ...], list[Request]] = {}
    for request in requests:
        groups.setdefault(request.background, []).append(request)
    for background, group in groups.items():
        ranker = make_ranker([articles[i] for name in background for i in pools[name]])
        by_candidates: dict[tuple[str, ...], list[Request]] = {}
        for request in group:
            by_candidates.setdefault(request.candidates, []).append(request)
        for candidates, asking in by_candidates.items():
            ids = list(dict.fromkeys(candidates))
            pool = ranker.pool(
                [_candidate(n, i, articles[i]) for n, i in enumerate(ids)], now=_MOMENT
            )
            for request in asking:
                yield _answer(request, pool, ids, articles)


def _answer(
    request: Request, pool: Pool, ids: Sequence[str], articles: Mapping[str, Text]
) -> Ranked:
    profile = Profile(
        texts=request.topics,
        keywords=request.keywords,
        liked=tuple(_example(i, articles[i]) for i in request.liked),
    )
    return Ranked(id=request.id, ranked=tuple((ids[n], s) for n, s in pool.ranked(profile)))


def _candidate(number: int, article: str, text: Text) -> Candidate:
    title, abstract = text
    wording = Wording(
        key=article, title=title, abstract=abstract, authors=(), categories=(), url=""
    )
    return Candidate(item_id=number, wording=wording, first_seen_at=_MOMENT, standings=())


def _example(article: str, text: Text) -> Example:
    return Example(key=article, title=text[0], abstract=text[1], at=_MOMENT)
