"""What every candidate is worth to each of some people, and what must not be shown to whom.

Arrays of people × candidates; a block of people costs little more than one. Candidates stand in the
order that decides between equals: the faster rising first, then by key. Used by Pool only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from digest.model import Candidate, Wording
from digest.rank.archive import Archive
from digest.rank.asked import Asked
from digest.rank.choose import Chosen, Likeness, choose, keep_first_of_title
from digest.rank.interests import Compiler, Wishes
from digest.rank.lexicon import Floats
from digest.rank.likeness import Gists
from digest.rank.match import Matched, Matcher
from digest.rank.phrases import Phrases
from digest.rank.reader import Reader
from digest.rank.reasons import trend_reason
from digest.rank.rules import ItemText
from digest.rank.settings import RankSettings
from digest.rank.trend import Trend, learn_levels, measure_trend
from digest.rank.words import Ids, plain_title

#: the smallest number above 0
_NOTHING = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All that decides about some people's candidates."""

    wishes: Sequence[Wishes]
    #: who named nothing that could attract a paper
    is_empty: NDArray[np.bool_]
    matched: Matched
    #: people × candidates
    scores: Floats
    #: the same, minus infinity for what must not be shown: seen, excluded, doubles
    left: Floats


class Judge:
    """The candidates with all that is the same for everybody, prepared once."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        now: datetime,
        settings: RankSettings,
        reader: Reader,
        archive: Archive,
    ) -> None:
        self.settings = settings
        levels = learn_levels((s for c in candidates for s in c.standings), now)
        measured = [
            (measure_trend(c.standings, now=now, levels=levels), _freshness(c, now, settings), c)
            for c in candidates
        ]
        measured.sort(key=lambda m: (-m[0].strength * m[1], m[2].wording.key, m[2].item_id))
        self.items = [candidate for _, _, candidate in measured]
        self.trends: list[Trend] = [trend for trend, _, _ in measured]
        #: in words, where it is worth a word beside interests, and where nothing else is told
        self.notable_trends = [trend_reason(trend) for trend in self.trends]
        self.told_trends = [trend_reason(trend, always=True) for trend in self.trends]
        self.strengths = np.array([trend.strength for trend in self.trends])
        self.freshness = np.array([fresh for _, fresh, _ in measured])
        self.rise = self.strengths * self.freshness
        weight = settings.trend_weight
        self.trend_factor = 1.0 - weight + weight * self.strengths
        self.fresh_factor = 1.0 - weight + weight * self.freshness
        self._factor = (self.trend_factor * self.fresh_factor).astype(np.float32)
        self.rows = {c.item_id: row for row, c in enumerate(self.items)}
        wordings = [c.wording for c in self.items]
        texts = [(w.title, w.abstract) for w in wordings]
        self.gists = Gists(reader.read(texts), reader.dimension)
        self.texts = [ItemText(wording) for wording in wordings]
        self.phrases = Phrases(self.texts)
        self._compiler = Compiler(reader, now)
        corpus = archive.corpus(self.gists.words, self.gists.meanings)
        self.corpus = corpus
        self._matcher = Matcher(wordings, self.phrases, corpus, archive)
        self._titles = _same_titles(wordings)
        self._twins: dict[int, list[int]] = defaultdict(list)
        for row, title in enumerate(self._titles.tolist()):
            self._twins[title].append(row)
        self._doubles = [np.array(rows) for rows in self._twins.values() if len(rows) > 1]
        self.likeness = Likeness(len(self.items), lambda row: self.gists.likeness(self.gists[row]))

    def judge(self, people: Sequence[Asked]) -> Judged:
        """Score the candidates for a block of people."""
        wishes = self._compiler.compile([one.profile for one in people])
        return self.weigh(people, wishes, self._matcher.match(wishes))

    def weigh(self, people: Sequence[Asked], wishes: Sequence[Wishes], matched: Matched) -> Judged:
        """From matches to scores: trend and freshness, and what must not be shown to whom."""
        is_empty = np.array([own.is_empty for own in wishes], bool)
        matched.total[is_empty] = 1.0
        scores = matched.total * self._factor
        scores[is_empty] = self.rise
        left = scores.copy()
        for at, (one, own) in enumerate(zip(people, wishes, strict=True)):
            if one.seen:
                left[at, self.seen_rows(one.seen)] = -np.inf
            if own.excluded:
                left[at, self.phrases.rows_of_any(own.excluded)] = -np.inf
        keep_first_of_title(left, self._doubles)
        return Judged(wishes=wishes, is_empty=is_empty, matched=matched, scores=scores, left=left)

    def choose(self, judged: Judged, people: Ids, limit: int) -> Chosen:
        """The lists of some of the people who were judged."""
        # nothing is no score, even where there is no bar
        bars = np.where(judged.is_empty[people], 0.0, self.settings.min_score) + _NOTHING
        everybody = len(people) == len(judged.left)
        return choose(
            judged.left if everybody else judged.left[people],
            limit=limit,
            diversity=self.settings.diversity,
            likeness=self.likeness,
            bars=bars.astype(np.float32)[:, np.newaxis],
        )

    def seen_rows(self, seen: Collection[int]) -> list[int]:
        """The rows of items a person had; the same title under another key is the same paper."""
        known = {self._titles[self.rows[i]] for i in seen if i in self.rows}
        return [row for title in known for row in self._twins[title]]

    def twins(self, row: int) -> Sequence[int]:
        """The rows with that row's title, itself among them."""
        return self._twins[int(self._titles[row])]


def _freshness(candidate: Candidate, now: datetime, settings: RankSettings) -> float:
    since = min([candidate.first_seen_at, *(s.since for s in candidate.standings)])
    age_h = max((now - since).total_seconds() / 3600.0, 0.0)
    return float(0.5 ** (age_h / settings.half_life_hours))


def _same_titles(wordings: Sequence[Wording]) -> Ids:
    """A number per item, equal for items whose titles have the same words."""
    numbers: dict[tuple[str, ...], int] = {}
    groups = np.arange(len(wordings), dtype=np.int64)
    for row, wording in enumerate(wordings):
        words = plain_title(wording.title)
        if words:
            groups[row] = numbers.setdefault(words, row)
    return groups
