"""Our own pages, as the links in mails lead to them: https, and one-click unsubscribing.

The link of the sample mail is asked as mail programs and scanners ask it: GET shows a page and
changes nothing, POST answers 200 at once, and neither leads elsewhere (RFC 8058).
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from digest.check.findings import Finding, green, red, yellow
from digest.errors import FetchError
from digest.fetch.probe import Form, Page

URL = "site.url"
IDENTITY = "site.identity"
ONE_CLICK = "site.one-click"

_BOUNDARY = "digest-check"
#: RFC 8058 §3.2 allows mail programs both
FORMS = (
    Form(
        content_type="application/x-www-form-urlencoded",
        body=b"List-Unsubscribe=One-Click",
    ),
    Form(
        content_type=f"multipart/form-data; boundary={_BOUNDARY}",
        body=(
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\n'
            f"One-Click\r\n--{_BOUNDARY}--\r\n"
        ).encode(),
    ),
)
_NOT_THROUGH = (
    "look at the proxy in front of digest: url under [site] must be the final address, and POST"
    " must reach it without login or bot check; see docs/install.md"
)

#: asks a page: the URL, and the form when it is a POST
Ask = Callable[[str, Form | None], Page]


def judge_url(url: str, *, sends_mail: bool) -> Finding:
    """Whether links can lead readers there."""
    parts = urlsplit(url)
    advice = "set url under [site] to the address in a reader's browser, with https"
    trouble = red if sends_mail else yellow
    if _is_here(parts.hostname or ""):
        said = f"{url} is an address on this machine: links in mails lead nowhere"
        return trouble(URL, said, advice)
    if parts.scheme != "https":
        said = f"{url} is not https: mail programs show no unsubscribe button, browsers warn"
        return trouble(URL, said, advice)
    return green(URL, url)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def judge_identity(operator_email: str | None, postal_address: str | None) -> Iterator[Finding]:
    """Whether readers are told who writes to them."""
    if not operator_email:
        yield yellow(
            IDENTITY,
            "nobody is told where to reach you",
            "set operator_email under [site]; sources and readers see it",
        )
    if not postal_address:
        yield yellow(
            IDENTITY,
            "mails have no postal address at their foot",
            "set postal_address under [site]; many countries' laws ask for one",
        )
    if operator_email and postal_address:
        yield green(IDENTITY, "readers are told who you are and where to reach you")


def judge_one_click(link: str, ask: Ask) -> Iterator[Finding]:
    """Ask the unsubscribe link of a mail that nobody got, first as a scanner, then as a program."""
    try:
        shown = ask(link, None)
        if fault := _judge_page(shown):
            yield fault
            return
        answers = [ask(link, form) for form in FORMS]
    except FetchError as error:
        yield _unreachable(link, error)
        return
    for form, answer in zip(FORMS, answers, strict=True):
        if answer.status != 200:
            kind = form.content_type.partition(";")[0]
            yield red(
                ONE_CLICK,
                f"a mail program that unsubscribes by POST ({kind}) is answered"
                f" {_shown(answer)}; it must be 200",
                _NOT_THROUGH,
            )
            return
    yield green(ONE_CLICK, "GET shows a page, POST answers 200, nothing leads elsewhere")


def _judge_page(page: Page) -> Finding | None:
    if page.status != 200:
        return red(
            ONE_CLICK, f"the unsubscribe page answers {_shown(page)}; it must be 200", _NOT_THROUGH
        )
    if "html" not in page.content_type.lower() or not page.body.strip():
        return red(
            ONE_CLICK,
            f"the unsubscribe page is no page ({page.content_type or 'no content type'})",
            _NOT_THROUGH,
        )
    return None


def _shown(page: Page) -> str:
    is_redirect = 300 <= page.status < 400 and page.location
    # the token is somebody's, and says nothing
    where = f", a redirect to {urlsplit(str(page.location)).netloc or 'another path'}"
    return f"{page.status}{where if is_redirect else ''}"


def _unreachable(link: str, error: FetchError) -> Finding:
    said = error.reason.partition(";")[0]
    if any(isinstance(cause, ssl.SSLError) for cause in _causes(error)):
        return red(ONE_CLICK, said, "renew the certificate of the site, for the name in its url")
    return yellow(
        ONE_CLICK,
        f"the site cannot be reached from here: {said}",
        "open it from elsewhere; if it is down there too, start digest and the proxy before it."
        f" By hand: curl -d List-Unsubscribe=One-Click {urlsplit(link).scheme}://…/unsubscribe/…",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
