"""Connects a socket to a host that may have several addresses, IPv6 and IPv4.

The next address is tried when one has failed or has kept us waiting, and the first that answers
wins (RFC 8305, happy eyeballs). Ours because asyncio's own loses sockets when it is cancelled,
as it is whenever a connection is not needed any more.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

#: RFC 8305 §5: how long an address has before the next one is tried beside it
_AHEAD_S = 0.25

#: what getaddrinfo gives: IPv4, IPv6, or (Python without IPv6) something never met
Place = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
Address = tuple[socket.AddressFamily, Place]


async def dial(host: str, port: int) -> socket.socket:
    """A connected, non-blocking socket. Raises OSError, that of the first address, when none is."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    waiting = interleave([(family, address) for family, _, _, _, address in found])
    attempts: list[asyncio.Task[socket.socket]] = []
    try:
        while True:
            if waiting:
                attempts.append(asyncio.create_task(_connect(*waiting.pop(0))))
            running = [attempt for attempt in attempts if not attempt.done()]
            if running:
                await asyncio.wait(
                    running,
                    timeout=_AHEAD_S if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            for attempt in attempts:
                if attempt.done() and attempt.exception() is None:
                    attempts.remove(attempt)
                    return attempt.result()
            if not waiting and all(attempt.done() for attempt in attempts):
                return attempts[0].result()  # raises what went wrong
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_close_result)
            attempt.cancel()


def interleave(addresses: list[Address]) -> list[Address]:
    """The addresses in the system's order, but the families by turns (RFC 8305 §4)."""
    first = [a for a in addresses if a[0] == addresses[0][0]]
    others = [a for a in addresses if a[0] != addresses[0][0]]
    mixed: list[Address] = []
    while first or others:
        mixed += first[:1] + others[:1]
        first, others = first[1:], others[1:]
    return mixed


async def _connect(family: socket.AddressFamily, address: Place) -> socket.socket:
    with ExitStack() as undo:
        sock = undo.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        sock.setblocking(False)
        # small writes must not wait for the other end's delayed acknowledgement (40 ms)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, address)
        undo.pop_all()
        return sock


def _close_result(attempt: asyncio.Task[socket.socket]) -> None:
    """Close what an attempt got that is not wanted."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
