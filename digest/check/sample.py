"""A mail like those that go out, made by the program's own composer for nobody.

The content is invented, the settings and templates are the operator's. The recipient's id is 0,
which nobody has, so that the links in it can be tried. Judged by message.py.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from digest.app import App
from digest.compose.composer import Question
from digest.errors import ConfigError, DigestError
from digest.model import (
    CONFIRM_WITHIN,
    Edition,
    Entry,
    Envelope,
    Parts,
    Pick,
    Reason,
    ReasonKind,
    Section,
    Wording,
)

#: nobody's: ids begin at 1
NOBODY = 0
#: as long as the ids of a large service get, so that the envelope sender has its real length
_OUTBOX_ID = 2**40
#: taken for the size of a mail when none can be made
_SIZE_GUESS = 150_000

_TITLE = "Sparse Attention That Learns Where to Look, Shown on Long Documents and Code, Part {}"
_ABSTRACT = (
    "We look at models that read long texts and at what it costs them. A learned rule chooses for"
    " each word the few others that it needs to see, and the choice is made while reading. On four"
    " collections of documents and two of source code the model keeps its quality with a tenth of"
    " the work. We show where the rule fails, why, and what a reader of such a model can do. "
) * 4
_AUTHORS = ("Ada Beispiel", "Jo\u00e3o Exemplo", "Mina Voorbeeld", "Taro Rei", "Zo\u00eb Exempel")


class SampleMail:
    """A mail for nobody, made when it is first looked at; safe to share between threads."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._made: Envelope | None = None
        #: what was said of the operator's own templates when the mails were made
        self.complaints: list[str] = []
        #: why the mail could not be signed with the key of the settings; None when it could
        self.unsigned: str | None = None

    @property
    def from_domain(self) -> str:
        return self._app.settings.mail.from_address.rpartition("@")[2].lower()

    @property
    def is_sent(self) -> bool:
        """Whether mails like it leave the machine at all."""
        return self._app.settings.smtp.transport == "smtp"

    @property
    def envelope(self) -> Envelope:
        """The mail, signed when there is a key. Raises what the composer raises."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made

    @property
    def size_bytes(self) -> int:
        """How large it is; a guess when none can be made."""
        try:
            return len(self.envelope.content)
        except DigestError:
            return _SIZE_GUESS

    @property
    def unsubscribe_link(self) -> str:
        """Where its unsubscribe button leads."""
        return unsubscribe_links(self.envelope.content)[0]

    def _make(self) -> Envelope:
        """The edition; the question to confirm is made beside it, to try its templates too."""
        now = self._app.now()
        composer = self._app.composer
        edition = sample_edition(now, items=self._app.settings.edition.max_items)
        message_id = f"<check-{NOBODY:032x}@{self.from_domain}>"
        with _heard("digest.templates", self.complaints):
            made = composer.edition(edition.sheet(), outbox_id=_OUTBOX_ID, message_id=message_id)
            composer.confirmation(
                Question(
                    subscriber_id=NOBODY,
                    email=edition.email,
                    made_at=now,
                    until=now + CONFIRM_WITHIN,
                ),
                outbox_id=_OUTBOX_ID,
                message_id=message_id,
            )
        try:
            signer = self._app.signer
        except ConfigError as error:
            self.unsigned = error.problems[0]
            return made
        if signer is None or made.content.startswith(b"DKIM-Signature:"):
            return made
        return replace(made, content=signer.sign(made.content))


@contextmanager
def _heard(logger: str, into: list[str]) -> Iterator[None]:
    """What that part of the program warns of meanwhile, also kept in a list."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            into.append(" ".join(record.getMessage().split()))

    ear = Ear(logging.WARNING)
    logging.getLogger(logger).addHandler(ear)
    try:
        yield
    finally:
        logging.getLogger(logger).removeHandler(ear)


def sample_edition(now: datetime, *, items: int, email: str = "reader@example.net") -> Edition:
    """An edition with that many invented papers, each as long as papers are."""
    return Edition(
        id=NOBODY,
        subscriber_id=NOBODY,
        email=email,
        zone="UTC",
        due_at=now,
        made_at=now,
        local_on=now.date(),
        entries=tuple(_entry(place, Section.PICK, now.date()) for place in range(1, items + 1)),
        rising=tuple(_entry(place, Section.RISING, now.date()) for place in range(1, 6)),
        considered=240,
        interests=3,
    )


def _entry(place: int, section: Section, on: date) -> Entry:
    number = place + (500 if section is Section.RISING else 0)
    arxiv_id = f"2603.{number:05d}"
    return Entry(
        pick=Pick(
            item_id=number,
            section=section,
            position=place,
            score=0.5,
            parts=Parts(match=0.6, trend=0.5, freshness=0.9),
            reasons=(
                Reason(kind=ReasonKind.TEXT, lead="matches your interest", subject="attention"),
                Reason(kind=ReasonKind.TREND, lead="84 votes in 9 h, 5× its day's median"),
            ),
        ),
        wording=Wording(
            key=f"arxiv:{arxiv_id}",
            title=_TITLE.format(number),
            abstract=_ABSTRACT,
            authors=_AUTHORS,
            categories=("cs.LG", "cs.CL"),
            url=f"https://arxiv.org/abs/{arxiv_id}",
            organization="Institute for Examples",
            published_on=on,
            pdf_url=f"https://arxiv.org/pdf/{arxiv_id}",
            code_url="https://github.com/example/sparse-attention",
            discussion_url=f"https://huggingface.co/papers/{arxiv_id}",
        ),
        votes=84,
        comments=12,
        stars=310,
    )


def unsubscribe_links(content: bytes) -> list[str]:
    """What List-Unsubscribe offers, in its order, without the brackets."""
    value = str(parse(content).get("List-Unsubscribe", ""))
    parts = (part.strip() for part in value.split(","))
    return [part.strip("<>") for part in parts if part]


def parse(content: bytes) -> EmailMessage:
    """The message as a receiver's program reads it."""
    message = message_from_bytes(content, policy=policy.default.clone(max_line_length=None))
    assert isinstance(message, EmailMessage)
    return message
