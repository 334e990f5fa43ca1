"""From an edition to its letter: which words stand where, before any template sees them.

Subject, summary and preheader are here; what an item says is view.py's.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from functools import lru_cache

from digest.columns import cut
from digest.compose.cache import Cache
from digest.compose.links import Links
from digest.compose.pages import Letter, Placed
from digest.compose.view import OwnView, Shared, fact_view, own_view, shown_title
from digest.model import Line, Section, Seen, Sheet, Site, Why
from digest.templates import Templates
from digest.text import clean

#: characters of the preheader: what a mail program shows beside the subject
PREHEADER_MAX = 100
PREHEADER_TITLES = 3
_BETWEEN = " · "
#: characters of the note that says how the picks came about
_NOTE_MAX = 400
#: octets, more or less, of the items kept in all their looks: enough for some thousand
_SHARED_OCTETS_MAX = 48_000_000
#: of one with its two fragments, beside its abstract
_SHARED_OCTETS = 7_000
#: items of a list that are remembered as not new
_MET_MAX = 4_096
#: readers' own reasons kept
_OWN_MAX = 4_096


class LetterWriter:
    """Writes letters for one site."""

    def __init__(self, site: Site, links: Links, templates: Templates) -> None:
        self._site = site
        self._links = links
        self._templates = templates
        self._shared: Cache[Hashable, Shared] = Cache(_SHARED_OCTETS_MAX, _octets)
        #: the same by the records they were made from: what is asked for each item of each message
        self._looks: Cache[tuple[Seen, str, tuple[bool, ...]], Shared] = Cache(
            _SHARED_OCTETS_MAX, _octets
        )
        self._met: dict[Section, set[Seen]] = {section: set() for section in Section}
        self._own: Cache[Why, OwnView] = Cache(_OWN_MAX)
        self._subject = lru_cache(maxsize=4_096)(self._render_subject)
        self._summary = lru_cache(maxsize=4_096)(self._render_summary)

    def write(self, sheet: Sheet, *, level: int, items_max: int | None = None) -> Letter:
        """The edition's letter; `level` shortens abstracts, `items_max` leaves picks out."""
        items = sheet.items[:items_max]
        leading = sheet.items or sheet.rising
        titles = [shown_title(line.seen.wording) for line in leading[:PREHEADER_TITLES]]
        links = self._links
        return Letter(
            on=sheet.local_on,
            subject=self._subject(
                titles[0] if titles else "",
                sheet.local_on,
                picks=len(sheet.items),
                rising=len(sheet.rising),
            ),
            summary=self._summary(
                sheet.local_on,
                picks=len(sheet.items),
                rising=len(sheet.rising),
                considered=sheet.considered,
                interests=sheet.interests,
            ),
            preheader=preheader(titles),
            note=cut(clean(sheet.note or ""), _NOTE_MAX),
            items=self._place(items, Section.PICK, level),
            rising=self._place(sheet.rising, Section.RISING, level),
            left_out=len(sheet.items) - len(items),
            web_url=links.edition(sheet.id),
            preferences_url=links.preferences(sheet.subscriber_id),
            unsubscribe_url=links.unsubscribe(sheet.subscriber_id),
            feedback_url=links.feedback(sheet.subscriber_id, sheet.id),
        )

    @contextmanager
    def new_items(self, sheets: Sequence[Sheet]) -> Iterator[list[Shared]]:
        """The items of these sheets that this was not asked of before, with all their words.

        They stay new when the block fails that was to prepare them.
        """
        found: list[Shared] = []
        met_now: list[tuple[set[Seen], dict[Seen, Line]]] = []
        for section, met in self._met.items():
            if len(met) > _MET_MAX:
                met.clear()
            new: dict[Seen, Line] = {}
            for sheet in sheets:
                for line in sheet.items if section is Section.PICK else sheet.rising:
                    if line.seen not in met:
                        new.setdefault(line.seen, line)
            found += [item.shared for item in self._place(new.values(), section, 0)]
            met_now.append((met, new))
        yield found
        for met, new in met_now:
            met.update(new)

    def _render_subject(self, title: str, on: date, *, picks: int, rising: int) -> str:
        """The subject line: the first title, how many there are, and the day."""
        context = {"site": self._site, "title": title, "on": on, "picks": picks, "rising": rising}
        return clean(self._templates.render("email/edition.subject.txt", context))

    def _render_summary(
        self, on: date, *, picks: int, rising: int, considered: int, interests: int
    ) -> str:
        """The masthead's line: how many papers there are and for what."""
        context = {
            "site": self._site,
            "on": on,
            "picks": picks,
            "rising": rising,
            "considered": considered,
            "interests": interests,
        }
        return clean(self._templates.render("email/_summary.txt", context))

    def _place(self, lines: Iterable[Line], section: Section, level: int) -> tuple[Placed, ...]:
        """A list's items, with abstracts of that level."""
        kind = f"{section}{level}"
        look_of, own_of = self._looks.get, self._own.get
        placed = []
        # this runs for every item of every message
        for position, why, seen in lines:
            own = own_of(why) or self._learn_own(why)
            key = (seen, kind, own.shape)
            shared = look_of(key)
            if shared is None:
                shared = self._share(seen, section, level, own.shape)
                self._looks.put(key, shared)
            placed.append(Placed(shared, position, own))
        return tuple(placed)

    def _learn_own(self, why: Why) -> OwnView:
        own = own_view(why)
        self._own.put(why, own)
        return own

    def _share(self, seen: Seen, section: Section, level: int, shape: tuple[bool, ...]) -> Shared:
        """The one Shared of all items that look like this one."""
        wording, trend = seen.wording, seen.trend
        rise = None if trend is None else (trend.lead, trend.subject)
        numbers = seen.votes, seen.comments, seen.stars
        key = (wording.key, wording.title, section, level, shape, rise, numbers)
        known = self._shared.get(key)
        if known is not None and known.wording == wording:
            return known
        shared = Shared(
            wording=wording,
            section=section,
            comments=seen.comments,
            stars=seen.stars,
            level=level,
            shape=shape,
            fact=fact_view(seen),
        )
        self._shared.put(key, shared)
        return shared


def _octets(shared: Shared) -> int:
    return _SHARED_OCTETS + 2 * len(shared.wording.abstract)


def preheader(titles: Sequence[str]) -> str:
    """The three top titles in at most 100 characters, each cut at a word to its fair share."""
    chosen = titles[:PREHEADER_TITLES]
    room = PREHEADER_MAX - len(_BETWEEN) * (len(chosen) - 1)
    shares: dict[int, str] = {}
    # short ones first: what they leave is for the others
    for left, at in enumerate(sorted(range(len(chosen)), key=lambda at: len(chosen[at]))):
        shares[at] = cut(chosen[at], room // (len(chosen) - left))
        room -= len(shares[at])
    return _BETWEEN.join(shares[at] for at in range(len(chosen)))
