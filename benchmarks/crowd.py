"""A crowd of readers and an archive to pick from, made up but shaped like real ones.

Words are drawn by Zipf's law, papers are about one of some subjects, and everybody follows a few
shared topics and says something of their own. Used by rank_speed.py; the same numbers always give
the same crowd.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from digest.addresses import parse_address
from digest.clock import find_zone
from digest.model import InterestKind, PaperData, Status, Topic
from digest.store import Store, people, topics
from digest.store.items import merge_listing
from digest.store.migrate import migrate

NOW = datetime(2026, 3, 12, 7, 0, tzinfo=UTC)
_VOWELS, _CONSONANTS = "aeiou", "bcdfghklmnprstvwz"
_WORDS, _SUBJECTS, _SUBJECT_WORDS = 20_000, 60, 150
_TOPICS = 40
_PHRASES = 2_000
#: people stored in one transaction
_BATCH = 5_000


class World:
    """Words, subjects and topics, and texts made of them."""

    def __init__(self, seed: int = 11) -> None:
        self._chance = random.Random(seed)
        self._words = sorted({self._word() for _ in range(_WORDS)})
        self._chance.shuffle(self._words)
        self._zipf = list(accumulate(1.0 / rank for rank in range(3, len(self._words) + 3)))
        self._subjects = [
            self._chance.sample(self._words, _SUBJECT_WORDS) for _ in range(_SUBJECTS)
        ]
        self._phrases = [" ".join(self._about(2)) for _ in range(_PHRASES)]
        self.topics = [self._topic(number) for number in range(_TOPICS)]

    def _word(self) -> str:
        sounds = self._chance.randint(2, 4)
        syllables = (
            self._chance.choice(_CONSONANTS) + self._chance.choice(_VOWELS) for _ in range(sounds)
        )
        return "".join(syllables) + self._chance.choice(("", "n", "r", "st", "tion", "ing"))

    def _about(self, count: int, subject: int | None = None) -> list[str]:
        """Words on one subject."""
        words = self._subjects[self._chance.randrange(_SUBJECTS) if subject is None else subject]
        # the subject's first words are its usual ones
        return [words[int(len(words) * self._chance.random() ** 2)] for _ in range(count)]

    def _common(self, count: int) -> list[str]:
        top = self._zipf[-1]
        return [self._words[bisect(self._zipf, self._chance.random() * top)] for _ in range(count)]

    def text(self, count: int, subject: int) -> str:
        """A text of so many words, a third of them on the subject."""
        words = self._common(count - count // 3) + self._about(count // 3, subject)
        self._chance.shuffle(words)
        return " ".join(words)

    def _topic(self, number: int) -> Topic:
        subject = number % _SUBJECTS
        return Topic(
            slug=f"topic-{number}",
            name=" ".join(self._about(2, subject)).title(),
            description=" ".join(self._about(8, subject)),
            text=" ".join(self._about(40, subject)),
            keywords=tuple(" ".join(self._about(2, subject)) for _ in range(5)),
        )

    def papers(self, count: int, first: int, listed_at: datetime) -> list[PaperData]:
        """So many papers of usual size, numbered from `first`, listed in the two days before."""
        return [self._paper(first + n, n % 100 + 1, listed_at) for n in range(count)]

    def _paper(self, number: int, position: int, listed_at: datetime) -> PaperData:
        chance, subject = self._chance, self._chance.randrange(_SUBJECTS)
        arxiv_id = _arxiv_id(number)
        return PaperData(
            title=self.text(10, subject).capitalize(),
            abstract=self.text(180, subject).capitalize(),
            authors=tuple(" ".join(self._common(2)).title() for _ in range(5)),
            categories=(f"cs.{'ABCDEFGH'[subject % 8]}L", "cs.LG"),
            url=f"https://arxiv.org/abs/{arxiv_id}",
            arxiv_id=arxiv_id,
            published_at=listed_at - timedelta(days=1),
            listed_at=listed_at - timedelta(hours=chance.random() * 48),
            position=position,
            votes=int(chance.expovariate(1 / 12)),
        )

    def again(self, paper: PaperData, number: int) -> PaperData:
        """The same text as another paper: for archives of half a million."""
        arxiv_id = _arxiv_id(number)
        title = f"{paper.title} {self._chance.choice(self._words)} {number}"
        return replace(
            paper, title=title, arxiv_id=arxiv_id, url=f"https://arxiv.org/abs/{arxiv_id}"
        )

    def sentence(self) -> str:
        """What one person might say of what they want."""
        return " ".join(self._about(self._chance.randint(2, 8)))

    def wishes(self, likes: Sequence[str]) -> Iterator[people.Wish]:
        """What one person wants: topics that many share, and words of their own."""
        chance = self._chance
        for topic in chance.sample(self.topics, chance.choice((0, 1, 1, 2, 3))):
            yield people.Wish(kind=InterestKind.TOPIC, value=topic.slug)
        yield people.Wish(kind=InterestKind.TEXT, value=self.sentence())
        if chance.random() < 0.6:
            for phrase in {chance.choice(self._phrases) for _ in range(2)}:
                yield people.Wish(kind=InterestKind.KEYWORD, value=phrase)
        if chance.random() < 0.3:
            for key in {chance.choice(likes) for _ in range(3)}:
                yield people.Wish(kind=InterestKind.LIKE, value=key)
        if chance.random() < 0.1:
            yield people.Wish(kind=InterestKind.CATEGORY, value=f"cs.{chance.choice('ABCD')}L")
        if chance.random() < 0.1:
            yield people.Wish(kind=InterestKind.EXCLUDE, value=chance.choice(self._phrases))


def _arxiv_id(number: int) -> str:
    return f"{2001 + number // 90_000}.{number % 90_000 + 10_000:05d}"


def fill(path: Path, *, readers: int, candidates: int, archive: int) -> None:
    """A database with that many confirmed readers, all due at NOW, and papers to pick from."""
    world = World()
    store = Store(f"sqlite:///{path}")
    migrate(store)
    old, new = NOW - timedelta(days=40), NOW - timedelta(hours=3)
    with store.write() as tx:
        for topic in world.topics:
            topics.put_topic(tx, topic)
    papers = world.papers(archive, 0, old)
    list_papers(store, papers, old)
    list_papers(store, world.papers(candidates, archive, new), new)
    likes = [f"arxiv:{p.arxiv_id}" for p in papers]
    for start in range(0, readers, _BATCH):
        _join(store, world, range(start, min(start + _BATCH, readers)), likes)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def list_papers(store: Store, papers: Sequence[PaperData], at: datetime) -> None:
    """Store papers as a source's listings, in transactions of usual size."""
    for start in range(0, len(papers), 500):
        with store.write() as tx:
            listed = papers[start : start + 500]
            merge_listing(tx, listed, source="hf", kind="huggingface", now=at)


def _join(store: Store, world: World, numbers: Sequence[int], likes: Sequence[str]) -> None:
    joined = NOW - timedelta(days=30)
    with store.write() as tx:
        ids = people.add_subscribers(tx, [_person(number) for number in numbers]).values()
        wishes = [(i, wish) for i in ids for wish in world.wishes(likes)]
        people.add_wishes(tx, wishes, now=joined)


def _person(number: int) -> dict[str, object]:
    email = f"reader{number}@example.net"
    zone = ("Europe/Berlin", "America/New_York", "Asia/Tokyo", "UTC")[number % 4]
    return {
        "email": email,
        "address_key": parse_address(email).key,
        "status": Status.CONFIRMED,
        "zone": zone,
        "send_at": NOW.astimezone(find_zone(zone)).strftime("%H:%M"),
        "cadence": "daily",
        "max_items": 12,
        "rising": True,
        "created_at": NOW - timedelta(days=30),
        "confirmed_at": NOW - timedelta(days=30),
        "next_edition_at": NOW,
    }
