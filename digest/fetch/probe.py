"""Asks one page once, by GET or POST, and follows nothing: to see what a visitor's program sees.

For `digest check`, which looks at our own pages with it. Sources are asked by fetcher.py.
"""

from __future__ import annotations

import ssl
from contextlib import closing
from dataclasses import dataclass, field

from digest.errors import FetchError
from digest.fetch.failures import failure, host_of

_BODY_BYTES_MAX = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What is posted."""

    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What came back, whatever the status."""

    status: int
    #: where a redirect leads; None without
    location: str | None
    #: the header as sent, "" without one
    content_type: str
    body: bytes = field(repr=False)


def ask_page(
    url: str,
    *,
    agent: str,
    form: Form | None = None,
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
) -> Page:
    """GET the page, or POST the form to it. Raises FetchError when there is no whole answer."""
    import httpx

    from digest.fetch.wire import BadCoding, Deadline, TooLarge, open_client, read_body

    deadline = Deadline()
    headers = {"Content-Type": form.content_type} if form else {}
    try:
        with open_client(agent, deadline, tls) as client:
            deadline.start(timeout_s)
            question = client.build_request(
                "POST" if form else "GET",
                url,
                headers=headers,
                content=form.body if form else None,
            )
            with closing(client.send(question, stream=True)) as response:
                return Page(
                    status=response.status_code,
                    location=response.headers.get("location"),
                    content_type=response.headers.get("content-type", ""),
                    body=read_body(response, _BODY_BYTES_MAX),
                )
    except (TooLarge, BadCoding) as error:
        raise FetchError(f"the answer of {host_of(url)} cannot be read", url=url) from error
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise failure(error, url, timeout_s) from error
    except (ValueError, ImportError, OSError) as error:
        raise FetchError(
            f"the HTTP client cannot be set up: {error}; check HTTPS_PROXY, HTTP_PROXY and"
            " SSL_CERT_FILE in the environment",
            url=url,
        ) from error
