"""What tests of `digest check` share: findings by level, and whether docs/check.md knows them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from digest.check.findings import Finding, Level
from tests.paths import REPO

PAGE = (REPO / "docs" / "check.md").read_text("utf-8")
SIGNS = {"✓": Level.GREEN, "!": Level.YELLOW, "✗": Level.RED}
_ANY = "any check"


@cache
def rows() -> dict[str, list[tuple[Level, str]]]:
    """For each name that the page explains: the level and the wording of each of its rows."""
    sections = re.split(r"^### (.+)$", PAGE, flags=re.M)
    return {
        name: [
            (SIGNS[sign], said.strip())
            for sign, said in re.findall(r"^\| ([✓!✗]) \|((?:[^|])+)\|", text, flags=re.M)
        ]
        for name, text in zip(sections[1::2], sections[2::2], strict=True)
    }


def is_documented(finding: Finding) -> bool:
    """Whether a row of the page has this finding's words, with … for what differs."""
    known = [*rows()[finding.name], *rows()[_ANY]]
    return any(
        level is finding.level
        and re.fullmatch(re.escape(said).replace("…", ".*"), finding.said, re.S)
        for level, said in known
    )


def seen(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, each of them explained in the page and with advice unless it is green."""
    found = list(findings)
    for finding in found:
        assert is_documented(finding), f"docs/check.md does not know {finding}"
        assert bool(finding.advice) is (finding.level is not Level.GREEN), finding
        assert "\n" not in finding.said
    return found


def only(findings: Iterable[Finding]) -> Finding:
    """The one finding there is."""
    (found,) = seen(findings)
    return found


def levels(findings: Iterable[Finding]) -> list[str]:
    return [finding.level.value for finding in seen(findings)]
