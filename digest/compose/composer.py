"""What the deliver stage calls: an edition, or a question to confirm, becomes a message.

Decides headers, envelope and size; words are letters.py's and pages.py's, bytes message.py's.
The same edition, outbox row and Message-ID always give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import NamedTuple

from digest.compose import headers
from digest.compose.letters import LetterWriter
from digest.compose.links import Links
from digest.compose.message import build_message, join_parts
from digest.compose.pages import Kind, Letter
from digest.compose.printer import Printer
from digest.compose.view import ABSTRACT_LENGTHS
from digest.model import Envelope, Sheet, Site
from digest.templates import Templates

#: encoded HTML beyond that is clipped by Gmail (near 102 KB), and the footer with it
BODY_BYTES_MAX = 90_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a confirmation mail is made from."""

    subscriber_id: int
    email: str
    made_at: datetime
    #: how long the link in it is good
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """An edition's mail as it is read."""

    subject: str
    text: str
    html: str


class Encoded(NamedTuple):
    """An edition's mail in quoted-printable pieces."""

    subject: str
    unsubscribe_url: str
    text: Sequence[bytes]
    html: Sequence[bytes]


class Composer:
    """Makes the messages of one site."""

    def __init__(
        self,
        site: Site,
        links: Links,
        templates: Templates,
        *,
        bounce_domain: str | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
    ) -> None:
        """`bounce_domain` takes the mail of envelope senders; default: the From domain.

        Raises BadInput when the site's own addresses, name or URL cannot stand in a header.
        """
        self._site = site
        self._links = links
        self._templates = templates
        self._writer = LetterWriter(site, links, templates)
        self._printer = Printer(site, templates)
        self._body_bytes_max = body_bytes_max
        self._from_domain = headers.ascii_domain(site.from_address).rpartition("@")[2]
        self._bounce_domain = bounce_domain or self._from_domain
        self._site_head = self._site_lines()
        self._list_head = self._list_lines()
        self._is_seven_bit = (self._site_head + self._list_head).isascii()
        self._day_head = lru_cache(maxsize=64)(self._day_lines)

    def edition(self, sheet: Sheet, *, outbox_id: int, message_id: str) -> Envelope:
        """The edition as a message to its subscriber.

        `message_id` comes with its angle brackets. Raises BadInput when the subscriber's address
        cannot be written to.
        """
        body = self._encode(sheet)
        head = b"".join(
            (
                self._site_head,
                headers.address_line("To", sheet.email),
                headers.text_line("Subject", body.subject),
                headers.date_line(sheet.made_at),
                headers.raw_line("Message-ID", message_id),
                *self._unsubscribe_lines(body.unsubscribe_url),
                self._list_head,
                self._day_head(sheet.local_on),
            )
        )
        content = join_parts(head, message_id=message_id, text=body.text, html=body.html)
        return self._envelope(sheet.email, outbox_id, content)

    def prepare(self, sheets: Sequence[Sheet]) -> None:
        """Have the new items of these editions at hand: many together cost less than one by one.

        Raises TemplateError.
        """
        if sheets:
            with self._writer.new_items(sheets) as items:
                self._printer.prepare(sheets[0].local_on, items)

    def confirmation(self, question: Question, *, outbox_id: int, message_id: str) -> Envelope:
        """The question whether this address wants our mail.

        Holds nothing that came from the form, and no List-Unsubscribe: there is nothing to end.
        """
        context = {
            "site": self._site,
            "confirm_url": self._links.confirm(question.subscriber_id, question.until),
            "home_url": self._links.home,
            "until": question.until,
        }
        render = self._templates.render
        lines = (
            self._site_head,
            headers.address_line("To", question.email),
            headers.text_line("Subject", render("email/confirmation.subject.txt", context)),
            headers.date_line(question.made_at),
            headers.raw_line("Message-ID", message_id),
        )
        content = build_message(
            lines,
            message_id=message_id,
            text=render("email/confirmation.txt", context),
            html=self._templates.inline(render("email/confirmation.html", context)),
        )
        return self._envelope(question.email, outbox_id, content)

    def parts(self, sheet: Sheet) -> Rendered:
        """Subject, text and HTML as the reader gets them, for previews and the web."""
        letter, _ = self._fit(sheet)
        return Rendered(
            subject=letter.subject,
            text=self._printer.read(Kind.TEXT, letter),
            html=self._printer.read(Kind.HTML, letter),
        )

    def _encode(self, sheet: Sheet) -> Encoded:
        letter, html = self._fit(sheet)
        return Encoded(
            subject=letter.subject,
            unsubscribe_url=letter.unsubscribe_url,
            text=self._printer.encode(Kind.TEXT, letter),
            html=html,
        )

    def _fit(self, sheet: Sheet) -> tuple[Letter, Sequence[bytes]]:
        """The letter that says most within the size limit, and its HTML.

        Abstracts get shorter first; then picks are left to the web page, last ones first.
        """
        for level in range(len(ABSTRACT_LENGTHS)):
            letter = self._writer.write(sheet, level=level)
            html = self._printer.encode(Kind.HTML, letter)
            size = sum(map(len, html))
            if size <= self._body_bytes_max:
                return letter, html
        count = len(sheet.items)
        while count and size > self._body_bytes_max:
            count = min(count - 1, count * self._body_bytes_max // size)
            letter = self._writer.write(sheet, level=level, items_max=count)
            html = self._printer.encode(Kind.HTML, letter)
            size = sum(map(len, html))
        return letter, html

    def _envelope(self, email: str, outbox_id: int, content: bytes) -> Envelope:
        envelope_to = headers.ascii_domain(email)
        return Envelope(
            outbox_id=outbox_id,
            envelope_from=self._links.bounce_address(outbox_id, self._bounce_domain),
            envelope_to=envelope_to,
            content=content,
            needs_smtputf8=not envelope_to.isascii(),
            # quoted.py escapes dots, and headers begin with their names or a space
            is_plain=envelope_to.isascii() and self._is_seven_bit,
        )

    def _site_lines(self) -> bytes:
        """What every message of this site begins with."""
        site = self._site
        lines = [headers.address_line("From", site.from_address, site.from_name)]
        if site.reply_to:
            lines.append(headers.address_line("Reply-To", site.reply_to))
        # RFC 3834; the second stops Exchange's out-of-office answers
        lines.append(headers.raw_line("Auto-Submitted", "auto-generated"))
        lines.append(headers.raw_line("X-Auto-Response-Suppress", "OOF, AutoReply"))
        return b"".join(lines)

    def _list_lines(self) -> bytes:
        """What every edition says of the list it belongs to (RFC 2369, RFC 2919)."""
        owner = self._site.operator_email or self._site.reply_to or self._site.from_address
        owner = headers.mailto(owner)
        return b"".join(
            (
                headers.list_id_line(self._site.name, f"digest.{self._from_domain}"),
                headers.raw_line("List-Help", f"<{self._links.home}/>, <{owner}?subject=help>"),
                headers.raw_line("List-Owner", f"<{owner}>"),
                headers.raw_line("List-Post", "NO"),
                headers.raw_line("Precedence", "bulk"),
            )
        )

    def _unsubscribe_lines(self, url: str) -> tuple[bytes, bytes]:
        address = self._links.unsubscribe_address(url, self._bounce_domain)
        return (
            headers.raw_line(
                "List-Unsubscribe", f"<{url}>, <mailto:{address}?subject=unsubscribe>"
            ),
            headers.raw_line("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )

    def _day_lines(self, on: date) -> bytes:
        """What all editions of a day say."""
        archive = headers.raw_line("List-Archive", f"<{self._links.day(on)}>")
        # Gmail groups complaints by it; the same for all readers of a day
        sender = headers.feedback_sender(self._from_domain)
        return archive + headers.raw_line("Feedback-ID", f"{on:%Y%m%d}:edition:digest:{sender}")
