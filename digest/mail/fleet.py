"""The connections of one run: how many there are, which is free, and when there can be none.

The first is opened alone, so that a wrong password or a dead relay is met once; the others follow
when there is work for them. A relay that refuses some is asked for fewer, and for more again when
it has worked for a while. Belongs to digest/mail/pool.py; knows nothing of messages.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from digest.mail.base import TransportOptions
from digest.mail.connection import Connection, Owner
from digest.mail.dial import dial
from digest.mail.handshake import NoConnection

#: one message under way and one announced keep a connection busy
LOAD_MAX = 2
#: answers after which a relay that refused connections is asked for more; doubles each time
_REGAIN_AFTER = 50
#: pauses before a relay that has worked is asked again, as parts of the time limit
_RETRY_PAUSES = (1 / 60, 4 / 60)


class Fleet:
    """Connections, opening and open.

    `changed` is called when one has opened or the number allowed has fallen, `failed` when there
    is none and there will be none.
    """

    def __init__(
        self,
        options: TransportOptions,
        context: ssl.SSLContext | None,
        *,
        owner: Owner,
        changed: Callable[[], None],
        failed: Callable[[NoConnection], None],
    ) -> None:
        self._options = options
        self._context = context
        self._owner = owner
        self._changed = changed
        self._failed = failed
        self._ready: set[Connection] = set()
        #: ready connections by their load, last used at the end
        self._by_load: tuple[dict[Connection, None], ...] = tuple({} for _ in range(LOAD_MAX))
        self._opening: set[asyncio.Task[None]] = set()
        #: most connections; less than the options say when the relay wants fewer
        self._limit = options.connections
        self._has_opened = False
        self._has_worked = False
        self._answered = 0
        self._regain_after = _REGAIN_AFTER
        self._retries = 0
        self._retry: asyncio.TimerHandle | None = None

    @property
    def capacity(self) -> int:
        """How many messages may be taken and unsettled: two for each that is ready, one for each
        that could be."""
        return self._most + len(self._ready)

    @property
    def opening(self) -> int:
        """How many are being opened."""
        return len(self._opening)

    def find(self, load: int) -> Connection | None:
        """A usable connection that has so many messages: of idle ones the one used last, of others
        the one that has had no more for longest, for it will send first.
        """
        group = self._by_load[load]
        while group:
            found = next(iter(group) if load else reversed(group))
            if found.is_usable:
                return found
            del group[found]
        return None

    def sort(self, connection: Connection) -> None:
        """Note a connection's load, whenever it may have changed."""
        is_free = connection in self._ready and connection.is_usable
        load = connection.session.load if is_free else LOAD_MAX
        for level, group in enumerate(self._by_load):
            if level == load:
                group[connection] = None
            else:
                group.pop(connection, None)

    def grow(self, wanted: int) -> None:
        """Have `wanted` connections opening, as far as they are allowed."""
        while self._retry is None and self.opening < wanted and self._count < self._most:
            task = asyncio.create_task(self._open())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def note_answers(self, count: int) -> None:
        """Messages were answered: the relay works."""
        self._has_worked = True
        self._retries = 0
        self._answered += count
        if self._answered >= self._regain_after and self._limit < self._options.connections:
            self._limit = min(self._options.connections, self._limit * 2)
            self._regain_after *= 2
            self._answered = 0

    def remove(self, connection: Connection) -> None:
        """A connection is gone."""
        self._ready.discard(connection)
        self.sort(connection)

    def quit_idle(self) -> None:
        """Say goodbye on the connections that have nothing to do."""
        for connection in tuple(self._by_load[0]):
            connection.quit()
            self.sort(connection)

    def stop_opening(self) -> None:
        """Open no more."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for task in self._opening:
            task.cancel()

    def abort(self, reason: str) -> None:
        """Cut all connections."""
        self.stop_opening()
        for connection in tuple(self._ready):
            connection.abort(reason)

    async def close(self) -> None:
        """End every connection, politely where nothing is under way."""
        self.stop_opening()
        self.quit_idle()
        for connection in self._ready:
            if not connection.session.has_quit:
                connection.abort("the sending has ended")
        closing = [connection.closed for connection in self._ready]
        await asyncio.gather(*self._opening, *closing, return_exceptions=True)

    @property
    def _count(self) -> int:
        return len(self._ready) + len(self._opening)

    @property
    def _most(self) -> int:
        return self._limit if self._has_opened else 1

    async def _open(self) -> None:
        options = self._options
        connection = Connection(self._owner, options, self._context)
        task = asyncio.current_task()
        assert task is not None, "runs as a task"
        try:
            async with asyncio.timeout(options.timeout_s):
                sock = await dial(options.host, options.port)
            await connection.attach(sock)
            await connection.opened
            if not connection.is_usable:
                raise NoConnection(f"the relay {options.host}:{options.port} hung up at once")
        except (OSError, NoConnection) as error:
            connection.give_up()
            self._opening.discard(task)
            self._not_opened(self._explain(error))
        except asyncio.CancelledError:
            connection.give_up()
            raise
        else:
            self._opening.discard(task)
            self._has_opened = True
            self._ready.add(connection)
            self.sort(connection)
            self._changed()

    def _not_opened(self, error: NoConnection) -> None:
        """Go on with fewer; when there is no other, try again or end."""
        if self._count:
            self._limit = self._count
            self._answered = 0
            self._changed()
        elif error.is_final or not self._has_worked or self._retries >= len(_RETRY_PAUSES):
            self._failed(error)
        else:
            pause = _RETRY_PAUSES[self._retries] * self._options.timeout_s
            self._retries += 1
            self._retry = asyncio.get_running_loop().call_later(pause, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._changed()

    def _explain(self, error: OSError | NoConnection) -> NoConnection:
        """The same for the operator, with what to check."""
        if isinstance(error, NoConnection):
            return error
        options = self._options
        relay = f"the relay {options.host}:{options.port}"
        if isinstance(error, socket.gaierror):
            text = f"no address for {options.host}: {error.strerror}; check host under [smtp]"
        elif isinstance(error, TimeoutError):
            text = f"{relay} did not answer within {options.timeout_s:g} s; check host and port"
        else:
            text = f"{relay} cannot be reached: {error}; check host and port under [smtp]"
        explained = NoConnection(text)
        explained.__cause__ = error
        return explained
