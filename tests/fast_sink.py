"""A quick SMTP server that keeps account of what it took, and tells when a message is where.

It speaks PIPELINING and nothing else, in a thread of its own; `when` is called in that thread at
every step of every message, and may kill the sender at that very instant.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

_MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>\r\n]+>)\r\n", re.M | re.I)
_EHLO = b"250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
_ANSWERS = {b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"RSET": b"250 ok\r\n", b"EHLO": _EHLO}


class Step(Enum):
    """Where a message is."""

    BEGUN = "the first bytes of it are here"
    WHOLE = "all of it is here, and not answered"
    ANSWERED = "its acceptance has been said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message that was accepted."""

    message_id: str
    #: of its content
    digest: str
    #: the sender's address and port
    peer: tuple[str, int]


class FastSink:
    """Listens on `host` between `with` and its end."""

    def __init__(self, *, host: str = "127.0.0.1", answer_after_s: float = 0.0) -> None:
        self.host = host
        self.port = 0
        #: the time it takes to accept a message, so that several are under way
        self.answer_after_s = answer_after_s
        self.taken: list[Taken] = []
        self.when: Callable[[Step], None] = lambda step: None
        self.loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._moved = threading.Condition()
        #: messages that are whole and wait for `release`; None: nothing is held back
        self._held: list[Callable[[], None]] | None = None
        #: connections that are open, or whose last message is not accepted yet
        self._busy = 0

    def __enter__(self) -> FastSink:
        self._thread.start()
        assert self._is_up.wait(10), "the sink did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the sink did not stop"

    @property
    def times(self) -> Counter[str]:
        """How often each message was taken."""
        return Counter(taken.message_id for taken in tuple(self.taken))

    @property
    def doubled(self) -> int:
        """How many messages came that had come before."""
        times = self.times
        return times.total() - len(times)

    def check_twins(self) -> None:
        """Messages with one Message-ID are one message, to the last byte."""
        pairs = {(taken.message_id, taken.digest) for taken in self.taken}
        assert len(pairs) == len(self.times), "twins that differ"

    def wait_until(self, is_so: Callable[[], bool], *, seconds: float = 60) -> None:
        """Wait for something to become true as messages are taken."""
        with self._moved:
            assert self._moved.wait_for(is_so, seconds), "what was waited for never came"

    @property
    def held(self) -> int:
        """How many messages are whole and kept without an answer."""
        return len(self._held or ())

    def hold(self) -> None:
        """Accept nothing until `release`."""
        self._held = []

    def release(self) -> None:
        """Accept what was held back, and everything from now on."""
        with self._moved:
            held, self._held = self._held or [], None
        for accept in held:
            self.loop.call_soon_threadsafe(accept)

    def answer(self, accept: Callable[[], None]) -> None:
        """Have a message accepted when its time has come."""
        with self._moved:
            if self._held is None:
                self.loop.call_later(self.answer_after_s, accept)
            else:
                self._held.append(accept)
                self._moved.notify_all()

    def rest(self) -> None:
        """Wait until nobody is connected and all that has arrived is accounted for."""
        self.wait_until(lambda: self._busy == 0)

    def count_busy(self, change: int) -> None:
        with self._moved:
            self._busy += change
            self._moved.notify_all()

    def keep(self, taken: Taken) -> None:
        with self._moved:
            self.taken.append(taken)
            self._moved.notify_all()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        server = await self.loop.create_server(lambda: _Talk(self), self.host, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._is_up.set()
        await self._stopped.wait()
        server.close()


class _Talk(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, sink: FastSink) -> None:
        self._sink = sink
        # less than a message, so that one has begun before it is whole
        self._piece = bytearray(4096)
        self._buffer = bytearray()
        self._is_content = False
        self._has_begun = False
        self._is_answering = False
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = transport.get_extra_info("peername")[:2]
        self._sink.count_busy(+1)
        transport.write(b"220 sink.test ESMTP\r\n")

    def connection_lost(self, error: Exception | None) -> None:
        self._is_lost = True
        if not self._is_answering:
            self._sink.count_busy(-1)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._piece

    def buffer_updated(self, nbytes: int) -> None:
        self._buffer += self._piece[:nbytes]
        self._go_on()

    def _go_on(self) -> None:
        while not self._is_answering and (self._take_content if self._is_content else self._take)():
            pass

    def _take(self) -> bool:
        """A command, when there is a whole one."""
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return False
        verb = bytes(self._buffer[:4]).upper()
        del self._buffer[: end + 2]
        if verb == b"DATA":
            self._is_content, self._has_begun = True, False
            self._transport.write(b"354 go ahead\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(_ANSWERS.get(verb, b"500 what?\r\n"))
        return True

    def _take_content(self) -> bool:
        """A message, when there is a whole one; answered later, when that is wanted."""
        if self._buffer and not self._has_begun:
            self._has_begun = True
            self._sink.when(Step.BEGUN)
        end = self._buffer.find(b"\r\n.\r\n")
        if end < 0:
            return False
        content = bytes(self._buffer[: end + 2])
        del self._buffer[: end + 5]
        self._is_content = False
        self._is_answering = True
        self._sink.when(Step.WHOLE)
        self._sink.answer(partial(self._accept, content))
        return True

    def _accept(self, content: bytes) -> None:
        found = _MESSAGE_ID.search(content)
        assert found, "a message without a Message-ID"
        self._sink.keep(
            Taken(
                message_id=found[1].decode(),
                digest=hashlib.sha256(content).hexdigest(),
                peer=self._peer,
            )
        )
        self._is_answering = False
        if self._is_lost:
            self._sink.count_busy(-1)
            return
        self._transport.write(b"250 taken\r\n")
        self._sink.when(Step.ANSWERED)
        self._go_on()
