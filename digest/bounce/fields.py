"""The fields of reports for machines: delivery status (RFC 3464, RFC 6533), abuse (RFC 5965).

Reads what a report says, recipient by recipient. What that means is verdict.py's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from email import message_from_bytes
from email.message import Message

from digest.bounce.body import report_text
from digest.bounce.mime import decoded, header_items
from digest.bounce.verdict import (
    best_status,
    find_status,
    is_telling,
    is_vague,
    judge,
    names_no_address,
)
from digest.model import BounceKind, Failure

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_FEEDBACK_TYPE = "message/feedback-report"
#: recipients of one report that are looked at
_RECIPIENTS_MAX = 50
DIAGNOSTIC_MAX = 1_000
_ADDRESS = re.compile(
    r"""<?((?:[^\s<>;,"()]{1,64}|"(?:[^"\\]|\\.){1,62}")@[^\s<>;,"()]{1,255}?)[>.,]{0,3}(?:\s|$)"""
)
_STATUS_FIELD = re.compile(r"^\s*([245]\.\d{1,3}\.\d{1,3})(?!\d)")
_BETWEEN = re.compile(rb"\n[ \t]*\n")
_CODE = re.compile(r"\b([45]\d\d)\b")

#: RFC 3464 §2.3.3, and what some servers write instead
_FAILED = ("fail", "error", "undeliver")
_DELAYED = ("delay",)
#: RFC 5965 §7.3, RFC 6591: feedback that says nothing about what the reader wants
_NO_COMPLAINT = {
    "not-spam": BounceKind.AUTOMATIC,
    "auth-failure": BounceKind.POLICY,
    "virus": BounceKind.POLICY,
}


def read_status(message: Message) -> tuple[Failure, ...]:
    """What the first delivery status in a message says of each recipient; empty without one.

    The first: a returned message may itself return one, which is about another mail.
    """
    part = _first_part(message, _STATUS_TYPES)
    if part is None:
        return ()
    prose = report_text(message)
    found = (_read_recipient(fields, prose) for fields in _blocks(part))
    failures = [failure for failure in found if failure is not None][:_RECIPIENTS_MAX]
    return tuple(dict.fromkeys(failures))


def read_feedback(message: Message) -> tuple[Failure, ...]:
    """What a feedback report says; empty when the message is none."""
    part = _first_part(message, (_FEEDBACK_TYPE,))
    fields = next(_blocks(part), None) if part is not None else None
    if fields is None:
        return ()
    told = fields.get("feedback-type", "").strip().lower()
    kind = _NO_COMPLAINT.get(told, BounceKind.COMPLAINT)
    named = (fields.get(name, "") for name in ("original-rcpt-to", "removal-recipient"))
    addresses = tuple(dict.fromkeys(a for text in named for a in find_addresses(text)))
    return (Failure(addresses=addresses, kind=kind, diagnostic=f"feedback: {told or 'abuse'}"),)


def find_addresses(text: str) -> list[str]:
    """The mail addresses in a text, without brackets, as they are spelt."""
    return _ADDRESS.findall(text[:DIAGNOSTIC_MAX])


def _first_part(message: Message, types: tuple[str, ...]) -> Message | None:
    return next((part for part in message.walk() if part.get_content_type() in types), None)


def _blocks(part: Message) -> Iterator[dict[str, str]]:
    """The groups of fields in a part, one after the other: as it stands, then decoded."""
    yield from filter(None, _plain_blocks(part))
    yield from filter(None, _split(decoded(part)))


def _plain_blocks(part: Message) -> Iterator[dict[str, str]]:
    payload = part.get_payload()
    for piece in payload if isinstance(payload, list) else [part]:
        if not isinstance(piece, Message):
            continue
        if piece is not part:
            yield _fields(piece)
        # the standard library takes only message/delivery-status apart to the end
        rest = piece.get_payload(decode=True)
        yield from _split(rest if isinstance(rest, bytes) else b"")


def _split(text: bytes) -> Iterator[dict[str, str]]:
    for block in _BETWEEN.split(text):
        if block.strip():
            yield _fields(message_from_bytes(block.lstrip(b"\n")))


def _fields(piece: Message) -> dict[str, str]:
    """The fields by lower-case name; of a field said twice, the first."""
    found: dict[str, str] = {}
    for name, value in header_items(piece):
        found.setdefault(name, value)
    return found


def _read_recipient(fields: Mapping[str, str], prose: str) -> Failure | None:
    """One group of fields; None when it speaks of the message as a whole.

    `prose`, what the report says to people, is only asked when the fields say nothing.
    """
    recipients = [fields[n] for n in ("original-recipient", "final-recipient") if n in fields]
    action, said = fields.get("action", "").lower(), fields.get("status", "")
    if not recipients and not action:
        return None
    diagnostic = fields.get("diagnostic-code", "")[:DIAGNOSTIC_MAX]
    status = best_status((*_STATUS_FIELD.findall(said), find_status(diagnostic)))
    words = f"{diagnostic} {said} {action}"
    if status is None or is_vague(status):
        status = best_status((status, find_status(prose)))
        words = words if is_telling(words) else f"{words} {prose}"
    found = _CODE.search(diagnostic) or _CODE.search(said)
    kind = _kind_of(action, status, words, int(found[1]) if found else None)
    return Failure(
        addresses=_recipients(recipients),
        kind=kind,
        status=status,
        diagnostic=diagnostic or said[:DIAGNOSTIC_MAX],
        is_certain=kind is BounceKind.HARD and names_no_address(status),
    )


def _kind_of(action: str, status: str | None, words: str, code: int | None) -> BounceKind:
    if action.startswith(_DELAYED):
        return BounceKind.DELAYED
    if action.startswith(_FAILED):
        return judge(status, words, code=code)
    if not action and status:
        # without an action the code's class is all there is; 4 may still arrive
        if status.startswith("5."):
            return judge(status, words, code=code)
        return BounceKind.DELAYED if status.startswith("4.") else BounceKind.AUTOMATIC
    return BounceKind.AUTOMATIC


def _recipients(texts: list[str]) -> tuple[str, ...]:
    """Addresses out of `rfc822; name@example.org` and its many misspellings."""
    found: list[str] = []
    for text in texts:
        kind, semicolon, rest = text.partition(";")
        if semicolon and kind.strip().lower() == "x400":
            continue
        found += find_addresses(rest if semicolon else text)[:1]
    return tuple(dict.fromkeys(found))
