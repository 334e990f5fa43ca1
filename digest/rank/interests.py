"""A profile, compiled: each wish by itself, ready to be held against the day's candidates.

Compiling is done once per profile and costs about a millisecond; it needs the archive's word
weights only. Used by Pool; interests know how they are called but nothing of candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from digest.model import Example, Profile, ReasonKind, Topic
from digest.rank.lexicon import NOTHING, WordVector
from digest.rank.rules import unquote

#: a like counts half as much after so many days more; it never fades below FADED
LIKE_HALF_LIFE_DAYS = 240.0
FADED = 0.4

Vectorise = Callable[[str, str], WordVector]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """One wish of a person, or one thing they did not like."""

    kind: ReasonKind
    #: how the why-line begins: "your interest"
    lead: str
    #: the person's own words, or the liked paper's title
    subject: str
    vector: WordVector = NOTHING
    #: how much it counts, 0…1: 1 unless it has faded
    weight: float = 1.0
    #: a phrase that is a match by itself
    phrases: tuple[str, ...] = ()
    #: words that end this interest's claim on an item, but not others'
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """A compiled profile."""

    interests: tuple[Interest, ...]
    disliked: tuple[Interest, ...]
    #: a hard no: an item with one of these is never shown to this person
    excluded: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not self.interests


def compile_profile(profile: Profile, vectorise: Vectorise, *, now: datetime) -> Wishes:
    """Turn what a person said into interests; blank lines in it are left out."""
    return Wishes(
        interests=(
            *(_topic(t, vectorise) for t in profile.topics),
            *_texts(profile, vectorise),
            *_keywords(profile, vectorise),
            *_names(profile),
            *(_example(e, vectorise, now=now) for e in profile.liked),
        ),
        disliked=tuple(_example(e, vectorise, now=now) for e in profile.disliked),
        excluded=tuple(p for p in profile.excluded if p.strip()),
    )


def _topic(topic: Topic, vectorise: Vectorise) -> Interest:
    about = " . ".join((topic.description, topic.text, *map(_bare, topic.keywords)))
    return Interest(
        kind=ReasonKind.TOPIC,
        lead="topic",
        subject=topic.name,
        vector=vectorise(topic.name, about),
        phrases=topic.keywords,
        excluded=tuple(p for p in topic.exclude if p.strip()),
    )


def _bare(keyword: str) -> str:
    return unquote(keyword)[0]


def _texts(profile: Profile, vectorise: Vectorise) -> Iterator[Interest]:
    for text in profile.texts:
        if text.strip():
            yield Interest(
                kind=ReasonKind.TEXT,
                lead="your interest",
                subject=text.strip(),
                vector=vectorise(text, ""),
                phrases=(text,) if len(text.split()) <= 3 else (),
            )


def _keywords(profile: Profile, vectorise: Vectorise) -> Iterator[Interest]:
    for keyword in profile.keywords:
        bare, quoted = unquote(keyword)
        if bare:
            yield Interest(
                kind=ReasonKind.KEYWORD,
                lead="matches",
                subject=bare,
                # a phrase in quotes is found as it stands or not at all
                vector=NOTHING if quoted else vectorise(bare, ""),
                phrases=(bare,),
            )


def _names(profile: Profile) -> Iterator[Interest]:
    for author in profile.authors:
        if author.strip():
            yield Interest(kind=ReasonKind.AUTHOR, lead="by", subject=author.strip())
    for category in profile.categories:
        if category.strip():
            yield Interest(kind=ReasonKind.CATEGORY, lead="in", subject=category.strip())


def _example(example: Example, vectorise: Vectorise, *, now: datetime) -> Interest:
    age_days = max((now - example.at).total_seconds(), 0.0) / 86_400
    faded = FADED + (1 - FADED) * 0.5 ** (age_days / LIKE_HALF_LIFE_DAYS)
    return Interest(
        kind=ReasonKind.LIKED,
        lead="you liked",
        subject=example.title.strip() or example.key,
        vector=vectorise(example.title, example.abstract),
        weight=faded,
    )
