"""The daemon: a heartbeat that asks what is due, in the roles this process has.

The database is the schedule: due times are columns, and the jobs only look (ticks.py). A tick calls
a stage's `…_due(now)`; APScheduler sees to it that ticks do not overlap and late ones are not lost.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from apscheduler.schedulers.background import BackgroundScheduler

from digest.app import App
from digest.clock import moment_text
from digest.errors import DigestError, StoreBusy, StoreFull
from digest.store import facts
from digest.ticks import (
    BOUNCES_READER,
    Tick,
    bounces_tick,
    collect_tick,
    deliver_tick,
    edition_tick,
    lists_are_due,
    meaning_tick,
    model_tick,
    signups_tick,
    tidy_tick,
)

log = logging.getLogger(__name__)

#: how often each role asks what is due, in seconds
_COLLECT_S = 60
_EDITION_S = 20
_DELIVER_S = 5
_TIDY_S = 3600
_SIGNUPS_S = 60
_MEANING_S = 20
#: editions wait that long, after a start, for lists that are due: a daemon that was off must not
#: find nothing new because it looks before it has read
_LISTS_FIRST = timedelta(minutes=10)
_LOOK_AGAIN_S = 1.0
#: how often the heartbeat of a stage is written down
_NOTED_EVERY = timedelta(minutes=1)
#: what is in flight when SIGTERM comes has that long to finish, in seconds
_FINISH_S = 25


def run_daemon(app: App, roles: Collection[str]) -> None:
    """Work in those roles until SIGTERM or SIGINT; then finish what is in flight.

    Raises StoreBusy when another daemon already works on the same SQLite file; one that only
    serves the pages may stand beside it. Raises ConfigError when mail cannot be signed.
    """
    if "deliver" in roles:
        # a key that cannot be used is refused now, not at every tick
        _ = app.signer
    stop = threading.Event()
    with ExitStack() as held:
        if set(roles) != {"web"}:
            held.enter_context(_alone(app.store.path))
            _forget_the_dead(app)
        held.enter_context(_stopped_by_signals(stop))
        if "web" in roles:
            held.enter_context(_pages(app, stop))
        scheduler = _scheduler(app, roles, stop)
        scheduler.start()
        log.info("digest is running: %s", ", ".join(roles))
        # not one wait without end: a signal that comes just before it begins would not end it
        while not stop.wait(_LOOK_AGAIN_S):
            pass
        log.info("stopping: finishing what is in flight")
        _finish(scheduler)
        _give_back(app)
        log.info("stopped")


def _scheduler(app: App, roles: Collection[str], stop: threading.Event) -> BackgroundScheduler:
    scheduler = BackgroundScheduler(
        timezone="UTC",
        # a laptop's sleep must not lose a tick, nor make up for each one
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
    )
    heart = _Heart(app, stop)
    begun_at = app.now()

    def patient_edition_tick(app: App, stopping: Callable[[], bool]) -> None:
        while app.now() - begun_at < _LISTS_FIRST and lists_are_due(app):
            if stop.wait(_LOOK_AGAIN_S):
                return
        edition_tick(app, stopping)

    jobs: list[tuple[str, str, Tick, int]] = [
        ("collect", "collect", collect_tick, _COLLECT_S),
        ("edition", "edition", patient_edition_tick, _EDITION_S),
        ("deliver", "deliver", deliver_tick, _DELIVER_S),
        ("edition", "tidy", tidy_tick, _TIDY_S),
        ("web", "signups", signups_tick, _SIGNUPS_S),
    ]
    # whoever collects or makes editions; one of them is enough in a process
    makers = [role for role in ("collect", "edition") if role in roles]
    jobs += [(role, "meaning", meaning_tick, _MEANING_S) for role in makers[:1]]
    if not makers:
        jobs.append(("web", "model", model_tick, _MEANING_S))
    bounces = app.settings.bounces
    if bounces.kind != "none":
        jobs.append(("deliver", "bounces", bounces_tick, int(bounces.every.total_seconds())))
    for role, name, tick, seconds in jobs:
        if role in roles:
            scheduler.add_job(
                heart.beat,
                "interval",
                args=(name, tick),
                seconds=seconds,
                id=name,
                next_run_time=app.now(),
            )
    return scheduler


class _Heart:
    """Runs ticks, and writes down now and then that they run."""

    def __init__(self, app: App, stop: threading.Event) -> None:
        self._app = app
        self._stop = stop
        self._written: dict[str, datetime] = {}

    def beat(self, name: str, tick: Tick) -> None:
        """One tick; what goes wrong is said, and the next one tries again."""
        if self._stop.is_set():
            return
        try:
            tick(self._app, self._stop.is_set)
            self._note(name)
        except (StoreBusy, StoreFull) as error:
            log.error("%s: %s; trying again at the next tick", name, error)
        except DigestError as error:
            log.error("%s: %s", name, error)
        except Exception:  # the heartbeat goes on, whatever we have done wrong in one beat
            log.exception("%s: a mistake in digest itself; trying again at the next tick", name)

    def _note(self, name: str) -> None:
        """Say that a stage is alive; not at every tick, for each costs a flush to the disk."""
        now, last = self._app.now(), self._written.get(name)
        if last is None or now - last >= _NOTED_EVERY:
            with self._app.store.write() as tx:
                facts.put_fact(tx, f"heartbeat.{name}", moment_text(now))
            self._written[name] = now


@contextmanager
def _pages(app: App, stop: threading.Event) -> Iterator[None]:
    """Serve the pages; from the moment of `stop` on they end while the ticks finish."""
    from digest.web import build_web
    from digest.web.client import networks
    from digest.web.crowd import LOCAL, Crowd
    from digest.web.server import WebServer

    web = app.settings.web
    crowd = Crowd((*LOCAL, *networks(web.trusted_proxies)))
    server = WebServer(build_web(app), host=web.host, port=web.port, crowd=crowd)
    server.start()

    def end() -> None:
        stop.wait()
        server.stop()

    ending = threading.Thread(target=end, name="web-end")
    ending.start()
    try:
        yield
    finally:
        stop.set()
        ending.join()


def _finish(scheduler: BackgroundScheduler) -> None:
    """Wait for running ticks, but not for ever: what is left is recovered by its lease."""
    done = threading.Event()

    def shut_down() -> None:
        scheduler.shutdown(wait=True)
        done.set()

    threading.Thread(target=shut_down, daemon=True).start()
    if not done.wait(_FINISH_S):
        log.warning("a tick did not finish in %d s; its rows come back by their lease", _FINISH_S)
        logging.shutdown()
        os._exit(0)


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {s: signal.signal(s, on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _forget_the_dead(app: App) -> None:
    """Take over at once what another process held; alone on a SQLite file, it is dead."""
    if app.store.path is not None:
        with app.store.write() as tx:
            facts.drop_fact(tx, BOUNCES_READER)


def _give_back(app: App) -> None:
    """Let another process begin at once with what only one may do."""
    try:
        with app.store.write() as tx:
            facts.let_go(tx, BOUNCES_READER, owner=app.owner)
    except DigestError as error:
        # it comes back by itself, and all else is done
        log.warning("the mailbox of bounces is not given back: %s", error)


@contextmanager
def _alone(database: Path | None) -> Iterator[None]:
    """Hold the SQLite file's lock for daemons; other databases are shared by many."""
    if database is None:
        yield
        return
    path = database.with_name(database.name + ".lock")
    with path.open("a") as lock:
        try:
            # the kernel lets go when the process ends, however it ends
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreBusy(
                f"another `digest run` works on {database} already; stop it first, or use"
                " PostgreSQL to share the work among several"
            ) from error
        yield
