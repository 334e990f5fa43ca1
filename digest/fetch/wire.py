"""The HTTP client, with a time limit over the whole of a request and a size limit on its body.

httpx's own time-outs start anew with every packet, so a server that drips one byte a second
would hold us for ever (encode/httpx#1450): here every wait on the network is cut to what is left.
Imported by fetcher.py with the first request, since it loads httpx.
"""

from __future__ import annotations

import math
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from itertools import chain
from typing import Any

import httpcore
import httpx

_PIECE_BYTES = 65_536


class Deadline(threading.local):
    """When the request of this thread must be over, by the monotonic clock."""

    _at = math.inf

    def start(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left_s(self) -> float:
        """The seconds left. Raises httpcore's time-out when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for the whole request is over")
        return left


class _Stream(httpcore.NetworkStream):
    """A connection on which no wait is longer than the deadline allows."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left_s())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left_s())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secure = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left_s())
        return _Stream(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens connections whose every wait ends at the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._inner = httpcore.SyncBackend()
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Try the host's addresses in turn; the time left is for all of them together.

        The name server's own limit (resolv.conf) is the one wait that cannot be cut.
        """
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for index, address in enumerate(addresses, start=1):
            share = self._deadline.left_s() / (len(addresses) - index + 1)
            try:
                stream = self._inner.connect_tcp(
                    address, port, share, local_address, socket_options
                )
                return _Stream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if index == len(addresses):
                    raise
        raise httpcore.ConnectError(f"{host} has no address")


def open_client(agent: str, deadline: Deadline, tls: ssl.SSLContext | None) -> httpx.Client:
    """A client without memory: no cookies, no redirects of its own, a new connection each time.

    Requests to one host are seconds apart, so a kept connection would mostly be a stale one.
    Proxies and CA files are taken from the environment as usual (HTTPS_PROXY, NO_PROXY,
    SSL_CERT_FILE). Raises ValueError or ImportError when such a proxy cannot be used.
    """
    client = httpx.Client(
        headers={"User-Agent": agent, "Accept-Encoding": "gzip, deflate", "Connection": "close"},
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        verify=tls or True,
        timeout=None,  # the deadline is the time-out
        limits=httpx.Limits(max_keepalive_connections=0),
    )
    # httpx has no public way to hand a network backend to the pools it makes, for proxies either
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = _Backend(deadline)
    return client


class TooLarge(Exception):
    """The body is larger than allowed."""


class BadCoding(Exception):
    """The body cannot be decoded, or ends in the middle."""


def read_body(response: httpx.Response, bytes_max: int) -> bytes:
    """The whole decoded body. Raises TooLarge as soon as it is, BadCoding, or httpx's errors.

    Decoded in small pieces by ourselves: httpx would blow up 64 KB of a gzip bomb into 66 MB
    before anyone could look, and takes a gzip body that was cut off for a whole one.
    """
    stated = response.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > bytes_max:
        raise TooLarge
    coding = response.headers.get("content-encoding", "").strip().lower()
    body = bytearray()
    for piece in unpack(response.iter_raw(), coding):
        body += piece
        if len(body) > bytes_max:
            raise TooLarge
    return bytes(body)


def unpack(chunks: Iterator[bytes], coding: str) -> Iterator[bytes]:
    """A body's bytes in pieces, unpacked by the content coding of its head.

    Raises BadCoding when they cannot be unpacked or end too early. No bytes at all are fine.
    """
    match coding:
        case "" | "identity":
            return chunks
        case "gzip" | "x-gzip":
            return _inflate(chunks, zlib.MAX_WBITS | 16)
        case "deflate":
            return _inflate(*_deflated(chunks))
        case _:
            raise BadCoding(f"is encoded as {coding[:40]!r}, which we did not ask for")


def _deflated(chunks: Iterator[bytes]) -> tuple[Iterator[bytes], int]:
    """The chunks, and the format they are in: "deflate" means zlib's, with a head of two bytes
    (RFC 1950, section 2.2), but some servers send the bare stream.
    """
    head = b""
    for chunk in chunks:
        head += chunk
        if len(head) > 1:
            break
    has_head = len(head) > 1 and head[0] & 0x0F == 8 and int.from_bytes(head[:2], "big") % 31 == 0
    return chain([head], chunks), zlib.MAX_WBITS if has_head else -zlib.MAX_WBITS


def _inflate(chunks: Iterator[bytes], window_bits: int) -> Iterator[bytes]:
    """The unpacked bytes in pieces of at most 64 KB; `window_bits` as zlib has it."""
    inflater = zlib.decompressobj(window_bits)
    begun = False
    for chunk in chunks:
        data = chunk
        while data:
            piece = _decompress(inflater, data)
            begun = True
            yield piece
            data = inflater.unconsumed_tail
            while len(piece) == _PIECE_BYTES and not data:
                piece = _decompress(inflater, b"")
                yield piece
            if inflater.eof:
                data = inflater.unused_data
                if not data.startswith(b"\x1f\x8b"):
                    break
                inflater = zlib.decompressobj(window_bits)
    if begun and not inflater.eof:
        raise BadCoding("was cut off")


# Any: zlib does not name the type of its objects
def _decompress(inflater: Any, data: bytes) -> bytes:
    try:
        piece: bytes = inflater.decompress(data, _PIECE_BYTES)
    except zlib.error as error:
        raise BadCoding(f"cannot be unpacked ({error})") from error
    return piece
