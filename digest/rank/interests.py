"""A profile, compiled: its wishes, each ready to be held against the day's candidates.

What is said of one thing goes together: all likes make one taste, all keywords another, and each
topic and each sentence one of its own. Compiling needs the archive only, nothing of candidates,
and is done once per profile. Used by Pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from digest.model import Example, Profile, ReasonKind, Topic
from digest.rank.archive import Archive, Gist
from digest.rank.reader import Reader, Text
from digest.rank.rules import unquote
from digest.rank.tastes import Taste, compile_taste

#: a like counts half as much after so many days more; it never fades below FADED
LIKE_HALF_LIFE_DAYS = 240.0
FADED = 0.4
#: a text of so few words is looked for as a phrase too
PHRASE_WORDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Interest:
    """One thing that a person said, as the why-line tells it."""

    kind: ReasonKind
    #: how the why-line begins: "your interest"
    lead: str
    #: the person's own words, or the liked paper's title
    subject: str
    #: what it is about; None for what matches by a rule only
    gist: Gist | None = None
    #: what stands in the text as written makes it match more
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants, or does not: one claim on every item."""

    #: what was said of it; the one that is nearest to an item is told
    interests: tuple[Interest, ...]
    #: None when it matches by a rule only: an author, a category, a phrase in quotes
    taste: Taste | None = None
    #: words that end this wish's claim on an item, but not others'
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """A compiled profile."""

    wanted: tuple[Wish, ...]
    disliked: tuple[Wish, ...]
    #: a hard no: an item with one of these is never shown to this person
    excluded: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        return not self.wanted


def compile_profile(profile: Profile, reader: Reader, archive: Archive, *, now: datetime) -> Wishes:
    """Turn what a person said into wishes; blank lines in it are left out."""
    maker = _Maker(profile, reader, archive, now)
    return Wishes(
        wanted=(
            *map(maker.topic, profile.topics),
            *(maker.text(text) for text in profile.texts if text.strip()),
            *maker.keywords(profile.keywords),
            *_names(profile),
            *maker.likes(profile.liked),
        ),
        disliked=tuple(wish for e in profile.disliked for wish in maker.likes((e,))),
        excluded=tuple(p for p in profile.excluded if p.strip()),
    )


def texts_of(profile: Profile) -> tuple[Text, ...]:
    """All that has to be read to know what a person wants."""
    return (
        *own_texts(profile),
        *map(_topic_text, profile.topics),
        *((e.title, e.abstract) for e in (*profile.liked, *profile.disliked)),
    )


def own_texts(profile: Profile) -> tuple[Text, ...]:
    """What the person has written, as it is read: no topic's words and no paper's."""
    loose, _ = _split_keywords(profile.keywords)
    sentences = ((text, "") for text in profile.texts if text.strip())
    return (*sentences, *([_joined(loose)] if loose else []))


def _names(profile: Profile) -> Iterator[Wish]:
    for author in profile.authors:
        if author.strip():
            yield _rule(ReasonKind.AUTHOR, "by", author.strip())
    for category in profile.categories:
        if category.strip():
            yield _rule(ReasonKind.CATEGORY, "in", category.strip())


def _rule(kind: ReasonKind, lead: str, subject: str) -> Wish:
    return Wish(interests=(Interest(kind=kind, lead=lead, subject=subject),))


class _Maker:
    """Makes one profile's wishes; all its texts are read at once."""

    def __init__(self, profile: Profile, reader: Reader, archive: Archive, now: datetime) -> None:
        self._reader = reader
        self._archive = archive
        self._now = now
        texts = texts_of(profile)
        self._gists = dict(zip(texts, reader.read(texts), strict=True))

    def topic(self, topic: Topic) -> Wish:
        gist = self._gists[_topic_text(topic)]
        interest = Interest(
            kind=ReasonKind.TOPIC,
            lead="topic",
            subject=topic.name,
            gist=gist,
            phrases=topic.keywords,
        )
        excluded = tuple(p for p in topic.exclude if p.strip())
        return self._wish([interest], [gist], [1.0], excluded)

    def text(self, text: str) -> Wish:
        gist = self._gists[text, ""]
        interest = Interest(
            kind=ReasonKind.TEXT,
            lead="your interest",
            subject=text.strip(),
            gist=gist,
            phrases=(text,) if len(text.split()) <= PHRASE_WORDS else (),
        )
        return self._wish([interest], [gist], [1.0])

    def keywords(self, keywords: Sequence[str]) -> Iterator[Wish]:
        """Keywords together are one wish; a phrase in quotes is found as it stands only."""
        loose, quoted = _split_keywords(keywords)
        if loose:
            unknown = np.zeros(self._reader.dimension, np.float32)
            said = [
                Interest(
                    kind=ReasonKind.KEYWORD,
                    lead="matches",
                    subject=word,
                    gist=Gist(words=self._reader.words(word), meaning=unknown),
                    phrases=(word,),
                )
                for word in loose
            ]
            yield self._wish(said, [self._gists[_joined(loose)]], [1.0])
        for phrase in quoted:
            yield _rule(ReasonKind.KEYWORD, "matches", phrase)

    def likes(self, examples: Sequence[Example]) -> Iterator[Wish]:
        """Examples together are one wish, in which the newer count more."""
        if examples:
            gists = [self._gists[e.title, e.abstract] for e in examples]
            said = [
                Interest(
                    kind=ReasonKind.LIKED,
                    lead="you liked",
                    subject=e.title.strip() or e.key,
                    gist=gist,
                )
                for e, gist in zip(examples, gists, strict=True)
            ]
            yield self._wish(said, gists, [_faded(e, self._now) for e in examples])

    def _wish(
        self,
        said: Sequence[Interest],
        gists: Sequence[Gist],
        weights: Sequence[float],
        excluded: tuple[str, ...] = (),
    ) -> Wish:
        is_mute = all(gist.words.is_empty and not gist.meaning.any() for gist in gists)
        taste = None if is_mute else compile_taste(gists, weights, self._archive)
        return Wish(interests=tuple(said), taste=taste, excluded=excluded)


def _topic_text(topic: Topic) -> Text:
    keywords = (unquote(keyword)[0] for keyword in topic.keywords)
    return topic.name, " . ".join((topic.description, topic.text, *keywords))


def _split_keywords(keywords: Sequence[str]) -> tuple[list[str], list[str]]:
    """Keywords without and with quotes around them, bare; blank ones are left out."""
    bare = [pair for pair in map(unquote, keywords) if pair[0]]
    return [word for word, quoted in bare if not quoted], [word for word, quoted in bare if quoted]


def _joined(keywords: Sequence[str]) -> Text:
    return ", ".join(keywords), ""


def _faded(example: Example, now: datetime) -> float:
    age_days = max((now - example.at).total_seconds(), 0.0) / 86_400
    return float(FADED + (1 - FADED) * 0.5 ** (age_days / LIKE_HALF_LIFE_DAYS))
