"""How many connections each client has open: one alone must not fill all there are.

Asked by the server for every connection, on its one event loop. Our own proxies and this machine
speak for many and are not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_network

from digest.web.client import IPNetwork, client_address, client_network, is_trusted

#: a browser opens six; an institute behind one address has many browsers
PER_CLIENT_MAX = 100
LOCAL: tuple[IPNetwork, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class Crowd:
    """Who is connected."""

    def __init__(
        self, exempt: Sequence[IPNetwork] = LOCAL, *, per_client: int = PER_CLIENT_MAX
    ) -> None:
        self._exempt = exempt
        self._per_client = per_client
        self._open: Counter[str] = Counter()

    def enter(self, peer: str) -> str | None:
        """What to tell `leave` when the connection ends; None for one that is too many.

        An empty text is for somebody who is not counted.
        """
        address = client_address(peer, (), ())
        if address is None or is_trusted(address, self._exempt):
            return ""
        name = client_network(address)
        if self._open[name] >= self._per_client:
            return None
        self._open[name] += 1
        return name

    def leave(self, name: str) -> None:
        """The connection is gone."""
        if name:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]
