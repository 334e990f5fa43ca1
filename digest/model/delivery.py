"""Messages on their way out, and the site they come from."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class OutboxState(StrEnum):
    """Where a message is on its way out. The first four can still move, the rest are final."""

    QUEUED = "queued"  #: to be sent when its time has come
    DEFERRED = "deferred"  #: a temporary failure; tried again at not_before
    SENDING = "sending"  #: claimed under a lease and perhaps on the wire
    UNCERTAIN = "uncertain"  #: was on the wire when the sender died; `[smtp] uncertain` decides
    SENT = "sent"  #: the relay took it
    FAILED = "failed"  #: permanently refused, or given up
    SKIPPED = "skipped"  #: due, but there was nothing to send; the reason says why
    SUPPRESSED = "suppressed"  #: due, but the address must not be mailed
    CANCELLED = "cancelled"  #: unsubscribed or withdrawn by the operator before it left

    @property
    def is_final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset(
    {
        OutboxState.SENT,
        OutboxState.FAILED,
        OutboxState.SKIPPED,
        OutboxState.SUPPRESSED,
        OutboxState.CANCELLED,
    }
)


class MessageKind(StrEnum):
    """What a message is for."""

    EDITION = "edition"
    CONFIRMATION = "confirmation"  #: asks a pending address whether it wants this


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message ready for the wire: who it goes to by SMTP, and its bytes (CRLF lines)."""

    #: the outbox row; how an outcome finds its way back
    outbox_id: int
    envelope_from: str
    envelope_to: str
    content: bytes = field(repr=False)
    #: True when the envelope needs SMTPUTF8 (non-ASCII local part)
    needs_smtputf8: bool = False
    #: True when it was made of 7-bit lines of which none begins with a dot: goes over the wire as
    #: it is, and nobody has to look
    is_plain: bool = False


class Fate(StrEnum):
    """What a transport can say of one message."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"  #: 4xx, time-out before the message was handed over
    PERMANENT = "permanent"  #: 5xx
    UNKNOWN = "unknown"  #: the connection was lost after the message was handed over


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one message at the relay."""

    outbox_id: int
    fate: Fate
    #: basic SMTP code, e.g. 250; None when there was no answer
    code: int | None = None
    #: enhanced status code (RFC 3463), e.g. "5.1.1"
    status: str | None = None
    #: the server's words, or ours, one line
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every mail and page says about where it comes from."""

    name: str
    #: public base of all links, without a trailing slash
    url: str
    #: `"Name" <address>` of the From line, split
    from_name: str
    from_address: str
    reply_to: str | None = None
    operator_email: str | None = None
    postal_address: str | None = None
