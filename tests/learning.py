"""Readers with a hidden taste who live through recorded days and press 👍 or 👎 on what they get.

The ranker is told one vague line of interest, and what was pressed; never the taste. Used by
tests/test_learning.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta
from functools import cache

from digest.model import Candidate, Count, Example, Profile, Standing, Wording
from digest.rank import Ranker, RankSettings
from tests.recordings import daily_files, daily_items

#: the ranker of a day, from the texts that were seen before it
MakeRanker = Callable[[Sequence[tuple[str, str]], RankSettings], Ranker]
#: picks of one edition
PICKS = 6
LOOKBACK_DAYS = 4
#: texts that say what is usual
BACKGROUND = 200
#: the pure match: whether it learns, not what is rising
SETTINGS = RankSettings(trend_weight=0.0, diversity=0.0, min_score=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Somebody who says one thing and likes another."""

    says: str
    #: what is liked has one of these; the ranker never sees them
    likes: str

    def enjoys(self, wording: Wording) -> bool:
        return re.search(self.likes, f"{wording.title} {wording.abstract}", re.I) is not None


READERS = (
    Reader(says="agents", likes=r"\brobot|manipulation|embodied|humanoid"),
    Reader(says="new models", likes=r"video generation|video diffusion|text-to-video"),
    Reader(says="better training", likes=r"mathematical reasoning|theorem|\bmath\b"),
    Reader(says="language models", likes=r"speech|audio|\bvoice"),
    Reader(says="generation", likes=r"\b3D\b|gaussian splatting|point cloud|\bmesh"),
    Reader(says="efficient inference", likes=r"\bcode\b|software engineering|program"),
)


@dataclass(slots=True)
class Life:
    """What one reader got, day by day."""

    #: picks that were enjoyed, and how many could have been at best
    days: list[tuple[int, int]] = field(default_factory=list)

    def share(self, start: int, end: int) -> float:
        """Of what could have been enjoyed on those days, the share that was picked."""
        enjoyed, possible = map(sum, zip(*self.days[start:end], strict=True))
        return enjoyed / max(possible, 1)


@cache
def recorded_days(first: str, count: int) -> tuple[tuple[Candidate, ...], ...]:
    """What was new on each of so many recorded days, from that day on."""
    files = [path for path in daily_files() if path.stem >= first][:count]
    seen: set[str] = set()
    days = []
    for path in files:
        at = datetime.combine(datetime.fromisoformat(path.stem), time(6), UTC)
        listed = {str(i["paper"]["id"]): i["paper"] for i in daily_items(path)}  # type: ignore[index]  # as recorded
        days.append(tuple(_candidate(k, p, at) for k, p in listed.items() if k not in seen))
        seen |= set(listed)
    return tuple(days)


def _candidate(arxiv_id: str, paper: dict[str, object], at: datetime) -> Candidate:
    votes = Count(at=at, votes=int(str(paper["upvotes"])))
    return Candidate(
        item_id=int(arxiv_id.replace(".", "")),
        wording=Wording(
            key=f"arxiv:{arxiv_id}",
            url=f"https://arxiv.org/abs/{arxiv_id}",
            title=str(paper["title"]),
            abstract=str(paper["summary"]),
            authors=(),
            categories=(),
        ),
        first_seen_at=at,
        standings=(Standing(source="hf", kind="huggingface", first_seen_at=at, counts=(votes,)),),
    )


def live(
    readers: Sequence[Reader],
    days: Sequence[Sequence[Candidate]],
    make_ranker: MakeRanker,
    *,
    presses: bool,
) -> list[Life]:
    """All readers through all days; with `presses` each of their picks gets a 👍 or 👎."""
    profiles = [Profile(texts=(reader.says,)) for reader in readers]
    had: list[set[int]] = [set() for _ in readers]
    lives = [Life() for _ in readers]
    for number in range(LOOKBACK_DAYS, len(days)):
        background = [_text(c.wording) for day in days[:number] for c in day]
        offered = [c for day in days[number - LOOKBACK_DAYS + 1 : number + 1] for c in day]
        now = days[number][0].first_seen_at + timedelta(hours=2)
        pool = make_ranker(background[-BACKGROUND:], SETTINGS).pool(offered, now=now)
        for at, reader in enumerate(readers):
            picks = pool.pick(profiles[at], limit=PICKS, seen=had[at], rising=0).picks
            got = [pool.candidate(pick.item_id).wording for pick in picks]
            lives[at].days.append(
                (sum(map(reader.enjoys, got)), _possible(reader, offered, had[at]))
            )
            had[at] |= {pick.item_id for pick in picks}
            if presses:
                profiles[at] = _pressed(profiles[at], reader, got, now)
    return lives


def _possible(reader: Reader, offered: Sequence[Candidate], had: set[int]) -> int:
    good = sum(c.item_id not in had and reader.enjoys(c.wording) for c in offered)
    return min(good, PICKS)


def _pressed(profile: Profile, reader: Reader, got: Sequence[Wording], now: datetime) -> Profile:
    votes = {True: list(profile.liked), False: list(profile.disliked)}
    for wording in got:
        example = Example(key=wording.key, title=wording.title, abstract=wording.abstract, at=now)
        votes[reader.enjoys(wording)].append(example)
    return replace(profile, liked=tuple(votes[True]), disliked=tuple(votes[False]))


def _text(wording: Wording) -> tuple[str, str]:
    return wording.title, wording.abstract
