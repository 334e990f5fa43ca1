"""Collecting: ask the sources that are due, read their answers, merge them into the store.

A tick calls collect_due → _read_source → _ask (fetch.py) → source.parse → merge_listing (store/).
What goes wrong with an entry costs the entry, with an answer the answer, with a source the source;
each is written down as a reading, and the next pass tries again.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from digest.errors import BadInput, DigestError, FetchError, ParseError
from digest.fetch import Fetcher, Validator
from digest.model import Listing, Reading, ReadingState, Request
from digest.sources.base import Source
from digest.store import Store
from digest.store import collecting as memory
from digest.store.items import merge_listing

log = logging.getLogger(__name__)

#: how far back it is remembered what was read: longer than any source looks back
_MEMORY = timedelta(days=40)
#: a source whose reader died is free again after this
_LEASE = timedelta(minutes=20)
#: follow-up pages of one question; more means that the server repeats itself
_PAGES_MAX = 20
_RETRY_FIRST = timedelta(minutes=5)
#: below this a list's length varies too much to be held against anything
_USUAL_WORTH_JUDGING = 4
#: complete lists in a row that may be empty for a good reason: arXiv's days off around Christmas
#: and the new year are no more, weekends apart
_RESTS_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A source and how often it is read."""

    source: Source
    every: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What one pass over one source came to."""

    name: str
    readings: tuple[Reading, ...]
    #: in one line, what went wrong and what to check; None when all is well
    error: str | None

    @property
    def new(self) -> int:
        return sum(reading.new for reading in self.readings)

    @property
    def read_well(self) -> bool:
        """Whether any question was answered."""
        return any(reading.state is not ReadingState.FAILED for reading in self.readings)


@dataclass(slots=True)
class _Tally:
    """What the pages of one question add up to."""

    #: items that an earlier way of asking brought in before it failed: new, and known to this one
    before: int = 0
    entries: int = 0
    broken: list[str] = field(default_factory=list)
    new: int = 0
    merged: int = 0
    rest: str | None = None

    def counted(self, reading: Reading) -> Reading:
        """The reading with these numbers in it."""
        return replace(
            reading,
            entries=self.entries,
            new=self.before + self.new,
            merged=max(0, self.merged - self.before),
            broken=len(self.broken),
        )


class Collector:
    """One process's collecting: the sources of the configuration, a fetcher, the store."""

    def __init__(
        self, store: Store, fetcher: Fetcher, planned: Mapping[str, Planned], *, owner: str
    ) -> None:
        self._store = store
        self._fetcher = fetcher
        self._planned = planned
        self._owner = owner

    def collect_due(
        self, now: datetime, stop: Callable[[], bool] = lambda: False
    ) -> tuple[SourceReport, ...]:
        """One pass over the sources whose time has come; `stop` ends it after this question."""
        every = {name: planned.every for name, planned in self._planned.items()}
        with self._store.read() as tx:
            names = memory.due_sources(tx, every, now)
        return self._pass(names, now, stop)

    def collect_named(self, names: Iterable[str], now: datetime) -> tuple[SourceReport, ...]:
        """One pass over these sources, due or not. Raises BadInput for a name unknown."""
        names = tuple(names)
        for name in names:
            if name not in self._planned:
                known = ", ".join(sorted(self._planned)) or "none"
                raise BadInput(f"there is no source {name!r}; configured and enabled: {known}")
        return self._pass(names, now, lambda: False)

    def _pass(
        self, names: Iterable[str], now: datetime, stop: Callable[[], bool]
    ) -> tuple[SourceReport, ...]:
        reports = []
        for name in names:
            if stop():
                break
            with self._store.write() as tx:
                mine = memory.claim_source(tx, name, owner=self._owner, lease=_LEASE)
            if mine:
                reports.append(self._read_source(self._planned[name], now, stop))
        return tuple(reports)

    def _read_source(
        self, planned: Planned, now: datetime, stop: Callable[[], bool]
    ) -> SourceReport:
        """Ask all that the source wants to know now, and plan its next reading.

        Stopped on the way, it is due again at once.
        """
        source = planned.source
        with self._store.read() as tx:
            known = memory.memory(tx, source.name, since=now - _MEMORY)
            usual = memory.usual_length(tx, source.name)
        readings = []
        retry_after: timedelta | None = None
        questions = deque(source.requests(known, now))
        while questions:
            request = questions.popleft()
            reading, failure = self._read(source, request, now=now, usual=usual)
            readings.append(reading)
            if isinstance(failure, FetchError) and not failure.permanent:
                # the next question would meet the same trouble, and add to it
                retry_after = timedelta(seconds=failure.retry_after_s or 0)
                break
            if questions and stop():
                planned = replace(planned, every=timedelta())
                break
        report = SourceReport(
            name=source.name, readings=tuple(readings), error=_what_went_wrong(readings)
        )
        self._finish(planned, report, now=now, retry_after=retry_after)
        return report

    def _finish(
        self,
        planned: Planned,
        report: SourceReport,
        *,
        now: datetime,
        retry_after: timedelta | None,
    ) -> None:
        name = planned.source.name
        with self._store.write() as tx:
            (state,) = memory.source_states(tx, [name])
            pause = planned.every
            if retry_after is not None:
                growing = _RETRY_FIRST * 2 ** min(state.failures, 10)
                pause = max(min(pause, growing), retry_after)
            memory.finish_source(
                tx,
                name,
                next_fetch_at=now + pause,
                read_at=now if report.read_well else None,
                error=report.error,
            )
        if report.error:
            log.warning("source %s: %s", name, report.error)
        else:
            log.info("source %s: %d readings, %d new", name, len(report.readings), report.new)

    def _read(
        self, source: Source, request: Request, *, now: datetime, usual: float | None
    ) -> tuple[Reading, DigestError | None]:
        """Ask one question, on its second way when the first fails, and write down the reading.

        The error is the first way's, and None when one of them succeeded.
        """
        errors: list[DigestError] = []
        tally = _Tally()
        reading = _reading(source, request, now)
        way: Request | None = request
        while way is not None:
            try:
                reading = self._take(source, way, tally, now=now)
                reading = self._judged(reading, tally.rest, request=way, usual=usual)
                break
            except (FetchError, ParseError) as error:
                errors.append(error)
                # pages that came before the bad one are in: they count
                told = tally.counted(replace(reading, state=ReadingState.FAILED))
                reading = replace(told, entries=max(told.entries, reading.entries))
                tally = _Tally(before=tally.before + tally.new)
                way = way.instead
        # both ways often meet the same trouble
        said = list(dict.fromkeys(str(error) for error in errors))
        if errors and reading.state is not ReadingState.FAILED:
            said.append("read on the second way instead")
        said += [reading.error] if reading.error else []
        reading = replace(reading, error="; ".join(said) or None)
        with self._store.write() as tx:
            memory.add_reading(tx, reading, settled=request.settled)
            if reading.state is ReadingState.SHORT:
                # as long as it is short it is looked at again, not taken for unchanged
                memory.put_validator(tx, reading.url, etag=None, last_modified=None)
        failed = reading.state is ReadingState.FAILED
        return reading, errors[0] if failed else None

    def _judged(
        self, reading: Reading, rest: str | None, *, request: Request, usual: float | None
    ) -> Reading:
        """Call a list that is suddenly short what it is: an alarm, not a quiet day."""
        if not request.settled or reading.state is not ReadingState.OK:
            return reading
        if rest:
            with self._store.read() as tx:
                empty = 1 + memory.count_empty(tx, reading.source, before=reading.label)
            if empty > _RESTS_MAX:
                return _short(reading, f"{empty} empty lists in a row")
            return reading
        if usual is None or usual < _USUAL_WORTH_JUDGING or reading.entries * 2 > usual:
            return reading
        return _short(reading, f"{reading.entries} entries where {usual:g} are usual")

    def _take(self, source: Source, request: Request, tally: _Tally, *, now: datetime) -> Reading:
        """Fetch, parse and merge the answer with its follow-up pages into the tally.

        When it is empty, `tally.rest` says why that would be nothing to worry about.
        """
        reading = _reading(source, request, now)
        pages = [request]
        for page in pages:
            listing = self._ask(source, page, tally, now)
            if listing is None:
                return replace(tally.counted(reading), state=ReadingState.UNCHANGED)
            pages += listing.more if len(pages) < _PAGES_MAX else ()
        return replace(tally.counted(reading), error=_about_broken(tally))

    def _ask(
        self, source: Source, request: Request, tally: _Tally, now: datetime
    ) -> Listing | None:
        """Read and merge one page into the tally; None when the server has nothing newer."""
        with self._store.read() as tx:
            row = memory.get_validator(tx, request.url)
        validator = Validator(etag=row.etag, last_modified=row.last_modified) if row else None
        answer = self._fetcher.fetch(request, pause_s=source.pause_s, validator=validator)
        if answer.unchanged:
            return None
        listing = source.parse(request, answer.body, answer.content_type)
        # a page with follow-ups is never conditional: unchanged, it would hide that they changed
        keep = answer.validator if not listing.more and request.page == 1 else None
        with self._store.write() as tx:
            merged = merge_listing(
                tx, listing.entries, source=source.name, kind=source.kind, now=now
            )
            memory.put_validator(
                tx,
                request.url,
                etag=keep.etag if keep else None,
                last_modified=keep.last_modified if keep else None,
            )
        tally.entries += len(listing.entries) + len(listing.broken)
        tally.broken += [f"entry {b.position}: {b.reason}" for b in listing.broken]
        tally.new += merged.new
        tally.merged += merged.merged
        tally.rest = listing.rest
        return listing


def _reading(source: Source, request: Request, now: datetime) -> Reading:
    return Reading(
        source=source.name,
        label=request.label,
        url=request.url,
        read_at=now,
        state=ReadingState.OK,
    )


def _about_broken(tally: _Tally) -> str | None:
    count = len(tally.broken)
    if count == 0:
        return None
    noun = "entry" if count == 1 else "entries"
    return f"{count} {noun} of {tally.entries} could not be read ({tally.broken[0]})"


def _short(reading: Reading, said: str) -> Reading:
    said = f"{said}; look at {reading.url}"
    return replace(
        reading,
        state=ReadingState.SHORT,
        error=f"{said}; {reading.error}" if reading.error else said,
    )


def _what_went_wrong(readings: Iterable[Reading]) -> str | None:
    return next((f"{r.label}: {r.error}" for r in readings if r.error), None)
