"""The stage itself: one run after another over one process's way from the outbox to the relay."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from digest.clock import Clock
from digest.compose.composer import Composer
from digest.deliver import pauses
from digest.deliver.desk import Desk
from digest.deliver.making import MessageMaker
from digest.deliver.pace import DomainPace
from digest.deliver.rules import DeliveryReport, DeliveryRules, Progress
from digest.deliver.run import Run
from digest.errors import TransportError
from digest.mail import Transport, run_to_end
from digest.mail.dkim import DkimSigner
from digest.model import OutboxState
from digest.store import Store
from digest.store.senders import among_senders

log = logging.getLogger(__name__)


class Deliverer:
    """One process's way from the outbox to the relay."""

    def __init__(
        self,
        store: Store,
        composer: Composer,
        rules: DeliveryRules,
        *,
        clock: Clock,
        owner: str,
        signer: DkimSigner | None = None,
    ) -> None:
        self._store = store
        self._composer = composer
        self._signer = signer
        self._rules = rules
        self._clock = clock
        self._desk = Desk(rules, owner)
        # kept from one run to the next, which may be seconds later
        self._pace = DomainPace(rules.domain_rate_per_minute)

    def paused_until(self, now: datetime) -> datetime | None:
        """When sending goes on after trouble with the relay; None when it is not paused."""
        return pauses.paused_until(self._store, now)

    def deliver(
        self,
        transport: Transport,
        *,
        stop: Callable[[], bool] = lambda: False,
        progress: Progress = lambda report: None,
    ) -> DeliveryReport:
        """Hand over all that waits, until nothing does, `stop` says so, or the relay fails us.

        `progress` hears now and then how far it is. A relay that takes nothing pauses sending for
        growing times, and loses nothing.
        """
        run = Run(
            self._store,
            self._desk,
            MessageMaker(self._composer, self._signer, self._rules),
            self._rules,
            pace=self._pace,
            clock=self._clock,
            stop=stop,
            progress=progress,
        )

        with among_senders(self._store, run.recover), _rare_collections():
            try:
                run_to_end(run.through(transport))
            except TransportError as error:
                run.report.stopped = str(error)
                has_sent = OutboxState.SENT in run.report.states
                pauses.begin_pause(self._store, error, self._clock.now(), has_sent=has_sent)
            else:
                pauses.end_pause(self._store)
        return run.report


#: objects made, less those gone, before Python looks for cycles
_COLLECT_AFTER = 50_000


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Look for cyclic garbage less often: messages make none, and the search took 15 % of all."""
    before = gc.get_threshold()
    gc.set_threshold(max(_COLLECT_AFTER, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
