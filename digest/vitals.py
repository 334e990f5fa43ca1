"""Whether the service is well: what its numbers mean, in words. Pure.

Late is what is overdue, not what is silent: a stage that has nothing to do is well. Used by
/health, /metrics and the operator's first page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from digest.store.vitals import Asking, SourceVital, Vitals

#: a source that is due and was not asked for that long, beyond its own rhythm
COLLECT_GRACE = timedelta(hours=1)
#: an edition that is due and was not made for that long
EDITION_GRACE = timedelta(minutes=30)
#: a message that could be sent and was not for that long
DELIVER_GRACE = timedelta(hours=1)
#: passes without a reading after which a source counts as lost
FAILURES_MAX = 3
#: more questions an hour than that, and than so many times the usual, are nobody's own doing
ALARM_QUESTIONS = 40
ALARM_FACTOR = 10.0


class Grade(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"  #: worth a look; the service does what it promises
    BAD = "bad"  #: something promised does not happen


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    #: "collecting", "source arxiv", "editions", "sending", "sign-ups"
    name: str
    grade: Grade
    #: in words, without addresses
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The answer of /health."""

    checks: tuple[Check, ...]

    @property
    def grade(self) -> Grade:
        grades = {check.grade for check in self.checks}
        return next((g for g in (Grade.BAD, Grade.WARN) if g in grades), Grade.OK)

    @property
    def troubles(self) -> tuple[Check, ...]:
        """What is not well, the worst first."""
        found = [check for check in self.checks if check.grade is not Grade.OK]
        return tuple(sorted(found, key=lambda check: check.grade is not Grade.BAD))


def judge(
    vitals: Vitals,
    asking: Asking,
    *,
    every: Mapping[str, timedelta],
    now: datetime,
) -> Health:
    """What the numbers mean at `now`. `every` has each source's rhythm.

    After a pause of the whole service everything is late for a moment, and is said to be.
    """

    def overdue(since: datetime | None, grace: timedelta) -> timedelta | None:
        return now - since if since is not None and now - since > grace else None

    sources = [
        _source(s, every, overdue(s.next_fetch_at, _grace(s, every))) for s in vitals.sources
    ]
    checks = [
        _collecting(vitals.sources),
        *sources,
        _editions(overdue(vitals.oldest_due_at, EDITION_GRACE)),
        _sending(vitals, overdue(vitals.oldest_waiting_at, DELIVER_GRACE), now),
        _signups(asking),
    ]
    return Health(checks=tuple(checks))


def _grace(source: SourceVital, every: Mapping[str, timedelta]) -> timedelta:
    return max(every.get(source.name, COLLECT_GRACE), COLLECT_GRACE)


def _collecting(sources: tuple[SourceVital, ...]) -> Check:
    lost = [s.name for s in sources if s.failures >= FAILURES_MAX]
    if sources and len(lost) == len(sources):
        text = "no source can be read; see each source's error"
        return Check(name="collecting", grade=Grade.BAD, text=text)
    return Check(name="collecting", grade=Grade.OK, text=f"{len(sources)} sources")


def _source(
    source: SourceVital, every: Mapping[str, timedelta], overdue: timedelta | None
) -> Check:
    name = f"source {source.name}"
    if overdue is not None:
        text = f"due for {span(overdue)} and not asked; is a process collecting?"
        return Check(name=name, grade=Grade.BAD, text=text)
    if source.failures:
        times = f"{source.failures} passes in a row failed" if source.failures > 1 else "failed"
        return Check(name=name, grade=Grade.WARN, text=f"{times}: {source.error or 'unknown'}")
    if source.error:
        return Check(name=name, grade=Grade.WARN, text=source.error)
    return Check(name=name, grade=Grade.OK, text="read as planned")


def _editions(overdue: timedelta | None) -> Check:
    if overdue is None:
        return Check(name="editions", grade=Grade.OK, text="made on time")
    text = f"an edition is due for {span(overdue)}; is a process making editions?"
    return Check(name="editions", grade=Grade.BAD, text=text)


def _sending(vitals: Vitals, overdue: timedelta | None, now: datetime) -> Check:
    paused = vitals.paused
    if paused is not None:
        since = datetime.fromisoformat(paused["since"])
        text = f"paused for {span(now - since)}: {paused.get('reason', 'trouble with the relay')}"
        return Check(name="sending", grade=Grade.BAD, text=text)
    if overdue is not None:
        text = f"a message waits for {span(overdue)}; is a process delivering?"
        return Check(name="sending", grade=Grade.BAD, text=text)
    if vitals.uncertain:
        text = f"{vitals.uncertain} messages may have arrived; decide about them in the outbox"
        return Check(name="sending", grade=Grade.WARN, text=text)
    if vitals.abandoned:
        text = f"{vitals.abandoned} messages were on the wire when their sender died"
        return Check(name="sending", grade=Grade.WARN, text=text)
    return Check(name="sending", grade=Grade.OK, text="nothing waits longer than it should")


def _signups(asking: Asking) -> Check:
    """A list bomb types other people's addresses into the form, many in a short time."""
    if asking.last_hour >= max(ALARM_QUESTIONS, ALARM_FACTOR * asking.usual):
        text = (
            f"{asking.last_hour} addresses were asked to confirm within an hour, "
            f"{asking.usual:.1f} is usual; somebody may be typing in other people's addresses"
        )
        return Check(name="sign-ups", grade=Grade.WARN, text=text)
    text = f"{asking.asked_today} asked and {asking.confirmed_today} confirmed within a day"
    return Check(name="sign-ups", grade=Grade.OK, text=text)


def span(length: timedelta) -> str:
    """A length of time for people: "40 min", "3 h", "2 days"."""
    minutes = length.total_seconds() / 60
    if minutes < 90:
        return f"{max(round(minutes), 1)} min"
    return f"{round(minutes / 60)} h" if minutes < 48 * 60 else f"{round(minutes / 1440)} days"
