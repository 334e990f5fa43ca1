"""What a receiver sees of a mail of ours, and what is wrong with it: size, parts, links, headers.

Reads the bytes of the sample (sample.py) the way a mail program does. The rules are those of
RFC 5322, 2369, 2919, 3834 and 8058, and of the large providers.
"""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage, Message

from digest.check.domains import is_freemail
from digest.check.findings import Finding, Level, green, red, yellow
from digest.check.runner import Check
from digest.check.sample import SampleMail, parse, unsubscribe_links
from digest.model import Envelope

SAMPLE = "mail.sample"
HEADERS = "mail.headers"

#: Gmail cuts longer ones off, near 102 KB, and the way to unsubscribe with them
_HTML_BYTES_MAX = 90_000
_LINE_OCTETS_MAX = 998
_LOCAL_OCTETS_MAX = 64
#: MAIL_RULES: RFC 5322, 2369, 2919, 3834, 8058, and what large providers look for
_WANTED = (
    *("From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type"),
    *("List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Archive", "List-Help"),
    *("List-Owner", "List-Post", "Auto-Submitted", "X-Auto-Response-Suppress", "Feedback-ID"),
)
#: one-click counts only when the signature covers them (RFC 8058 §4)
_MUST_BE_SIGNED = ("from", "list-unsubscribe", "list-unsubscribe-post")

_KEY = "give dkim_key_file under [mail] a private key: openssl genrsa -out dkim.pem 2048"


def checks(mail: SampleMail) -> Iterator[Check]:
    """Who it is from, what it looks like, what its headers say."""

    def judge_sender() -> list[Finding]:
        domain = mail.from_domain
        return [judge_from(domain, is_freemail=is_freemail(domain))]

    yield Check(name="mail.from", look=judge_sender)
    yield Check(name=SAMPLE, look=lambda: _judge_made(mail))
    yield Check(name=HEADERS, look=lambda: _judge_signed(mail))


def _judge_made(mail: SampleMail) -> list[Finding]:
    found = list(judge_sample(mail.envelope))
    advice = "correct it, or take it out of your folder ([mail] templates)"
    return found + [yellow(SAMPLE, complaint, advice) for complaint in mail.complaints]


def _judge_signed(mail: SampleMail) -> Iterator[Finding]:
    """The headers; and whether the key can be used, which asks nobody outside this machine."""
    found = list(judge_headers(mail.envelope, sends_mail=mail.is_sent))
    if mail.unsigned is None:
        yield from found
        return
    said, _, advice = mail.unsigned.partition("; ")
    yield from (finding for finding in found if finding.level is not Level.GREEN)
    yield red(HEADERS, f"no mail leaves, for none can be signed: {said}", advice or _KEY)


def judge_sample(envelope: Envelope) -> Iterator[Finding]:
    """Size, parts, and the links that every mail must show."""
    message = parse(envelope.content)
    text, html = _body(message, "plain"), _body(message, "html")
    faults = []
    if text is None or html is None or message.get_content_type() != "multipart/alternative":
        faults.append(
            red(
                SAMPLE,
                "a mail does not have a text and an HTML part",
                "this is a mistake in digest itself: please report it",
            )
        )
    else:
        faults += _judge_size(html) + _judge_links(envelope, text, html)
    yield from faults
    if not faults and html is not None:
        size = len(html.get_payload())
        total = len(envelope.content)
        yield green(
            SAMPLE,
            f"a full mail has {total:,} bytes, its HTML {size:,} of {_HTML_BYTES_MAX:,}",
        )


def _judge_size(html: Message) -> list[Finding]:
    size = len(html.get_payload())
    if size <= _HTML_BYTES_MAX:
        return []
    return [
        red(
            SAMPLE,
            f"the HTML of a mail has {size:,} bytes; Gmail cuts off what is beyond about 100,000,"
            " and the unsubscribe link with it",
            "make your templates smaller ([mail] templates), or lower max_items under [edition]",
        )
    ]


def _judge_links(envelope: Envelope, text: Message, html: Message) -> list[Finding]:
    """Whether the way to unsubscribe can be seen in both parts."""
    links = [link for link in unsubscribe_links(envelope.content) if link.startswith("http")]
    lacking = [
        name
        for name, part in (("text", text), ("HTML", html))
        if not any(link in _words(part) for link in links)
    ]
    if not lacking:
        return []
    return [
        red(
            SAMPLE,
            f"the unsubscribe link is missing in the {' and the '.join(lacking)} part of a mail",
            "put it back into your templates ([mail] templates)",
        )
    ]


def judge_headers(envelope: Envelope, *, sends_mail: bool = True) -> Iterator[Finding]:
    """Every header that providers look for, and the envelope."""
    message = parse(envelope.content)
    faults = [*_judge_presence(message), *_judge_one_click(message, sends_mail=sends_mail)]
    faults += [*_judge_lines(envelope), *_judge_signature(message)]
    yield from faults
    if not faults:
        signed = ", signed" if "DKIM-Signature" in message else ""
        yield green(HEADERS, f"all {len(_WANTED)} headers of list mail are there{signed}")


def _judge_presence(message: Message) -> Iterator[Finding]:
    missing = [name for name in _WANTED if name not in message]
    double = [name for name in _WANTED if len(message.get_all(name, [])) > 1]
    for names, what in ((missing, "lacks"), (double, "has twice")):
        if names:
            yield red(
                HEADERS,
                f"a mail {what} {', '.join(names)}",
                "this is a mistake in digest itself: please report it",
            )


def _judge_one_click(message: Message, *, sends_mail: bool) -> Iterator[Finding]:
    """RFC 8058: an https link, and the exact words beside it."""
    trouble = red if sends_mail else yellow
    links = [part.strip(" <>") for part in str(message.get("List-Unsubscribe", "")).split(",")]
    if not links[0].startswith("https://"):
        yield trouble(
            HEADERS,
            "List-Unsubscribe is no https link, so no mail program shows its unsubscribe button",
            "give url under [site] an https address",
        )
    if str(message.get("List-Unsubscribe-Post", "")) != "List-Unsubscribe=One-Click":
        yield red(
            HEADERS,
            "List-Unsubscribe-Post does not say List-Unsubscribe=One-Click",
            "this is a mistake in digest itself: please report it",
        )


def _judge_lines(envelope: Envelope) -> Iterator[Finding]:
    """Limits of SMTP: RFC 5321 §4.5.3.1, RFC 5322 §2.1.1."""
    longest = max(map(len, envelope.content.split(b"\r\n")))
    if longest > _LINE_OCTETS_MAX:
        yield red(
            HEADERS,
            f"a line of a mail has {longest} octets, allowed are {_LINE_OCTETS_MAX}",
            "shorten name and url under [site]; if they are short, please report this",
        )
    local = envelope.envelope_from.rpartition("@")[0]
    if not 0 < len(local.encode()) <= _LOCAL_OCTETS_MAX:
        yield red(
            HEADERS,
            f"the envelope sender has {len(local)} characters before the @, allowed are"
            f" {_LOCAL_OCTETS_MAX}",
            "this is a mistake in digest itself: please report it",
        )


def _judge_signature(message: Message) -> Iterator[Finding]:
    """Whether our own signature covers what one-click needs; the relay's is not to be seen here."""
    signature = message.get("DKIM-Signature")
    if signature is None:
        return
    tags = (part.partition("=") for part in "".join(str(signature).split()).split(";"))
    covered = {n.lower() for name, _, value in tags if name == "h" for n in value.split(":")}
    if missing := [name for name in _MUST_BE_SIGNED if name not in covered]:
        yield red(
            HEADERS,
            f"the signature of a mail does not cover {', '.join(missing)}",
            "this is a mistake in digest itself: please report it",
        )


def judge_from(domain: str, *, is_freemail: bool) -> Finding:
    """Whether mail may come from that domain at all."""
    if is_freemail:
        return red(
            "mail.from",
            f"mails come from {domain}, a mail provider whose policy forbids that",
            "give from under [mail] an address under a domain of your own",
        )
    return green("mail.from", f"mails come from {domain}")


def _body(message: EmailMessage, kind: str) -> EmailMessage | None:
    part = message.get_body((kind,))
    return part if isinstance(part, EmailMessage) else None


def _words(part: Message) -> str:
    data = part.get_payload(decode=True)
    # links broken over lines are no links, but an & is written &amp; in HTML
    return data.decode("utf-8", "replace").replace("&amp;", "&") if isinstance(data, bytes) else ""
