"""`digest check`: looks for trouble before the users do.

Each check is a small function from plain values, or one question to the world, to findings;
plan.py says which there are, runner.py runs them side by side, each within its time. They change
nothing: no mail is sent, no row stays written. The only package that asks DNS.
"""

from digest.check.findings import NAMES, CheckReport, Finding, Level, Skipped
from digest.check.plan import CheckOptions, report_broken_settings, run_checks

__all__ = [
    "NAMES",
    "CheckOptions",
    "CheckReport",
    "Finding",
    "Level",
    "Skipped",
    "report_broken_settings",
    "run_checks",
]
