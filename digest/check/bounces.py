"""The mailbox of bounces: whether it can be opened and read. Nothing in it is moved or marked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

from digest.check.findings import Finding, green, yellow
from digest.mailbox import Mailbox

MAILBOX = "bounces.mailbox"


def judge_no_mailbox() -> Finding:
    """What it means that none is set."""
    return yellow(
        MAILBOX,
        "nobody reads what comes back: addresses that no longer exist are written to again, and who"
        " asks by mail to leave is not heard",
        "set kind and what belongs to it under [bounces]; config.example.toml explains it",
    )


def judge_mailbox(mailbox: AbstractContextManager[Mailbox]) -> Iterator[Finding]:
    """Open it and look at the first letter. Raises MailboxError when that fails."""
    with mailbox as opened:
        letter = next(iter(opened.letters()), None)
    waiting = "letters wait in it" if letter is not None else "no letter waits in it"
    yield green(MAILBOX, f"it can be read, {waiting}")
