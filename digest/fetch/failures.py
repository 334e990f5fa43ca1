"""Why an answer could not be had, in one line that says what to check.

Turns httpx's errors and HTTP statuses into FetchError. The text names the host, never the whole
URL: a query may hold a token.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import urlsplit

from digest.errors import FetchError

#: asking the same again will not help
_PERMANENT = frozenset({400, 404, 405, 406, 410, 414, 451})

_ADVICE = {
    400: "it does not understand the question; check the source's url, query and categories",
    401: "it wants a login; set the source's token or token_file",
    403: "it refuses us; it may want a token, or have blocked this machine: see its rules",
    404: "there is nothing at this address; check the source's url",
    407: "the proxy wants a login; check HTTPS_PROXY",
    410: "what was there is gone for good; check the source's url or disable it",
    429: "we ask too often; raise the source's every or pause, or set a token",
    503: "it is not available just now",
}


def host_of(url: str) -> str:
    """The host and its port, if it is not the usual one: what pauses and messages go by."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2].lower()


def refusal(status: int, url: str, retry_after_s: float | None) -> FetchError:
    """The error for an answer that is not a success."""
    try:
        words = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        words = str(status)
    advice = _ADVICE.get(status) or (
        "it has trouble of its own; the next pass asks again"
        if status >= 500
        else "check the source's url"
    )
    again = f"; it may be asked again in {retry_after_s:.0f} s" if retry_after_s else ""
    return FetchError(
        f"{host_of(url)} answers {words}: {advice}{again}",
        url=url,
        status=status,
        permanent=status in _PERMANENT,
        retry_after_s=retry_after_s,
    )


def failure(error: Exception, url: str, timeout_s: float) -> FetchError:
    """The error for an answer that never came, or not whole. To be raised `from error`."""
    import httpx

    host = host_of(url)
    if isinstance(error, httpx.TimeoutException):
        reason = (
            f"{host} gave no whole answer in {timeout_s:g} s; check that it is up and the way to it"
        )
    elif isinstance(error, httpx.ProxyError):
        reason = (
            f"the proxy on the way to {host} refuses: {error}; check HTTPS_PROXY and HTTP_PROXY"
        )
    elif isinstance(error, httpx.ConnectError):
        reason = _why_not_connected(error, host)
    elif isinstance(error, httpx.InvalidURL | UnicodeError) or "location header" in str(error):
        reason = f"{host}, or where it sends us on to, is no URL: {error}; check the source's url"
    elif isinstance(error, httpx.RemoteProtocolError):
        reason = f"{host} broke off or does not speak HTTP: {error}; the next pass asks again"
    elif isinstance(error, httpx.NetworkError):
        reason = f"the connection to {host} was lost: {_last(error)}; the next pass asks again"
    else:
        reason = f"{host} cannot be asked: {error}; check the source's url"
    return FetchError(" ".join(reason.split()), url=url)


def _why_not_connected(error: Exception, host: str) -> str:
    for cause in _causes(error):
        match cause:
            case ssl.SSLCertVerificationError():
                return (
                    f"the certificate of {host} cannot be trusted: {cause.verify_message};"
                    " check the url, this machine's clock and its CA certificates"
                )
            case ssl.SSLError():
                return f"{host} does not speak TLS as it should: {cause.reason}; check the url"
            case socket.gaierror():
                return f"{host} is not known ({cause.strerror}); check the url and the name server"
            case ConnectionRefusedError():
                return f"{host} refuses connections; check that it is up, and the port in the url"
    return f"{host} cannot be reached: {_last(error)}; check the url and the network"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _last(error: BaseException) -> str:
    *_, last = _causes(error)
    return getattr(last, "strerror", None) or str(last) or type(last).__name__
