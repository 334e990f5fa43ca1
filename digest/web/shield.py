"""The outermost frame of every request: host, security headers, ready pages, our own mistakes.

An ASGI middleware in front of the router. A public page that is ready in memory is answered here,
before anything else is looked at; everything that leaves carries the security headers.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.web.cache import PageCache
from digest.web.client import IPNetwork, client_address, is_trusted
from digest.web.page import Answer, RawHeaders, answer_for

log = logging.getLogger(__name__)

#: nothing is loaded from elsewhere, nothing inline runs, nobody frames our forms
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS: RawHeaders = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    # links in mails carry tokens: no other site may learn where a reader came from
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), interest-cohort=()"),
)
_NOT_KEPT = (b"cache-control", b"no-store")
#: asked by machines that know us by a number
_ANY_HOST = ("/health", "/metrics")
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class Shield:
    """Wraps the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        site_url: str,
        own_host: str,
        proxies: Sequence[IPNetwork],
        cache: PageCache,
        answers: Counter[int],
    ) -> None:
        self._app = app
        parts = urlsplit(site_url)
        self._prefix = parts.path
        self._hosts = {parts.hostname or "", own_host.lower(), *_LOCAL_HOSTS}
        self._proxies = proxies
        self._cache = cache
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = self._own_path(scope["path"])
        if path != scope["path"]:
            scope = {**scope, "path": path, "raw_path": path.encode()}
        if path not in _ANY_HOST and not self._is_our_host(scope):
            await self._send(send, scope, _WRONG_HOST)
        elif (answer := self._ready(scope)) is not None:
            await self._send(send, scope, answer)
        else:
            await self._pass_on(scope, receive, send)

    def _own_path(self, path: str) -> str:
        """The path below the site's URL, whether the proxy has cut off its prefix or not."""
        prefix = self._prefix
        if prefix and (path == prefix or path.startswith(f"{prefix}/")):
            return path[len(prefix) :] or "/"
        return path

    def _is_our_host(self, scope: Scope) -> bool:
        host = next((v for k, v in scope["headers"] if k == b"host"), b"").decode("latin-1")
        name = urlsplit(f"//{host}").hostname if _is_plain(host) else None
        if name is not None and name.rstrip(".") in self._hosts:
            return True
        peer = client_address((scope.get("client") or ("",))[0], (), ())
        return peer is not None and is_trusted(peer, self._proxies)

    def _ready(self, scope: Scope) -> Answer | None:
        if scope["method"] not in ("GET", "HEAD"):
            return None
        page = self._cache.ready((scope["path"], scope["query_string"].decode("latin-1")))
        return answer_for(page, scope["headers"]) if page is not None else None

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                self._answers[message["status"] // 100] += 1
                message["headers"] = _with_security(message["headers"])
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except Exception:  # the outermost frame: one request fails, the service goes on
            log.exception("a mistake in digest itself, at %s", _shape(scope["path"]))
            if not has_begun:
                await self._send(send, scope, _BROKEN)

    async def _send(self, send: Send, scope: Scope, answer: Answer) -> None:
        self._answers[answer.status // 100] += 1
        headers = [*answer.headers, *SECURITY_HEADERS]
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _is_plain(host: str) -> bool:
    return bool(host) and not set(host) & set("/\\@?#, \t")


def _shape(path: str) -> str:
    """A path without what could be a token: fit for a log."""
    head, _, tail = path[1:].partition("/")
    return f"/{head}/…" if tail else f"/{head}"


def _with_security(headers: RawHeaders) -> list[tuple[bytes, bytes]]:
    names = {name for name, _ in headers}
    kept = [h for h in SECURITY_HEADERS if h[0] not in names]
    return [*headers, *kept, *([] if b"cache-control" in names else [_NOT_KEPT])]


def _plain_answer(status: int, text: str) -> Answer:
    body = text.encode()
    kind = (b"content-type", b"text/plain; charset=utf-8")
    size = (b"content-length", str(len(body)).encode())
    return Answer(status, [kind, size, _NOT_KEPT], body)


_WRONG_HOST = _plain_answer(
    400,
    "This address is not served here. Open the site by its own address. For its operator: the"
    " name must be that of [site] url; a proxy that sends another one belongs in"
    " [web] trusted_proxies.\n",
)
_BROKEN = _plain_answer(
    500, "Something went wrong on our side. It has been noted; please try again in a minute.\n"
)
