"""Who is asking, as far as limits need to know: a network address, hashed before it is kept.

X-Forwarded-For is believed only where our own proxies wrote it. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
#: one customer of a provider has at least that much of IPv6
_IPV6_PREFIX = 64


def networks(texts: Iterable[str]) -> tuple[IPNetwork, ...]:
    """The networks of [web] trusted_proxies, which the settings have checked."""
    return tuple(ip_network(text, strict=False) for text in texts)


def client_address(
    peer: str, forwarded: Sequence[str], trusted: Sequence[IPNetwork]
) -> IPAddress | None:
    """The address that a request came from; None when the peer is no network address.

    `forwarded` are the X-Forwarded-For headers. They are read from the right, where our proxies
    write, up to the first address that is not one of our proxies: whatever stands left of it may
    have been made up.
    """
    client = _read(peer)
    if client is None or not is_trusted(client, trusted):
        return client
    for text in reversed(",".join(forwarded).split(",")):
        address = _read(text)
        if address is None:
            break
        client = address
        if not is_trusted(address, trusted):
            break
    return client


def _read(text: str) -> IPAddress | None:
    text = text.strip()
    if text.startswith("["):  # [2001:db8::1]:4711
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:4711
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def is_trusted(address: IPAddress, trusted: Sequence[IPNetwork]) -> bool:
    return any(address in network for network in trusted)


def client_network(address: IPAddress) -> str:
    """What one client may have of a network, as a text: an IPv4 address, or an IPv6 /64."""
    if isinstance(address, IPv6Address):
        return str(ip_network(f"{address.exploded}/{_IPV6_PREFIX}", strict=False))
    return str(address)


def client_mark(address: IPAddress | None, secret: str) -> str:
    """A short mark that is the same for the same client, and tells nobody the address."""
    text = "unknown" if address is None else client_network(address)
    return hmac.new(secret.encode(), f"client {text}".encode(), hashlib.sha256).hexdigest()[:16]
