"""Puts bytes on a connection, and knows whether the end of a message has left.

That knowledge decides between "try again" and "in doubt" when a connection dies, so nothing else
may write to the transport once mail is under way. Belongs to digest/mail/connection.py.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable

from digest.mail.session import END


class Writer:
    """What is to be written, in order; `end_left` is called when the end of a message has left.

    Small things go together in one packet. Large ones, and everything once the server has been
    slow, go piece by piece, each only when the one before has left. So a message's end is known
    to have left or not, but for one case, a first short write, which counts as left.
    """

    def __init__(self, transport: asyncio.Transport, end_left: Callable[[], None]) -> None:
        self._transport = transport
        self._end_left = end_left
        #: turns what is written into what travels; set when TLS begins
        self.encrypt: Callable[[bytes], bytes] | None = None
        self._unsent: deque[bytes] = deque()
        #: the transport has bytes that the kernel has not taken
        self._is_paused = False
        #: the end of a message is among those bytes
        self._holds_end = False
        #: most bytes that are written together; half of what the kernel takes, or nothing
        self._joined_max = _send_buffer(transport) // 2
        # from now on pause_writing tells of every byte that the kernel does not take at once
        transport.set_write_buffer_limits(high=0)

    @property
    def backlog(self) -> int:
        """Bytes that have not left."""
        return self._transport.get_write_buffer_size() + sum(map(len, self._unsent))

    def write(self, pieces: Iterable[bytes]) -> None:
        """Write the pieces, now or as soon as the server takes them."""
        self._unsent.extend(pieces)
        self._flush()

    def pause(self) -> None:
        """The kernel does not take more."""
        self._is_paused = True

    def resume(self) -> None:
        """The kernel has taken everything."""
        self._is_paused = False
        if self._holds_end:
            self._holds_end = False
            self._end_left()
        self._flush()

    def _flush(self) -> None:
        unsent = self._unsent
        if not unsent or self._is_paused:
            return
        if sum(map(len, unsent)) <= self._joined_max:
            has_end = END in unsent
            if self._put(b"".join(unsent)) and has_end:
                self._end_left()
            unsent.clear()
            if self._is_paused:
                self._joined_max = 0
            return
        while unsent and not self._is_paused:
            piece = unsent.popleft()
            if self._put(piece) and piece == END:
                self._holds_end = self._is_paused
                if not self._is_paused:
                    self._end_left()

    def _put(self, data: bytes) -> bool:
        """Give bytes to the transport; False when the connection is found dead."""
        transport = self._transport
        if transport.is_closing():
            return False
        transport.write(data if self.encrypt is None else self.encrypt(data))
        # a failed write closes the transport, and nothing of it has left
        return not transport.is_closing()


def _send_buffer(transport: asyncio.Transport) -> int:
    """How many bytes the kernel takes at once, roughly."""
    sock = transport.get_extra_info("socket")
    return int(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)) if sock is not None else 0
