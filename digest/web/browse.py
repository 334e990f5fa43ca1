"""Pages for everybody: the front page, days, topics, papers, search. Each shows what the store has.

Handlers are called through endpoints.public: what they return depends on the path, the named query
parameters and the archive alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from digest.clock import day_bounds, parse_date
from digest.errors import BadInput, NotFound
from digest.find import Found
from digest.model import Candidate, Item, Profile, ReasonKind, Topic
from digest.papers import parse_key
from digest.rank import Pool
from digest.store import pages
from digest.store.catalogue import candidates_by_id
from digest.store.items import find_item
from digest.store.searching import Filters
from digest.store.topics import topics_by_slug
from digest.web.choosing import empty_form
from digest.web.desk import Desk, frame
from digest.web.endpoints import Ask, Elsewhere
from digest.web.forms import FormName
from digest.web.page import Page
from digest.web.refusals import sentence
from digest.web.views import (
    PaperView,
    candidate_view,
    paper_page,
    paper_path,
    pick_view,
    totals,
)

FRONT_PAPERS = 30
TOPIC_PAPERS = 40
DAY_PAPERS = 200
_FOUND = 30
#: votes of a day's list are told as they were that long after it; then the page is settled
_SETTLED_AFTER = timedelta(days=7)
SEARCH_PARAMETERS = ("q", "source", "topic", "from", "to")


def front(desk: Desk, ask: Ask) -> Page:
    """What is trending now, and the form to get it by mail."""
    now = desk.app.now()
    pool = desk.stand.pool(now)
    with desk.store.read() as tx:
        topics = tuple(topics_by_slug(tx).values())
        earlier, _ = pages.list_days(tx, now.date() + timedelta(days=1))
    return desk.public(
        "front.html",
        frame(
            desk.site.name,
            nav="front",
            description="Research papers that people are reading right now.",
            feed="/feed.{}",
            canonical="/",
            script=True,
        ),
        on=now.date(),
        papers=_trending(pool, FRONT_PAPERS),
        considered=len(pool),
        topics=topics,
        earlier=earlier,
        form=empty_form(topics, desk.app.enrolment.defaults),
        form_token=desk.form_token(FormName.SUBSCRIBE),
    )


def _trending(pool: Pool, limit: int) -> tuple[PaperView, ...]:
    return tuple(pick_view(p, pool.candidate(p.item_id)) for p in pool.trending(limit))


def day(desk: Desk, ask: Ask) -> Page:
    """What was listed on one day, what rose most first."""
    on, now = _read_day(ask.path["day"]), desk.app.now()
    until = min(now, day_bounds(on)[1] + _SETTLED_AFTER)
    with desk.store.read() as tx:
        found = pages.day_items(tx, on, until=until)
        before, after = pages.list_days(tx, on)
    pool = desk.stand.ranker(now).pool(found, now=until)
    rising = _trending(pool, DAY_PAPERS)
    return desk.public(
        "day.html",
        frame(
            _day_title(on),
            nav="day",
            description=f"Papers listed on {on.isoformat()}, by how fast they gained votes.",
        ),
        on=on,
        is_future=on > now.date(),
        papers=(*rising, *_others(found, rising)),
        count=len(found),
        before=before,
        after=after if after is None or after <= now.date() else None,
    )


def _others(found: Sequence[Candidate], shown: Sequence[PaperView]) -> Iterator[PaperView]:
    """What a list of the rising leaves out, copies of others above all: a day's list has it too."""
    paths = {paper.path for paper in shown}
    left = [c for c in found if paper_path(c.wording.key) not in paths]
    left.sort(key=lambda c: (-(totals(c.standings)[0] or 0), c.item_id))
    for position, candidate in enumerate(left[: DAY_PAPERS - len(shown)], len(shown) + 1):
        yield candidate_view(candidate, position=position)


def _read_day(text: str) -> date:
    try:
        return parse_date(text)
    except BadInput as error:
        raise NotFound("There is no such day; write it like 2026-03-11.") from error


def _day_title(on: date) -> str:
    from digest.filters import full_day, weekday

    return f"{weekday(on)} {full_day(on)}"


def topic(desk: Desk, ask: Ask) -> Page:
    """The papers of the last days that match a topic."""
    found, pool = topic_pool(desk, ask)
    return desk.public(
        "topic.html",
        frame(
            found.name,
            nav="topic",
            description=found.description or f"Papers on {found.name}.",
            feed=f"/topic/{found.slug}/feed.{{}}",
        ),
        topic=found,
        papers=tuple(
            pick_view(p, pool.candidate(p.item_id), without=ReasonKind.TOPIC)
            for p in pool.pick(Profile(topics=(found,)), limit=TOPIC_PAPERS, rising=0).picks
        ),
        considered=len(pool),
        days=desk.settings.edition.lookback_days,
    )


def topic_pool(desk: Desk, ask: Ask) -> tuple[Topic, Pool]:
    """The topic that was asked for, and the pool of the moment."""
    with desk.store.read() as tx:
        topics = topics_by_slug(tx)
    found = topics.get(ask.path["slug"])
    if found is None:
        raise NotFound("There is no such topic; the front page has a list of all.")
    return found, desk.stand.pool(desk.app.now())


def paper(desk: Desk, ask: Ask) -> Page:
    """One paper: its words, where it was listed, how it grew, and others like it."""
    item, candidate = known_paper(desk, ask, "")
    alike = similar_papers(desk, item)
    view = paper_page(item, candidate)
    return desk.public(
        "paper.html",
        frame(
            view.paper.item.title,
            nav="paper",
            description=view.paper.item.abstract,
            feed=f"{view.paper.path}/feed.{{}}",
            canonical=view.paper.path,
        ),
        view=view,
        published_on=item.published_at.date() if item.published_at else None,
        similar=tuple(map(candidate_view, alike)),
    )


def known_paper(desk: Desk, ask: Ask, tail: str) -> tuple[Item, Candidate]:
    """The item of a path, with its standings. Raises Elsewhere when another path is its own."""
    text = ask.path["key"]
    try:
        key = parse_key(text)
    except BadInput as error:
        raise NotFound("That names no paper: an arXiv id, a DOI or a key is needed.") from error
    with desk.store.read() as tx:
        item = find_item(tx, key)
        found = candidates_by_id(tx, [item.id], until=desk.app.now()) if item else ()
    if item is None or not found:
        raise NotFound("No source has listed that paper, so it is not in the archive.")
    if item.key != text:
        raise Elsewhere(paper_path(item.key) + tail)
    return item, found[0]


def similar_papers(desk: Desk, item: Item, limit: int = 8) -> tuple[Candidate, ...]:
    """Papers like one of the archive, most alike first."""
    now = desk.app.now()
    return in_order(desk, desk.finder.similar(item, now=now, limit=limit))


def in_order(desk: Desk, items: tuple[Item, ...]) -> tuple[Candidate, ...]:
    """Items with their standings, in the order given."""
    with desk.store.read() as tx:
        found = candidates_by_id(tx, [item.id for item in items], until=desk.app.now())
    by_id = {candidate.item_id: candidate for candidate in found}
    return tuple(by_id[item.id] for item in items if item.id in by_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchForm:
    """What was searched for, as typed."""

    q: str = ""
    source: str = ""
    topic: str = ""
    since: str = ""
    until: str = ""

    @property
    def is_limited(self) -> bool:
        """Whether anything but the words was given."""
        return bool(self.source or self.topic or self.since or self.until)

    @property
    def query(self) -> str:
        """As a query string, in its one spelling."""
        values = {
            "q": self.q,
            "source": self.source,
            "topic": self.topic,
            "from": self.since,
            "to": self.until,
        }
        return urlencode({name: value for name, value in values.items() if value})


def search(desk: Desk, ask: Ask) -> Page:
    """The whole archive by words and by meaning."""
    form = read_search(ask)
    with desk.store.read() as tx:
        topics = topics_by_slug(tx)
        sources = pages.source_names(tx)
    problem, found = "", None
    try:
        filters = search_filters(form, topics)
        if form.q:
            found = desk.finder.search(form.q, filters, now=desk.app.now(), limit=_FOUND)
    except BadInput as error:
        problem = sentence(str(error))
    with_words, about = _candidates(desk, found)
    return desk.public(
        "search.html",
        frame(
            f"Search: {form.q}" if form.q else "Search",
            nav="search",
            feed=f"/search/feed.{{}}?{form.query}" if form.q else "",
            is_private=bool(form.q),
        ),
        form=form,
        topics=tuple(topics.values()),
        sources=sources,
        problem=problem,
        asked=found is not None,
        by_words=tuple(map(candidate_view, with_words)),
        by_meaning=tuple(map(candidate_view, about)),
        is_full=len(with_words) == _FOUND,
    )


def _candidates(
    desk: Desk, found: Found | None
) -> tuple[tuple[Candidate, ...], tuple[Candidate, ...]]:
    """What was found by words and by meaning, with standings, read in one go."""
    if found is None:
        return (), ()
    words = {item.id for item in found.by_words}
    both = in_order(desk, found.by_words + found.by_meaning)
    return (
        tuple(c for c in both if c.item_id in words),
        tuple(c for c in both if c.item_id not in words),
    )


def read_search(ask: Ask) -> SearchForm:
    """The search that a query means."""
    asked = ask.query
    return SearchForm(
        q=asked.get("q", ""),
        source=asked.get("source", ""),
        topic=asked.get("topic", ""),
        since=asked.get("from", ""),
        until=asked.get("to", ""),
    )


def search_filters(form: SearchForm, topics: dict[str, Topic]) -> Filters:
    """What a search is limited to. Raises BadInput for a date that is none."""
    chosen = topics.get(form.topic)
    return Filters(
        source=form.source or None,
        since=_moment(form.since),
        until=_moment(form.until, days=1),
        phrases=(chosen.keywords or (chosen.name,)) if chosen else (),
    )


def _moment(text: str, *, days: int = 0) -> datetime | None:
    if not text:
        return None
    try:
        return day_bounds(parse_date(text) + timedelta(days=days))[0]
    except OverflowError as error:
        raise BadInput(f"{text!r} is too far away") from error
