"""Pages put together from pieces that were rendered and encoded once, for speed.

An item's fragment is shared by all its readers; the frame around the items by all letters of the
same shape. Only slots are filled per person. Same bytes as Pages.whole encoded, for every template
whose items do not depend on their neighbours; composer.py checks that before it relies on it.

Source: measured in benchmarks/compose.py; rendering whole costs ten times as much a message.
"""

from __future__ import annotations

import html
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from digest.compose.links import vote_query
from digest.compose.pages import Kind, Letter, Pages, Placed, fit, position_text, why_text
from digest.compose.quoted import (
    SOFT_BREAK,
    encode_literals,
    encode_piece,
    encode_slot,
    slot,
    split_slots,
)
from digest.compose.regions import cut_items
from digest.compose.view import ItemView, PageView, Personal, ReasonView, Shared, item_view
from digest.errors import DigestError
from digest.model import Section, Wording

#: octets of fragments kept for one part: enough for some thousand items
CACHE_OCTETS_MAX = 24_000_000
_FRAMES_MAX = 64
#: a frame is rendered with that many items of a list, to see what stands between them
_PROBES = 2


class NotAssembled(DigestError):
    """A page of these templates cannot be put together from fragments."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Encoded text with named places."""

    #: filled by bytes formatting: %(name)b
    pattern: bytes
    names: frozenset[str]

    def fill(self, values: Mapping[bytes, bytes]) -> bytes:
        return self.pattern % values


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around the items of a page."""

    #: pieces before, between and after: pieces[0], list, pieces[1], list, … pieces[-1]
    pieces: tuple[Fragment, ...]
    #: the lists in the order of the page
    sections: tuple[Section, ...]
    #: what stands between two items, for each list
    between: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All that a frame depends on."""

    on: date
    left_out: int
    has_note: bool
    has_items: bool
    has_rising: bool


class FragmentCache:
    """The fragments used last, up to a number of octets."""

    def __init__(self, octets_max: int) -> None:
        self._octets_max = octets_max
        self._octets = 0
        self._kept: OrderedDict[Shared, Fragment] = OrderedDict()

    def get(self, shared: Shared) -> Fragment | None:
        fragment = self._kept.get(shared)
        if fragment is not None:
            self._kept.move_to_end(shared)
        return fragment

    def put(self, shared: Shared, fragment: Fragment) -> None:
        self._kept[shared] = fragment
        self._octets += len(fragment.pattern)
        while self._octets > self._octets_max and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._octets -= len(dropped.pattern)


class Assembler:
    """Makes one part of messages out of fragments."""

    def __init__(
        self, kind: Kind, pages: Pages, *, cache_octets_max: int = CACHE_OCTETS_MAX
    ) -> None:
        self._kind = kind
        self._pages = pages
        self._fragments = FragmentCache(cache_octets_max)
        self._frames: OrderedDict[Shape, Frame] = OrderedDict()
        self._encode = _encode_html if kind is Kind.HTML else _encode_text

    def encode(self, letter: Letter) -> list[bytes]:
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
        lists = {Section.PICK: letter.items, Section.RISING: letter.rising}
        fragments = self._find_fragments(letter)
        base = self._encode(letter.feedback_url)
        out = [frame.pieces[0].fill(page_values)]
        for at, section in enumerate(frame.sections):
            for count, placed in enumerate(lists[section]):
                if count and frame.between[at]:
                    out.append(frame.between[at])
                out.append(self._fill(fragments[placed.shared], placed, base))
            out.append(frame.pieces[at + 1].fill(page_values))
        return out

    def _fill(self, fragment: Fragment, placed: Placed, base: bytes) -> bytes:
        """One reader's version of an item."""
        names, encode = fragment.names, self._encode
        values: dict[bytes, bytes] = {}
        if "position" in names:
            values[b"position"] = encode(position_text(placed.position))
        if "why" in names:
            values[b"why"] = encode(why_text(placed.reasons))
        if "lead0" in names:
            for at, reason in enumerate(placed.reasons):
                values[b"lead%d" % at] = encode(reason.lead)
                values[b"subject%d" % at] = encode(reason.subject)
        if "more" in names:
            values[b"more"] = base + SOFT_BREAK + encode(vote_query(placed.position, "up"))
        if "less" in names:
            values[b"less"] = base + SOFT_BREAK + encode(vote_query(placed.position, "down"))
        return fragment.fill(values)

    def _page_values(self, letter: Letter) -> dict[bytes, bytes]:
        encode, kind = self._encode, self._kind
        return {
            b"page_subject": encode(letter.subject),
            b"summary": encode(fit(kind, letter.summary)),
            b"preheader": encode(letter.preheader),
            b"note": encode(fit(kind, letter.note)),
            b"web": encode(letter.web_url),
            b"preferences": encode(letter.preferences_url),
            b"unsubscribe": encode(letter.unsubscribe_url),
        }

    def _find_fragments(self, letter: Letter) -> dict[Shared, Fragment]:
        """The fragments of all items, those that are new rendered on one page."""
        found: dict[Shared, Fragment] = {}
        missing: dict[Shared, None] = {}
        for placed in (*letter.items, *letter.rising):
            fragment = self._fragments.get(placed.shared)
            if fragment is None:
                missing[placed.shared] = None
            else:
                found[placed.shared] = fragment
        if missing:
            found.update(self._make_fragments(letter.on, list(missing)))
        return found

    def _make_fragments(self, on: date, shared: Sequence[Shared]) -> dict[Shared, Fragment]:
        lists = {s: [x for x in shared if x.section is s] for s in Section}
        views = {s: [_probe(x) for x in lists[s]] for s in Section}
        page = _probe_page(on, left_out=0, note="")
        cut = cut_items(
            self._pages.render(self._kind, page, views[Section.PICK], views[Section.RISING])
        )
        waiting = {s: iter(lists[s]) for s in Section}
        made: dict[Shared, Fragment] = {}
        for section, text in zip(cut.sections, cut.items, strict=True):
            item = next(waiting[section], None)
            if item is None:
                raise NotAssembled("the page shows an item twice")
            made[item] = _compile([text])[0]
            self._fragments.put(item, made[item])
        if len(made) < len(shared):
            raise NotAssembled("the page does not show all items")
        return made

    def _make_frame(self, shape: Shape) -> Frame:
        """Render the page with a few items and keep what is around them."""
        note = slot("note") if shape.has_note else ""
        page = _probe_page(shape.on, left_out=shape.left_out, note=note)
        items = [_probe(_example(Section.PICK, n)) for n in range(_PROBES * shape.has_items)]
        rising = [_probe(_example(Section.RISING, n)) for n in range(_PROBES * shape.has_rising)]
        cut = cut_items(self._pages.render(self._kind, page, items, rising))
        frame = _frame(cut.around, cut.sections)
        self._frames[shape] = frame
        if len(self._frames) > _FRAMES_MAX:
            self._frames.popitem(last=False)
        return frame


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
        pieces=tuple(_compile(pieces)),
        sections=tuple(order),
        between=tuple(encode_piece(text) for text in between),
    )


def _compile(texts: Iterable[str]) -> list[Fragment]:
    """Texts with slots as encoded patterns."""
    fragments = []
    for text in texts:
        literals, names = split_slots(text)
        encoded = [literal.replace(b"%", b"%%") for literal in encode_literals(literals)]
        for at, name in enumerate(names):
            encoded[at] += b"%%(%s)b" % name.encode()
        fragments.append(Fragment(b"".join(encoded), frozenset(names)))
    return fragments


def _probe(shared: Shared) -> ItemView:
    """An item with the names of its slots where its reader's values will be."""
    reasons = tuple(
        ReasonView(lead=slot(f"lead{at}"), subject=slot(f"subject{at}") if has_subject else "")
        for at, has_subject in enumerate(shared.shape)
    )
    personal = Personal(
        position=slot("position"),
        reasons=reasons,
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


@lru_cache(maxsize=16_384)
def _encode_html(text: str) -> bytes:
    """A value as the HTML parser writes it, encoded."""
    return encode_slot(html.escape(text, quote=False).replace("\u00a0", "&nbsp;"))


@lru_cache(maxsize=16_384)
def _encode_text(text: str) -> bytes:
    return encode_slot(text)
