"""A subscriber's own page: choices, pause, address, past editions, data, and the way out.

Opened by the signed link of a mail, without a password. What it changes is account.py's and
enrol.py's; here forms are read and pages filled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest.account import read_papers
from digest.addresses import parse_address
from digest.clock import local_date
from digest.compose.view import shown_title
from digest.errors import BadInput
from digest.model import InterestKind, Item, Status, Subscriber
from digest.signup import PER_MOVER, Sender, Taken
from digest.store import editions as shelf
from digest.store import signups
from digest.store.items import items_by_key
from digest.store.mine import past_editions
from digest.store.pages import archive_begin
from digest.store.people import Wish
from digest.store.profiles import profiles_of
from digest.store.topics import topics_by_slug
from digest.tokens import Purpose
from digest.web.choosing import lines, read_choices, stored_form, typed_form
from digest.web.desk import Desk, frame
from digest.web.forms import Form, FormName
from digest.web.matching import Preview, days_covered, preview
from digest.web.refusals import Refused, sentence, too_often
from digest.web.views import paper_path

_EDITIONS_SHOWN = 30
#: more than a long life has
_EDITIONS_MAX = 40_000
_PAUSES = {"7": "a week", "14": "two weeks", "30": "a month", "90": "three months"}
#: what was just done → what the page says about it
_DONE = {
    "saved": "Saved. The next edition will be like that.",
    "moved": "A mail is on its way to the new address. When the button in it has been pressed, "
    "everything goes there; until then nothing changes.",
    "back": "Welcome back. The mail will come again.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleView:
    """A paper that was liked or disliked, with a box to keep it."""

    #: "like arxiv:2401.01234"
    value: str
    title: str
    path: str
    is_liked: bool


def preferences_page(desk: Desk, request: Request) -> Response:
    """Everything that can be changed, and what it leads to."""
    subscriber = _subscriber(desk, request)
    done = _DONE.get(request.query_params.get("done", ""), "")
    return _page(desk, request, subscriber, done=done)


def preferences(desk: Desk, request: Request, form: Form) -> Response:
    """The POSTs of that page."""
    subscriber = _subscriber(desk, request)
    desk.check_form(form, FormName.PREFERENCES, subscriber.id)
    actions: dict[str, Callable[[Desk, Request, Form, Subscriber], Response]] = {
        "save": _save,
        "move": _move,
        "back": _come_back,
        "erase": _erase,
    }
    act = actions.get(form.one("do"), _save)
    try:
        return act(desk, request, form, subscriber)
    except Refused:
        raise
    except BadInput as error:
        return _page(desk, request, subscriber, form=form, problems=(str(error),))


def _subscriber(desk: Desk, request: Request) -> Subscriber:
    (subscriber_id,) = desk.app.tokens.read(
        Purpose.PREFERENCES, request.path_params["token"], count=1
    )
    return desk.accounts.find(subscriber_id)


def _back_to(desk: Desk, subscriber: Subscriber, done: str) -> Response:
    """The page itself, so that a reload sends nothing twice."""
    path = desk.below(desk.links.preferences(subscriber.id))
    return RedirectResponse(f"{path}?done={done}", status_code=303)


def _save(desk: Desk, request: Request, form: Form, subscriber: Subscriber) -> Response:
    choices, problems = read_choices(form)
    if problems:
        return _page(desk, request, subscriber, form=form, problems=problems)
    now = desk.app.now()
    pause = form.one("pause")
    if pause and pause not in ("keep", "none", *_PAUSES):
        raise BadInput("choose how long to pause")
    liked = read_papers(lines(form.one("likes")))
    desk.app.enrolment.change(subscriber.id, choices, now=now)
    desk.accounts.change_examples(
        subscriber.id, gone=_unticked(desk, form, subscriber), liked=liked, now=now
    )
    if pause and pause != "keep":
        span = timedelta(days=int(pause)) if pause in _PAUSES else None
        desk.accounts.pause(subscriber.id, span, now=now)
    return _back_to(desk, subscriber, "saved")


def _unticked(desk: Desk, form: Form, subscriber: Subscriber) -> tuple[Wish, ...]:
    """The papers whose box was there and was not ticked any more."""
    shown, kept = set(form.many("example_shown")), set(form.many("example"))
    return tuple(
        wish
        for wish in desk.accounts.wishes(subscriber.id)
        if (name := f"{wish.kind} {wish.value}") in shown and name not in kept
    )


def _move(desk: Desk, request: Request, form: Form, subscriber: Subscriber) -> Response:
    if parse_address(form.one("new_email")).key == parse_address(subscriber.email).key:
        raise BadInput("that is the address already; name another one")
    sender = Sender(client=desk.client(request))
    taken = desk.intake.take_move(subscriber.id, form.one("new_email"), sender, now=desk.app.now())
    if taken is Taken.TOO_OFTEN:
        raise too_often(int(PER_MOVER.within.total_seconds() // 60))
    answer = _back_to(desk, subscriber, "moved")
    answer.background = BackgroundTask(desk.deal_soon)
    return answer


def _come_back(desk: Desk, request: Request, form: Form, subscriber: Subscriber) -> Response:
    detail = Sender(client=desk.client(request)).detail
    desk.accounts.come_back(subscriber.id, now=desk.app.now(), detail=detail)
    return _back_to(desk, subscriber, "back")


def _erase(desk: Desk, request: Request, form: Form, subscriber: Subscriber) -> Response:
    if form.one("sure") != "yes":
        raise BadInput("tick the box to say that everything is to be erased")
    desk.app.enrolment.erase(subscriber.id, now=desk.app.now())
    return desk.notice(
        "Everything is erased",
        "Your address, your choices and your editions are gone, and no mail will come. "
        "You can subscribe again at any time.",
    )


def _page(
    desk: Desk,
    request: Request,
    subscriber: Subscriber,
    *,
    form: Form | None = None,
    problems: tuple[str, ...] = (),
    done: str = "",
) -> Response:
    wishes = desk.accounts.wishes(subscriber.id)
    shown, all_shown = _EDITIONS_SHOWN, request.query_params.get("editions") == "all"
    with desk.store.read() as tx:
        topics = tuple(topics_by_slug(tx).values())
        examples = _examples(items_by_key(tx, _example_keys(wishes)), wishes)
        editions = past_editions(tx, subscriber.id, limit=_EDITIONS_MAX if all_shown else shown + 1)
        wanted = signups.move_wanted(tx, subscriber.id)
    if form is None:
        view = stored_form(subscriber, wishes, topics)
    else:
        view = typed_form(form, topics, desk.app.enrolment.defaults)
    return desk.private(
        "preferences.html",
        frame("What you get", is_private=True),
        status=400 if problems else 200,
        person=subscriber,
        is_confirmed=subscriber.status is Status.CONFIRMED,
        is_pending=subscriber.status is Status.PENDING,
        is_suppressed=subscriber.status is Status.SUPPRESSED,
        paused_until=_paused_until(desk, subscriber),
        pauses=_PAUSES,
        form=view,
        form_token=desk.form_token(FormName.PREFERENCES, subscriber.id),
        problems=tuple(map(sentence, problems)),
        done=done,
        examples=examples,
        editions=[
            (e, desk.below(desk.links.edition(e.id)))
            for e in (editions if all_shown else editions[:shown])
        ],
        has_older=not all_shown and len(editions) > shown,
        wanted=wanted,
        preview=_preview(desk, subscriber),
        **_paths(desk, subscriber),
    )


def _paused_until(desk: Desk, subscriber: Subscriber) -> object:
    until = subscriber.paused_until
    if until is None or until <= desk.app.now():
        return None
    return local_date(until, subscriber.zone)


def _paths(desk: Desk, subscriber: Subscriber) -> dict[str, object]:
    own = desk.below(desk.links.preferences(subscriber.id))
    feed = desk.app.tokens.sign(Purpose.FEED, subscriber.id)
    return {
        "own_path": own,
        "export_path": f"{own}/data.json",
        "leave_path": desk.below(desk.links.unsubscribe(subscriber.id)),
        "private_feed": f"{desk.links.home}/feed/{feed}.atom",
    }


def _example_keys(wishes: tuple[Wish, ...]) -> list[str]:
    return [w.value for w in wishes if w.kind in (InterestKind.LIKE, InterestKind.DISLIKE)]


def _examples(known: Mapping[str, Item], wishes: tuple[Wish, ...]) -> tuple[ExampleView, ...]:
    """The papers that were liked or disliked, the last one first."""
    return tuple(
        ExampleView(
            value=f"{wish.kind} {wish.value}",
            title=shown_title(known[wish.value].wording()) if wish.value in known else wish.value,
            path=paper_path(wish.value) if wish.value in known else "",
            is_liked=wish.kind is InterestKind.LIKE,
        )
        for wish in reversed(wishes)
        if wish.kind in (InterestKind.LIKE, InterestKind.DISLIKE)
    )


def _preview(desk: Desk, subscriber: Subscriber) -> Preview | None:
    """What the next edition would hold if it were made now."""
    if subscriber.status is not Status.CONFIRMED:
        return None
    now = desk.app.now()
    with desk.store.read() as tx:
        profile = profiles_of(tx, [subscriber.id])[subscriber.id]
        seen = shelf.seen_items(tx, [subscriber.id]).get(subscriber.id, set())
        begin = archive_begin(tx)
    return preview(
        profile,
        desk.stand.pool(now),
        limit=subscriber.max_items,
        days=days_covered(begin, now, desk.lookback),
        seen=frozenset(seen),
    )


def export(desk: Desk, request: Request) -> Response:
    """All that is kept about a person, as a file."""
    subscriber = _subscriber(desk, request)
    data = desk.accounts.export(subscriber.id)
    text = json.dumps(data, ensure_ascii=False, indent=2)
    name = 'attachment; filename="my-digest.json"'
    return Response(text, media_type="application/json", headers={"content-disposition": name})
