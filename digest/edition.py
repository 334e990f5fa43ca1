"""Making editions: who is due gets their picks, an outbox row and a next due date, all at once.

A tick calls Editor.make_due → draft (rank/, pure) → store in one transaction. Whatever a person
was due is written down: an edition that is queued, or a row that says why there was none.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from digest.clock import find_zone, local_date, next_slot, slots_after
from digest.errors import BadInput
from digest.model import (
    Candidate,
    Edition,
    Entry,
    MessageKind,
    OutboxState,
    Pick,
    Profile,
    Subscriber,
)
from digest.rank import Explanation, Pool, Ranker, RankSettings
from digest.store import Store, catalogue, outbox, people
from digest.store import editions as shelf

log = logging.getLogger(__name__)

#: people served in one transaction
_BATCH = 200
#: archive texts that tell which words are common
_BACKGROUND = 3000
#: missed slots that are written down one by one; a daemon off for years need not list them all
_MISSED_MAX = 31
_RISING = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionRules:
    """The settings that editions follow."""

    lookback: timedelta
    catch_up: timedelta
    send_empty: bool
    #: of the Message-ID
    domain: str
    rank: RankSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Which of a person's due moments have passed, and what follows from that."""

    #: passed too long ago to be made up for
    missed: tuple[datetime, ...]
    #: the one to serve now; None when the last one is too long ago too
    due: datetime | None
    next_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a person is to get now, not stored yet."""

    subscriber: Subscriber
    slots: Slots
    #: None: nothing goes out, for this reason
    edition: Edition | None
    #: in few words, as the ledger counts it
    reason: str | None
    #: in full
    detail: str | None = None


@dataclass(slots=True)
class EditionReport:
    """What a pass over the due people came to."""

    made: int = 0
    skipped: int = 0
    missed: int = 0


def plan_slots(subscriber: Subscriber, now: datetime, catch_up: timedelta) -> Slots:
    """Sort out the slots from the one that is due until now: at most one is served.

    A daemon that was down serves the last slot if it is not longer ago than `catch_up`; the ones
    before it are missed, never sent in a burst.
    """
    assert subscriber.next_edition_at is not None
    rhythm = {
        "zone": subscriber.zone,
        "send_at": subscriber.send_at,
        "cadence": subscriber.cadence,
    }
    first = subscriber.next_edition_at
    later = slots_after(first, **rhythm)  # type: ignore[arg-type]  # the keywords of slots_after
    # one for each local date: when a zone changes its rules, the slot that was planned by the old
    # ones and the new slot of that date are the same edition
    of_date = {
        local_date(slot, subscriber.zone): slot
        for slot in (first, *takewhile(lambda slot: slot <= now, later))
    }
    passed = tuple(of_date.values())
    in_time = now - passed[-1] <= catch_up
    return Slots(
        missed=(passed[:-1] if in_time else passed)[-_MISSED_MAX:],
        due=passed[-1] if in_time else None,
        next_at=next_slot(now, **rhythm),  # type: ignore[arg-type]  # the same
    )


class Editor:
    """Makes, previews and explains editions out of one store."""

    def __init__(self, store: Store, rules: EditionRules) -> None:
        self._store = store
        self._rules = rules
        self._ranker: tuple[object, Ranker] | None = None

    def make_due(self, now: datetime, stop: Callable[[], bool] = lambda: False) -> EditionReport:
        """Serve everyone who is due, or until `stop` says so; returns what became of them."""
        report = EditionReport()
        pool: Pool | None = None
        while not stop():
            due = self._due(now, _BATCH)
            if not due:
                break
            pool = pool or self.pool(now)
            if not self._store_drafts(self._drafts(due, pool, now), now, report):
                # another process is serving the same people
                break
        return report

    def draft_due(self, now: datetime) -> Iterator[Draft]:
        """What make_due would do, without doing it."""
        due = self._due(now, 10_000_000)
        pool = self.pool(now)
        for start in range(0, len(due), _BATCH):
            yield from self._drafts(due[start : start + _BATCH], pool, now)

    def _due(self, now: datetime, limit: int) -> tuple[Subscriber, ...]:
        with self._store.read() as tx:
            return tuple(map(_in_known_zone, shelf.due_subscribers(tx, now=now, limit=limit)))

    def preview(self, subscriber: Subscriber, now: datetime) -> tuple[Edition, str | None]:
        """The edition this person would get now, and why it is empty when it is."""
        with self._store.read() as tx:
            profile = people.profiles(tx, [subscriber.id])[subscriber.id]
            seen = shelf.seen_items(tx, [subscriber.id]).get(subscriber.id, set())
        return self.edition_for(subscriber, profile, self.pool(now), seen=seen, now=now)

    def explain(
        self, subscriber: Subscriber, item_id: int, now: datetime
    ) -> tuple[Explanation, shelf.PastPick | None]:
        """Why an item would be picked for a person now, or not; and how it was, if it once was."""
        with self._store.read() as tx:
            profile = people.profiles(tx, [subscriber.id])[subscriber.id]
            seen = shelf.seen_items(tx, [subscriber.id]).get(subscriber.id, set())
            past = shelf.past_pick(tx, subscriber.id, item_id)
        pool = self.pool(now)
        return pool.explain(profile, item_id, limit=subscriber.max_items, seen=seen), past

    def pool(self, now: datetime) -> Pool:
        """The candidates of the look-back, prepared for ranking."""
        with self._store.read() as tx:
            found = catalogue.candidates(tx, since=now - self._rules.lookback, until=now)
        return self.ranker(now).pool(found, now=now)

    def ranker(self, now: datetime) -> Ranker:
        """The ranker of today's archive; made again when the archive has changed."""
        with self._store.read() as tx:
            state = catalogue.archive_state(tx, until=now)
            if self._ranker is None or self._ranker[0] != state:
                texts = catalogue.background(tx, until=now, limit=_BACKGROUND)
                self._ranker = state, Ranker.lexical(texts, self._rules.rank)
        return self._ranker[1]

    def _drafts(self, due: Sequence[Subscriber], pool: Pool, now: datetime) -> Iterator[Draft]:
        ids = [subscriber.id for subscriber in due]
        with self._store.read() as tx:
            profiles = people.profiles(tx, ids)
            seen = shelf.seen_items(tx, ids)
        for subscriber in due:
            slots = plan_slots(subscriber, now, self._rules.catch_up)
            edition, reason, detail = None, None, None
            if slots.due is None:
                pass
            elif subscriber.paused_until is not None and slots.due < subscriber.paused_until:
                reason = _PAUSED
            else:
                made, detail = self.edition_for(
                    subscriber,
                    profiles[subscriber.id],
                    pool,
                    seen=seen.get(subscriber.id, set()),
                    now=now,
                    due_at=slots.due,
                )
                edition = made if made.entries or self._rules.send_empty else None
                reason = None if edition else _NOTHING
            yield Draft(
                subscriber=subscriber, slots=slots, edition=edition, reason=reason, detail=detail
            )

    def edition_for(
        self,
        subscriber: Subscriber,
        profile: Profile,
        pool: Pool,
        *,
        seen: set[int],
        now: datetime,
        due_at: datetime | None = None,
    ) -> tuple[Edition, str | None]:
        """Choose for one person. The second value says why nothing was chosen, when nothing was."""
        ranking = pool.pick(
            profile,
            limit=subscriber.max_items,
            seen=seen,
            rising=_RISING if subscriber.rising else 0,
        )
        due_at = due_at or now
        edition = Edition(
            id=0,
            subscriber_id=subscriber.id,
            email=subscriber.email,
            zone=subscriber.zone,
            due_at=due_at,
            made_at=now,
            local_on=local_date(due_at, subscriber.zone),
            entries=tuple(_entry(pick, pool) for pick in ranking.picks),
            rising=tuple(_entry(pick, pool) for pick in ranking.rising),
            considered=ranking.considered,
            interests=profile.count,
            note=ranking.note,
        )
        return edition, None if ranking.picks else ranking.note or _NOTHING

    def _store_drafts(self, drafts: Iterator[Draft], now: datetime, report: EditionReport) -> bool:
        """Write what was drafted, for those still due; False when that is nobody any more."""
        drafted = {draft.subscriber.id: draft for draft in drafts}
        expected = {i: d.subscriber.next_edition_at for i, d in drafted.items()}
        with self._store.write() as tx:
            held = shelf.hold_due(tx, {i: at for i, at in expected.items() if at is not None})
            mine = [draft for i, draft in drafted.items() if i in held]
            # a due date that comes again (a changed zone, a clock set back) was served already
            served = outbox.known_keys(
                tx, [_key(d.subscriber, slot) for d in mine for slot in _all_slots(d.slots)]
            )
            made = [
                d.edition
                for d in mine
                if d.edition is not None and _key(d.subscriber, d.edition.due_at) not in served
            ]
            ids = shelf.add_editions(tx, made)
            numbered = {e.subscriber_id: i for e, i in zip(made, ids, strict=True)}
            rows = [
                row
                for draft in mine
                for row in self._rows(draft, numbered)
                if row.dedupe_key not in served
            ]
            outbox.add_messages(tx, rows, now=now)
            shelf.set_next_due(tx, {d.subscriber.id: d.slots.next_at for d in mine})
        report.made += len(made)
        report.missed += sum(row.reason == _MISSED for row in rows)
        report.skipped += sum(
            row.state is OutboxState.SKIPPED and row.reason != _MISSED for row in rows
        )
        return bool(mine)

    def _rows(self, draft: Draft, numbered: Mapping[int, int]) -> Iterator[outbox.NewMessage]:
        subscriber = draft.subscriber
        for slot in draft.slots.missed:
            row = self._row(subscriber, slot)
            yield replace(row, state=OutboxState.SKIPPED, reason=_MISSED)
        if draft.slots.due is None:
            return
        row = self._row(subscriber, draft.slots.due)
        if draft.edition is None:
            yield replace(row, state=OutboxState.SKIPPED, reason=draft.reason, detail=draft.detail)
        else:
            yield replace(row, edition_id=numbered.get(subscriber.id))

    def _row(self, subscriber: Subscriber, slot: datetime) -> outbox.NewMessage:
        key = _key(subscriber, slot)
        digest = hashlib.sha256(f"{key}@{self._rules.domain}".encode()).hexdigest()
        return outbox.NewMessage(
            kind=MessageKind.EDITION,
            subscriber_id=subscriber.id,
            dedupe_key=key,
            message_id=f"<{digest[:32]}@{self._rules.domain}>",
            due_at=slot,
        )


_MISSED = "missed: the daemon was down"
_NOTHING = "nothing matched"
_PAUSED = "paused by the subscriber"


def _in_known_zone(subscriber: Subscriber) -> Subscriber:
    """The subscriber in UTC when its zone has gone from the time zone data, as some do."""
    try:
        find_zone(subscriber.zone)
    except BadInput as error:
        log.warning("subscriber %d is served in UTC: %s", subscriber.id, error)
        return replace(subscriber, zone="UTC")
    return subscriber


def _key(subscriber: Subscriber, slot: datetime) -> str:
    return f"edition:{subscriber.id}:{local_date(slot, subscriber.zone).isoformat()}"


def _all_slots(slots: Slots) -> tuple[datetime, ...]:
    return slots.missed + ((slots.due,) if slots.due else ())


def _entry(pick: Pick, pool: Pool) -> Entry:
    candidate = pool.candidate(pick.item_id)
    return Entry(
        pick=pick,
        wording=candidate.wording,
        votes=_total(candidate, "votes"),
        comments=_total(candidate, "comments"),
        stars=_most(candidate, "stars"),
    )


def _numbers(candidate: Candidate, name: str) -> list[int]:
    latest = (getattr(s.latest, name) for s in candidate.standings)
    return [n for n in latest if n is not None]


def _total(candidate: Candidate, name: str) -> int | None:
    numbers = _numbers(candidate, name)
    return sum(numbers) if numbers else None


def _most(candidate: Candidate, name: str) -> int | None:
    # every source shows the same repository's stars: they do not add up
    return max(_numbers(candidate, name), default=None)
