"""Reads one message out of the mailbox of bounces: who says what about which of our messages.

Pure: bytes in, a Report out, whatever the bytes are. Machine-readable reports first, prose after
them; what is not understood says so and is never guessed. Called by digest/returns.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message

from digest.bounce.fields import read_feedback, read_status
from digest.bounce.mime import BROKEN_MAIL, Unreadable, decoded, headers, parse_message, tame
from digest.bounce.prose import is_auto_reply, is_receipt, read_prose
from digest.model.bounces import GRAVITY, BounceKind, Failure, Report

#: where the last server notes whom the envelope named, the surest first
_ENVELOPE = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-rcpt-to",
    "x-forwarded-to",
    "to",
    "cc",
)
#: the tokens of digest/compose/links.py, as long as a local part may be
_BOUNCE = re.compile(r"\bbounce\+([A-Za-z0-9._-]{8,57})@", re.I)
_UNSUBSCRIBE = re.compile(r"\bunsub(?:scribe)?\+([A-Za-z0-9._-]{8,58})@", re.I)
_MESSAGE_ID = re.compile(
    r"^[ \t>|]{0,20}(?:original-)?message-id:[ \t]{0,20}(?:\n[ \t]{1,20})?(<[^<>\s]{3,250}>)",
    re.I | re.M,
)
_IN_BRACKETS = re.compile(r"<[^<>\s]{3,250}>")
_FINDS_MAX = 20


def read_report(raw: bytes) -> Report:
    """Read a message that came back. Never raises; what it cannot read is UNKNOWN, with a note."""
    tamed = tame(raw)
    try:
        message = parse_message(tamed)
        return _read(message, tamed)
    except Unreadable as error:
        return Report(kind=BounceKind.UNKNOWN, note=str(error))
    except BROKEN_MAIL as error:
        return Report(kind=BounceKind.UNKNOWN, note=f"it is broken: {type(error).__name__}")


def _read(message: Message, tamed: bytes) -> Report:
    written = b"\n".join([tamed, *map(decoded, message.walk())])
    text = written.decode("utf-8", "replace")
    envelope = [value for name in _ENVELOPE for value in headers(message, name)]
    requests = _first(token for value in envelope for token in _UNSUBSCRIBE.findall(value))
    kind, failures, note = _judge(message, tamed)
    if requests and kind in (BounceKind.UNKNOWN, BounceKind.AUTOMATIC):
        # whatever it says: mail to that address means one thing
        return Report(kind=BounceKind.UNSUBSCRIBE, unsubscribe_tokens=requests)
    return Report(
        kind=kind,
        failures=failures,
        bounce_tokens=_first([*_tokens(envelope), *_BOUNCE.findall(text)]),
        message_ids=_message_ids(message, text),
        note=note,
    )


def _judge(message: Message, tamed: bytes) -> tuple[BounceKind, tuple[Failure, ...], str]:
    failures = read_feedback(message) or read_status(message)
    if not failures and is_auto_reply(message):
        return BounceKind.AUTOMATIC, (), ""
    failures = failures or read_prose(message, tamed)
    if failures:
        kinds = {failure.kind for failure in failures}
        return next(kind for kind in GRAVITY if kind in kinds), failures, ""
    if is_receipt(message):
        return BounceKind.AUTOMATIC, (), ""
    return BounceKind.UNKNOWN, (), "it is no report, answer or request that is known"


def _tokens(values: Iterable[str]) -> list[str]:
    return [token for value in values for token in _BOUNCE.findall(value)]


def _message_ids(message: Message, text: str) -> tuple[str, ...]:
    """Of what it returns or answers; its own id, which stands in its head, is none of them."""
    _, _, body = text.partition("\n\n")
    answered = [
        found
        for name in ("in-reply-to", "references")
        for value in headers(message, name)
        for found in _IN_BRACKETS.findall(value)
    ]
    return _first([*_MESSAGE_ID.findall(body), *answered])


def _first(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:_FINDS_MAX]
