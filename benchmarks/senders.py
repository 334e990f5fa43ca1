"""What benchmarks/deliver.py measures, each in a process of its own: senders of one outbox.

    python benchmarks/senders.py JOB     (JOB is JSON, see Job)

`digest` is the deliver stage as `digest send` runs it, from claimed rows to settled ones. `usual`
is how Python programs usually do it. Both print what they took as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import smtplib
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from compose import SITE, context_of, editions, wordings
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.addresses import parse_address
from digest.clock import FixedClock
from digest.compose.composer import Composer
from digest.compose.letters import LetterWriter
from digest.compose.links import Links
from digest.deliver import GROUP, Deliverer, DeliveryReport, DeliveryRules
from digest.mail import TransportOptions, build_transport
from digest.mail.dkim import DkimSigner
from digest.model import Edition, MessageKind, OutboxState, Status
from digest.store import Store, outbox, people
from digest.store import editions as shelf
from digest.store.migrate import migrate
from digest.templates import Templates
from digest.tokens import Tokens

MADE_AT = datetime(2026, 3, 12, 6, tzinfo=UTC)
SECRET = "a secret of thirty-two characters!"
#: people whose editions are made and stored together
_BATCH = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a sender is to do."""

    sender: str
    database: str
    port: int
    connections: int
    #: file with a PEM key; None: the relay signs
    key: str | None = None
    group: int = GROUP


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What it took."""

    count: int
    seconds: float
    cpu_s: float
    #: most memory that the process ever had
    rss_mb: float


def fill(database: Path, people_count: int, items: int, pool: int) -> None:
    """An outbox with one edition for each person, as the edition stage leaves it."""
    chance = random.Random(7)
    papers = wordings(chance, pool)
    store = Store(f"sqlite:///{database}")
    migrate(store)
    for start in range(0, people_count, _BATCH):
        count = min(_BATCH, people_count - start)
        _fill_some(store, start, editions(chance, papers, count, items))
    with store.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def _fill_some(store: Store, start: int, made: Sequence[Edition]) -> None:
    with store.write() as tx:
        added = people.add_subscribers(tx, [_person(start + n) for n in range(len(made))])
        ids = list(added.values())
        # items are not stored: a pick may outlive its item, and the mail is made from its wording
        own = [
            replace(
                edition,
                subscriber_id=subscriber_id,
                entries=tuple(_itemless(e) for e in edition.entries),
                rising=tuple(_itemless(e) for e in edition.rising),
            )
            for edition, subscriber_id in zip(made, ids, strict=True)
        ]
        edition_ids = shelf.add_editions(tx, own)
        rows = [
            outbox.NewMessage(
                kind=MessageKind.EDITION,
                subscriber_id=subscriber_id,
                edition_id=edition_id,
                dedupe_key=f"edition:{subscriber_id}:2026-03-12",
                message_id=f"<{edition_id * 2654435761 % 2**32:032x}@example.org>",
                due_at=MADE_AT,
            )
            for subscriber_id, edition_id in zip(ids, edition_ids, strict=True)
        ]
        outbox.add_messages(tx, rows, now=MADE_AT)


def _itemless(entry):  # type: ignore[no-untyped-def]
    return replace(entry, pick=replace(entry.pick, item_id=None))


def _person(number: int) -> dict[str, object]:
    email = f"reader{number}@example.net"
    return {
        "email": email,
        "address_key": parse_address(email).key,
        "status": Status.CONFIRMED,
        "zone": "UTC",
        "send_at": "07:00",
        "cadence": "daily",
        "max_items": 15,
        "rising": True,
        "created_at": MADE_AT,
        "confirmed_at": MADE_AT,
        "next_edition_at": None,
    }


def make_key() -> bytes:
    """An RSA key of 2,048 bits, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def send_digest(job: Job) -> int:
    """The deliver stage, over everything in the outbox, in a process that has sent before."""
    store = Store(job.database)
    links = Links(SITE.url, Tokens([SECRET]))
    composer = Composer(SITE, links, Templates())

    def deliverer(rules: DeliveryRules) -> Deliverer:
        return Deliverer(
            store,
            composer,
            rules,
            clock=FixedClock(MADE_AT + timedelta(minutes=1)),
            owner="benchmark",
            signer=_signer(job),
        )

    _warm_up(deliverer(DeliveryRules(resend=True, rate_per_minute=2)), job)
    report = deliverer(DeliveryRules(resend=True, group=job.group)).deliver(
        build_transport(_options(job))
    )
    store.close()
    assert report.stopped is None, report.stopped
    return report.states.get(OutboxState.SENT, 0)


def _warm_up(slow: Deliverer, job: Job) -> None:
    """Send one message: a daemon has its modules and templates at hand. Items are new each day and
    are rendered in the time that is measured.
    """
    sent = 0

    def look(report: DeliveryReport) -> None:
        nonlocal sent
        sent = report.handed_over

    slow.deliver(
        build_transport(replace(_options(job), connections=1)), stop=lambda: sent > 0, progress=look
    )
    assert sent == 1, f"the warm-up sent {sent} messages"
    _start_clock()


def _signer(job: Job) -> DkimSigner | None:
    if job.key is None:
        return None
    return DkimSigner("example.org", "bench", Path(job.key).read_bytes())


def _options(job: Job) -> TransportOptions:
    return TransportOptions(
        host="127.0.0.1", port=job.port, security="none", connections=job.connections
    )


def send_usual(job: Job) -> int:
    """Jinja2, css-inline and EmailMessage for each message, dkimpy, one smtplib connection.

    Each message is marked as sent in a transaction of its own, so that a restart sends none twice.
    What it says is known beforehand, free of charge.
    """
    import dkim

    store = Store(job.database)
    templates = Templates()
    writer = LetterWriter(SITE, Links(SITE.url, Tokens([SECRET])), templates)
    with store.read() as tx:
        found = shelf.load_editions(tx, range(1, 101))
    letters = [(e, writer.write(e.sheet(), level=0)) for e in found.values()]
    contexts = [context_of(letter) for _, letter in letters]
    key = Path(job.key).read_bytes() if job.key else None
    _start_clock()
    with smtplib.SMTP("127.0.0.1", job.port) as client:
        for (edition, letter), context in zip(letters, contexts, strict=True):
            message = EmailMessage(policy=SMTP)
            message["From"] = f"{SITE.from_name} <{SITE.from_address}>"
            message["To"] = edition.email
            message["Subject"] = letter.subject
            message["Message-ID"] = f"<{edition.id}@example.org>"
            message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
            message.set_content(
                templates.render("email/edition.txt", context), cte="quoted-printable"
            )
            html = templates.inline(templates.render("email/edition.html", context))
            message.add_alternative(html, subtype="html", cte="quoted-printable")
            content = message.as_bytes()
            if key is not None:
                content = dkim.sign(content, b"bench", b"example.org", key) + content
            client.sendmail(f"bounce+{edition.id}@example.org", [edition.email], content)
            with store.engine.connect() as connection, connection.begin():
                connection.exec_driver_sql(
                    "UPDATE outbox SET state = 'sent' WHERE edition_id = ?", (edition.id,)
                )
    store.close()
    return len(letters)


_started = (0.0, 0.0)


def _start_clock() -> None:
    global _started
    _started = time.perf_counter(), time.process_time()


def main() -> None:
    job = Job(**json.loads(sys.argv[1]))
    # imports and start-up are not what is measured
    asyncio.run(asyncio.sleep(0))
    _start_clock()
    count = {"digest": send_digest, "usual": send_usual}[job.sender](job)
    taken = Taken(
        count=count,
        seconds=time.perf_counter() - _started[0],
        cpu_s=time.process_time() - _started[1],
        rss_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )
    print(json.dumps(asdict(taken)))


if __name__ == "__main__":
    main()
