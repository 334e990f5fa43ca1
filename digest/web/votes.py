"""Votes from the mail: a page with the vote ready, one press to record it, one to take it back.

The link names a person and an edition by its token, and a pick by its position. GET shows, POST
records: mail scanners that open every link vote for nothing.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from digest.account import Vote
from digest.errors import NotFound
from digest.model import Entry, Subscriber
from digest.store.editions import load_editions
from digest.tokens import Purpose
from digest.web.desk import Desk, frame
from digest.web.forms import Form, FormName
from digest.web.views import entry_view


def feedback_page(desk: Desk, request: Request) -> Response:
    """The paper and the vote, ready to be recorded."""
    query = request.query_params
    subscriber, entry = _voted_on(desk, request, query.get("pick", ""))
    wanted = read_vote(query.get("vote", ""))
    return _page(desk, subscriber, entry, wanted=wanted, is_recorded=False)


def feedback(desk: Desk, request: Request, form: Form) -> Response:
    """The press of a button."""
    subscriber, entry = _voted_on(desk, request, form.one("pick"))
    desk.check_form(form, FormName.FEEDBACK, subscriber.id)
    vote = read_vote(form.one("vote"))
    desk.accounts.vote(subscriber.id, entry.wording.key, vote, now=desk.app.now())
    return _page(desk, subscriber, entry, wanted=vote, is_recorded=True)


def read_vote(text: str) -> Vote:
    """ "up", "down" or "none"; anything else is none."""
    return Vote(text) if text in tuple(Vote) else Vote.NONE


def _voted_on(desk: Desk, request: Request, position: str) -> tuple[Subscriber, Entry]:
    subscriber_id, edition_id = desk.app.tokens.read(
        Purpose.FEEDBACK, request.path_params["token"], count=2
    )
    subscriber = desk.accounts.find(subscriber_id)
    with desk.store.read() as tx:
        edition = load_editions(tx, [edition_id]).get(edition_id)
    entries = edition.entries if edition else ()
    found = next((e for e in entries if str(e.pick.position) == position), None)
    if found is None:
        raise NotFound("That edition has no such paper; the link may have been cut in the mail.")
    return subscriber, found


def _page(
    desk: Desk, subscriber: Subscriber, entry: Entry, *, wanted: Vote, is_recorded: bool
) -> Response:
    current = desk.accounts.vote_of(subscriber.id, entry.wording.key)
    return desk.private(
        "feedback.html",
        frame("Your vote", is_private=True),
        paper=entry_view(entry),
        position=entry.pick.position,
        current=current,
        wanted=wanted,
        is_recorded=is_recorded,
        form_token=desk.form_token(FormName.FEEDBACK, subscriber.id),
        preferences=desk.below(desk.links.preferences(subscriber.id)),
    )
