"""What each job of the daemon does in one beat: ask a stage for what is due, and tell of it.

Called by digest/schedule.py, which sees to when; whatever goes wrong climbs to its heartbeat.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from digest.app import App
from digest.errors import DigestError
from digest.model import CONFIRM_WITHIN
from digest.store import facts
from digest.store.collecting import due_sources
from digest.store.outbox import waiting

if TYPE_CHECKING:
    from digest.deliver import DeliveryReport

log = logging.getLogger(__name__)

#: vectors made in one tick: some 5 s of one core, a quarter of the time
_VECTORS_A_TICK = 200
#: how many more of them until it is told again how far that has come
_VECTORS_TOLD = 2_000
#: a long run of delivering tells how far it is that often, in seconds
_PROGRESS_S = 60
#: who reads the mailbox of bounces goes on doing so; others take over after that silence
_BOUNCES_LEASE = timedelta(minutes=15)
BOUNCES_READER = "bounces.reader"

#: a job's work: the parts, and what tells it to stop early
Tick = Callable[[App, Callable[[], bool]], None]


def collect_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Read the sources that are due."""
    app.collector.collect_due(app.now(), stopping)


def lists_are_due(app: App) -> bool:
    """Whether a source should have been read by now, by whichever process does so."""
    every = {name: planned.every for name, planned in app.planned.items()}
    with app.store.read() as tx:
        return bool(due_sources(tx, every, app.now()))


def edition_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Make the editions that are due."""
    report = app.editor.make_due(app.now(), stopping)
    if report.made or report.skipped or report.missed:
        log.info(
            "editions: %d made, %d skipped, %d missed", report.made, report.skipped, report.missed
        )


def deliver_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Deliver what waits, unless trouble with the relay has paused sending."""
    if app.deliverer.paused_until(app.now()) is not None:
        return
    from digest.deliver import now_and_then

    def tell(report: DeliveryReport) -> None:
        with app.store.read() as tx:
            left = sum(waiting(tx).values())
        log.info("messages: %d handed over in this run, %d wait", report.handed_over, left)

    report = app.deliverer.deliver(
        app.transport(), stop=stopping, progress=now_and_then(tell, _PROGRESS_S)
    )
    if report.states or report.recovered:
        told = ", ".join(f"{count} {state.value}" for state, count in report.states.items())
        log.info("messages: %s; %d recovered", told or "none", report.recovered)


def bounces_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Read what came back, unless another process does so."""
    with app.store.write() as tx:
        lease = max(3 * app.settings.bounces.every, _BOUNCES_LEASE)
        if not facts.hold(tx, BOUNCES_READER, owner=app.owner, lease=lease):
            return
    with app.mailbox() as mailbox:
        report = app.returns.read(mailbox, app.now(), stop=stopping)
    if report.letters:
        told = ", ".join(f"{count} {kind.value}" for kind, count in sorted(report.kinds.items()))
        log.info("came back: %s; %d suppressed, %d kept", told, report.suppressed, report.kept)


def meaning_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Make vectors of what is new, or of the archive when the model is."""
    made = app.meaning.catch_up(_VECTORS_A_TICK, stopping)
    if made == _VECTORS_A_TICK:
        left = app.meaning.count_lacking()
        if left // _VECTORS_TOLD != (left + made) // _VECTORS_TOLD:
            log.info("meaning: %d papers have no vector yet", left)


def model_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Where only pages are served: let those who make vectors know which are looked at.

    A model that no page has needed yet is not loaded for it, and in use by nobody here.
    """
    if app.meaning.is_loaded:
        app.meaning.say_in_use()


def tidy_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Forget addresses that never answered, and refusals and nobody's words of long ago.

    Each whatever becomes of the others. Raises DigestError that tells of all that failed.
    """
    failures = []
    for part in (_forget_refusals, _forget_words, _forget_unanswered):
        try:
            part(app)
        except DigestError as error:
            failures.append(str(error))
    if failures:
        raise DigestError("; ".join(failures))


def _forget_refusals(app: App) -> None:
    app.returns.forget_old(app.now())


def _forget_words(app: App) -> None:
    app.meaning.forget_unused()


def _forget_unanswered(app: App) -> None:
    forgotten = app.enrolment.forget_unanswered(app.now(), CONFIRM_WITHIN)
    if forgotten:
        log.info("%d unconfirmed addresses forgotten", forgotten)


def signups_tick(app: App, stopping: Callable[[], bool]) -> None:
    """Deal with sign-ups that a page has answered and its process could not finish."""
    from digest.signup import Intake

    Intake(app.enrolment).deal(app.now())
