"""Drives a transport over a list of messages, for tests: what it took, what it reported."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from digest.errors import TransportError
from digest.mail import Transport
from digest.mail.base import MayLeave, always
from digest.model import Envelope, Fate, Outcome


@dataclass(slots=True)
class MailRun:
    """One run of a transport, as the deliver stage would see it."""

    taken: list[int] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    error: TransportError | None = None

    @property
    def fates(self) -> dict[int, Fate]:
        return {outcome.outbox_id: outcome.fate for outcome in self.outcomes}

    def outcome(self, outbox_id: int) -> Outcome:
        (found,) = (o for o in self.outcomes if o.outbox_id == outbox_id)
        return found

    def with_fate(self, fate: Fate) -> list[int]:
        return sorted(o.outbox_id for o in self.outcomes if o.fate is fate)

    def check(self) -> None:
        """Each message that was taken is reported exactly once."""
        reported = sorted(o.outbox_id for o in self.outcomes)
        assert reported == sorted(self.taken)


def make_envelope(
    number: int = 1,
    to: str = "ada@example.org",
    content: bytes | None = None,
    *,
    needs_smtputf8: bool = False,
) -> Envelope:
    if content is None:
        content = f"Subject: Number {number}\r\n\r\nHello {number}\r\n".encode()
    return Envelope(
        outbox_id=number,
        envelope_from=f"bounce+{number}@example.net",
        envelope_to=to,
        content=content,
        needs_smtputf8=needs_smtputf8,
    )


async def run_mail(
    transport: Transport,
    envelopes: Iterable[Envelope],
    may_leave: MayLeave = always,
    *,
    report_rounds: int = 0,
) -> MailRun:
    """Run the transport to its end, checking that the promise of one report each is kept.

    A report takes so many rounds of the loop, as a commit does.
    """
    waiting = iter(envelopes)
    run = MailRun()

    async def take() -> Envelope | None:
        envelope = next(waiting, None)
        if envelope is not None:
            run.taken.append(envelope.outbox_id)
        return envelope

    async def report(outcomes: Sequence[Outcome]) -> None:
        run.outcomes.extend(outcomes)
        for _ in range(report_rounds):
            await asyncio.sleep(0)

    try:
        # a run that hangs is a failed test, not a hung suite
        await asyncio.wait_for(transport.run(take, report, may_leave), 60)
    except TransportError as error:
        run.error = error
    run.check()
    return run
