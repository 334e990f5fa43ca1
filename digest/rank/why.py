"""Why an item stands where it does for a person: the parts of its score, in numbers and in words.

Everything is read from the arrays that made the score, so reasons cannot disagree with it. Used by
Pool: for every pick its parts and reasons, for `digest why` all that can be told of one item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from digest.model import Parts, Reason
from digest.model.quick import make_parts
from digest.rank.asked import Asked
from digest.rank.choose import Chosen
from digest.rank.explain import Evidence, Explanation, Verdict
from digest.rank.interests import Wish
from digest.rank.judge import Judge, Judged
from digest.rank.lexicon import Floats
from digest.rank.match import squeeze
from digest.rank.reasons import reason_for
from digest.rank.words import Ids

#: a wish that matches less is no reason
REASON_MATCH = 0.2
#: a wish that matches less is not worth telling as evidence either
EVIDENCE_MATCH = 0.05
#: reasons of one pick, the trend not counted
REASONS_MAX = 2

Ruled = tuple[Verdict, str, int | None]


class Why:
    """What can be told of a block of people's items."""

    def __init__(self, judge: Judge, judged: Judged) -> None:
        self._judge = judge
        self._judged = judged
        # by interest: most are told of several items
        self._told: dict[int, Reason] = {}

    def parts(self, people: Ids, rows: Ids) -> list[Parts]:
        """The factors of the scores of some pairs; the match is 1 where no interest is asked."""
        judge, judged = self._judge, self._judged
        empty = judged.is_empty[people]
        told = (
            judged.matched.total[people, rows],
            np.where(empty, judge.strengths[rows], judge.trend_factor[rows]),
            np.where(empty, judge.freshness[rows], judge.fresh_factor[rows]),
        )
        return list(map(make_parts, *(part.tolist() for part in told)))

    def reasons(self, people: Ids, rows: Ids) -> list[tuple[Reason, ...]]:
        """The why-lines of some pairs of a person and an item."""
        matches = self._matches(people, rows)
        order = np.argsort(-matches, axis=1, kind="stable")[:, :REASONS_MAX]
        strongest = np.take_along_axis(matches, order, axis=1)
        pairs = people.tolist(), rows.tolist(), strongest.tolist(), order.tolist()
        told = []
        for person, row, claims, wishes in zip(*pairs, strict=True):
            wanted = self._judged.wishes[person].wanted
            reasons: list[Reason] = []
            for claim, wish in zip(claims, wishes, strict=True):
                if claim < (REASON_MATCH if reasons else EVIDENCE_MATCH):
                    break
                reasons.append(self._reason(wanted[wish], row))
            trend = self._trends(person)[row]
            told.append((*reasons, trend) if trend else tuple(reasons))
        return told

    def _trends(self, person: int) -> Sequence[Reason | None]:
        is_empty = self._judged.is_empty[person]
        return self._judge.told_trends if is_empty else self._judge.notable_trends

    def evidence(self, person: int, row: int) -> Iterator[Evidence]:
        """Each wish's own claim on an item, strongest first; those of nothing left out."""
        matches = self._matches(np.array([person]), np.array([row]))[0]
        wanted = self._judged.wishes[person].wanted
        for wish in np.argsort(-matches, kind="stable").tolist():
            if matches[wish] > EVIDENCE_MATCH:
                reason = self._reason(wanted[wish], row)
                yield Evidence(reason=reason, match=float(matches[wish]))

    def explain(self, item_id: int, asked: Asked, chosen: Chosen) -> Explanation:
        """All that can be told of one item and the first person of the block."""
        row = self._judge.rows.get(item_id)
        if row is None:
            text = "not among the candidates: unknown, too old, or withdrawn"
            return Explanation(item_id=item_id, verdict=Verdict.ABSENT, text=text)
        picked = chosen.picks[0][chosen.picks[0] >= 0].tolist()
        pair = np.array([0]), np.array([row])
        verdict, text, rival = self._verdict(row, asked, chosen, picked)
        is_low = verdict is Verdict.LOW_SCORE
        return Explanation(
            item_id=item_id,
            verdict=verdict,
            text=text,
            score=float(self._judged.scores[0, row]),
            parts=self.parts(*pair)[0],
            reasons=self.reasons(*pair)[0],
            evidence=tuple(self.evidence(0, row)),
            position=picked.index(row) + 1 if row in picked else None,
            needed=self._judge.settings.min_score if is_low else None,
            rival_id=None if rival is None else self._judge.items[rival].item_id,
        )

    def _verdict(self, row: int, asked: Asked, chosen: Chosen, picked: list[int]) -> Ruled:
        judged = self._judged
        if row in picked:
            place = picked.index(row) + 1
            return Verdict.PICKED, f"picked, place {place} of {len(picked)}", None
        cut = self._cut_by_rule(row, asked)
        if cut is not None:
            return cut
        score, needed = float(judged.scores[0, row]), self._judge.settings.min_score
        if not judged.is_empty[0] and score < needed:
            return Verdict.LOW_SCORE, f"scored {score:.2f}, below {needed:.2f}", None
        last = picked[-1] if picked else None
        rival = self._rival(row, chosen, picked)
        if rival is not None and score > judged.scores[0, last]:
            text = f"too much like {self._name(rival)}, which was picked"
            return Verdict.RIVAL, text, rival
        return Verdict.OVER_LIMIT, f"{asked.limit} others were better", last

    def _rival(self, row: int, chosen: Chosen, picked: list[int]) -> int | None:
        """The pick that pushed a row down; None when none did, or it was not even looked at."""
        if not (picked and row in chosen.looked_at[0] and self._judge.settings.diversity > 0):
            return None
        return self._judge.likeness.rival(row, np.array(picked))

    def _cut_by_rule(self, row: int, asked: Asked) -> Ruled | None:
        """What had an item left out before anything was compared."""
        if row in self._judge.seen_rows(asked.seen):
            return Verdict.SEEN, "shown to this person before", None
        for phrase in self._judged.wishes[0].excluded:
            if row in self._judge.phrases.rows(phrase):
                return Verdict.EXCLUDED, f"excluded: it has “{phrase}”", None
        if self._judged.left[0, row] == -np.inf:
            double = next(t for t in self._judge.twins(row) if self._judged.left[0, t] > -np.inf)
            return Verdict.DOUBLE, f"the same paper as {self._name(double)}", double
        return None

    def _matches(self, people: Ids, rows: Ids) -> Floats:
        """What each of a person's wishes claims of an item, 0…1 (pairs × most wishes)."""
        matched = self._judged.matched
        starts = np.array(matched.starts)
        first, counts = starts[people], np.diff(starts)[people]
        wish = np.arange(counts.max(initial=0))
        has = wish < counts[:, np.newaxis]
        at = np.where(has, first[:, np.newaxis] + wish, 0)
        return squeeze(np.where(has, matched.claims[at, rows[:, np.newaxis]], -np.inf))

    def _reason(self, wish: Wish, row: int) -> Reason:
        interests = wish.interests
        interest = interests[0] if len(interests) == 1 else interests[self._nearest[id(wish)][row]]
        known = self._told.get(id(interest))
        if known is None:
            known = self._told[id(interest)] = reason_for(interest)
        return known

    @cached_property
    def _nearest(self) -> dict[int, list[int]]:
        """Of all that was said of a wish, what comes nearest to each item: a phrase of it in the
        text, else what is most like it; the first of equals.
        """
        wishes = [w for own in self._judged.wishes for w in own.wanted if len(w.interests) > 1]
        said = [interest for wish in wishes for interest in wish.interests]
        likeness = self._judge.gists.likeness_many([i.gist for i in said if i.gist is not None])
        for own, interest in zip(likeness, said, strict=True):
            own[self._judge.phrases.rows_of_any(interest.phrases)] = np.inf
        ends = np.cumsum([len(wish.interests) for wish in wishes]).tolist()
        return {
            id(wish): likeness[end - len(wish.interests) : end].argmax(axis=0).tolist()
            for wish, end in zip(wishes, ends, strict=True)
        }

    def _name(self, row: int) -> str:
        wording = self._judge.items[row].wording
        return f"“{wording.title}” ({wording.key})"
