"""What delivering follows, and what it reports. Plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from digest.clock import uptime_s
from digest.model import OutboxState

#: outcomes that may wait to be written down; more would leave more in doubt
GROUP = 16
#: how long a claimed message is ours without a sign of life
LEASE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRules:
    """The settings that delivering follows."""

    #: whether a message in doubt is sent again (with the same Message-ID) or waits for the operator
    resend: bool
    #: messages a minute over all connections; 0 is no limit
    rate_per_minute: int = 0
    #: messages a minute to one domain of readers; 0 is no limit
    domain_rate_per_minute: int = 0
    #: first day of a new sending domain, see pace.py; None: it is known everywhere
    warm_up_from: date | None = None
    #: how long the messages of a dead sender rest before another takes them
    lease: timedelta = LEASE
    group: int = GROUP
    #: when nothing waited, how soon a run looks for what has come due since: as soon as the daemon
    #: would, so that it makes no difference whether a run is still going on
    look_again: timedelta = timedelta(seconds=5)

    @property
    def seconds_between(self) -> float:
        """The pace that the rate asks for; 0 for none."""
        return 60 / self.rate_per_minute if self.rate_per_minute else 0.0

    @property
    def claims_max(self) -> int:
        """How many rows to claim at once: no more than can leave in a lease.

        Many, for a claim costs much the same however many it takes. But what is claimed when a
        sender dies is held with what was on the wire, where that is held.
        """
        most = 4 * self.group if self.resend else 2 * self.group
        if not self.rate_per_minute:
            return most
        return max(1, min(most, self.rate_per_minute * self.lease // timedelta(minutes=2)))

    @property
    def at_hand(self) -> int:
        """More rows are claimed when no more than so many are here and not begun.

        Enough to have something to make while connections open or wait for answers; few where a
        rate leaves time, and where what is claimed when a sender dies is held.
        """
        if self.rate_per_minute or not self.resend:
            return self.claims_max // 2
        return 2 * self.claims_max


@dataclass(slots=True)
class DeliveryReport:
    """What one run of delivering came to."""

    states: dict[OutboxState, int] = field(default_factory=dict)
    #: rows found whose sender had died
    recovered: int = 0
    #: why nothing more could be handed over; None when all was tried
    stopped: str | None = None

    @property
    def handed_over(self) -> int:
        return self.states.get(OutboxState.SENT, 0)

    def count(self, state: OutboxState) -> None:
        self.states[state] = self.states.get(state, 0) + 1


#: hears how far a run has come
Progress = Callable[[DeliveryReport], None]


def now_and_then(tell: Progress, every_s: float) -> Progress:
    """A progress that tells only so often, and not at once."""
    told_at = uptime_s()

    def hear(report: DeliveryReport) -> None:
        nonlocal told_at
        if uptime_s() - told_at >= every_s:
            told_at = uptime_s()
            tell(report)

    return hear
