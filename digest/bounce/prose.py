"""Bounces written for people, in the many ways of old and foreign servers, and auto-replies.

flufl.bounce knows the formats and finds the address; what the server said is judged by verdict.py.
Where it finds none but the sender and the subject are a mail system's, the words alone count: the
envelope address tells whom a report is about.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from email.message import Message

from flufl.bounce import all_failures

from digest.bounce.body import report_text
from digest.bounce.fields import DIAGNOSTIC_MAX
from digest.bounce.mime import (
    BROKEN_MAIL,
    Unreadable,
    header,
    headers,
    own_parts,
    parse_message,
    subject_of,
    tame,
)
from digest.bounce.verdict import find_status, judge, names_no_address
from digest.model import BounceKind, Failure
from digest.text import clean

# it tells at INFO which formats it tries, and logs what it raises
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)

#: some of its patterns take time with the square of a line's length
_LINE_BYTES_MAX = 400
_SCAN_BYTES_MAX = 48 * 1024

_MAILER = re.compile(
    r"mailer-?daemon|postmaster|mail(?:er)?[ _.-]?(?:delivery|administrator|system|error)|mdaemon"
    r"|delivery[ _.-](?:sub)?(?:system|service)|system[ _.]administrator|bounce-?notif|\bndr\b|<>",
    re.I,
)
_FAILURE = re.compile(
    r"undeliver|un(?:able|successful).{0,20}deliver|not.{0,12}deliver|returned (?:mail|to sender)"
    r"|deliver\w* (?:status|report|problem|fail|notif|error)|fail(?:ure|ed)|mail (?:system )?error"
    r"|mail could not be|returning message|non remis|unzustellbar|nicht zugestellt|rechazad|rejet",
    re.I,
)
_DELAY = re.compile(r"delay|warning|still being retried|not yet|delayed|verz.{1,2}ger|retard", re.I)
_AWAY = re.compile(
    r"^\W*(?:auto(?:matic|mated|mat)?[ -]?(?:reply|response|answer|antwort|:)|automatische antwort"
    r"|out of (?:the )?office|away from|on (?:vacation|leave|holiday)|vacation|holiday"
    r"|abwesen|ich bin nicht|r.{1,2}ponse automatique|absence|risposta automatica"
    r"|respuesta autom|resposta autom|autosvar|automatisch antwoord|automatyczna odpowied)",
    re.I,
)
_AWAY_HEADERS = (
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply",
    "x-autoreply-from",
    "x-vacation",
    "x-mail-autoreply",
)


def is_auto_reply(message: Message) -> bool:
    """Whether a vacation program or a person's software answered, and no mail system."""
    precedence = (header(message, name).lower() for name in ("precedence", "x-precedence"))
    if "auto_reply" in precedence or any(header(message, name) for name in _AWAY_HEADERS):
        return True
    if from_mail_system(message) or message.get_content_type() == "multipart/report":
        return False
    answered = header(message, "auto-submitted").lower().startswith("auto-replied")
    return answered or bool(_AWAY.search(subject_of(message)))


def is_receipt(message: Message) -> bool:
    """Whether it is a receipt for having been read or deleted (RFC 8098)."""
    return any(
        part.get_content_type() == "message/disposition-notification" for part in own_parts(message)
    )


def from_mail_system(message: Message) -> bool:
    """Whether a mail system says that it wrote the message."""
    sender = header(message, "from")
    return bool(_MAILER.search(sender)) or bool(headers(message, "x-failed-recipients"))


def read_prose(message: Message, tamed: bytes) -> tuple[Failure, ...]:
    """What a bounce in words says; empty when it is none that is known."""
    words = report_text(message)
    delayed, failed = _scan(message, tamed, words)
    if not delayed and not failed:
        return _guess(message, words)
    status = find_status(words)
    kind = judge(status, words)
    certain = kind is BounceKind.HARD and names_no_address(status)
    shown = clean(words)[:DIAGNOSTIC_MAX]
    # the words are about all of them: one code for several addresses is no certainty
    told = [
        Failure(
            addresses=(address,),
            kind=kind,
            status=status,
            diagnostic=shown,
            is_certain=certain and len(failed) == 1,
        )
        for address in failed
    ]
    waits = (
        Failure(addresses=(a,), kind=BounceKind.DELAYED, status=status, diagnostic=shown)
        for a in delayed
    )
    return (*told, *waits)


def _scan(message: Message, tamed: bytes, words: str) -> tuple[list[str], list[str]]:
    """Addresses that are delayed, and that failed, by flufl.bounce."""
    short = tame(tamed, bytes_max=_SCAN_BYTES_MAX, line_max=_LINE_BYTES_MAX)
    try:
        delayed, failed = all_failures(parse_message(short))
        if not delayed and not failed:
            # it does not decode bodies: once more with the plain text
            head = "\n".join(f"{n}: {header(message, n)}" for n in ("From", "To", "Subject"))
            flat = f"{head}\n\n{words}".encode("utf-8", "replace")
            delayed, failed = all_failures(parse_message(tame(flat, line_max=_LINE_BYTES_MAX)))
    except (*BROKEN_MAIL, Unreadable):
        return [], []
    return _addresses(delayed), _addresses(failed)


def _addresses(found: Iterable[bytes]) -> list[str]:
    texts = sorted(address.decode("ascii", "replace").strip() for address in found)
    return [text for text in texts if text and len(text) <= 320]


def _guess(message: Message, words: str) -> tuple[Failure, ...]:
    """A mail system's notice that names nobody we can read."""
    subject = subject_of(message)
    if not from_mail_system(message):
        return ()
    shown, status = clean(words)[:DIAGNOSTIC_MAX], find_status(words)
    if _DELAY.search(subject):
        return (Failure(kind=BounceKind.DELAYED, status=status, diagnostic=shown),)
    if not _FAILURE.search(subject):
        return ()
    kind = judge(status, words)
    certain = kind is BounceKind.HARD and names_no_address(status)
    return (Failure(kind=kind, status=status, diagnostic=shown, is_certain=certain),)
