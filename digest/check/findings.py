"""What was found: a level, a sentence that says what was seen, and what to do about it.

NAMES is the list of everything that `digest check` looks at, in the order in which it is shown;
docs/check.md explains each. Values only; runner.py collects them, the command line shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: what is looked at; the part before the dot is the section it is shown in
NAMES = (
    "settings.load",
    "database.version",
    "database.writable",
    "database.space",
    "sources.reachable",
    "relay.connection",
    "relay.tls",
    "relay.login",
    "relay.extensions",
    "bounces.mailbox",
    "dns.mx",
    "dns.spf",
    "dns.dkim",
    "dns.dmarc",
    "dns.alignment",
    "mail.from",
    "mail.sample",
    "mail.headers",
    "mail.arrived",
    "site.url",
    "site.identity",
    "site.one-click",
    "rank.model",
    "alarms.sources",
    "alarms.sending",
    "alarms.heartbeat",
    "alarms.uncertain",
)
_RANKS = {name: rank for rank, name in enumerate(NAMES)}


class Level(StrEnum):
    """How bad it is."""

    GREEN = "green"  #: as it should be
    YELLOW = "yellow"  #: works, but not as well or not for as long as it should
    RED = "red"  #: readers will notice, or already do


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    #: one of NAMES
    name: str
    level: Level
    #: what was seen, one line
    said: str
    #: what to do; empty when nothing is to be done
    advice: str = ""

    @property
    def section(self) -> str:
        return self.name.partition(".")[0]

    def as_json(self) -> dict[str, Any]:
        return {
            "section": self.section,
            "name": self.name,
            "level": self.level.value,
            "said": self.said,
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Something that was not looked at."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """Everything that one run of `digest check` has found."""

    #: in the order of NAMES
    findings: tuple[Finding, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def worst(self) -> Level:
        return max((f.level for f in self.findings), key=list(Level).index, default=Level.GREEN)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings there are of each level."""
        return {level.value: sum(f.level is level for f in self.findings) for level in Level}

    def as_json(self) -> dict[str, Any]:
        return {
            "worst": self.worst.value,
            "counts": self.counts,
            "findings": [finding.as_json() for finding in self.findings],
            "skipped": [{"name": s.name, "reason": s.reason} for s in self.skipped],
        }


def in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings in the order of NAMES; those of one name stay as they came."""
    return tuple(sorted(findings, key=lambda finding: _RANKS[finding.name]))


def green(name: str, said: str) -> Finding:
    return Finding(name=name, level=Level.GREEN, said=said)


def yellow(name: str, said: str, advice: str) -> Finding:
    return Finding(name=name, level=Level.YELLOW, said=said, advice=advice)


def red(name: str, said: str, advice: str) -> Finding:
    return Finding(name=name, level=Level.RED, said=said, advice=advice)
