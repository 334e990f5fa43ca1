"""Making editions: who is due gets their picks, an outbox row and a next due date, all at once.

A tick calls Editor.make_due → draft (rank/, pure) → store in one transaction. Whatever a person
was due is written down: an edition that is queued, or a row that says why there was none.
"""

from __future__ import annotations

import gc
import hashlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from digest.clock import find_zone, local_date
from digest.embed import Vectors
from digest.entries import Entries
from digest.errors import BadInput
from digest.model import (
    Edition,
    MessageKind,
    OutboxState,
    Profile,
    Ranking,
    Subscriber,
)
from digest.rank import Asked, Explanation, Pool, Ranker, RankSettings
from digest.slots import Slots, plan_slots
from digest.store import Store, catalogue, outbox
from digest.store import editions as shelf
from digest.store.profiles import profiles_of
from digest.store.shelving import EditionWriter

log = logging.getLogger(__name__)

#: archive texts that tell which words are common
_BACKGROUND = 3000
#: vectors that are made on the spot, some 10 s of one core
_COMPUTED_AT_ONCE = 500
_RISING = 5
#: what a batch of people comes to
_RECORDS_SIFTED = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionRules:
    """The settings that editions follow."""

    lookback: timedelta
    catch_up: timedelta
    send_empty: bool
    #: of the Message-ID
    domain: str
    rank: RankSettings
    #: people served in one transaction
    batch: int = 500


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


class Editor:
    """Makes, previews and explains editions out of one store.

    `vectors` gives those of the embedding model in use, None while words alone are compared.
    """

    def __init__(
        self,
        store: Store,
        rules: EditionRules,
        vectors: Callable[[], Vectors | None] = lambda: None,
    ) -> None:
        self._store = store
        self._rules = rules
        self._vectors = vectors
        self._ranker: tuple[object, Ranker] | None = None
        #: the model that has done the recent archive
        self._ready: str | None = None
        self._writer = EditionWriter()

    def make_due(self, now: datetime, stop: Callable[[], bool] = lambda: False) -> EditionReport:
        """Serve everyone who is due, or until `stop` says so; returns what became of them."""
        report = EditionReport()
        entries: Entries | None = None
        with ExitStack() as meanwhile:
            while not stop():
                due = self._due(now, self._rules.batch)
                if not due:
                    break
                if entries is None:
                    entries = Entries(self.pool(now))
                    if len(due) == self._rules.batch:
                        meanwhile.enter_context(_little_to_sift())
                if not self._store_drafts(self._drafts(due, entries, now), now, report):
                    # another process is serving the same people
                    break
        return report

    def draft_due(self, now: datetime) -> Iterator[Draft]:
        """What make_due would do, without doing it."""
        due = self._due(now, 10_000_000)
        entries = Entries(self.pool(now))
        for start in range(0, len(due), self._rules.batch):
            yield from self._drafts(due[start : start + self._rules.batch], entries, now)

    def _due(self, now: datetime, limit: int) -> tuple[Subscriber, ...]:
        with self._store.read() as tx:
            return tuple(map(_in_known_zone, shelf.due_subscribers(tx, now=now, limit=limit)))

    def preview(self, subscriber: Subscriber, now: datetime) -> tuple[Edition, str | None]:
        """The edition this person would get now, and why it is empty when it is."""
        with self._store.read() as tx:
            profile = profiles_of(tx, [subscriber.id])[subscriber.id]
            seen = shelf.seen_items(tx, [subscriber.id]).get(subscriber.id, set())
        return self.edition_for(subscriber, profile, self.pool(now), seen=seen, now=now)

    def explain(
        self, subscriber: Subscriber, item_id: int, now: datetime
    ) -> tuple[Explanation, shelf.PastPick | None]:
        """Why an item would be picked for a person now, or not; and how it was, if it once was."""
        with self._store.read() as tx:
            profile = profiles_of(tx, [subscriber.id])[subscriber.id]
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
        """The ranker of today's archive; made again when the archive or the model has changed."""
        vectors = self._ready_vectors(now)
        with self._store.read() as tx:
            state = catalogue.archive_state(tx, until=now), vectors.name if vectors else None
            if self._ranker is not None and self._ranker[0] == state:
                return self._ranker[1]
            texts = catalogue.background(tx, until=now, limit=_BACKGROUND)
        if vectors is None:
            ranker = Ranker.lexical(texts, self._rules.rank)
        else:
            ranker = Ranker.semantic(texts, vectors.embed, self._rules.rank)
        self._ranker = state, ranker
        return ranker

    def _ready_vectors(self, now: datetime) -> Vectors | None:
        """The vectors of the model in use, once it has done the recent archive.

        Until then, which takes a minute or two in the background, words alone are compared: nobody
        is to wait for it, and a half-done archive would put what is done before what is not.
        """
        vectors = self._vectors()
        if vectors is None or vectors.name == self._ready:
            return vectors
        with self._store.read() as tx:
            texts = catalogue.background(tx, until=now, limit=_BACKGROUND)
        if vectors.count_lacking(texts) > _COMPUTED_AT_ONCE:
            return None
        self._ready = vectors.name
        return vectors

    def _drafts(self, due: Sequence[Subscriber], entries: Entries, now: datetime) -> list[Draft]:
        planned = [(s, plan_slots(s, now, self._rules.catch_up)) for s in due]
        served = [s for s, slots in planned if slots.due is not None and not _is_paused(s, slots)]
        ids = [subscriber.id for subscriber in served]
        with self._store.read() as tx:
            profiles = profiles_of(tx, ids)
            seen = shelf.seen_items(tx, ids, among=entries.pool.item_ids)
        asked = [_asked(s, profiles[s.id], seen.get(s.id, ())) for s in served]
        rankings = dict(zip(ids, entries.pool.pick_many(asked), strict=True))
        return [
            self._draft(s, slots, profiles.get(s.id), rankings.get(s.id), entries, now)
            for s, slots in planned
        ]

    def _draft(
        self,
        subscriber: Subscriber,
        slots: Slots,
        profile: Profile | None,
        ranking: Ranking | None,
        entries: Entries,
        now: datetime,
    ) -> Draft:
        edition, reason, detail = None, None, None
        if ranking is not None and profile is not None and slots.due is not None:
            if ranking.picks or self._rules.send_empty:
                edition = entries.edition(subscriber, profile, ranking, now=now, due_at=slots.due)
            else:
                reason, detail = _NOTHING, ranking.note or _NOTHING
        elif slots.due is not None:
            reason = _PAUSED
        return Draft(
            subscriber=subscriber, slots=slots, edition=edition, reason=reason, detail=detail
        )

    def edition_for(
        self, subscriber: Subscriber, profile: Profile, pool: Pool, *, seen: set[int], now: datetime
    ) -> tuple[Edition, str | None]:
        """Choose for one person. The second value says why nothing was chosen, when nothing was."""
        (ranking,) = pool.pick_many([_asked(subscriber, profile, seen)])
        made = Entries(pool).edition(subscriber, profile, ranking, now=now, due_at=now)
        return made, None if ranking.picks else ranking.note or _NOTHING

    def _store_drafts(self, drafts: Sequence[Draft], now: datetime, report: EditionReport) -> bool:
        """Write what was drafted, for those still due; False when that is nobody any more."""
        drafted = {draft.subscriber.id: draft for draft in drafts}
        expected = {i: d.subscriber.next_edition_at for i, d in drafted.items()}
        with self._store.write() as tx:
            held = shelf.hold_due(tx, {i: at for i, at in expected.items() if at is not None})
            mine = [draft for i, draft in drafted.items() if i in held]
            # a due date that comes again (a changed zone, a clock set back) was served already
            served = outbox.known_keys(
                tx, [_key(d.subscriber, slot) for d in mine for slot in d.slots.passed]
            )
            made = [
                d.edition
                for d in mine
                if d.edition is not None and _key(d.subscriber, d.edition.due_at) not in served
            ]
            ids = self._writer.add(tx, made)
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
        """What is written down of every slot that has passed."""
        skipped = {"state": OutboxState.SKIPPED}
        for slot in draft.slots.missed:
            yield self._row(draft.subscriber, slot, reason=_MISSED, **skipped)
        if draft.slots.due is None:
            return
        if draft.edition is None:
            told = {"reason": draft.reason, "detail": draft.detail}
            yield self._row(draft.subscriber, draft.slots.due, **told, **skipped)
        else:
            edition_id = numbered.get(draft.subscriber.id)
            yield self._row(draft.subscriber, draft.slots.due, edition_id=edition_id)

    def _row(self, subscriber: Subscriber, slot: datetime, **told: Any) -> outbox.NewMessage:
        key = _key(subscriber, slot)
        digest = hashlib.sha256(f"{key}@{self._rules.domain}".encode()).hexdigest()
        return outbox.NewMessage(
            kind=MessageKind.EDITION,
            subscriber_id=subscriber.id,
            dedupe_key=key,
            message_id=f"<{digest[:32]}@{self._rules.domain}>",
            due_at=slot,
            **told,
        )


_MISSED = "missed: the daemon was down"
_NOTHING = "nothing matched"
_PAUSED = "paused by the subscriber"


@contextmanager
def _little_to_sift() -> Iterator[None]:
    """Keep the garbage collector off what was there before, and from coming for a few records.

    Editions are many small records and no cycles; sifting the whole program again and again for
    them took a quarter of the time, sifting them alone a sixteenth (benchmarks/rank_speed.py).
    """
    gc.collect()
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(_RECORDS_SIFTED, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


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


def _is_paused(subscriber: Subscriber, slots: Slots) -> bool:
    until = subscriber.paused_until
    return until is not None and slots.due is not None and slots.due < until


def _asked(subscriber: Subscriber, profile: Profile, seen: Collection[int]) -> Asked:
    rising = _RISING if subscriber.rising else 0
    return Asked(profile=profile, limit=subscriber.max_items, seen=seen, rising=rising)
