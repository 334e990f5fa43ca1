"""A store with editions queued, and a deliverer whose clock can be moved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select, update

from digest.compose.composer import Composer
from digest.compose.links import Links
from digest.deliver import Deliverer, DeliveryReport, DeliveryRules
from digest.errors import TransportError
from digest.model import (
    Envelope,
    Fate,
    Item,
    MessageKind,
    Outcome,
    PaperData,
    Subscriber,
)
from digest.store import Store, editions, outbox, people
from digest.store.items import find_item
from digest.store.ledger import ledger
from digest.store.outbox import NewMessage
from digest.store.schema import outbox as rows
from digest.templates import Templates
from tests.edition_pieces import edition_of
from tests.fakes import ScriptedTransport, StepClock, accepted
from tests.mail_pieces import SITE, TOKENS
from tests.store_pieces import DAY, NOW, item_of, merge, paper, person_columns

TEMPLATES = Templates()


class World:
    """A store with editions queued, and a deliverer whose clock can be moved."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = StepClock(NOW)

    def deliverer(self, *, owner: str = "one", resend: bool = True, **how: object) -> Deliverer:
        store = how.pop("store", self.store)
        kind = how.pop("composer", Composer)
        composer = kind(SITE, Links(SITE.url, TOKENS), TEMPLATES)  # type: ignore[operator]
        rules = DeliveryRules(resend=resend, **how)  # type: ignore[arg-type]
        return Deliverer(store, composer, rules, clock=self.clock, owner=owner)  # type: ignore[arg-type]

    def deliver(
        self, answer: Callable[[Envelope], Outcome] = accepted, **how: object
    ) -> tuple[DeliveryReport, ScriptedTransport]:
        transport = ScriptedTransport(answer)
        report = self.deliverer(**how).deliver(transport)  # type: ignore[arg-type]
        self.check_account()
        return report, transport

    def queue_editions(self, count: int, *, name: str = "reader", now: datetime = NOW) -> None:
        """One edition of one paper for each of so many new people."""
        self._queue([f"{name}{n}@example.org" for n in range(count)], self._items(paper()), now)

    def queue_edition(self, email: str, *papers: PaperData, now: datetime = NOW) -> None:
        """An edition of those papers, or of one, for that address, which joins when it is new."""
        self._queue([email], self._items(*(papers or (paper(),))), now)

    def _queue(self, emails: Sequence[str], items: Sequence[Item], now: datetime) -> None:
        columns = [person_columns(email, next_edition_at=now + DAY) for email in emails]
        with self.store.write() as tx:
            people.add_subscribers(tx, columns)
            found = [people.find_subscriber(tx, str(column["address_key"])) for column in columns]
            readers = [person.id for person in found if person is not None]
            made = [edition_of(reader, *items, due_at=now) for reader in readers]
            messages = [
                NewMessage(
                    kind=MessageKind.EDITION,
                    subscriber_id=reader,
                    edition_id=edition_id,
                    dedupe_key=f"edition:{reader}:{now.date()}",
                    message_id=f"<{edition_id}@example.org>",
                    due_at=now,
                )
                for reader, edition_id in zip(readers, editions.add_editions(tx, made), strict=True)
            ]
            outbox.add_messages(tx, messages, now=now)

    def _items(self, *papers: PaperData) -> list[Item]:
        """The stored papers, put there when they are new."""
        keys = [f"arxiv:{one.arxiv_id}" for one in papers]
        with self.store.read() as tx:
            is_new = any(find_item(tx, key) is None for key in keys)
        if is_new:
            merge(self.store, *papers)
        return [item_of(self.store, key) for key in keys]

    def states(self) -> Counter[str]:
        with self.store.read() as tx:
            return Counter(tx.execute(select(rows.c.state)).scalars())

    def row(self, row_id: int = 1):  # type: ignore[no-untyped-def]
        with self.store.read() as tx:
            return tx.execute(select(rows).where(rows.c.id == row_id)).one()

    def person(self, person_id: int = 1) -> Subscriber:
        with self.store.read() as tx:
            found = people.get_subscriber(tx, person_id)
        assert found is not None
        return found

    def let_leases_end(self) -> None:
        with self.store.write() as tx:
            tx.execute(update(rows).values(lease_until=NOW - 9999 * DAY))

    def check_account(self) -> None:
        """Whatever happened, each message is counted once."""
        with self.store.read() as tx:
            assert ledger(tx, NOW.date()).adds_up


def refusal(code: int, status: str, fate: Fate = Fate.PERMANENT) -> Callable[[Envelope], Outcome]:
    return lambda envelope: Outcome(
        outbox_id=envelope.outbox_id, fate=fate, code=code, status=status, text="no"
    )


def fate(fate: Fate) -> Callable[[Envelope], Outcome]:
    return lambda envelope: Outcome(outbox_id=envelope.outbox_id, fate=fate, text="lost")


def dead_relay(envelope: Envelope) -> Outcome:
    raise TransportError("the relay mail.example.org:587 cannot be reached")
