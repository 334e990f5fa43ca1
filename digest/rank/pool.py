"""The day's candidates, prepared once and shared by all people: pick, explain, top, similar.

Everything here is a pure function of the candidates, the ranker and `now`; the order in which
candidates come makes no difference. Made by Ranker.pool, used by editions, preview, why and top.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from digest.model import Candidate, Parts, Pick, Profile, Ranking, Reason, Section, Wording
from digest.rank.archive import Archive
from digest.rank.asked import Asked
from digest.rank.explain import Evidence, Explanation, Verdict
from digest.rank.interests import Wishes, compile_profile, texts_of
from digest.rank.likeness import Gists
from digest.rank.match import Field, Matched, match_wishes
from digest.rank.reader import Reader
from digest.rank.reasons import RATIO_SHOWN, nearest_interest, reason_for, trend_reason
from digest.rank.rules import ItemText, first_excluded
from digest.rank.select import Rows, Scores, Selection, select
from digest.rank.settings import RankSettings
from digest.rank.trend import learn_levels, measure_trend
from digest.rank.words import plain_title

#: a wish that matches less is no reason
REASON_MATCH = 0.2
#: a wish that matches less is not worth telling as evidence either
EVIDENCE_MATCH = 0.05
#: reasons of one pick, the trend not counted
REASONS_MAX = 2
NO_INTERESTS = "you named no interests yet: this is what is rising"


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """An item and how like the question it is."""

    item_id: int
    #: 0…1
    likeness: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """All that decides about one person's candidates, row by row."""

    wishes: Wishes
    matched: Matched
    scores: Scores
    excluded: dict[int, str]
    seen: NDArray[np.bool_]
    #: rows that may be picked, best first, doubles left out
    order: Rows
    #: row → the row with the same title that stands higher
    doubles: dict[int, int]


class Pool:
    """Candidates with their word vectors, trends and freshness."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        now: datetime,
        settings: RankSettings,
        reader: Reader,
        archive: Archive,
    ) -> None:
        self._now = now
        self._settings = settings
        self._reader = reader
        self._archive = archive
        self._items = sorted(candidates, key=lambda c: (c.wording.key, c.item_id))
        self._row = {c.item_id: row for row, c in enumerate(self._items)}
        self._gists = Gists(
            reader.read([(c.wording.title, c.wording.abstract) for c in self._items]),
            reader.dimension,
        )
        self._field = Field(
            wordings=[c.wording for c in self._items],
            texts=[ItemText(c.wording) for c in self._items],
            corpus=archive.corpus(self._gists.words, self._gists.meanings),
        )
        self._titles = _same_titles([c.wording for c in self._items])
        levels = learn_levels((s for c in self._items for s in c.standings), now)
        self._trends = [measure_trend(c.standings, now=now, levels=levels) for c in self._items]
        weight = settings.trend_weight
        strengths = np.array([t.strength for t in self._trends])
        freshness = np.array([self._freshness(c) for c in self._items])
        self._trend = 1.0 - weight + weight * strengths
        self._fresh = 1.0 - weight + weight * freshness
        # where nobody's interests are asked, the two count in full, whatever the weight
        self._strengths, self._fresh_full = strengths, freshness
        self._rise = strengths * freshness

    def __len__(self) -> int:
        return len(self._items)

    def candidate(self, item_id: int) -> Candidate:
        """The candidate of that id. Raises KeyError when it is none."""
        return self._items[self._row[item_id]]

    @property
    def item_ids(self) -> Collection[int]:
        """The items that may be picked."""
        return self._row.keys()

    def pick_many(self, people: Sequence[Asked]) -> list[Ranking]:
        """The rankings of many people, in their order; each as `pick` gives it."""
        # at once: one question to the store for all of them
        self._reader.read([text for one in people for text in texts_of(one.profile)])
        return [
            self.pick(one.profile, limit=one.limit, seen=one.seen, rising=one.rising)
            for one in people
        ]

    def pick(
        self,
        profile: Profile,
        *,
        limit: int = 12,
        seen: Collection[int] = (),
        rising: int = 5,
    ) -> Ranking:
        """The best candidates for one person, up to `limit`, and up to `rising` others.

        Items in `seen`, and doubles of them, are never picked. When nothing is good enough there
        are no picks and the note says why; an empty profile gets what is trending.
        """
        judged = self._judge(profile, seen)
        chosen = self._choose(judged, limit)
        picks = tuple(
            self._pick(row, position, judged) for position, row in enumerate(chosen.rows, 1)
        )
        others = () if judged.wishes.is_empty else self._rising(judged, chosen.rows, rising)
        note = NO_INTERESTS if judged.wishes.is_empty and picks else None
        return Ranking(
            picks=picks,
            rising=others,
            considered=len(self),
            note=note if picks else self._why_nothing(judged),
        )

    def ranked(self, profile: Profile) -> tuple[tuple[int, float], ...]:
        """Every candidate's id and score for one person, best first; nothing is left out."""
        scores = self._judge(profile, ()).scores
        order = np.lexsort((np.arange(len(self)), -scores))
        return tuple((self._items[row].item_id, float(scores[row])) for row in order)

    def trending(self, limit: int) -> tuple[Pick, ...]:
        """What rises, nobody's interests asked; reasons are the trend in words."""
        return self.pick(Profile(), limit=limit).picks

    def explain(
        self, profile: Profile, item_id: int, *, limit: int = 12, seen: Collection[int] = ()
    ) -> Explanation:
        """Why an item is picked for this person, or the rule or rival that cuts it."""
        row = self._row.get(item_id)
        if row is None:
            text = "not among the candidates: unknown, too old, or withdrawn"
            return Explanation(item_id=item_id, verdict=Verdict.ABSENT, text=text)
        judged = self._judge(profile, seen)
        return self._explain(row, judged, self._choose(judged, limit), limit)

    def similar(self, item: str | int | Wording, limit: int = 10) -> tuple[Similar, ...]:
        """The candidates most like a text, a candidate's id or a wording; itself left out."""
        own = self._row.get(item) if isinstance(item, int) else None
        if isinstance(item, int):
            if own is None:
                return ()
            gist = self._gists[own]
        elif isinstance(item, str):
            (gist,) = self._reader.read([(item, "")])
        else:
            (gist,) = self._reader.read([(item.title, item.abstract)])
            own = next((r for r, c in enumerate(self._items) if c.wording.key == item.key), None)
        likeness = self._gists.likeness(gist)
        order = np.lexsort((np.arange(len(self)), -likeness))
        found = [int(r) for r in order if r != own and likeness[r] > 0][:limit]
        return tuple(
            Similar(item_id=self._items[r].item_id, likeness=min(float(likeness[r]), 1.0))
            for r in found
        )

    def _freshness(self, candidate: Candidate) -> float:
        since = min([candidate.first_seen_at, *(s.since for s in candidate.standings)])
        age_h = max((self._now - since).total_seconds() / 3600.0, 0.0)
        return float(0.5 ** (age_h / self._settings.half_life_hours))

    def _judge(self, profile: Profile, seen: Collection[int]) -> _Judged:
        wishes = compile_profile(profile, self._reader, self._archive, now=self._now)
        matched = match_wishes(wishes, self._field)
        if wishes.is_empty:
            matched = Matched(by_wish=matched.by_wish, total=np.ones(len(self)))
            scores = self._rise
        else:
            scores = matched.total * self._trend * self._fresh
        phrases = wishes.excluded
        found = (first_excluded(t, phrases) for t in self._field.texts) if phrases else ()
        excluded = {row: phrase for row, phrase in enumerate(found) if phrase is not None}
        is_seen = self._seen_rows(seen)
        order, doubles = self._order(scores, is_seen, excluded)
        return _Judged(
            wishes=wishes,
            matched=matched,
            scores=scores,
            excluded=excluded,
            seen=is_seen,
            order=order,
            doubles=doubles,
        )

    def _seen_rows(self, seen: Collection[int]) -> NDArray[np.bool_]:
        is_seen = np.zeros(len(self), bool)
        known = [self._row[i] for i in seen if i in self._row]
        if known:
            # the same title under another key is the same paper
            is_seen[np.isin(self._titles, self._titles[known])] = True
        return is_seen

    def _order(
        self, scores: Scores, is_seen: NDArray[np.bool_], excluded: dict[int, str]
    ) -> tuple[Rows, dict[int, int]]:
        """Rows by score, then trend, then key; of equal titles only the first."""
        ranked = np.lexsort((np.arange(len(self)), -self._rise, -scores))
        first: dict[int, int] = {}
        kept: list[int] = []
        doubles: dict[int, int] = {}
        for row in map(int, ranked):
            if is_seen[row] or row in excluded:
                continue
            standing = first.setdefault(int(self._titles[row]), row)
            if standing == row:
                kept.append(row)
            else:
                doubles[row] = standing
        return np.array(kept, np.int64), doubles

    def _choose(self, judged: _Judged, limit: int) -> Selection:
        bar = 0.0 if judged.wishes.is_empty else self._settings.min_score
        scores = judged.scores[judged.order]
        good = judged.order[(scores >= bar) & (scores > 0)]
        return select(
            good,
            judged.scores,
            limit=max(limit, 0),
            diversity=self._settings.diversity,
            likeness=self._gists.among,
        )

    def _rising(self, judged: _Judged, picked: Sequence[int], count: int) -> tuple[Pick, ...]:
        rows = [r for r in map(int, judged.order) if r not in picked and self._is_rising(r)]
        rows.sort(key=lambda r: (-self._rise[r], r))
        return tuple(
            self._rising_pick(row, position)
            for position, row in enumerate(rows[: max(count, 0)], 1)
        )

    def _is_rising(self, row: int) -> bool:
        ratio = self._trends[row].ratio
        return ratio is not None and ratio >= RATIO_SHOWN

    def _rising_pick(self, row: int, position: int) -> Pick:
        reason = trend_reason(self._trends[row], always=True)
        return Pick(
            item_id=self._items[row].item_id,
            section=Section.RISING,
            position=position,
            score=float(self._rise[row]),
            parts=self._rising_parts(row),
            reasons=(reason,) if reason else (),
        )

    def _pick(self, row: int, position: int, judged: _Judged) -> Pick:
        return Pick(
            item_id=self._items[row].item_id,
            position=position,
            score=float(judged.scores[row]),
            parts=self._judged_parts(row, judged),
            reasons=self._reasons(row, judged),
        )

    def _rising_parts(self, row: int) -> Parts:
        """The factors where no interest is asked: the match is 1."""
        strength, fresh = float(self._strengths[row]), float(self._fresh_full[row])
        return Parts(match=1.0, trend=strength, freshness=fresh)

    def _judged_parts(self, row: int, judged: _Judged) -> Parts:
        if judged.wishes.is_empty:
            return self._rising_parts(row)
        match = float(judged.matched.total[row])
        return Parts(match=match, trend=float(self._trend[row]), freshness=float(self._fresh[row]))

    def _evidence(self, row: int, judged: _Judged) -> list[Evidence]:
        claims = judged.matched.by_wish[:, row]
        strongest = sorted(range(len(claims)), key=lambda i: (-claims[i], i))
        text, gist = self._field.texts[row], self._gists[row]
        return [
            Evidence(
                reason=reason_for(nearest_interest(judged.wishes.wanted[i].interests, text, gist)),
                match=float(claims[i]),
            )
            for i in strongest
            if claims[i] > EVIDENCE_MATCH
        ]

    def _reasons(self, row: int, judged: _Judged) -> tuple[Reason, ...]:
        evidence = self._evidence(row, judged)
        strong = [e.reason for e in evidence if e.match >= REASON_MATCH] or [
            e.reason for e in evidence[:1]
        ]
        trend = trend_reason(self._trends[row], always=judged.wishes.is_empty)
        return (*strong[:REASONS_MAX], *((trend,) if trend else ()))

    def _why_nothing(self, judged: _Judged) -> str:
        if not self._items:
            return "nothing matched: there were no new papers"
        if not len(judged.order):
            return f"nothing matched: all {len(self)} papers were shown before or excluded"
        best = float(judged.scores[judged.order[0]])
        return (
            f"nothing matched: the best of {len(self)} papers scored {best:.2f}, "
            f"below {self._settings.min_score:.2f}"
        )

    def _explain(self, row: int, judged: _Judged, chosen: Selection, limit: int) -> Explanation:
        verdict, text, rival = self._verdict(row, judged, chosen, limit)
        in_picks = row in chosen.rows
        cut_by_score = verdict is Verdict.LOW_SCORE
        return Explanation(
            item_id=self._items[row].item_id,
            verdict=verdict,
            text=text,
            score=float(judged.scores[row]),
            parts=self._judged_parts(row, judged),
            reasons=self._reasons(row, judged),
            evidence=tuple(self._evidence(row, judged)),
            position=chosen.rows.index(row) + 1 if in_picks else None,
            needed=self._settings.min_score if cut_by_score else None,
            rival_id=None if rival is None else self._items[rival].item_id,
        )

    def _verdict(
        self, row: int, judged: _Judged, chosen: Selection, limit: int
    ) -> tuple[Verdict, str, int | None]:
        if row in chosen.rows:
            place = chosen.rows.index(row) + 1
            return Verdict.PICKED, f"picked, place {place} of {len(chosen.rows)}", None
        if judged.seen[row]:
            return Verdict.SEEN, "shown to this person before", None
        if row in judged.excluded:
            return Verdict.EXCLUDED, f"excluded: it has “{judged.excluded[row]}”", None
        if row in judged.doubles:
            double = judged.doubles[row]
            return Verdict.DOUBLE, f"the same paper as {self._name(double)}", double
        score = float(judged.scores[row])
        if not judged.wishes.is_empty and score < self._settings.min_score:
            bar = f"scored {score:.2f}, below {self._settings.min_score:.2f}"
            return Verdict.LOW_SCORE, bar, None
        rival = chosen.rivals.get(row)
        last = chosen.rows[-1] if chosen.rows else None
        if rival is not None and last is not None and score > judged.scores[last]:
            return Verdict.RIVAL, f"too much like {self._name(rival)}, which was picked", rival
        return Verdict.OVER_LIMIT, f"{limit} others were better", last

    def _name(self, row: int) -> str:
        wording = self._items[row].wording
        return f"“{wording.title}” ({wording.key})"


def _same_titles(wordings: Sequence[Wording]) -> NDArray[np.int64]:
    """A number per item, equal for items whose titles have the same words."""
    numbers: dict[tuple[str, ...], int] = {}
    groups = np.arange(len(wordings), dtype=np.int64)
    for row, wording in enumerate(wordings):
        words = plain_title(wording.title)
        if words:
            groups[row] = numbers.setdefault(words, row)
    return groups
