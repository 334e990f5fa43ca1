"""From requests to handlers: public pages by the cache, private ones straight, forms read first.

A handler is an ordinary function in a thread. GET and HEAD reach only handlers that read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from digest.web.desk import Desk, desk_of
from digest.web.forms import Form, read_form, refuse_foreign
from digest.web.page import Page, answer_for
from digest.web.refusals import Refused

Endpoint = Callable[[Request], Awaitable[Response]]
Getter = Callable[[Desk, Request], Response]
Poster = Callable[[Desk, Request, Form], Response]
#: longer values of a query are cut: nobody means them
_QUERY_VALUE_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a public page depends on, and nothing else of the request."""

    #: parts of the path
    path: Mapping[str, str]
    #: the parameters that the page knows, those that are empty left out
    query: Mapping[str, str]


class Elsewhere(Exception):
    """What was asked for is at another path below the site's address."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def public(
    make: Callable[[Desk, Ask], Page], query: Sequence[str] = (), *, is_search: bool = False
) -> Endpoint:
    """An endpoint for a page that is the same for everybody.

    `query` names the parameters that make a difference; others are ignored, so that nobody can
    fill the cache with copies of one page. `is_search`: making it looks through the whole archive.
    """

    async def endpoint(request: Request) -> Response:
        desk = desk_of(request)
        known = {name: request.query_params.get(name, "").strip() for name in query}
        asked = {name: value[:_QUERY_VALUE_MAX] for name, value in known.items() if value}
        ask = Ask(path=request.path_params, query=asked)
        key = (request.scope["path"], urlencode(asked))
        work = desk.search if is_search else desk.work
        page = await desk.cache.page(key, lambda: work(make, desk, ask))
        return page_response(page, request)

    return endpoint


def page_response(page: Page, request: Request) -> Response:
    """A public page as the client needs it."""
    answer = answer_for(page, request.scope["headers"])
    response = Response(answer.body, answer.status)
    response.raw_headers = list(answer.headers)
    return response


def private(
    get: Getter | None = None, post: Poster | None = None, *, from_anywhere: bool = False
) -> Endpoint:
    """An endpoint for pages and forms of one person.

    `from_anywhere` lets mail programs post without saying where from (RFC 8058); every other form
    must come from our own pages, and its handler checks its token.
    """

    async def endpoint(request: Request) -> Response:
        desk = desk_of(request)
        if request.method == "POST":
            if post is None:
                raise HTTPException(405)
            if not from_anywhere:
                refuse_foreign(request, desk.origins(request))
            form = await (_any_form(request) if from_anywhere else read_form(request))
            return for_the_way_back(await desk.work(post, desk, request, form))
        if get is None:
            raise HTTPException(405)
        return await desk.work(get, desk, request)

    return endpoint


def for_the_way_back(answer: Response) -> Response:
    """Let the browser that sent a form keep the answer.

    Else whoever opens a paper out of a preview and goes back is asked to send the form again.
    """
    answer.headers.setdefault("cache-control", "private, no-cache")
    return answer


async def _any_form(request: Request) -> Form:
    """The form of a mail program: acted on whatever it holds, within the limits."""
    try:
        return await read_form(request)
    except Refused:
        return Form({})
