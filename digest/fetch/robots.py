"""What a site's robots.txt lets us read, and how slowly. Used for HTML pages only.

Source: RFC 9309: no file (4xx) allows all; one that cannot be had (5xx) allows nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.errors import FetchError
from digest.fetch.failures import host_of

if TYPE_CHECKING:
    from protego import Protego

#: the name that robots.txt may call us by
AGENT = "digest"
#: RFC 9309 §2.4: not kept for longer
_KEEP = timedelta(hours=24)
#: RFC 9309 §2.5: parsed at least as far as this
ROBOTS_BYTES_MAX = 512 * 1024
_DELAY_MAX_S = 60.0


class Robots:
    """The robots.txt files of the sites that were asked, kept for a day."""

    def __init__(self, read: Callable[[str, float], bytes]) -> None:
        #: gives the body of a URL, asked with that pause in seconds, or raises FetchError
        self._read = read
        self._files: dict[str, tuple[datetime, Protego]] = {}

    def pause_s(self, url: str, pause_s: float, now: datetime) -> float:
        """Our own pause or the one that the site asks for, whichever is longer; in seconds.

        Raises FetchError when the URL must not be read, or when that cannot be known now.
        """
        parts = urlsplit(url)
        rules = self._rules(f"{parts.scheme}://{parts.netloc}/robots.txt", pause_s, now)
        if not rules.can_fetch(url, AGENT):
            raise FetchError(
                f"robots.txt of {host_of(url)} does not allow {parts.path or '/'}; ask the site's"
                " owner, or disable this source",
                url=url,
                permanent=True,
            )
        return max(pause_s, min(float(rules.crawl_delay(AGENT) or 0), _DELAY_MAX_S))

    def _rules(self, url: str, pause_s: float, now: datetime) -> Protego:
        from protego import Protego

        read_at, rules = self._files.get(url, (None, None))
        if read_at is not None and rules is not None and now - read_at < _KEEP:
            return rules
        rules = Protego.parse(self._text(url, pause_s))
        self._files[url] = (now, rules)
        return rules

    def _text(self, url: str, pause_s: float) -> str:
        try:
            return self._read(url, pause_s).decode("utf-8", "replace")
        except FetchError as error:
            if error.status is not None and 400 <= error.status < 500 and error.status != 429:
                return ""
            raise FetchError(
                f"robots.txt could not be read, so nothing else was asked: {error.reason}",
                url=url,
                status=error.status,
                retry_after_s=error.retry_after_s,
            ) from error
