"""What comes back: a message found in the mailbox of bounces, as it was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from digest.model.moments import require_utc


class BounceKind(StrEnum):
    """What a message that came back means for the person it is about."""

    HARD = "hard"  #: the address takes no mail
    SOFT = "soft"  #: this message did not arrive, the next one may: full, too big, unreachable
    POLICY = "policy"  #: we are refused as a sender; says nothing against the person
    DELAYED = "delayed"  #: still being tried; never counts
    COMPLAINT = "complaint"  #: marked as unwanted by the reader (RFC 5965)
    UNSUBSCRIBE = "unsubscribe"  #: a mail to the address in List-Unsubscribe
    AUTOMATIC = "automatic"  #: vacation answers, receipts, notices of success: nothing
    UNKNOWN = "unknown"  #: not understood; kept for a person to read


#: what a report is when it tells several things: the first of these
GRAVITY = (
    BounceKind.COMPLAINT,
    BounceKind.HARD,
    BounceKind.SOFT,
    BounceKind.POLICY,
    BounceKind.DELAYED,
    BounceKind.AUTOMATIC,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What a report says of one recipient."""

    #: as the report spells them, the original one first; empty when it names none
    addresses: tuple[str, ...] = ()
    kind: BounceKind
    #: enhanced status code (RFC 3463), e.g. "5.1.1"; None when the report has none
    status: str | None = None
    #: the other server's words, one line
    diagnostic: str = ""
    #: it says that there is no such address (5.1.x): nothing else needs to happen
    is_certain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One message that came back, read."""

    kind: BounceKind
    failures: tuple[Failure, ...] = ()
    #: what stands in the place of TOKEN in `bounce+TOKEN@…`, unchecked, the envelope's first
    bounce_tokens: tuple[str, ...] = ()
    #: the same of `unsub+TOKEN@…`, only as the addressee of this very message
    unsubscribe_tokens: tuple[str, ...] = ()
    #: of the messages that it speaks of or returns, with angle brackets
    message_ids: tuple[str, ...] = ()
    #: why it could not be understood; empty otherwise
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One bounce of one person: what a score is made of."""

    kind: BounceKind
    at: datetime

    def __post_init__(self) -> None:
        require_utc(self)
