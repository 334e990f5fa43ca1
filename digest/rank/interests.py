"""A profile, compiled: its wishes, each ready to be held against the day's candidates.

What is said of one thing goes together: all likes make one taste, all keywords another, and each
topic and each sentence one of its own. Compiling needs the archive only, nothing of candidates,
and is done once per profile. Used by Pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from digest.model import Example, Profile, ReasonKind, Topic
from digest.rank.archive import Gist
from digest.rank.reader import Reader, Text
from digest.rank.rules import unquote
from digest.rank.tastes import Told

#: a like counts half as much after so many days more; it never fades below FADED
LIKE_HALF_LIFE_DAYS = 240.0
FADED = 0.4
#: a text of so few words is looked for as a phrase too
PHRASE_WORDS = 3
_KEYWORDS_KEPT = 20_000


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
    told: Told | None = None
    #: words that end this wish's claim on an item, but not others'
    excluded: tuple[str, ...] = ()
    #: many people have this very wish
    is_shared: bool = False


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


class Compiler:
    """Turns what people said into wishes, a block of people at a time.

    What many share is made once: topics are one wish for all who follow them.
    """

    def __init__(self, reader: Reader, now: datetime) -> None:
        self._reader = reader
        self._now = now
        self._topics: dict[Topic, Wish] = {}
        self._keywords: dict[str, Interest] = {}

    def compile(self, profiles: Sequence[Profile]) -> list[Wishes]:
        """Each profile's wishes; blank lines in it are left out."""
        texts = list(dict.fromkeys(text for profile in profiles for text in texts_of(profile)))
        gists = dict(zip(texts, self._reader.read(texts), strict=True))
        return [self._wishes(profile, gists) for profile in profiles]

    def _wishes(self, profile: Profile, gists: Mapping[Text, Gist]) -> Wishes:
        return Wishes(
            wanted=(
                *(self._topic(topic, gists) for topic in profile.topics),
                *(_text(text, gists[text, ""]) for text in profile.texts if text.strip()),
                *self._said_keywords(profile.keywords, gists),
                *_names(profile),
                *self._likes(profile.liked, gists),
            ),
            disliked=tuple(w for e in profile.disliked for w in self._likes((e,), gists)),
            excluded=tuple(p for p in profile.excluded if p.strip()),
        )

    def _topic(self, topic: Topic, gists: Mapping[Text, Gist]) -> Wish:
        known = self._topics.get(topic)
        if known is None:
            gist = gists[_topic_text(topic)]
            interest = Interest(
                kind=ReasonKind.TOPIC,
                lead="topic",
                subject=topic.name,
                gist=gist,
                phrases=topic.keywords,
            )
            known = _wish([interest], [gist], [1.0])
            excluded = tuple(p for p in topic.exclude if p.strip())
            known = self._topics[topic] = replace(known, excluded=excluded, is_shared=True)
        return known

    def _said_keywords(self, keywords: Sequence[str], gists: Mapping[Text, Gist]) -> Iterator[Wish]:
        """Keywords together are one wish; a phrase in quotes is found as it stands only."""
        loose, quoted = _split_keywords(keywords)
        if loose:
            said = [self._keyword(word) for word in loose]
            yield _wish(said, [gists[_joined(loose)]], [1.0])
        for phrase in quoted:
            yield _rule(ReasonKind.KEYWORD, "matches", phrase)

    def _keyword(self, word: str) -> Interest:
        known = self._keywords.get(word)
        if known is None:
            if len(self._keywords) > _KEYWORDS_KEPT:
                self._keywords.clear()
            unknown = np.zeros(self._reader.dimension, np.float32)
            known = self._keywords[word] = Interest(
                kind=ReasonKind.KEYWORD,
                lead="matches",
                subject=word,
                gist=Gist(words=self._reader.words(word), meaning=unknown),
                phrases=(word,),
            )
        return known

    def _likes(self, examples: Sequence[Example], gists: Mapping[Text, Gist]) -> Iterator[Wish]:
        """Examples together are one wish, in which the newer count more."""
        if examples:
            own = [gists[e.title, e.abstract] for e in examples]
            said = [
                Interest(
                    kind=ReasonKind.LIKED,
                    lead="you liked",
                    subject=e.title.strip() or e.key,
                    gist=gist,
                )
                for e, gist in zip(examples, own, strict=True)
            ]
            yield _wish(said, own, [_faded(e, self._now) for e in examples])


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


def _text(text: str, gist: Gist) -> Wish:
    interest = Interest(
        kind=ReasonKind.TEXT,
        lead="your interest",
        subject=text.strip(),
        gist=gist,
        phrases=(text,) if len(text.split()) <= PHRASE_WORDS else (),
    )
    return _wish([interest], [gist], [1.0])


def _wish(said: Sequence[Interest], gists: Sequence[Gist], weights: Sequence[float]) -> Wish:
    is_mute = all(gist.words.is_empty and not gist.meaning.any() for gist in gists)
    told = None if is_mute else Told(gists=tuple(gists), weights=tuple(weights))
    return Wish(interests=tuple(said), told=told)


def _names(profile: Profile) -> Iterator[Wish]:
    for author in profile.authors:
        if author.strip():
            yield _rule(ReasonKind.AUTHOR, "by", author.strip())
    for category in profile.categories:
        if category.strip():
            yield _rule(ReasonKind.CATEGORY, "in", category.strip())


def _rule(kind: ReasonKind, lead: str, subject: str) -> Wish:
    return Wish(interests=(Interest(kind=kind, lead=lead, subject=subject),))


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
