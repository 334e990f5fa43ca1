"""DMARC (RFC 7489): the From domain's policy, and whether what vouches for our mail is aligned.

Organisational domains are found by domains.py's rule of thumb.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.check.domains import is_aligned, organisation_of
from digest.check.findings import Finding, green, red, yellow
from digest.check.signing import read_tags

if TYPE_CHECKING:
    from digest.check.resolver import Resolver

DMARC = "dns.dmarc"
ALIGNMENT = "dns.alignment"
_POLICIES = ("none", "quarantine", "reject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """The domains that a mail of ours names."""

    from_domain: str
    #: of the envelope sender: what SPF is checked for
    bounce_domain: str
    #: what we sign for; None when the relay signs, or nobody
    dkim_domain: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The records for a From domain and where they are."""

    name: str
    records: tuple[str, ...]
    #: they are the organisation's, not its own
    is_inherited: bool


def judge_dmarc(resolver: Resolver, senders: Senders) -> Iterator[Finding]:
    """The policy, its reports, and the alignment of SPF and DKIM with the From line."""
    found = _find(resolver, senders.from_domain)
    if not found.records:
        yield red(
            DMARC,
            f"{senders.from_domain} has no DMARC record; large providers refuse bulk mail without",
            f'publish a TXT record for {found.name}: "v=DMARC1; p=none; rua=mailto:YOU"',
        )
    elif len(found.records) > 1:
        yield red(
            DMARC,
            f"{found.name} has {len(found.records)} DMARC records, which makes all of them invalid",
            "leave one of them",
        )
    else:
        yield from _judge_record(resolver, found, senders)
    tags = read_tags(found.records[0]) if len(found.records) == 1 else {}
    yield _judge_alignment(senders, tags)


def _find(resolver: Resolver, domain: str) -> _Found:
    """The domain's own records, else its organisation's (RFC 7489 §6.6.3)."""
    own = _records(resolver, f"_dmarc.{domain}")
    organisation = organisation_of(domain)
    if own or organisation == domain:
        return _Found(name=f"_dmarc.{domain}", records=own, is_inherited=False)
    above = f"_dmarc.{organisation}"
    return _Found(name=above, records=_records(resolver, above), is_inherited=True)


def _records(resolver: Resolver, name: str) -> tuple[str, ...]:
    return tuple(r for r in resolver.txt(name) if re.match(r"\s*v\s*=\s*DMARC1\s*(;|\Z)", r))


def _judge_record(resolver: Resolver, found: _Found, senders: Senders) -> Iterator[Finding]:
    tags = read_tags(found.records[0])
    policy = tags.get("p", "").lower()
    if found.is_inherited:
        policy = tags.get("sp", policy).lower()
    if policy not in _POLICIES:
        yield red(
            DMARC,
            f"the DMARC record at {found.name} has no valid policy (p={policy})",
            "write p=none, p=quarantine or p=reject right behind v=DMARC1",
        )
        return
    faults = list(_judge_reports(resolver, found, tags, senders.from_domain))
    yield from faults
    if not faults:
        yield green(DMARC, f"{found.name} has the policy {policy} and an address for reports")


def _judge_reports(
    resolver: Resolver, found: _Found, tags: dict[str, str], from_domain: str
) -> Iterator[Finding]:
    """Whether reports reach somebody; a stranger must agree to get them (RFC 7489 §7.1)."""
    addresses = re.findall(r"mailto:[^\s,!@]+@([^\s,!]+)", tags.get("rua", ""), re.I)
    if not addresses:
        yield yellow(
            DMARC,
            f"the DMARC record at {found.name} asks nobody to report (no rua)",
            "add rua=mailto:ADDRESS to it: the reports show who sends in your name",
        )
    owner = found.name.removeprefix("_dmarc.")
    for domain in dict.fromkeys(address.lower() for address in addresses):
        agreed = f"{owner}._report._dmarc.{domain}"
        if is_aligned(owner, domain) or _records(resolver, agreed):
            continue
        yield yellow(
            DMARC,
            f"DMARC reports are to go to {domain}, which has not agreed to get those of {owner}",
            f'let it publish a TXT record for {agreed}: "v=DMARC1", or use an address of your own',
        )


def _judge_alignment(senders: Senders, tags: dict[str, str]) -> Finding:
    """DMARC passes when SPF or DKIM passes for a domain that belongs to the From line's."""
    visible, bounce, signing = senders.from_domain, senders.bounce_domain, senders.dkim_domain
    by_spf = is_aligned(bounce, visible, strict=tags.get("aspf", "r").lower() == "s")
    is_strict = tags.get("adkim", "r").lower() == "s"
    by_dkim = signing is not None and is_aligned(signing, visible, strict=is_strict)
    if by_dkim:
        other = "" if by_spf else f"; the bounce domain {bounce} is not, which is allowed"
        return green(ALIGNMENT, f"the signature of {signing} is aligned with {visible}{other}")
    if signing is not None and by_spf:
        return yellow(
            ALIGNMENT,
            f"the signature of {signing} is not aligned with {visible}, only the bounce domain is",
            "set dkim_domain to the From domain: SPF alone does not survive forwarding",
        )
    if signing is not None:
        return red(
            ALIGNMENT,
            f"neither the signature of {signing} nor the bounce domain {bounce} is aligned with"
            f" {visible}: DMARC fails",
            "set dkim_domain, or bounce_domain, under [mail] to the From domain or one below it",
        )
    known = f"only the bounce domain {bounce} is" if by_spf else f"not even {bounce} is"
    return yellow(
        ALIGNMENT,
        f"{known} known to be aligned with {visible}; the rest depends on the relay's signature",
        "make sure that the relay signs for that domain, or set a DKIM key of your own:"
        " SPF alone does not survive forwarding",
    )
