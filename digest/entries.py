"""From a ranking to the edition that a person gets: each pick with what its item shows.

Pure: pool, ranking and moments in, records out. Used by digest/edition.py. What an item shows is
the same for everybody, so it is put together once.
"""

from __future__ import annotations

from datetime import datetime

from digest.clock import local_date
from digest.model import Candidate, Edition, Entry, Pick, Profile, Ranking, Subscriber, Wording
from digest.model.quick import make_entry
from digest.rank import Pool

#: an item's words, votes, comments and stars
_Shown = tuple[Wording, int | None, int | None, int | None]


class Entries:
    """The entries that a pool's picks become."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._shown: dict[int, _Shown] = {}

    def edition(
        self,
        subscriber: Subscriber,
        profile: Profile,
        ranking: Ranking,
        *,
        now: datetime,
        due_at: datetime,
    ) -> Edition:
        """The edition of a person, not stored yet."""
        return Edition(
            id=0,
            subscriber_id=subscriber.id,
            email=subscriber.email,
            zone=subscriber.zone,
            due_at=due_at,
            made_at=now,
            local_on=local_date(due_at, subscriber.zone),
            entries=tuple(map(self._entry, ranking.picks)),
            rising=tuple(map(self._entry, ranking.rising)),
            considered=ranking.considered,
            interests=profile.count,
            note=ranking.note,
        )

    def _entry(self, pick: Pick) -> Entry:
        shown = self._shown.get(pick.item_id)
        if shown is None:
            shown = self._shown[pick.item_id] = _shown_of(self.pool.candidate(pick.item_id))
        return make_entry(pick, *shown)


def _shown_of(candidate: Candidate) -> _Shown:
    return (
        candidate.wording,
        _total(candidate, "votes"),
        _total(candidate, "comments"),
        _most(candidate, "stars"),
    )


def _numbers(candidate: Candidate, name: str) -> list[int]:
    latest = (getattr(s.latest, name) for s in candidate.standings)
    return [n for n in latest if n is not None]


def _total(candidate: Candidate, name: str) -> int | None:
    numbers = _numbers(candidate, name)
    return sum(numbers) if numbers else None


def _most(candidate: Candidate, name: str) -> int | None:
    # every source shows the same repository's stars: they do not add up
    return max(_numbers(candidate, name), default=None)
