"""Subscribing: the form, a preview before any address is given, the question, the answer.

The answer to a sign-up is the same for every address: what is done about it happens afterwards
(digest/signup.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from digest.addresses import parse_address
from digest.clock import next_slot
from digest.enrol import Choices, clean_wishes
from digest.errors import BadInput, NotFound, TokenError
from digest.model import CONFIRM_WITHIN, InterestKind, Profile, Status, Subscriber, Topic
from digest.signup import PER_CLIENT, Sender, Taken
from digest.store.mine import profile_of
from digest.store.pages import archive_begin
from digest.store.people import Wish
from digest.store.topics import topics_by_slug
from digest.web.choosing import lines, read_choices, typed_form
from digest.web.desk import Desk, frame
from digest.web.endpoints import Ask
from digest.web.forms import Form, FormName
from digest.web.matching import Preview, days_covered, match_sentence, preview
from digest.web.page import Page
from digest.web.refusals import no_question, sentence, too_often, used_up


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a form asks for, checked as far as it goes."""

    choices: Choices
    wishes: tuple[Wish, ...]
    problems: tuple[str, ...]


def subscribe_page(desk: Desk, ask: Ask) -> Page:
    """The whole form, empty, or with one topic ticked."""
    topics = _topics(desk)
    form = Form({"topic": (ask.query["topic"],)} if "topic" in ask.query else {})
    view = typed_form(form, topics, desk.app.enrolment.defaults)
    return desk.public(
        "subscribe.html",
        _frame(desk),
        form=view,
        form_token=desk.form_token(FormName.SUBSCRIBE),
        problems=(),
        preview=None,
        has_zone=False,
    )


def subscribe(desk: Desk, request: Request, form: Form) -> Response:
    """The POST of the form: a preview, or the wish to join."""
    desk.check_form(form, FormName.SUBSCRIBE)
    wanted = read_wanted(desk, form)
    is_preview = form.one("do") == "preview"
    problems = wanted.problems if is_preview else (*wanted.problems, *_address_problems(form))
    if problems or is_preview:
        return _form_again(desk, form, wanted, problems)
    sender = Sender(client=desk.client(request))
    try:
        taken = desk.intake.take(form.one("email"), wanted.choices, sender, now=desk.app.now())
    except BadInput as error:
        return _form_again(desk, form, wanted, (str(error),))
    if taken is Taken.TOO_OFTEN:
        raise too_often(int(PER_CLIENT.within.total_seconds() // 60))
    answer = desk.private(
        "asked.html", frame("Look into your mailbox", nav="subscribe", is_private=True)
    )
    # after the answer has left: how long it takes depends on the address
    answer.background = BackgroundTask(desk.deal_soon)
    return answer


def _address_problems(form: Form) -> tuple[str, ...]:
    try:
        parse_address(form.one("email"))
    except BadInput as error:
        return (str(error),)
    return ()


def _form_again(desk: Desk, form: Form, wanted: Wanted, problems: tuple[str, ...]) -> Response:
    view = typed_form(form, _topics(desk), desk.app.enrolment.defaults)
    return desk.private(
        "subscribe.html",
        _frame(desk),
        status=400 if problems else 200,
        form=view,
        form_token=desk.form_token(FormName.SUBSCRIBE),
        problems=tuple(map(sentence, problems)),
        preview=None if problems else make_preview(desk, wanted),
        has_zone=form.has("zone"),
    )


def _frame(desk: Desk) -> dict[str, object]:
    return frame(
        "Get it by mail",
        nav="subscribe",
        description=f"{desk.site.name} by mail, picked for your interests.",
        script=True,
    )


def match(desk: Desk, request: Request, form: Form) -> Response:
    """How many papers a day the choices in the form would match, while one chooses."""
    desk.check_form(form, FormName.SUBSCRIBE)
    wanted = read_wanted(desk, form)
    if wanted.problems:
        return JSONResponse({"sentence": sentence(wanted.problems[0])})
    profile, days = _profile(desk, wanted)
    unknown = _unknown(wanted, profile)
    text = match_sentence(profile, desk.stand.pool(desk.app.now()), days=days, unknown=unknown)
    return JSONResponse({"sentence": text})


def read_wanted(desk: Desk, form: Form) -> Wanted:
    """The choices of a form, with all that is wrong with them."""
    choices, problems = read_choices(form)
    likes = lines(form.one("likes"))
    if likes:
        choices.wishes[InterestKind.LIKE] = likes
    try:
        wishes = tuple(clean_wishes(choices, [topic.slug for topic in _topics(desk)]))
    except BadInput as error:
        return Wanted(choices=choices, wishes=(), problems=(*problems, str(error)))
    return Wanted(choices=choices, wishes=wishes, problems=problems)


def make_preview(desk: Desk, wanted: Wanted) -> Preview:
    """The edition that these choices would give now."""
    profile, days = _profile(desk, wanted)
    limit = wanted.choices.max_items or desk.settings.edition.max_items
    unknown = _unknown(wanted, profile)
    return preview(
        profile, desk.stand.pool(desk.app.now()), limit=limit, days=days, unknown=unknown
    )


def _unknown(wanted: Wanted, profile: Profile) -> tuple[str, ...]:
    """Keys of the liked papers that no source has listed."""
    here = {example.key for example in profile.liked}
    liked = (wish.value for wish in wanted.wishes if wish.kind is InterestKind.LIKE)
    return tuple(key for key in liked if key not in here)


def _profile(desk: Desk, wanted: Wanted) -> tuple[Profile, float]:
    now = desk.app.now()
    with desk.store.read() as tx:
        profile = profile_of(tx, wanted.wishes, now=now)
        begin = archive_begin(tx)
    return profile, days_covered(begin, now, desk.lookback)


def _topics(desk: Desk) -> tuple[Topic, ...]:
    with desk.store.read() as tx:
        return tuple(topics_by_slug(tx).values())


# --- the answer to the question


def _asked(desk: Desk, request: Request) -> Subscriber:
    """Whom the link of a question is for. Raises Refused for one that is cut, late or used up."""
    try:
        return desk.accounts.asked(request.path_params["token"], now=desk.app.now())
    except TokenError as error:
        raise no_question(CONFIRM_WITHIN.days) from error
    except NotFound as error:
        # that of a new address is gone once it has replaced the old one
        raise used_up() from error


def confirm_page(desk: Desk, request: Request) -> Response:
    """One button."""
    subscriber = _asked(desk, request)
    if subscriber.status is Status.CONFIRMED:
        return _confirmed(desk, subscriber, is_move=False)
    return desk.private(
        "confirm.html",
        frame("One press, and it will come", is_private=True),
        email=subscriber.email,
        form_token=desk.form_token(FormName.CONFIRM, subscriber.id),
        days=CONFIRM_WITHIN.days,
    )


def confirm(desk: Desk, request: Request, form: Form) -> Response:
    """The press of the button."""
    token, now = request.path_params["token"], desk.app.now()
    desk.check_form(form, FormName.CONFIRM, _asked(desk, request).id)
    detail = Sender(client=desk.client(request)).detail
    done = desk.accounts.confirm(token, now=now, detail=detail)
    return _confirmed(desk, done.subscriber, is_move=done.is_move)


def _confirmed(desk: Desk, subscriber: Subscriber, *, is_move: bool) -> Response:
    if subscriber.status is Status.SUPPRESSED:
        return desk.notice(
            "This address cannot be mailed",
            "Mail to it came back, or was reported as unwanted, so nothing is sent there. "
            "The operator of this site can lift that.",
        )
    now = desk.app.now()
    due = subscriber.next_edition_at or next_slot(
        now, zone=subscriber.zone, send_at=subscriber.send_at, cadence=subscriber.cadence
    )
    return desk.private(
        "confirmed.html",
        frame("That is settled", is_private=True),
        is_move=is_move,
        email=subscriber.email,
        due=due,
        zone=subscriber.zone,
        preferences=desk.below(desk.links.preferences(subscriber.id)),
    )
