"""The web application: which path leads to which handler, and what errors look like to people.

`build_web(app)` is called by the scheduler's web role, the demo and the tests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from digest.app import App
from digest.errors import BadInput, DigestError, NotFound, StoreBusy, StoreError, TokenError
from digest.web import browse, feed_pages, health, joining, leaving, letters, own, votes
from digest.web.admin import outbox_pages, overview, readers, session, topic_pages, trial
from digest.web.desk import Desk, desk_of
from digest.web.endpoints import Elsewhere, page_response, private, public
from digest.web.refusals import Refused, sentence
from digest.web.shield import Shield

log = logging.getLogger(__name__)


class _FeedForm(Convertor[str]):
    """The two endings of feeds."""

    regex = "atom|json"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("feed", _FeedForm())


def build_web(app: App) -> Starlette:
    """The pages of one set of settings, as an ASGI application."""
    desk = Desk(app)
    web = Starlette(
        routes=[*_public_routes(), *_personal_routes(), *_operator_routes()],
        middleware=[
            Middleware(
                Shield,
                site_url=desk.site.url,
                own_host=app.settings.web.host,
                proxies=desk.proxies,
                cache=desk.cache,
                answers=desk.answers,
            )
        ],
        exception_handlers=_error_handlers(),
        lifespan=_lifespan,
    )
    web.state.desk = desk
    return web


@asynccontextmanager
async def _lifespan(web: Starlette) -> AsyncIterator[None]:
    desk: Desk = web.state.desk
    # what was answered before a restart and not dealt with
    desk.deal_soon()
    # so that the first reader need not wait for what takes a second to learn
    warming = web.state.warming = asyncio.create_task(desk.work(desk.warm))
    try:
        yield
    finally:
        await asyncio.wait([warming])
        desk.close()


def _public_routes() -> list[Route]:
    search = browse.SEARCH_PARAMETERS
    return [
        Route("/", public(browse.front)),
        Route("/feed.{form:feed}", public(feed_pages.front)),
        Route("/day/{day}", public(browse.day)),
        Route("/topic/{slug}", public(browse.topic)),
        Route("/topic/{slug}/feed.{form:feed}", public(feed_pages.topic)),
        Route("/paper/{key:path}/feed.{form:feed}", public(feed_pages.paper, is_search=True)),
        Route("/paper/{key:path}", public(browse.paper, is_search=True)),
        Route("/search", public(browse.search, search, is_search=True)),
        Route("/search/feed.{form:feed}", public(feed_pages.search, search, is_search=True)),
        Route("/static/{name}", _static),
        Route("/favicon.ico", _favicon),
        Route("/robots.txt", _robots),
    ]


def _personal_routes() -> list[Route]:
    both = ["GET", "POST"]
    return [
        Route("/subscribe", public(joining.subscribe_page, ("topic",))),
        Route("/subscribe", private(post=joining.subscribe), methods=["POST"]),
        Route("/subscribe/match", private(post=joining.match), methods=["POST"]),
        Route("/confirm/{token}", private(joining.confirm_page, joining.confirm), methods=both),
        Route("/preferences/{token}", private(own.preferences_page, own.preferences), methods=both),
        Route("/preferences/{token}/data.json", private(own.export)),
        Route(
            "/unsubscribe/{token}",
            private(leaving.unsubscribe_page, leaving.unsubscribe, from_anywhere=True),
            methods=both,
        ),
        Route("/feedback/{token}", private(votes.feedback_page, votes.feedback), methods=both),
        Route("/edition/{token}", private(letters.edition_page)),
        Route("/feed/{token}.{form:feed}", private(letters.private_feed)),
    ]


def _operator_routes() -> list[Route]:
    both = ["GET", "POST"]
    guarded = session.guarded
    return [
        Route("/health", private(health.health)),
        Route("/metrics", private(health.metrics)),
        Route("/admin/login", private(session.login_page, session.login), methods=both),
        Route("/admin/logout", guarded(overview.overview, session.logout), methods=both),
        Route("/admin", guarded(overview.overview)),
        Route("/admin/outbox", guarded(outbox_pages.outbox_page, outbox_pages.act), methods=both),
        Route("/admin/readers", guarded(readers.readers_page)),
        Route("/admin/readers/{id:int}", guarded(readers.reader_page, readers.act), methods=both),
        Route(
            "/admin/returns", guarded(readers.returns_page, readers.act_on_address), methods=both
        ),
        Route("/admin/topics", guarded(topic_pages.topics_page)),
        Route(
            "/admin/topics/{slug}", guarded(topic_pages.topic_page, topic_pages.act), methods=both
        ),
        Route("/admin/mail", guarded(trial.trial_page, trial.send_trial), methods=both),
    ]


async def _static(request: Request) -> Response:
    page = desk_of(request).statics.get(request.path_params["name"])
    if page is None:
        raise HTTPException(404)
    return page_response(page, request)


async def _favicon(request: Request) -> Response:
    return page_response(desk_of(request).statics["icon.svg"], request)


#: pages that carry a token, or are for the operator, are nobody else's to read
_ROBOTS = "User-agent: *\n" + "".join(
    f"Disallow: {path}\n"
    for path in (
        "/admin",
        "/confirm/",
        "/edition/",
        "/feed/",
        "/feedback/",
        "/preferences/",
        "/search",
        "/unsubscribe/",
    )
)


async def _robots(request: Request) -> Response:
    return PlainTextResponse(_ROBOTS)


# --- errors, as pages


def _error_handlers() -> Mapping[Any, Callable[[Request, Any], Any]]:
    return {
        Elsewhere: _go_elsewhere,
        HTTPException: _http_error,
        DigestError: _our_error,
    }


async def _go_elsewhere(request: Request, error: Elsewhere) -> Response:
    return RedirectResponse(desk_of(request).base + error.path, status_code=302)


async def _http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == 404:
        title, text = "There is no such page", "The address may be cut off or out of date."
    elif error.status_code == 405:
        title, text = "That cannot be done here", "This page only takes what its own form sends."
    else:
        title, text = "That did not work", "Please go back and try again."
    return await _notice(request, title, text, error.status_code)


async def _our_error(request: Request, error: DigestError) -> Response:
    match error:
        case Refused():
            return await _notice(
                request, error.title, error.text, error.status, (error.link, error.link_text)
            )
        case NotFound():
            return await _notice(request, "That is not here", str(error), 404)
        case TokenError():
            title = "This link does not work"
            text = (
                "It may have been cut off in your mail program, or it was meant for something else,"
                " or its time is over. Open it again from the mail, as a whole; the newest mail has"
                " the best links."
            )
            return await _notice(request, title, text, 404)
        case BadInput():
            return await _notice(request, "That cannot be used", sentence(str(error)), 400)
        case StoreError():
            log.error("a page could not be made: %s", error)
            busy = isinstance(error, StoreBusy)
            text = "Too much is going on" if busy else "The archive cannot be read"
            return await _notice(request, "Please wait", f"{text}; try again in a minute.", 503)
    log.error("a page could not be made: %s", error)
    text = "Something went wrong on our side; it has been noted."
    return await _notice(request, "That did not work", text, 500)


async def _notice(
    request: Request,
    title: str,
    text: str,
    status: int,
    way_on: tuple[str, str] = ("/", "To the front page"),
) -> Response:
    desk = desk_of(request)
    link, link_text = way_on

    def make() -> Response:
        return desk.notice(title, text, status=status, link=link, link_text=link_text)

    return await desk.work(make)
