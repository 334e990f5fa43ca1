"""The topics that are offered: edited here, with a preview of what each would pick."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest.errors import BadInput, NotFound
from digest.model import Profile, Topic
from digest.store.pages import archive_begin
from digest.store.topics import followers, put_topic, remove_topic, topics_by_slug
from digest.text import clean
from digest.web.admin.session import Session, page
from digest.web.choosing import parts
from digest.web.desk import Desk
from digest.web.forms import Form
from digest.web.matching import Preview, days_covered, preview

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_MAX = 60
_NAME_MAX = 80
_TEXT_MAX = 4_000
_KEYWORDS_MAX = 100
_PREVIEW = 12
_NEW = Topic(slug="", name="")


def topics_page(desk: Desk, request: Request, session: Session) -> Response:
    """All topics, with how many follow each."""
    with desk.store.read() as tx:
        topics, counts = topics_by_slug(tx), followers(tx)
    return page(
        desk,
        session,
        "topics.html",
        "Topics",
        nav="topics",
        topics=[(topic, counts.get(topic.slug, 0)) for topic in topics.values()],
    )


def topic_page(desk: Desk, request: Request, session: Session) -> Response:
    """One topic's form; the topic named "-" is one to be made."""
    slug = request.path_params["slug"]
    topic = _NEW if slug == "-" else _known(desk, slug)
    return _form(desk, session, topic, is_new=topic is _NEW)


def _known(desk: Desk, slug: str) -> Topic:
    with desk.store.read() as tx:
        found = topics_by_slug(tx).get(slug)
    if found is None:
        raise NotFound("There is no such topic.")
    return found


def act(desk: Desk, request: Request, session: Session, form: Form) -> Response:
    """Preview, save or remove a topic."""
    slug = request.path_params["slug"]
    is_new = slug == "-"
    if not is_new:
        _known(desk, slug)
    if form.one("do") == "remove" and not is_new:
        if form.one("sure") != "yes":
            raise BadInput("tick the box to say that the topic is to be removed")
        with desk.store.write() as tx:
            remove_topic(tx, slug)
        return RedirectResponse(f"{desk.base}/admin/topics", status_code=303)
    topic = typed_topic(form, form.one("slug") if is_new else slug)
    try:
        check_topic(topic)
        if is_new and form.one("do") != "preview":
            _refuse_known(desk, topic.slug)
    except BadInput as error:
        return _form(desk, session, topic, is_new=is_new, problem=str(error))
    if form.one("do") == "preview":
        return _form(desk, session, topic, is_new=is_new)
    with desk.store.write() as tx:
        put_topic(tx, topic)
    return RedirectResponse(f"{desk.base}/admin/topics/{topic.slug}", status_code=303)


def _refuse_known(desk: Desk, slug: str) -> None:
    with desk.store.read() as tx:
        if slug in topics_by_slug(tx):
            raise BadInput(f"there is a topic {slug} already")


def typed_topic(form: Form, slug: str) -> Topic:
    """The topic of a form, cleaned."""
    return Topic(
        slug=clean(slug).lower(),
        name=clean(form.one("name")),
        description=clean(form.one("description")),
        text=clean(form.one("text")),
        keywords=tuple(map(clean, parts(form.one("keywords")))),
        exclude=tuple(map(clean, parts(form.one("exclude")))),
    )


def check_topic(topic: Topic) -> None:
    """Raise BadInput for what cannot be a topic."""
    if not _SLUG.fullmatch(topic.slug) or len(topic.slug) > _SLUG_MAX:
        raise BadInput("the short name has small letters, digits and hyphens: language-models")
    if not topic.name or len(topic.name) > _NAME_MAX:
        raise BadInput(f"the name has 1 to {_NAME_MAX} characters")
    if max(len(topic.text), len(topic.description)) > _TEXT_MAX:
        raise BadInput(f"the texts have {_TEXT_MAX} characters at most")
    if max(len(topic.keywords), len(topic.exclude)) > _KEYWORDS_MAX:
        raise BadInput(f"at most {_KEYWORDS_MAX} keywords")
    if not (topic.text or topic.keywords):
        raise BadInput("a text or some keywords say what the topic is about")


def _form(
    desk: Desk, session: Session, topic: Topic, *, is_new: bool, problem: str = ""
) -> Response:
    return page(
        desk,
        session,
        "topic.html",
        topic.name or "A new topic",
        nav="topics",
        status=400 if problem else 200,
        topic=topic,
        is_new=is_new,
        problems=(problem,) if problem else (),
        preview=_preview(desk, topic) if topic.text or topic.keywords else None,
    )


def _preview(desk: Desk, topic: Topic) -> Preview:
    now = desk.app.now()
    with desk.store.read() as tx:
        begin = archive_begin(tx)
    days = days_covered(begin, now, desk.lookback)
    return preview(Profile(topics=(topic,)), desk.stand.pool(now), limit=_PREVIEW, days=days)
