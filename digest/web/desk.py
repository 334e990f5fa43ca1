"""All that the handlers need, made once for a process: the store, templates, links, caches.

Handlers run in threads, a few at a time; `work` is the door to them. Made by app.py.
"""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.account import Accounts
from digest.app import App
from digest.compose.links import Links
from digest.errors import StoreError
from digest.find import Finder
from digest.signup import Intake
from digest.templates import Templates
from digest.web.admin.weeks import Weeks
from digest.web.cache import PageCache
from digest.web.client import client_address, client_mark, networks
from digest.web.forms import TOKEN_FIELD, Form, FormName, FormTokens
from digest.web.page import Page, make_page
from digest.web.stand import Stand, Version

log = logging.getLogger(__name__)

T = TypeVar("T")
#: handlers that work at the same time; more would only wait for each other and the database
THREADS = 6
#: searches at the same time: they wait for each other, so that other pages need not wait for them
SEARCHES = 2
_STATIC = Path(__file__).parent / "static"


class Desk:
    """The shared parts of one web application."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.store = app.store
        self.settings = app.settings
        self.site = app.settings.site_record()
        self.links = Links(self.site.url, app.tokens)
        self.templates = Templates(app.settings.mail.templates)
        self.form_tokens = FormTokens(app.tokens)
        self.proxies = networks(app.settings.web.trusted_proxies)
        #: what stands before every path on our pages; empty for most sites
        self.base = urlsplit(self.site.url).path
        self.version = Version(app.store)
        self.stand = Stand(app.editor, self.version)
        self.finder = Finder(app.store, self.stand.ranker, app.meaning.vectors)
        self.cache = PageCache(lambda: self.work(self.version.current))
        self.intake = Intake(app.enrolment)
        self.accounts = Accounts(app.enrolment, app.tokens)
        #: answers by the first digit of their status, for /metrics
        self.answers: Counter[int] = Counter()
        self.weeks = Weeks(app.store)
        self.day = timedelta(days=1)
        self.lookback = timedelta(days=app.settings.edition.lookback_days)
        # one after the other, behind the answers
        self._after = ThreadPoolExecutor(max_workers=1, thread_name_prefix="signups")

    @cached_property
    def _limiter(self) -> anyio.CapacityLimiter:
        # belongs to an event loop, so it is made by the first request
        return anyio.CapacityLimiter(THREADS)

    async def work(self, do: Callable[..., T], *values: object) -> T:
        """Do something that takes time or asks the database, in a thread."""
        return await anyio.to_thread.run_sync(do, *values, limiter=self._limiter)

    def deal_soon(self) -> None:
        """Have the sign-ups that wait dealt with, behind the back of whoever sent one."""
        self._after.submit(self._deal)

    def _deal(self) -> None:
        try:
            self.intake.deal(self.app.now())
        except StoreError as error:
            log.warning("sign-ups wait: %s; the next one, or a restart, tries again", error)

    def warm(self) -> None:
        """Make ready what the first page would have to wait for."""
        now = self.app.now()
        try:
            self.finder.warm(now)
            self.stand.pool(now)
        except StoreError as error:
            log.warning("nothing is made ready: %s; the first page tries again", error)

    def close(self) -> None:
        """Finish what was promised in answers."""
        self._after.shutdown(wait=True)

    def client(self, request: Request) -> str:
        """A mark of who is asking; see client.py."""
        peer = request.client.host if request.client else ""
        forwarded = request.headers.getlist("x-forwarded-for")
        address = client_address(peer, forwarded, self.proxies)
        return client_mark(address, self.settings.site.secrets[0])

    def origins(self, request: Request) -> tuple[str, ...]:
        """Hosts from whose pages a form may come: ours, by the name it is public under or asked."""
        return urlsplit(self.site.url).netloc.lower(), request.headers.get("host", "").lower()

    @cached_property
    def _search_limiter(self) -> anyio.CapacityLimiter:
        return anyio.CapacityLimiter(SEARCHES)

    async def search(self, do: Callable[..., T], *values: object) -> T:
        """Like work, for what looks through the whole archive."""
        return await anyio.to_thread.run_sync(do, *values, limiter=self._search_limiter)

    # --- pages

    def html(self, template: str, frame: Mapping[str, object], **values: object) -> str:
        """A template of templates/web/ filled in."""
        common = {"site": self.site, "base": self.base, "static": self.static_names}
        return self.templates.render(f"web/{template}", {**common, **frame, **values})

    def public(self, template: str, frame: Mapping[str, object], **values: object) -> Page:
        """A page that is the same for everybody."""
        body = self.html(template, frame, **values).encode()
        return make_page(body, modified_at=self.app.now())

    def private(
        self, template: str, frame: Mapping[str, object], *, status: int = 200, **values: object
    ) -> Response:
        """A page for one person, kept by nobody."""
        return HTMLResponse(self.html(template, frame, **values), status_code=status)

    def notice(
        self, title: str, text: str, *, status: int = 200, link: str = "/", link_text: str = ""
    ) -> Response:
        """A page of few words."""
        return self.private(
            "notice.html",
            frame(title, is_private=True),
            status=status,
            text=text,
            link=link,
            link_text=link_text or "To the front page",
        )

    def below(self, link: str) -> str:
        """One of our links as a path, for pages that are read under another name too."""
        return self.base + link.removeprefix(self.links.home)

    def check_form(self, form: Form, name: FormName, bound_to: int = 0) -> None:
        """Raise Refused unless the form carries the token that form_token gave."""
        self.form_tokens.check(name, bound_to, form.one(TOKEN_FIELD), self.app.now())

    def form_token(self, form: FormName, bound_to: int = 0) -> str:
        """The hidden field of a form."""
        return self.form_tokens.issue(form, bound_to, self.app.now())

    # --- files that pages need

    @cached_property
    def statics(self) -> dict[str, Page]:
        """The files under /static/, by name; an operator's style.css beside the templates wins."""
        kinds = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
        kinds[".svg"] = "image/svg+xml"
        own = self.settings.mail.templates
        found: dict[str, Page] = {}
        for path in sorted(_STATIC.iterdir()):
            if path.suffix not in kinds:
                continue
            override = own / "web" / path.name if own else None
            source = override if override is not None and override.is_file() else path
            found[path.name] = make_page(
                source.read_bytes(),
                media_type=kinds[path.suffix],
                modified_at=self.app.now(),
                max_age_s=31_536_000,
            )
        return found

    @cached_property
    def static_names(self) -> dict[str, str]:
        """File name → its address with a mark of its content: a changed file is a new address."""
        return {
            name.replace(".", "_"): f"{self.base}/static/{name}?v="
            f"{hashlib.sha256(page.body).hexdigest()[:10]}"
            for name, page in self.statics.items()
        }


def frame(
    title: str,
    *,
    nav: str = "",
    description: str = "",
    feed: str = "",
    canonical: str = "",
    is_private: bool = False,
    script: bool = False,
) -> dict[str, object]:
    """What the layout of every page asks for.

    `nav` is the entry of the navigation that the page belongs to; `feed` is the path of its feeds
    with {} for their ending; `canonical` its path when it has several.
    """
    return {
        "title": title,
        "nav": nav,
        "description": description,
        "feed_atom": feed.replace("{}", "atom"),
        "feed_json": feed.replace("{}", "json"),
        "canonical": canonical,
        "is_private": is_private,
        "script": script,
    }


def desk_of(request: Request) -> Desk:
    """The desk of the application that a request came to."""
    desk: Desk = request.app.state.desk
    return desk
