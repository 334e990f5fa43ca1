"""A store with readers who were mailed, and letters that come back about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import select, update

from digest.account import Accounts
from digest.enrol import Choices, Defaults, Enrolment
from digest.mailbox import Letter
from digest.model import Cadence, MessageKind, OutboxState, Status
from digest.returns import Returns, Verdict
from digest.store import Store, outbox, people, signups
from digest.store.outbox import NewMessage
from digest.store.schema import outbox as outbox_table
from digest.tokens import Purpose, Tokens
from tests.bounce_samples import READER, sample

NOW = datetime(2026, 3, 11, 7, 30, tzinfo=UTC)
DAY = timedelta(days=1)
TOKENS = Tokens(["a secret of thirty-two characters!"])


class World:
    """One store, its list, and what reads its returned mail."""

    def __init__(self, store: Store) -> None:
        self.store = store
        defaults = Defaults(zone="UTC", send_at=time(7), cadence=Cadence.DAILY, max_items=12)
        self.enrolment = Enrolment(store, TOKENS, defaults, domain="example.org")
        self.returns = Returns(
            store,
            TOKENS,
            unsubscribe=lambda i, now: self.enrolment.unsubscribe(i, now=now, source="mail"),
        )
        self._sent = 0

    def add(self, email: str = READER, *, confirmed: bool = True) -> int:
        """A reader; returns the id."""
        joined = self.enrolment.join(email, Choices(), now=NOW, source="web", vouched=confirmed)
        return joined.subscriber.id

    def send(self, subscriber_id: int) -> tuple[int, str]:
        """A message to a reader; returns its outbox id and Message-ID."""
        self._sent += 1
        message_id = f"<message-{self._sent}@example.org>"
        new = NewMessage(
            kind=MessageKind.EDITION,
            subscriber_id=subscriber_id,
            dedupe_key=message_id,
            message_id=message_id,
            due_at=NOW,
        )
        with self.store.write() as tx:
            outbox.add_messages(tx, [new], now=NOW)
            found = select(outbox_table.c.id).where(outbox_table.c.message_id == message_id)
            return tx.execute(found).scalar_one(), message_id

    def settle(self, outbox_id: int, now: datetime) -> None:
        """That message was sent then."""
        done = {"state": OutboxState.SENT, "settled_at": now}
        with self.store.write() as tx:
            tx.execute(update(outbox_table).where(outbox_table.c.id == outbox_id).values(done))

    def move(self, subscriber_id: int, email: str, now: datetime) -> None:
        """The reader's mail goes to a new address, which has answered the question."""
        asked = self.enrolment.join(email, Choices(), now=now, source="web").subscriber
        with self.store.write() as tx:
            signups.put_move(tx, asked.id, subscriber_id, now=now)
        link = TOKENS.sign_until(Purpose.CONFIRM, now + DAY, asked.id)
        Accounts(self.enrolment, TOKENS).confirm(link, now=now, detail="")

    def letter(self, name: str, subscriber_id: int, **changes: str) -> bytes:
        """What came back about a new message to that reader."""
        outbox_id, message_id = self.send(subscriber_id)
        said = {
            "bounce": TOKENS.sign(Purpose.BOUNCE, outbox_id),
            "unsubscribe": TOKENS.sign(Purpose.UNSUBSCRIBE, subscriber_id),
            "message_id": message_id,
        }
        return sample(name, **(said | changes))

    def come_back(
        self, name: str, subscriber_id: int, *, days: float = 0, **changes: str
    ) -> Verdict:
        """The same, taken in after so many days."""
        raw = self.letter(name, subscriber_id, **changes)
        return self.returns.take_in(raw, NOW + days * DAY)

    def status(self, subscriber_id: int) -> Status:
        with self.store.read() as tx:
            person = people.get_subscriber(tx, subscriber_id)
        assert person is not None
        return person.status


@dataclass(slots=True)
class MemoryMailbox:
    """A mailbox of letters in memory: what came in, and where each was put."""

    waiting: list[bytes]
    done: list[bytes] = field(default_factory=list)
    unknown: list[bytes] = field(default_factory=list)

    def letters(self) -> Iterator[Letter]:
        for number, content in enumerate(list(self.waiting)):
            yield Letter(name=str(number), content=content)

    def put_away(self, letter: Letter, *, understood: bool) -> None:
        self.waiting.remove(letter.content)
        (self.done if understood else self.unknown).append(letter.content)
