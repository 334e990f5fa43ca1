"""Pages put together from pieces that were rendered and encoded once, for speed.

An item's fragment is shared by all its readers; the frame around the items by all letters of the
same shape. Only slots are filled per person. Same bytes as Pages.whole encoded, for every template
whose items do not depend on their neighbours; composer.py checks that before it relies on it.

Source: measured in benchmarks/compose.py; rendering whole costs ten times as much a message.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import chain, zip_longest
from operator import itemgetter
from typing import NamedTuple

from digest.compose.cache import Cache
from digest.compose.links import vote_query
from digest.compose.pages import (
    Kind,
    Letter,
    Pages,
    Placed,
    fit,
    position_text,
)
from digest.compose.quoted import (
    SOFT_BREAK,
    encode_literals,
    encode_piece,
    slot,
    split_slots,
)
from digest.compose.regions import cut_items
from digest.compose.view import (
    REASONS_MAX,
    ItemView,
    OwnView,
    PageView,
    Personal,
    ReasonView,
    Shared,
    item_view,
)
from digest.compose.why_line import Fact, encode_fact, join_why, why_text
from digest.errors import DigestError
from digest.model import Section, Wording

_FRAMES_MAX = 128
#: the slots of an item, in the order in which its values are given; the last two for each reason
_SLOTS = ("position", "more", "less", "why")
_REASON_SLOTS = tuple(f"{part}{n}" for n in range(REASONS_MAX) for part in ("lead", "subject"))
_PLACES = {name: at for at, name in enumerate((*_SLOTS, *_REASON_SLOTS))}
#: a frame is rendered with that many items of a list, to see what stands between them
_PROBES = 2


class NotAssembled(DigestError):
    """A page of these templates cannot be put together from fragments."""


class Fragment(NamedTuple):
    """An item's encoded text with places for its reader's values."""

    #: filled by bytes formatting, %b for each place
    pattern: bytes
    #: takes what belongs in the places, in their order, out of an item's values
    choose: Callable[[Sequence[bytes]], bytes | tuple[bytes, ...]]
    #: whether the why-line as one text, or the reader's own reasons one by one, are in it
    has_why: bool
    has_reasons: bool
    fact: Fact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surround:
    """Encoded text around items with named places."""

    #: filled by bytes formatting: %(name)b
    pattern: bytes

    def fill(self, values: Mapping[bytes, bytes]) -> bytes:
        """The text with these values; raises NotAssembled when one is missing."""
        try:
            return self.pattern % values
        except KeyError as error:
            raise NotAssembled(f"a template changes the value in slot {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around the items of a page."""

    #: pieces before, between and after: pieces[0], list, pieces[1], list, … pieces[-1]
    pieces: tuple[Surround, ...]
    #: the lists in the order of the page
    sections: tuple[Section, ...]
    #: what stands between two items, for each list
    between: tuple[bytes, ...]


class Shape(NamedTuple):
    """All that a frame depends on."""

    on: date
    left_out: int
    has_note: bool
    has_items: bool
    has_rising: bool


class Assembler:
    """Makes one part of messages out of fragments."""

    def __init__(self, kind: Kind, pages: Pages) -> None:
        self._kind = kind
        self._pages = pages
        self._frames: Cache[Shape, Frame] = Cache(_FRAMES_MAX)
        self._encode = _encode_html if kind is Kind.HTML else encode_piece
        self._encode_often = lru_cache(maxsize=1_024)(self._encode)
        self._encode_place = lru_cache(maxsize=1_024)(self._render_place)

    def prepare(self, on: date, items: Iterable[Shared]) -> None:
        """Have fragments of these items at hand. Raises NotAssembled."""
        if new := [shared for shared in dict.fromkeys(items) if self not in shared.fragments]:
            self._make_fragments(on, new)

    def assemble(self, letter: Letter) -> list[bytes]:
        """The part's encoded pieces, to be joined. Raises NotAssembled."""
        shape = Shape(
            on=letter.on,
            left_out=letter.left_out,
            has_note=bool(letter.note),
            has_items=bool(letter.items),
            has_rising=bool(letter.rising),
        )
        frame = self._frames.get(shape) or self._make_frame(shape)
        page_values = self._page_values(letter)
        base = self._encode(letter.feedback_url) + SOFT_BREAK
        out = [frame.pieces[0].fill(page_values)]
        for section, between, behind in zip(
            frame.sections, frame.between, frame.pieces[1:], strict=True
        ):
            items = letter.items if section is Section.PICK else letter.rising
            out += _parted(self._fill_all(letter.on, items, base), between)
            out.append(behind.fill(page_values))
        return out

    def _fill_all(self, on: date, items: Sequence[Placed], base: bytes) -> list[bytes]:
        """One reader's versions of the items of a list."""
        fragments: list[Fragment | None] = [shared.fragments.get(self) for shared, _, _ in items]
        if None in fragments:
            self.prepare(on, [shared for shared, _, _ in items])
            fragments = [shared.fragments[self] for shared, _, _ in items]
        place_of, encode_why, encode_own = self._encode_place, self._encode_why, self._encode_own
        filled = []
        try:
            # all in one loop: this runs for every item of every message, twice
            for (shared, position, own), fragment in zip(items, fragments, strict=True):
                assert fragment is not None
                number, up, down = place_of(position)
                why = encode_why(own, shared, fragment) if fragment.has_why else b""
                values = [number, base + up, base + down, why]
                if fragment.has_reasons:
                    values += own.encoded.get(self) or encode_own(own)
                filled.append(fragment.pattern % fragment.choose(values))
        except IndexError as error:
            raise NotAssembled("an item shows the reasons of another") from error
        return filled

    def _encode_own(self, own: OwnView) -> list[bytes]:
        """The two parts of each of a reader's own reasons."""
        parts: list[bytes] = []
        for reason in own.reasons:
            parts += self._encode_often(reason.lead), self._encode(reason.subject)
        own.encoded[self] = parts
        return parts

    def _encode_why(self, own: OwnView, shared: Shared, fragment: Fragment) -> bytes:
        """Encoded why_text of all reasons."""
        if self._kind is Kind.TEXT and fragment.fact is not None:
            if (joined := join_why(own, fragment.fact)) is not None:
                return joined
        return self._encode(why_text(shared.why_line(own.reasons)))

    def _render_place(self, position: int) -> tuple[bytes, bytes, bytes]:
        """What depends on an item's place alone: its number and the ends of its vote links."""
        encode = self._encode
        up, down = vote_query(position, "up"), vote_query(position, "down")
        return encode(position_text(position)), encode(up), encode(down)

    def _page_values(self, letter: Letter) -> dict[bytes, bytes]:
        encode, kind = self._encode, self._kind
        return {
            b"page_subject": encode(letter.subject),
            b"summary": self._encode_often(fit(kind, letter.summary)),
            b"preheader": encode(letter.preheader),
            b"note": encode(fit(kind, letter.note)),
            b"web": encode(letter.web_url),
            b"preferences": encode(letter.preferences_url),
            b"unsubscribe": encode(letter.unsubscribe_url),
        }

    def _make_fragments(self, on: date, shared: Sequence[Shared]) -> None:
        """Render items on one page, and keep with each what it looks like."""
        lists = {s: [x for x in shared if x.section is s] for s in Section}
        views = {s: [_probe(x) for x in lists[s]] for s in Section}
        page = _probe_page(on, left_out=0, note="")
        cut = cut_items(
            self._pages.render(self._kind, page, views[Section.PICK], views[Section.RISING])
        )
        if len(cut.items) != len(shared):
            raise NotAssembled("the page does not show each item once")
        waiting = {s: iter(lists[s]) for s in Section}
        for section, text in zip(cut.sections, cut.items, strict=True):
            item = next(waiting[section])
            item.fragments[self] = _compile_item(text, item.fact)

    def _make_frame(self, shape: Shape) -> Frame:
        """Render the page with a few items and keep what is around them."""
        note = slot("note") if shape.has_note else ""
        page = _probe_page(shape.on, left_out=shape.left_out, note=note)
        items = [_probe(_example(Section.PICK, n)) for n in range(_PROBES * shape.has_items)]
        rising = [_probe(_example(Section.RISING, n)) for n in range(_PROBES * shape.has_rising)]
        cut = cut_items(self._pages.render(self._kind, page, items, rising))
        frame = _frame(cut.around, cut.sections)
        self._frames.put(shape, frame)
        return frame


def _parted(items: list[bytes], between: bytes) -> list[bytes]:
    """The items with that between each two; not joined, for a message is joined once."""
    if not between:
        return items
    parted = [between] * (2 * len(items) - 1)
    parted[::2] = items
    return parted


def _frame(around: Sequence[str], sections: Sequence[Section]) -> Frame:
    """Tell what is between the items of a list from what is around the lists."""
    if any(not text.endswith("\n") for text in around[:-1] if text):
        raise NotAssembled("an item does not begin on a line of its own")
    pieces, between, order = [around[0]], [], []
    for at in range(0, len(sections), _PROBES):
        if len(set(sections[at : at + _PROBES])) != 1:
            raise NotAssembled("the items of two lists are mixed")
        order.append(sections[at])
        between.append(around[at + 1])
        pieces.append(around[at + _PROBES])
    return Frame(
        pieces=tuple(_compile_surround(text) for text in pieces),
        sections=tuple(order),
        between=tuple(encode_piece(text) for text in between),
    )


def _compile_item(text: str, fact: ReasonView | None) -> Fragment:
    """An item's text with slots as an encoded pattern."""
    literals, names = split_slots(text)
    if unknown := [name for name in names if name not in _PLACES]:
        raise NotAssembled(f"a template changes the value in slot {unknown[0]}")
    return Fragment(
        pattern=_pattern(literals, [b"%b"] * len(names)),
        choose=_chooser(tuple(names)),
        has_why="why" in names,
        has_reasons=any(_PLACES[name] >= len(_SLOTS) for name in names),
        fact=None if fact is None else encode_fact(fact),
    )


@lru_cache(maxsize=64)
def _chooser(names: tuple[str, ...]) -> Callable[[Sequence[bytes]], bytes | tuple[bytes, ...]]:
    """One for all items of a shape, so that it is at hand for each."""
    return itemgetter(*[_PLACES[name] for name in names]) if names else lambda _: ()


def _compile_surround(text: str) -> Surround:
    """A text with slots, as above, by their names."""
    literals, names = split_slots(text)
    return Surround(pattern=_pattern(literals, [b"%%(%b)b" % name.encode() for name in names]))


def _pattern(literals: list[str], places: Sequence[bytes]) -> bytes:
    """Encoded texts with a place after each but the last."""
    encoded = [literal.replace(b"%", b"%%") for literal in encode_literals(literals)]
    return b"".join(chain.from_iterable(zip_longest(encoded, places, fillvalue=b"")))


@lru_cache(maxsize=512)
def _probe(shared: Shared) -> ItemView:
    """An item with the names of its slots where its reader's values will be.

    Both parts of a message ask for it, one after the other.
    """
    own = tuple(
        ReasonView(lead=slot(f"lead{at}"), subject=slot(f"subject{at}") if has_subject else "")
        for at, has_subject in enumerate(shared.shape)
    )
    personal = Personal(
        position=slot("position"),
        reasons=shared.why_line(own),
        why=slot("why"),
        more_url=slot("more"),
        less_url=slot("less"),
    )
    return item_view(shared, personal)


def _probe_page(on: date, *, left_out: int, note: str) -> PageView:
    return PageView(
        subject=slot("page_subject"),
        on=on,
        summary=slot("summary"),
        preheader=slot("preheader"),
        note=note,
        left_out=left_out,
        web_url=slot("web"),
        preferences_url=slot("preferences"),
        unsubscribe_url=slot("unsubscribe"),
    )


def _example(section: Section, number: int) -> Shared:
    wording = Wording(
        key=f"url:example-{number}",
        title=f"Example {number}",
        abstract="",
        authors=(),
        categories=(),
        url="https://example.org/",
    )
    return Shared(wording=wording, section=section, comments=None, stars=None, level=0, shape=())


def _encode_html(text: str) -> bytes:
    """A value as the HTML parser writes it, encoded."""
    return encode_piece(html.escape(text, quote=False).replace("\u00a0", "&nbsp;"))
