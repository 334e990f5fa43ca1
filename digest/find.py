"""Finding papers in the whole archive: by words, by what they are about, and those like another.

With an embedding model the whole archive is scanned for what means the same. Without one the
database's full-text index brings a few hundred that share telling words, and the ranker's likeness
puts the best of them in order. Called by the pages and the commands.
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from digest.embed import Floats, Vectors
from digest.embed.atlas import Atlas
from digest.model import Item
from digest.rank import Ranker
from digest.rank.stem import stem as stem_anew
from digest.rank.words import split_words
from digest.store import Store, catalogue
from digest.store.pages import items_by_id, newest_id
from digest.store.searching import Filters, find_any, find_words, passing
from digest.text import clean

#: recent texts that say which words are common
_SAMPLE = 2_000
#: a word that more of the texts have tells nothing: a share of them, and in small archives a number
_COMMON_SHARE = 0.03
_COMMON_TEXTS = 12
#: words that are asked for, of a text
_TELLING = 14
#: hits whose likeness is worked out
_COMPARED = 40
#: hits by words from which a query's meaning is learnt
_LEARNT_FROM = 6
_SHORTEST_WORD = 3
#: what is less like than that share of the best is not shown
_LIKENESS_SHARE = 0.4
#: which words are common is learnt again when the archive has grown by that factor
_LEARN_AGAIN = 1.25
QUERY_CHARACTERS_MAX = 300
#: cosines about the middle of the archive: with MiniLM, queries about nothing in an archive of
#: 1,200 papers on machine learning came to 0.20–0.24 at best, others to 0.28–0.54
_MEANS_THE_SAME = 0.25
#: the nearest items that are looked at when a search is limited to few
_NEAREST = 400

Text = tuple[str, str]
#: the same few ten thousand words come up all the time, and stemming is slow
stem = lru_cache(maxsize=50_000)(stem_anew)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to."""

    #: have all the words, best first
    by_words: tuple[Item, ...]
    #: are about the same, best first; none of them in by_words
    by_meaning: tuple[Item, ...]


class Finder:
    """Searches one store. Safe to use from several threads.

    `ranker` gives that of the moment, `vectors` those of the model in use, None without one.
    """

    def __init__(
        self,
        store: Store,
        ranker: Callable[[datetime], Ranker],
        vectors: Callable[[], Vectors | None] = lambda: None,
    ) -> None:
        self._store = store
        self._ranker = ranker
        self._vectors = vectors
        self._learning = threading.Lock()
        self._words: tuple[int, Words] | None = None
        self._atlas: Atlas | None = None

    def search(
        self, query: str, filters: Filters, *, now: datetime, limit: int, meaning: int = 10
    ) -> Found:
        """Up to `limit` items that have the words, and up to `meaning` others about the same."""
        words = clean(query)[:QUERY_CHARACTERS_MAX].split()
        with self._store.read() as tx:
            ids = find_words(tx, words, filters, limit=limit)
            items = items_by_id(tx, ids)
        by_words = tuple(items[i] for i in ids if i in items)
        atlas = self._mapped() if words else None
        if atlas is not None:
            toward = atlas.vectors.embed_query(" ".join(words))
            by_meaning = self._nearest(atlas, toward, filters, set(ids), limit=meaning)
            return Found(by_words=by_words, by_meaning=by_meaning)
        about = " ".join(words), ""
        learnt = [(item.title, item.abstract) for item in by_words[:_LEARNT_FROM]]
        by_meaning = self._alike([about, *learnt], filters, set(ids), now=now, limit=meaning)
        return Found(by_words=by_words, by_meaning=by_meaning)

    def similar(self, item: Item, *, now: datetime, limit: int = 8) -> tuple[Item, ...]:
        """The items most like one of the archive; itself left out."""
        atlas = self._mapped()
        if atlas is not None:
            (toward,) = atlas.vectors.embed([(item.title, item.abstract)])
            return self._nearest(atlas, toward, Filters(), {item.id}, limit=limit)
        return self._alike(
            [(item.title, item.abstract)], Filters(), {item.id}, now=now, limit=limit
        )

    def warm(self, now: datetime) -> None:
        """Learn what searching needs to know, so that the first reader need not wait for it."""
        self._usual(now)
        self._mapped()
        self._ranker(now)

    def _mapped(self) -> Atlas | None:
        """The archive by the model in use, up to date; None while it has no vectors at all."""
        vectors = self._vectors()
        if vectors is None:
            return None
        with self._learning:
            if self._atlas is None or self._atlas.vectors is not vectors:
                self._atlas = Atlas(self._store, vectors)
            self._atlas.refresh()
            return self._atlas if len(self._atlas) else None

    def _nearest(
        self, atlas: Atlas, toward: Floats, filters: Filters, known: set[int], *, limit: int
    ) -> tuple[Item, ...]:
        """The items that mean most nearly the same, of those that the filters let through."""
        if limit < 1:
            return ()
        asked = limit if filters == Filters() else _NEAREST
        found = atlas.nearest(toward, limit=asked, but=known)
        near = [i for i, likeness in found if likeness >= _MEANS_THE_SAME]
        with self._store.read() as tx:
            passed = passing(tx, near, filters)
            items = items_by_id(tx, [i for i in near if i in passed][:limit])
        return tuple(items[i] for i in near if i in items)

    def _alike(
        self, texts: Sequence[Text], filters: Filters, known: set[int], *, now: datetime, limit: int
    ) -> tuple[Item, ...]:
        """The items most like the first text, looked for by the telling words of all of them."""
        if limit < 1:
            return ()
        words = telling_words(texts, self._usual(now), limit=_TELLING)
        with self._store.read() as tx:
            ids = find_any(tx, words, filters, limit=_COMPARED + len(known))
            items = items_by_id(tx, [i for i in ids if i not in known][:_COMPARED])
        found = [items[i] for i in ids if i in items]
        own = " ".join(title for title, _ in texts), " ".join(abstract for _, abstract in texts)
        order = self._ranker(now).similar(
            own, [(item.title, item.abstract) for item in found], limit
        )
        bar = max((likeness for _, likeness in order), default=0.0) * _LIKENESS_SHARE
        return tuple(found[at] for at, likeness in order if likeness >= bar)

    def _usual(self, now: datetime) -> Words:
        """Which words are common in recent texts; learnt anew as the archive grows."""
        with self._learning:
            with self._store.read() as tx:
                newest = newest_id(tx)
            if self._words is None or not self._words[0] <= newest < self._words[0] * _LEARN_AGAIN:
                with self._store.read() as tx:
                    sample = catalogue.background(tx, until=now, limit=_SAMPLE)
                self._words = newest, count_words(sample)
            return self._words[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """In how many of some texts each stem occurs."""

    texts: int
    counts: Mapping[str, int]

    def share(self, word: str) -> float:
        """In which share of the texts a stem occurs, 0…1."""
        return self.counts.get(word, 0) / max(self.texts, 1)

    def is_alone(self, word: str) -> bool:
        """Whether no two texts of the archive have it, as far as the sample can tell."""
        return self.texts < _SAMPLE and self.counts.get(word, 0) < 2

    def is_common(self, word: str) -> bool:
        """Whether so many texts have it that it tells nothing."""
        return self.counts.get(word, 0) > max(_COMMON_TEXTS, _COMMON_SHARE * self.texts)


def count_words(texts: Sequence[Text]) -> Words:
    """In how many of the texts each stem occurs."""
    counts: Counter[str] = Counter()
    for title, abstract in texts:
        counts.update({stem(word) for word in split_words(f"{title} {abstract}")})
    return Words(texts=len(texts), counts=counts)


def telling_words(texts: Iterable[Text], usual: Words, *, limit: int) -> tuple[str, ...]:
    """The words that say most about what texts are about: often here, seldom elsewhere.

    The first text's words come first; words of the others must occur in two of them, where there
    are as many, for one text alone has chance words.
    """
    first, *others = ([w for w in split_words(f"{t} {t} {a}") if _tells(w)] for t, a in texts)
    spelling = {stem(word): word for words in (*reversed(others), first) for word in words}
    here = Counter(map(stem, first))
    there = Counter(s for words in others for s in set(map(stem, words)))
    own = sorted(here, key=lambda s: (-(1 + here[s]) * _rarity(s, usual), s))
    learnt = sorted(
        (s for s, count in there.items() if s not in here and (count > 1 or len(others) < 3)),
        key=lambda s: (-there[s] * _rarity(s, usual), s),
    )
    chosen = [s for s in (*own, *learnt) if not usual.is_common(s) and not usual.is_alone(s)]
    # nothing but common words: they have to do
    return tuple(spelling[s] for s in (chosen or own)[:limit])


def _tells(word: str) -> bool:
    return not word.isascii() or (len(word) >= _SHORTEST_WORD and not word.isdecimal())


def _rarity(word: str, usual: Words) -> float:
    """1 for a word that no text has, near 0 for one that all have."""
    return 1.0 - math.sqrt(math.sqrt(usual.share(word)))
