"""How long to leave a server alone: its own wishes in headers, and the pause kept per host.

The gate itself lives in the store, so that all processes keep one pause together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol

#: no wish is followed for longer, in seconds: a mistyped header must not silence a source for good
WISH_MAX_S = 86_400.0
#: "too many requests" without a time: wait this long, in seconds
UNSTATED_WISH_S = 60.0
#: a RateLimit-Reset from here on is a moment, not a span (seconds since 1970)
_EPOCH_FROM = 1_000_000_000

#: RateLimit: "api";r=0;t=123 (draft-ietf-httpapi-ratelimit-headers-10)
_PARAMETER = re.compile(r";\s*([rt])\s*=\s*(\d{1,15}(?:\.\d+)?)")
#: RateLimit: limit=100, remaining=0, reset=30 (the same draft, up to -07)
_OLD_PARAMETER = re.compile(r"\b(remaining|reset)\s*=\s*(\d{1,15}(?:\.\d+)?)")
_NUMBER = re.compile(r"\d{1,15}(?:\.\d+)?\Z")


class HostGate(Protocol):
    """Lets one request at a time through to a host, with a pause between, for all processes."""

    def wait_s(self, host: str, pause_s: float, now: datetime) -> float:
        """Reserve the host's next free slot and return the seconds until it, 0.0 for at once.

        The slot after it comes `pause_s` later. While a hold lasts, slots begin at its end.
        """
        ...

    def hold(self, host: str, until: datetime) -> None:
        """Let nothing through to the host before `until`; never shortens an earlier hold."""
        ...


def wished_pause_s(headers: Mapping[str, str], status: int, now: datetime) -> float | None:
    """The seconds for which the server wants no further request; None when it does not mind.

    `headers` must find names in any case. A 429 that states no time counts as one minute.
    """
    wishes = [_retry_after(headers, now)] if status in (429, 503) else []
    wishes.append(_rate_limit(headers, now))
    stated = [wish for wish in wishes if wish is not None]
    if stated:
        return min(max(stated), WISH_MAX_S)
    return UNSTATED_WISH_S if status == 429 else None


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Source: RFC 9110 §10.2.3, seconds or an HTTP date."""
    value = headers.get("retry-after", "").strip()
    if _NUMBER.match(value):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max((moment - now) / timedelta(seconds=1), 0.0)
    except (ValueError, OverflowError):
        return None


def _rate_limit(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds until a used-up quota is filled again; None while some of it is left."""
    wishes = []
    for policy in headers.get("ratelimit", "").split(","):
        found = dict(_PARAMETER.findall(policy))
        wishes.append((found.get("r"), found.get("t")))
    old = dict(_OLD_PARAMETER.findall(headers.get("ratelimit", "")))
    wishes.append((old.get("remaining"), old.get("reset")))
    wishes += [
        (headers.get(f"{prefix}remaining"), headers.get(f"{prefix}reset"))
        for prefix in ("ratelimit-", "x-ratelimit-")
    ]
    spans = [_until_reset(reset, now) for left, reset in wishes if _is_used_up(left)]
    return max((span for span in spans if span is not None), default=None)


def _is_used_up(left: str | None) -> bool:
    return left is not None and _NUMBER.match(left.strip()) is not None and float(left) < 1


def _until_reset(reset: str | None, now: datetime) -> float | None:
    if reset is None or not _NUMBER.match(reset.strip()):
        return None
    seconds = float(reset)
    return max(seconds - now.timestamp(), 0.0) if seconds >= _EPOCH_FROM else seconds
