"""The feeds of the public pages: what each page lists, for feed readers.

Called through endpoints.public, like the pages themselves; the form of a feed is feeds.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from digest.compose.readable import readable
from digest.compose.view import shown_title
from digest.model import Candidate, Profile
from digest.store.topics import topics_by_slug
from digest.text import http_url
from digest.web import browse
from digest.web.desk import Desk
from digest.web.endpoints import Ask
from digest.web.feeds import ATOM, JSON, Feed, FeedEntry, atom_bytes, json_bytes
from digest.web.page import Page, make_page
from digest.web.views import paper_path

_ENTRIES = 50
_SUMMARY_MAX = 3_000
#: feed readers ask often; that long they may keep what they have, in seconds
_AGE_S = 900


def front(desk: Desk, ask: Ask) -> Page:
    """What is trending now."""
    pool = desk.stand.pool(desk.app.now())
    found = [pool.candidate(pick.item_id) for pick in pool.trending(browse.FRONT_PAPERS)]
    return _feed(desk, ask, desk.site.name, "Papers that people are reading now", "/", found)


def topic(desk: Desk, ask: Ask) -> Page:
    """The papers of a topic, newest first."""
    chosen, pool = browse.topic_pool(desk, ask)
    picks = pool.pick(Profile(topics=(chosen,)), limit=_ENTRIES, rising=0).picks
    found = _newest_first([pool.candidate(pick.item_id) for pick in picks])
    title = f"{desk.site.name}: {chosen.name}"
    return _feed(desk, ask, title, chosen.description, f"/topic/{chosen.slug}", found)


def paper(desk: Desk, ask: Ask) -> Page:
    """Papers like one paper."""
    item, _ = browse.known_paper(desk, ask, f"/feed.{ask.path['form']}")
    found = _newest_first(browse.similar_papers(desk, item, limit=_ENTRIES))
    name = shown_title(item.wording())
    return _feed(desk, ask, f"Like: {name}", f"Papers like {name}", paper_path(item.key), found)


def search(desk: Desk, ask: Ask) -> Page:
    """What a search finds by its words, newest first."""
    form = browse.read_search(ask)
    with desk.store.read() as tx:
        filters = browse.search_filters(form, topics_by_slug(tx))
    hits = desk.finder.search(form.q, filters, now=desk.app.now(), limit=_ENTRIES, meaning=0)
    found = _newest_first(browse.in_order(desk, hits.by_words))
    title = f"{desk.site.name}: {form.q}"
    return _feed(desk, ask, title, f"Papers with {form.q}", f"/search?{form.query}", found)


def _newest_first(found: Sequence[Candidate]) -> list[Candidate]:
    return sorted(found, key=lambda c: (c.first_seen_at, c.item_id), reverse=True)


def _feed(
    desk: Desk, ask: Ask, title: str, subtitle: str, path: str, found: Sequence[Candidate]
) -> Page:
    home = desk.links.home
    base, question, query = path.partition("?")
    feed_url = f"{home}{base.rstrip('/')}/feed.{{}}{question}{query}"
    feed = Feed(
        title=title,
        subtitle=subtitle,
        home_url=f"{home}{path}",
        atom_url=feed_url.replace("{}", "atom"),
        json_url=feed_url.replace("{}", "json"),
        author=desk.site.name,
        now=desk.app.now(),
        entries=[_entry(home, candidate) for candidate in found],
    )
    write, kind = feed_writer(ask.path["form"])
    return make_page(write(feed), media_type=kind, modified_at=feed.updated_at, max_age_s=_AGE_S)


def feed_writer(form: str) -> tuple[Callable[[Feed], bytes], str]:
    """What writes the feed's form ("atom" or "json"), and its media type."""
    return (json_bytes, JSON) if form == "json" else (atom_bytes, ATOM)


def _entry(home: str, candidate: Candidate) -> FeedEntry:
    wording = candidate.wording
    return FeedEntry(
        url=home + paper_path(wording.key),
        title=shown_title(wording),
        summary=readable(wording.abstract[:_SUMMARY_MAX]),
        # the day it was listed; votes come and go without making it new
        updated_at=candidate.first_seen_at,
        authors=wording.authors,
        categories=wording.categories,
        external_url=http_url(wording.url),
    )
