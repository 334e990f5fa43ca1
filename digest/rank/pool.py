"""The day's candidates, prepared once and shared by all people: pick, explain, top, similar.

Everything here is a pure function of the candidates, the ranker and `now`; the order in which
candidates come makes no difference. Made by Ranker.pool, used by editions, preview, why and top.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, repeat

import numpy as np

from digest.model import Candidate, Parts, Pick, Profile, Ranking, Section, Wording
from digest.model.quick import make_pick
from digest.rank.archive import Archive
from digest.rank.asked import Asked
from digest.rank.choose import Chosen
from digest.rank.explain import Explanation
from digest.rank.judge import Judge, Judged
from digest.rank.lexicon import Floats
from digest.rank.reader import Reader
from digest.rank.reasons import RATIO_SHOWN
from digest.rank.settings import RankSettings
from digest.rank.why import Why
from digest.rank.words import Ids

NO_INTERESTS = "you named no interests yet: this is what is rising"
#: people judged together: fewer pay more for each step, more would not fit into the caches
BLOCK = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Similar:
    """An item and how like the question it is."""

    item_id: int
    #: 0…1
    likeness: float


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
        self._reader = reader
        self._judge = Judge(candidates, now=now, settings=settings, reader=reader, archive=archive)
        self._items = self._judge.items
        self._item_ids = np.array([c.item_id for c in self._items], np.int64)
        is_rising = [t.ratio is not None and t.ratio >= RATIO_SHOWN for t in self._judge.trends]
        self._rising_rows = np.flatnonzero(np.array(is_rising, bool))
        self._rising_picks: dict[tuple[int, int], Pick] = {}

    def __len__(self) -> int:
        return len(self._items)

    def candidate(self, item_id: int) -> Candidate:
        """The candidate of that id. Raises KeyError when it is none."""
        return self._items[self._judge.rows[item_id]]

    @property
    def item_ids(self) -> Collection[int]:
        """The items that may be picked."""
        return self._judge.rows.keys()

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
        asked = Asked(profile=profile, limit=limit, seen=seen, rising=rising)
        (ranking,) = self.pick_many([asked])
        return ranking

    def pick_many(self, people: Sequence[Asked]) -> list[Ranking]:
        """The rankings of many people, in their order; each as `pick` gives it."""
        rankings: list[Ranking] = []
        for start in range(0, len(people), BLOCK):
            block = people[start : start + BLOCK]
            judged = self._judge.judge(block)
            found: dict[int, Ranking] = {}
            for limit in sorted({max(one.limit, 0) for one in block}):
                alike = np.array([at for at, one in enumerate(block) if max(one.limit, 0) == limit])
                chosen = self._judge.choose(judged, alike, limit)
                found |= zip(
                    alike.tolist(), self._rankings(block, judged, alike, chosen), strict=True
                )
            rankings += [found[at] for at in range(len(block))]
        return rankings

    def ranked(self, profile: Profile) -> tuple[tuple[int, float], ...]:
        """Every candidate's id and score for one person, best first; nothing is left out."""
        scores = self._judge.judge([Asked(profile=profile)]).scores[0]
        order = np.lexsort((np.arange(len(self)), -scores))
        return tuple((self._items[row].item_id, float(scores[row])) for row in order)

    def trending(self, limit: int) -> tuple[Pick, ...]:
        """What rises, nobody's interests asked; reasons are the trend in words."""
        return self.pick(Profile(), limit=limit).picks

    def explain(
        self, profile: Profile, item_id: int, *, limit: int = 12, seen: Collection[int] = ()
    ) -> Explanation:
        """Why an item is picked for this person, or the rule or rival that cuts it."""
        asked = Asked(profile=profile, limit=max(limit, 0), seen=seen)
        judged = self._judge.judge([asked])
        chosen = self._judge.choose(judged, np.zeros(1, np.int64), asked.limit)
        return Why(self._judge, judged).explain(item_id, asked, chosen)

    def similar(self, item: str | int | Wording, limit: int = 10) -> tuple[Similar, ...]:
        """The candidates most like a text, a candidate's id or a wording; itself left out."""
        own = self._judge.rows.get(item) if isinstance(item, int) else None
        if isinstance(item, int):
            if own is None:
                return ()
            gist = self._judge.gists[own]
        elif isinstance(item, str):
            (gist,) = self._reader.read([(item, "")])
        else:
            (gist,) = self._reader.read([(item.title, item.abstract)])
            own = next((r for r, c in enumerate(self._items) if c.wording.key == item.key), None)
        likeness = self._judge.gists.likeness(gist)
        order = np.lexsort((np.arange(len(self)), -likeness))
        found = [int(r) for r in order if r != own and likeness[r] > 0][:limit]
        return tuple(
            Similar(item_id=self._items[r].item_id, likeness=min(float(likeness[r]), 1.0))
            for r in found
        )

    def _rankings(
        self, people: Sequence[Asked], judged: Judged, alike: Ids, chosen: Chosen
    ) -> Iterator[Ranking]:
        """The rankings of those people of a block who take equally many."""
        picks = self._picks(judged, alike, chosen)
        rising = self._risings(people, judged, alike, chosen)
        counts = (chosen.picks >= 0).sum(axis=1).tolist()
        for person, count, others in zip(alike.tolist(), counts, rising, strict=True):
            is_empty = bool(judged.is_empty[person])
            if count:
                note = NO_INTERESTS if is_empty else None
            else:
                note = self._why_nothing(judged.left[person])
            yield Ranking(
                picks=tuple(islice(picks, count)),
                rising=() if is_empty else tuple(others),
                considered=len(self),
                note=note,
            )

    def _picks(self, judged: Judged, alike: Ids, chosen: Chosen) -> Iterator[Pick]:
        """What was picked, person after person."""
        why = Why(self._judge, judged)
        lines, places = np.nonzero(chosen.picks >= 0)
        people, rows = alike[lines], chosen.picks[lines, places]
        return map(
            make_pick,
            self._item_ids[rows].tolist(),
            repeat(Section.PICK),
            (places + 1).tolist(),
            judged.scores[people, rows].tolist(),
            why.parts(people, rows),
            why.reasons(people, rows),
        )

    def _risings(
        self, people: Sequence[Asked], judged: Judged, alike: Ids, chosen: Chosen
    ) -> list[list[Pick]]:
        """For each what rises outside the picks; candidates stand in the order of their rise."""
        is_open = judged.left[alike] > -np.inf
        lines, places = np.nonzero(chosen.picks >= 0)
        is_open[lines, chosen.picks[lines, places]] = False
        is_open = is_open[:, self._rising_rows]
        place = is_open.cumsum(axis=1)
        wanted = np.array([max(people[person].rising, 0) for person in alike.tolist()])
        found = np.nonzero(is_open & (place <= wanted[:, np.newaxis]))
        told = found[0].tolist(), self._rising_rows[found[1]].tolist(), place[found].tolist()
        risings: list[list[Pick]] = [[] for _ in alike]
        for line, row, position in zip(*told, strict=True):
            risings[line].append(self._rising(row, position))
        return risings

    def _rising(self, row: int, position: int) -> Pick:
        """The same pick for everybody who gets it at that place."""
        known = self._rising_picks.get((row, position))
        if known is None:
            judge = self._judge
            reason = judge.told_trends[row]
            known = self._rising_picks[row, position] = Pick(
                item_id=self._items[row].item_id,
                section=Section.RISING,
                position=position,
                score=float(judge.rise[row]),
                parts=Parts(
                    match=1.0,
                    trend=float(judge.strengths[row]),
                    freshness=float(judge.freshness[row]),
                ),
                reasons=(reason,) if reason else (),
            )
        return known

    def _why_nothing(self, left: Floats) -> str:
        if not self._items:
            return "nothing matched: there were no new papers"
        best = float(left.max())
        if best == -np.inf:
            return f"nothing matched: all {len(self)} papers were shown before or excluded"
        return (
            f"nothing matched: the best of {len(self)} papers scored {best:.2f}, "
            f"below {self._judge.settings.min_score:.2f}"
        )
