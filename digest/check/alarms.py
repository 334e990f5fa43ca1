"""What the running service has noted itself: sources in trouble, a paused relay, a silent daemon.

Reads the database, asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from digest.check.findings import Finding, green, red, yellow
from digest.filters import plural
from digest.model import OutboxState, ReadingState
from digest.store import Store, facts, outbox
from digest.store.collecting import SourceState, source_states

SOURCES = "alarms.sources"
SENDING = "alarms.sending"
HEARTBEAT = "alarms.heartbeat"
UNCERTAIN = "alarms.uncertain"

#: a source that could not be read for so long, or for three of its own periods, is lost
_LOST_AFTER = timedelta(hours=24)
#: how old the sign of life of a job may be. A beat is noted when its work is done: a pass over
#: slow sources, or the delivery of a large day, takes its time
SILENT_AFTER = {
    "collect": timedelta(hours=1),
    "edition": timedelta(minutes=15),
    "deliver": timedelta(hours=1),
    "tidy": timedelta(hours=3),
}


def judge_sources(store: Store, every: Mapping[str, timedelta], now: datetime) -> Iterator[Finding]:
    """Sources that fail, or give less than usual; `every` has the period of each enabled one."""
    with store.read() as tx:
        states = source_states(tx, sorted(every))
    faults = [
        finding
        for state in states
        if (finding := _judge_source(state, every[state.name], now)) is not None
    ]
    yield from faults
    if not faults:
        yield green(SOURCES, "no source has failed or fallen short")


def _judge_source(state: SourceState, every: timedelta, now: datetime) -> Finding | None:
    advice = "`digest sources` shows each; `digest collect NAME` reads one now"
    last = state.last_reading
    if state.failures:
        why = f": {state.last_error}" if state.last_error else ""
        when = f"{state.last_read_at:%Y-%m-%d %H:%MZ}" if state.last_read_at else "never"
        tries = plural(state.failures, "try", "tries")
        said = f"{state.name} could not be read in {tries}, last read {when}{why}"
        is_lost = state.last_read_at is None or now - state.last_read_at > max(
            _LOST_AFTER, 3 * every
        )
        return (red if is_lost else yellow)(SOURCES, said, advice)
    if last is not None and last.state is ReadingState.SHORT:
        return yellow(SOURCES, f"{state.name} falls short: {last.error or last.label}", advice)
    return None


def judge_sending(store: Store) -> Iterator[Finding]:
    """Whether trouble with the relay has stopped the mail."""
    with store.read() as tx:
        pause = facts.get_fact(tx, "sending_paused")
    if pause is None:
        yield green(SENDING, "sending is not paused")
        return
    since = datetime.fromisoformat(pause["since"])
    yield red(
        SENDING,
        f"sending is paused since {since:%Y-%m-%d %H:%MZ}: {pause['reason']}",
        "mend what it says; digest tries again by itself, `digest send` at once; nothing is lost",
    )


def judge_heartbeat(
    store: Store, silent_after: Mapping[str, timedelta], now: datetime
) -> Iterator[Finding]:
    """Whether the daemon's jobs have shown signs of life."""
    with store.read() as tx:
        beats = {job: facts.get_fact(tx, f"heartbeat.{job}") for job in silent_after}
    seen = {job: datetime.fromisoformat(beat) for job, beat in beats.items() if beat}
    if not seen:
        yield yellow(
            HEARTBEAT,
            "the daemon has never run on this database",
            "start `digest run`; see docs/install.md for the service",
        )
        return
    silent = [job for job, at in seen.items() if now - at > silent_after[job]]
    for job in silent:
        yield red(
            HEARTBEAT,
            f"the job {job} gave its last sign of life on {seen[job]:%Y-%m-%d at %H:%MZ}",
            "look whether `digest run` is running: systemctl status digest, journalctl -u digest",
        )
    if not silent:
        yield green(HEARTBEAT, f"signs of life from {', '.join(seen)}")


def judge_uncertain(store: Store, *, holds: bool) -> Iterator[Finding]:
    """Messages that nobody knows to have arrived; `holds`: they wait for the operator."""
    with store.read() as tx:
        count = outbox.waiting(tx).get(OutboxState.UNCERTAIN, 0)
    messages = f"in doubt: {plural(count, 'message')}"
    if not count:
        yield green(UNCERTAIN, "no message is in doubt")
    elif holds:
        yield yellow(
            UNCERTAIN,
            f"{messages} on the wire when the sender died, held for you to decide",
            'set uncertain = "resend" under [smtp] to send them again, or cancel them in /admin',
        )
    else:
        yield yellow(
            UNCERTAIN,
            f"{messages} on the wire when the sender died",
            "the next delivery sends them again; `digest send` does it now",
        )
