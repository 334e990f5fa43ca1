"""Unsubscribing: a page with one button, and the one click of mail programs (RFC 8058).

The POST asks for nothing: no cookie, no form token, no origin, no login. It acts at once, answers
200 without redirect, may come twice, and is kind to people who are not on the list any more.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from digest.errors import NotFound
from digest.model import Status, Subscriber
from digest.tokens import Purpose
from digest.web.desk import Desk, frame
from digest.web.forms import Form


def unsubscribe_page(desk: Desk, request: Request) -> Response:
    """One button. Whoever fetches links to look at them changes nothing."""
    subscriber = _subscriber(desk, request)
    if subscriber is None or subscriber.status is Status.UNSUBSCRIBED:
        return _gone(desk, subscriber)
    return desk.private(
        "unsubscribe.html",
        frame("End the mail?", is_private=True),
        email=subscriber.email,
        preferences=desk.below(desk.links.preferences(subscriber.id)),
    )


def unsubscribe(desk: Desk, request: Request, form: Form) -> Response:
    """The press of the button, here or in a mail program."""
    subscriber = _subscriber(desk, request)
    if subscriber is not None:
        desk.app.enrolment.unsubscribe(subscriber.id, now=desk.app.now(), source="web")
    return _gone(desk, subscriber)


def _subscriber(desk: Desk, request: Request) -> Subscriber | None:
    """The subscriber of the link; None after erasure."""
    (subscriber_id,) = desk.app.tokens.read(
        Purpose.UNSUBSCRIBE, request.path_params["token"], count=1
    )
    try:
        return desk.accounts.find(subscriber_id)
    except NotFound:
        return None


def _gone(desk: Desk, subscriber: Subscriber | None) -> Response:
    return desk.private(
        "unsubscribed.html",
        frame("You are unsubscribed", is_private=True),
        preferences=desk.below(desk.links.preferences(subscriber.id)) if subscriber else "",
    )
