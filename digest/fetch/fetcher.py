"""The one polite client: waits its turn, asks, follows redirects, and reads within limits.

A pass asks once and does not retry: the next pass comes by itself, and an hour's pause is the
best retry. Path of a request: collect → Fetcher.fetch → HostGate (store) → wire → socket.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urljoin, urlsplit

from digest import __version__
from digest.clock import Clock
from digest.errors import FetchError
from digest.fetch.answers import Answer, Validator
from digest.fetch.failures import failure, host_of, refusal
from digest.fetch.files import read_file
from digest.fetch.robots import ROBOTS_BYTES_MAX, Robots
from digest.fetch.waiting import HostGate, wished_pause_s
from digest.model import Request

if TYPE_CHECKING:
    import httpx

    from digest.fetch.wire import Deadline

TIMEOUT_S = 30.0
BODY_BYTES_MAX = 20 * 1024 * 1024
REDIRECTS_MAX = 5
#: a turn that is further away is not waited for: the rest of the pass goes on, in seconds
WAIT_MAX_S = 60.0
#: statuses that send us on
REDIRECTS = frozenset({301, 302, 303, 307, 308})


def user_agent(site_url: str, operator_email: str | None) -> str:
    """How we introduce ourselves: program, version, and how to reach the operator."""
    contact = f"; contact {operator_email}" if operator_email else ""
    return f"digest/{__version__} (+{site_url}{contact})"


class Fetcher:
    """Asks the world. One for a whole process; safe to use from several threads.

    `clock` must be the machine's own, even when the pass runs under --at: pauses are real.
    `tls` replaces the usual CA certificates.
    """

    def __init__(
        self,
        *,
        agent: str,
        clock: Clock,
        gate: HostGate,
        timeout_s: float = TIMEOUT_S,
        body_bytes_max: int = BODY_BYTES_MAX,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._agent = agent
        self._clock = clock
        self._gate = gate
        self._timeout_s = timeout_s
        self._body_bytes_max = body_bytes_max
        self._tls = tls
        self._robots = Robots(self._read_robots)
        self._opening = threading.Lock()
        self._wire: tuple[httpx.Client, Deadline] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections; a closed fetcher cannot be used again."""
        with self._opening:
            if self._wire is not None:
                self._wire[0].close()

    def fetch(
        self, request: Request, *, pause_s: float, validator: Validator | None = None
    ) -> Answer:
        """Ask once, after the host's pause, and give the whole answer.

        The time limit is for the asking, over all redirects, not for the waiting before it.
        Raises FetchError when there is no whole, successful answer within the limits.
        """
        if request.url.lower().startswith("file:"):
            return read_file(request, self._body_bytes_max, validator)
        return self._follow(request, pause_s, validator, self._body_bytes_max)

    def _follow(
        self, request: Request, pause_s: float, validator: Validator | None, bytes_max: int
    ) -> Answer:
        """Ask, and go where we are sent, to the first answer that is not a redirect."""
        url, left_s, seen = request.url, self._timeout_s, {request.url}
        while True:
            check_url(url)
            if request.robots:
                pause_s = self._robots.pause_s(url, pause_s, self._clock.now())
            self.wait_turn(url, pause_s)
            begun = time.monotonic()
            answer = self._ask(url, _headers(request, url, validator), left_s, bytes_max)
            left_s -= time.monotonic() - begun
            if isinstance(answer, Answer):
                return answer
            url = join_url(url, answer)
            if url in seen or len(seen) > REDIRECTS_MAX:
                raise FetchError(
                    f"{host_of(request.url)} sends us round in circles ({len(seen)} redirects);"
                    " check the source's url in a browser",
                    url=request.url,
                )
            seen.add(url)

    def _read_robots(self, url: str, pause_s: float) -> bytes:
        request = Request(url=url, label="robots.txt", accept="text/plain, */*;q=0.5")
        return self._follow(request, pause_s, None, ROBOTS_BYTES_MAX).body

    def wait_turn(self, url: str, pause_s: float) -> None:
        """Wait until the host may be asked. Raises FetchError when that is too far away."""
        host = host_of(url)
        wait_s = self._gate.wait_s(host, pause_s, self._clock.now())
        if wait_s > WAIT_MAX_S:
            raise FetchError(
                f"{host} asked to be left alone for {wait_s:.0f} s more; the next pass asks again",
                url=url,
                retry_after_s=wait_s,
            )
        if wait_s > 0:
            self._clock.sleep(wait_s)

    def _ask(
        self, url: str, headers: Mapping[str, str], left_s: float, bytes_max: int
    ) -> Answer | str:
        """One request: its answer, or the place that we are sent on to."""
        import httpx

        from digest.fetch.wire import BadCoding, TooLarge

        client, deadline = self.open()
        deadline.start(left_s)
        try:
            question = client.build_request("GET", url, headers=dict(headers))
            with closing(client.send(question, stream=True)) as response:
                return self._take(url, headers, response, bytes_max)
        except TooLarge as error:
            raise FetchError(
                f"the answer of {host_of(url)} is larger than {bytes_max:,} bytes; nothing of it"
                " was kept; check the source's url",
                url=url,
            ) from error
        except BadCoding as error:
            raise FetchError(
                f"the answer of {host_of(url)} {error}; the next pass asks again", url=url
            ) from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise failure(error, url, self._timeout_s) from error

    def _take(
        self, url: str, asked: Mapping[str, str], response: httpx.Response, bytes_max: int
    ) -> Answer | str:
        from digest.fetch.wire import read_body

        status, headers = response.status_code, response.headers
        wish_s = self.keep_wish(url, status, headers)
        if status in REDIRECTS and headers.get("location"):
            return str(headers["location"])
        is_unchanged = status == 304 and ("If-None-Match" in asked or "If-Modified-Since" in asked)
        if not (200 <= status < 300 or is_unchanged):
            raise refusal(status, url, wish_s)
        return Answer(
            url=url,
            status=status,
            body=b"" if is_unchanged else read_body(response, bytes_max),
            content_type=headers.get("content-type", ""),
            unchanged=is_unchanged,
            validator=_validator(headers, asked if is_unchanged else {}),
        )

    def keep_wish(self, url: str, status: int, headers: Mapping[str, str]) -> float | None:
        """Hold the host when it asks to be left alone; the seconds that it asked for."""
        now = self._clock.now()
        wish_s = wished_pause_s(headers, status, now)
        if wish_s:
            self._gate.hold(host_of(url), now + timedelta(seconds=wish_s))
        return wish_s

    def open(self) -> tuple[httpx.Client, Deadline]:
        """The client, made when it is first needed."""
        from digest.fetch.wire import Deadline, open_client

        with self._opening:
            if self._wire is None:
                deadline = Deadline()
                try:
                    self._wire = open_client(self._agent, deadline, self._tls), deadline
                except (ValueError, ImportError, OSError) as error:
                    raise FetchError(
                        f"the HTTP client cannot be set up: {error}; check HTTPS_PROXY, HTTP_PROXY,"
                        " ALL_PROXY and SSL_CERT_FILE in the environment",
                        url="",
                    ) from error
            return self._wire


def check_url(url: str) -> None:
    """Raise FetchError when that is no address that can be asked."""
    try:
        parts = urlsplit(url)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_good = False
    if not is_good:
        raise FetchError(f"{url[:80]!r} is not an http or https URL; check the url", url=url)


def join_url(url: str, location: str) -> str:
    """Where a Location header leads from there."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location  # is refused by the next check


def _headers(request: Request, url: str, validator: Validator | None) -> dict[str, str]:
    """What to send to `url`. A token is for the host it was given for, and for no other."""
    headers = {"Accept": request.accept}
    if _origin(url) == _origin(request.url):
        headers |= dict(request.headers)
    if validator and validator.etag:
        headers["If-None-Match"] = validator.etag
    if validator and validator.last_modified:
        headers["If-Modified-Since"] = validator.last_modified
    return headers


def _origin(url: str) -> tuple[Any, ...]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _validator(headers: Mapping[str, str], asked: Mapping[str, str]) -> Validator | None:
    """What to ask with next time: the new validators, or those that were just confirmed."""
    etag = headers.get("etag") or asked.get("If-None-Match")
    modified = headers.get("last-modified") or asked.get("If-Modified-Since")
    return Validator(etag=etag, last_modified=modified) if etag or modified else None
