"""SPF (RFC 7208): reads a domain's policy with all that it includes, and counts what it costs.

read_policy asks DNS; the rest is pure. Receivers stop at the first match; here every term counts,
which is what a message that matches nothing costs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from digest.check.resolver import IPAddress, Resolver

#: RFC 7208 §4.6.4: more terms that ask DNS make the record worth nothing
LOOKUPS_MAX = 10
#: the same for terms that ask for what is not there
VOIDS_MAX = 2
#: names of one mx
_EXCHANGES_MAX = 10
#: here we stop reading: whoever needs more has a loop, or something to tidy up
_READ_MAX = 40

_ASKING = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
_MECHANISM = re.compile(
    r"([+?~-]?)([a-z0-9]+)(?::((?:%\{[^}]*\}|[^/])+))?((?:/\d{1,3})?(?://\d{1,3})?)", re.I
)
_MODIFIER = re.compile(r"([a-z][a-z0-9._-]*)=(\S*)", re.I)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One word of a policy."""

    text: str
    #: + pass, - fail, ~ softfail, ? neutral
    qualifier: str = "+"
    #: "all", "include", "a", "mx", "ptr", "ip4", "ip6", "exists", "redirect"
    kind: str
    #: addresses that it stands for
    networks: tuple[Network, ...] = ()
    #: what include or redirect leads to
    policy: Policy | None = None
    #: asks for something that is not there
    is_void: bool = False
    #: depends on the message (macros, ptr, exists): what it matches cannot be told beforehand
    is_open: bool = False
    #: what makes the whole record invalid; None when nothing does
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One SPF record."""

    domain: str
    #: up to `all`, which ends it; redirect= comes last and only without an `all`
    terms: tuple[Term, ...]

    def all_terms(self) -> Iterator[Term]:
        """Its own terms and those of everything that it includes."""
        for term in self.terms:
            yield term
            if term.policy is not None:
                yield from term.policy.all_terms()

    @property
    def lookups(self) -> int:
        """How many terms ask DNS, those of included policies too."""
        return sum(term.kind in _ASKING for term in self.all_terms())

    @property
    def voids(self) -> int:
        return sum(term.is_void for term in self.all_terms())

    @property
    def problems(self) -> tuple[str, ...]:
        """What makes it invalid, here or in what it includes."""
        return tuple(dict.fromkeys(t.problem for t in self.all_terms() if t.problem))

    @property
    def ending(self) -> str:
        """The qualifier for everybody else: "-", "~", "?" or "+"."""
        last = self.terms[-1] if self.terms else None
        if last is not None and last.kind == "all":
            return last.qualifier
        if last is not None and last.kind == "redirect" and last.policy is not None:
            return last.policy.ending
        return "?"

    def covers(self, address: IPAddress) -> bool | None:
        """Whether mail from that address passes; None when it depends on the message."""
        is_sure = True
        for term in self.terms:
            if term.kind == "redirect" and term.policy is not None:
                passes = term.policy.covers(address)
                return passes if passes or is_sure else None
            matches = _matches(term, address)
            if matches is None:
                is_sure = False
            elif matches:
                return True if term.qualifier == "+" else (False if is_sure else None)
        return False if is_sure else None


def _matches(term: Term, address: IPAddress) -> bool | None:
    if term.kind == "all":
        return True
    if term.is_open:
        return None
    if term.policy is not None:
        return term.policy.covers(address)
    return any(address in network for network in term.networks)


def records_of(resolver: Resolver, domain: str) -> tuple[str, ...]:
    """The SPF records of a domain; more than one makes all of them worth nothing."""
    found = (text.strip() for text in resolver.txt(domain))
    return tuple(text for text in found if re.match(r"v=spf1(?: |\Z)", text, re.I))


def read_policy(resolver: Resolver, domain: str, record: str) -> Policy:
    """The policy that a record states, with everything that it includes."""
    return _Reader(resolver).read(domain, record)


class _Reader:
    """Follows includes; remembers how much it has read."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._read = 0

    def read(self, domain: str, record: str) -> Policy:
        terms: list[Term] = []
        redirect: Term | None = None
        for word in record.split()[1:]:
            if modifier := _MODIFIER.fullmatch(word):
                if modifier[1].lower() == "redirect":
                    redirect = self._follow("redirect", modifier[2], word)
                continue
            terms.append(self._mechanism(domain, word))
            if terms[-1].kind == "all":
                # §5.1: what comes after it is never looked at; §6.1: redirect neither
                return Policy(domain=domain, terms=tuple(terms))
        return Policy(domain=domain, terms=(*terms, redirect) if redirect else tuple(terms))

    def _mechanism(self, domain: str, word: str) -> Term:
        found = _MECHANISM.fullmatch(word)
        if found is None:
            return _broken(word, f"{word!r} is no term of SPF")
        qualifier, kind, value, prefix = found[1] or "+", found[2].lower(), found[3], found[4]
        match kind:
            case "all" if not value and not prefix:
                return Term(text=word, qualifier=qualifier, kind=kind)
            case "ip4" | "ip6":
                return _network(word, qualifier, kind, f"{value}{prefix}")
            case "include" if value and not prefix:
                return self._follow(kind, value, word, qualifier)
            case "a" | "mx":
                return self._hosts(word, qualifier, kind, value or domain, prefix)
            case "ptr" | "exists":
                return Term(text=word, qualifier=qualifier, kind=kind, is_open=True)
        return _broken(word, f"{word!r} is no term of SPF")

    def _follow(self, kind: str, domain: str, word: str, qualifier: str = "+") -> Term:
        """What include or redirect leads to."""
        if "%" in domain:
            return Term(text=word, qualifier=qualifier, kind=kind, is_open=True)
        self._read += 1
        if self._read > _READ_MAX:
            return _broken(word, f"more than {_READ_MAX} includes, perhaps in a circle", kind)
        records = records_of(self._resolver, domain)
        if len(records) != 1:
            many = f"{len(records)} SPF records" if records else "no SPF record"
            return _broken(word, f"{word!r} leads to {domain}, which has {many}", kind)
        policy = self.read(domain, records[0])
        return Term(text=word, qualifier=qualifier, kind=kind, policy=policy)

    def _hosts(self, word: str, qualifier: str, kind: str, domain: str, prefix: str) -> Term:
        """The addresses of a name, or of the mail servers of a domain."""
        if "%" in domain:
            return Term(text=word, qualifier=qualifier, kind=kind, is_open=True)
        hosts = [domain]
        if kind == "mx":
            hosts = [host for _, host in self._resolver.mx(domain) if host]
            if len(hosts) > _EXCHANGES_MAX:
                return _broken(word, f"{word!r}: {domain} has more than {_EXCHANGES_MAX} MX", kind)
        found = [address for host in hosts for address in self._resolver.addresses(host)]
        try:
            networks = tuple(_widened(address, prefix) for address in found)
        except ValueError:
            return _broken(word, f"{word!r} names no network", kind)
        return Term(
            text=word, qualifier=qualifier, kind=kind, networks=networks, is_void=not networks
        )


def _widened(address: IPAddress, prefix: str) -> Network:
    """The network around an address, by `/24//64` of an a or mx."""
    four, _, six = prefix.removeprefix("/").partition("//")
    if prefix.startswith("//"):
        four, six = "", prefix[2:]
    length = (four or 32) if address.version == 4 else (six or 128)
    return ipaddress.ip_network(f"{address}/{length}", strict=False)


def _network(word: str, qualifier: str, kind: str, value: str) -> Term:
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        return _broken(word, f"{word!r} names no network")
    if network.version != int(kind[2:]):
        return _broken(word, f"{word!r} names a network of the other IP version")
    return Term(text=word, qualifier=qualifier, kind=kind, networks=(network,))


def _broken(word: str, problem: str, kind: str = "") -> Term:
    return Term(text=word, kind=kind, problem=problem)
