"""Where bounces and answers go (MX), and who may send for the bounce domain (SPF).

Receivers check SPF for the domain of the envelope sender, not for the From line (RFC 7208 §2.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from digest.check.findings import Finding, green, red, yellow
from digest.check.spf import LOOKUPS_MAX, VOIDS_MAX, Policy, read_policy, records_of

if TYPE_CHECKING:
    from digest.check.resolver import IPAddress, Resolver

MX = "dns.mx"
SPF = "dns.spf"

_ADD_MX = "add an MX record that names the mail server which takes its mail"
_EXAMPLE = 'like "v=spf1 ip4:192.0.2.25 -all" with the address that your relay sends from'


def judge_exchangers(resolver: Resolver, domain: str, purpose: str) -> Iterator[Finding]:
    """Whether mail to that domain arrives; `purpose` says which mail that is."""
    records = resolver.mx(domain)
    hosts = [host for _, host in records if host]
    if records and not hosts:
        yield red(
            MX,
            f"{domain} takes no mail: its MX record says so, and {purpose}",
            "name another domain in the settings, or replace the empty MX record",
        )
    elif not hosts and resolver.addresses(domain):
        yield yellow(MX, f"{domain} has no MX record, only an address, and {purpose}", _ADD_MX)
    elif not hosts:
        yield red(MX, f"{domain} has neither MX record nor address, and {purpose}", _ADD_MX)
    elif not any(resolver.addresses(host) for host in hosts):
        yield red(
            MX,
            f"none of the mail servers of {domain} has an address ({', '.join(hosts)}), and"
            f" {purpose}",
            "correct the MX record, or give the host that it names an A or AAAA record",
        )
    else:
        yield green(MX, f"{domain} takes mail at {', '.join(hosts)}")


def judge_sender_policy(
    resolver: Resolver, domain: str, relay: Sequence[IPAddress]
) -> Iterator[Finding]:
    """SPF of the domain of the envelope sender.

    `relay` has the public addresses of the relay; none when what it sends from cannot be told.
    """
    records = records_of(resolver, domain)
    if not records:
        yield red(
            SPF,
            f"{domain} has no SPF record, and envelope senders are under it",
            f"publish a TXT record for {domain}, {_EXAMPLE}",
        )
        return
    if len(records) > 1:
        yield _too_many(domain, len(records))
        return
    policy = read_policy(resolver, domain, records[0])
    faults = [*_faults(policy), *_ending(policy), *_coverage(policy, relay)]
    yield from faults
    if not faults:
        count = policy.lookups
        yield green(
            SPF,
            f"{domain} says who may send for it, in {count} of {LOOKUPS_MAX} look-ups,"
            f" and ends in {policy.ending}all",
        )


def judge_other_policy(resolver: Resolver, domain: str, bounce_domain: str) -> Iterator[Finding]:
    """SPF of a From domain that is not the bounce domain: nobody needs it, but it must be right."""
    records = records_of(resolver, domain)
    if len(records) > 1:
        yield _too_many(domain, len(records))
    elif records and (problems := read_policy(resolver, domain, records[0]).problems):
        yield _invalid(domain, problems)
    else:
        has = "an" if records else "no"
        yield green(
            SPF, f"{domain} has {has} SPF record; receivers look at that of {bounce_domain}"
        )


def _too_many(domain: str, count: int) -> Finding:
    return red(
        SPF,
        f"{domain} has {count} SPF records, which makes all of them invalid",
        "put the terms of all of them into one record and take the others away",
    )


def _invalid(domain: str, problems: Sequence[str]) -> Finding:
    return red(
        SPF,
        f"the SPF record of {domain} is invalid: {'; '.join(problems)}",
        "correct it; until then receivers treat it as if it were not there",
    )


def _faults(policy: Policy) -> Iterator[Finding]:
    """What makes a record worth nothing, or will one day."""
    domain = policy.domain
    if policy.problems:
        yield _invalid(domain, policy.problems)
    if policy.lookups > LOOKUPS_MAX:
        yield red(
            SPF,
            f"the SPF record of {domain} needs {policy.lookups} look-ups, allowed are"
            f" {LOOKUPS_MAX}: receivers give up on it",
            "take out includes that are no longer used, or write their addresses as ip4: and ip6:",
        )
    if policy.voids > VOIDS_MAX:
        yield red(
            SPF,
            f"the SPF record of {domain} names {policy.voids} hosts that do not exist, allowed are"
            f" {VOIDS_MAX}",
            "take them out of the record",
        )
    if any(term.kind == "ptr" for term in policy.all_terms()):
        yield yellow(
            SPF,
            f"the SPF record of {domain} uses ptr, which many receivers do not follow any more",
            "name the addresses instead, with ip4: and ip6:",
        )


def _ending(policy: Policy) -> Iterator[Finding]:
    domain = policy.domain
    if policy.ending == "+":
        yield red(
            SPF,
            f"the SPF record of {domain} ends in +all: everybody may send for it",
            "let it end in -all, or in ~all while you try it out",
        )
    elif policy.ending == "?":
        yield yellow(
            SPF,
            f"the SPF record of {domain} leaves open who may not send for it",
            "let it end in -all, or in ~all while you try it out",
        )


def _coverage(policy: Policy, relay: Sequence[IPAddress]) -> Iterator[Finding]:
    """Whether the relay's own address may send."""
    if policy.problems or not relay:
        return
    if not any(policy.covers(address) is not False for address in relay):
        shown = ", ".join(map(str, relay))
        yield yellow(
            SPF,
            f"the SPF record of {policy.domain} does not have the relay's address ({shown})",
            "add it, unless the relay sends from other addresses than it listens on: its provider"
            " says which include: belongs here",
        )
