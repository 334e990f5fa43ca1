"""Checks run side by side; a broken or hanging one is a finding and nothing more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.check.findings import (
    NAMES,
    CheckReport,
    Finding,
    Level,
    Skipped,
    green,
    in_order,
    red,
    yellow,
)
from digest.check.runner import Check, run_side_by_side
from digest.errors import ConfigError, StoreBusy
from tests.check_pieces import only, seen

LEVELS = st.sampled_from(list(Level))


def check(name: str = "dns.mx", limit_s: float = 5.0, **look: object) -> Check:
    return Check(name=name, limit_s=limit_s, **look)  # type: ignore[arg-type]


def test_findings_come_in_the_order_of_the_checks() -> None:
    first = threading.Event()

    def slow() -> Iterator[Finding]:
        assert first.wait(5)
        yield green("dns.mx", "slow")

    def quick() -> Iterator[Finding]:
        first.set()
        yield green("dns.spf", "quick")

    found = run_side_by_side([check(look=slow), check("dns.spf", look=quick)])

    assert [f.said for f in found] == ["slow", "quick"]


def test_an_error_of_ours_is_red_with_its_advice() -> None:
    def look() -> list[Finding]:
        raise StoreBusy("another process held the database; stop it, or wait")

    found = only(run_side_by_side([check("database.writable", look=look)]))

    assert found.level == "red"
    assert found.said == "cannot be looked at: another process held the database"
    assert found.advice == "stop it, or wait"


def test_settings_that_cannot_be_used_are_told_without_their_number() -> None:
    def look() -> list[Finding]:
        raise ConfigError(["mail.dkim_key_file: the key is encrypted; store it in clear"])

    found = only(run_side_by_side([check("dns.dkim", look=look)]))

    assert found.said == "cannot be looked at: mail.dkim_key_file: the key is encrypted"


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ValueError("two\nlines"), KeyError()])
def test_a_mistake_of_ours_is_red_and_hides_no_other_check(error: Exception) -> None:
    def look() -> list[Finding]:
        raise error

    found = seen(
        run_side_by_side(
            [check(look=look), check(look=lambda: [green("dns.mx", "… takes mail at …")])]
        )
    )

    assert [f.level.value for f in found] == ["red", "green"]
    assert type(error).__name__ in found[0].said
    assert "report it" in found[0].advice


def test_a_check_that_hangs_is_left_and_hides_no_other() -> None:
    ends, begun = threading.Event(), time.monotonic()

    def hang() -> list[Finding]:
        ends.wait(30)
        return []

    found = seen(run_side_by_side([check(look=hang, limit_s=0.2), check(look=lambda: [])]))
    ends.set()

    assert time.monotonic() - begun < 10
    assert [(f.level.value, f.said) for f in found] == [
        ("red", "took longer than 0.2 s and was left alone")
    ]


def test_a_check_that_fails_on_its_way_has_found_nothing_else() -> None:
    def look() -> Iterator[Finding]:
        yield green("dns.mx", "half of it")
        raise ValueError("the other half")

    assert only(run_side_by_side([check(look=look)])).level == "red"


# -- the report


@given(st.lists(LEVELS, max_size=6))
@settings(deadline=None)
def test_the_worst_is_the_worst(levels: list[Level]) -> None:
    findings = tuple(Finding(name="dns.mx", level=level, said="x") for level in levels)
    report = CheckReport(findings=findings)

    order = ["green", "yellow", "red"]
    assert order.index(report.worst) == max(map(order.index, levels), default=0)
    assert sum(report.counts.values()) == len(levels)
    assert all(report.counts[level] == levels.count(level) for level in Level)


def test_a_report_in_json_has_everything() -> None:
    report = CheckReport(
        findings=(red("dns.spf", "bad", "mend it"),),
        skipped=(Skipped(name="dns.mx", reason="--offline"),),
    )

    assert report.as_json() == {
        "worst": "red",
        "counts": {"green": 0, "yellow": 0, "red": 1},
        "findings": [
            {
                "section": "dns",
                "name": "dns.spf",
                "level": "red",
                "said": "bad",
                "advice": "mend it",
            }
        ],
        "skipped": [{"name": "dns.mx", "reason": "--offline"}],
    }


def test_findings_are_shown_in_the_order_of_their_names() -> None:
    found = [yellow(name, str(n), "x") for n, name in enumerate(reversed(NAMES))]
    twice = [*found, green(NAMES[0], "again")]

    assert [f.name for f in in_order(twice)] == [NAMES[0], *NAMES]
    assert in_order(twice)[1].said == "again"
