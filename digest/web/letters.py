"""Editions on the web: a mail as a page, and all of a person's editions as a private feed.

An edition's link shows that edition and nothing else: no vote, no way to the person's choices, so
that it can be passed on to a colleague.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from digest.clock import local_date
from digest.compose.view import shown_title
from digest.errors import NotFound
from digest.filters import full_day, plural, weekday
from digest.model import Edition
from digest.store.editions import load_editions
from digest.store.mine import past_editions
from digest.tokens import Purpose
from digest.web.desk import Desk, frame
from digest.web.feed_pages import feed_writer
from digest.web.feeds import Feed, FeedEntry
from digest.web.views import SHORT, entry_view

_FEED_EDITIONS = 20


def edition_page(desk: Desk, request: Request) -> Response:
    """The mail as a page."""
    (edition_id,) = desk.app.tokens.read(Purpose.EDITION, request.path_params["token"], count=1)
    with desk.store.read() as tx:
        edition = load_editions(tx, [edition_id]).get(edition_id)
    if edition is None:
        raise NotFound("This edition does not exist any more; its reader may have erased it.")
    return desk.private(
        "edition.html",
        frame(f"{weekday(edition.local_on)} {full_day(edition.local_on)}", is_private=True),
        edition=edition,
        papers=tuple(entry_view(entry) for entry in edition.entries),
        rising=tuple(entry_view(entry, level=SHORT) for entry in edition.rising),
        made_on=local_date(edition.made_at, edition.zone),
    )


def private_feed(desk: Desk, request: Request) -> Response:
    """A person's editions, newest first, for a feed reader."""
    token = request.path_params["token"]
    (subscriber_id,) = desk.app.tokens.read(Purpose.FEED, token, count=1)
    desk.accounts.find(subscriber_id)
    with desk.store.read() as tx:
        past = past_editions(tx, subscriber_id, limit=_FEED_EDITIONS)
        editions = load_editions(tx, [edition.id for edition in past])
    home = desk.links.home
    feed = Feed(
        title=f"{desk.site.name}: your editions",
        subtitle="What was picked for you; this feed is yours alone",
        home_url=f"{home}/",
        atom_url=f"{home}/feed/{token}.atom",
        json_url=f"{home}/feed/{token}.json",
        author=desk.site.name,
        now=desk.app.now(),
        entries=[_entry(desk, editions[e.id]) for e in past if e.id in editions],
    )
    write, kind = feed_writer(request.path_params["form"])
    return Response(write(feed), media_type=kind, headers={"cache-control": "private, no-cache"})


def _entry(desk: Desk, edition: Edition) -> FeedEntry:
    titles = [shown_title(entry.wording) for entry in edition.entries]
    count = plural(len(titles), "paper")
    return FeedEntry(
        url=desk.links.edition(edition.id),
        title=f"{weekday(edition.local_on)} {full_day(edition.local_on)}: {count}",
        summary=" · ".join(titles) or edition.note or "",
        updated_at=edition.made_at,
    )
