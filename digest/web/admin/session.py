"""The operator's login: a token typed once, a signed cookie for half a day, forms bound to it.

The cookie is good only while the token in the settings is the one it was made with, so changing
the token ends every session. Wrong tokens are counted, for each client and for all together.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest.errors import NotFound, TokenError
from digest.store.limits import Limit, allow, used
from digest.tokens import Purpose
from digest.web.desk import Desk, desk_of, frame
from digest.web.endpoints import for_the_way_back
from digest.web.forms import Form, FormName, read_form, refuse_foreign
from digest.web.refusals import too_often

COOKIE = "digest_admin"
SESSION = timedelta(hours=12)
#: wrong tokens that one client may try, and all clients together
PER_CLIENT = Limit(times=5, within=timedelta(minutes=15))
ALTOGETHER = Limit(times=100, within=timedelta(hours=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login."""

    #: what the session's forms are bound to
    number: int


Getter = Callable[[Desk, Request, Session], Response]
Poster = Callable[[Desk, Request, Session, Form], Response]


def guarded(get: Getter, post: Poster | None = None) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint for the operator alone; others are led to the login."""

    async def endpoint(request: Request) -> Response:
        desk = desk_of(request)
        session = read_session(desk, request)
        if session is None:
            return RedirectResponse(f"{desk.base}/admin/login", status_code=303)
        if request.method != "POST":
            return await desk.work(get, desk, request, session)
        if post is None:
            raise HTTPException(405)
        refuse_foreign(request, desk.origins(request))
        form = await read_form(request)
        return for_the_way_back(await desk.work(_checked, post, desk, request, session, form))

    return endpoint


def _checked(post: Poster, desk: Desk, request: Request, session: Session, form: Form) -> Response:
    desk.check_form(form, FormName.ADMIN, session.number)
    return post(desk, request, session, form)


def read_session(desk: Desk, request: Request) -> Session | None:
    """The session of a request's cookie; None when there is none, or it is over."""
    mark = _mark(_token(desk))
    try:
        number, its_mark = desk.app.tokens.read_until(
            Purpose.ADMIN, request.cookies.get(COOKIE, ""), now=desk.app.now(), count=2
        )
    except TokenError:
        return None
    return Session(number=number) if its_mark == mark else None


def _token(desk: Desk) -> str:
    """The token in the settings. Raises NotFound without one."""
    token = desk.settings.web.admin_token
    if token is None:
        raise NotFound("This site has no pages for its operator; [web] admin_token opens them.")
    return token.get_secret_value()


def _mark(token: str) -> int:
    """A number that changes with the token and does not tell it."""
    return int.from_bytes(hashlib.sha256(f"admin {token}".encode()).digest()[:6], "big")


def login_page(desk: Desk, request: Request) -> Response:
    """One field."""
    _token(desk)
    if read_session(desk, request) is not None:
        return RedirectResponse(f"{desk.base}/admin", status_code=303)
    return _login(desk)


def _login(desk: Desk, *, problem: str = "") -> Response:
    return desk.private(
        "admin/login.html",
        frame("Log in", is_private=True),
        status=403 if problem else 200,
        problems=(problem,) if problem else (),
        form_token=desk.form_token(FormName.ADMIN_LOGIN),
    )


def login(desk: Desk, request: Request, form: Form) -> Response:
    """Compare the token, count what is wrong, hand out the cookie."""
    desk.check_form(form, FormName.ADMIN_LOGIN)
    wanted, given = _token(desk), form.one("token")
    client, now = f"login:{desk.client(request)}", desk.app.now()
    with desk.store.read() as tx:
        if used(tx, client, PER_CLIENT, now=now) >= PER_CLIENT.times:
            raise too_often(int(PER_CLIENT.within.total_seconds() // 60))
        if used(tx, "login", ALTOGETHER, now=now) >= ALTOGETHER.times:
            raise too_often(int(ALTOGETHER.within.total_seconds() // 60))
    # hashed first: compared in constant time whatever their lengths
    pair = [hashlib.sha256(text.encode()).digest() for text in (wanted, given)]
    if not hmac.compare_digest(*pair):
        with desk.store.write() as tx:
            allow(tx, client, PER_CLIENT, now=now)
            allow(tx, "login", ALTOGETHER, now=now)
        return _login(desk, problem="That is not the token.")
    answer = RedirectResponse(f"{desk.base}/admin", status_code=303)
    _set_cookie(desk, answer)
    return answer


def _set_cookie(desk: Desk, answer: Response) -> None:
    until = desk.app.now() + SESSION
    number = secrets.randbits(48)
    value = desk.app.tokens.sign_until(Purpose.ADMIN, until, number, _mark(_token(desk)))
    answer.set_cookie(
        COOKIE,
        value,
        max_age=int(SESSION.total_seconds()),
        path=f"{desk.base}/admin",
        secure=desk.site.url.startswith("https:"),
        httponly=True,
        samesite="strict",
    )


def logout(desk: Desk, request: Request, session: Session, form: Form) -> Response:
    """Forget the cookie."""
    answer = RedirectResponse(f"{desk.base}/admin/login", status_code=303)
    answer.delete_cookie(COOKIE, path=f"{desk.base}/admin")
    return answer


def page(
    desk: Desk,
    session: Session,
    template: str,
    title: str,
    *,
    nav: str,
    status: int = 200,
    **values: object,
) -> Response:
    """One of the operator's pages."""
    return desk.private(
        f"admin/{template}",
        frame(title, nav=nav, is_private=True),
        status=status,
        form_token=desk.form_token(FormName.ADMIN, session.number),
        **values,
    )
