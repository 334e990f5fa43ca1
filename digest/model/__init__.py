"""The records and states that every part of the program speaks in; standard library only.

A record's type tells its moment: PaperData is parsed, Candidate may be picked, Pick was picked,
Wording is what a picked item said, Edition is what one person gets, Sheet what the mail needs of
it. All records are frozen;
every datetime in them is aware and in UTC.
"""

from digest.model.bounces import BounceKind, Failure, Mark, Report
from digest.model.delivery import (
    Envelope,
    Fate,
    MessageKind,
    OutboxState,
    Outcome,
    Site,
)
from digest.model.editions import (
    Edition,
    Entry,
    Line,
    Parts,
    Pick,
    Ranking,
    Reason,
    ReasonKind,
    Section,
    Sheet,
)
from digest.model.papers import (
    Announce,
    Broken,
    Candidate,
    Count,
    Item,
    Listing,
    PaperData,
    Reading,
    ReadingState,
    Request,
    Standing,
    Wording,
)
from digest.model.people import (
    CONFIRM_WITHIN,
    Cadence,
    Example,
    InterestKind,
    Profile,
    Status,
    Subscriber,
    Topic,
)

__all__ = [
    "CONFIRM_WITHIN",
    "Announce",
    "BounceKind",
    "Broken",
    "Cadence",
    "Candidate",
    "Count",
    "Edition",
    "Entry",
    "Envelope",
    "Example",
    "Failure",
    "Fate",
    "InterestKind",
    "Item",
    "Line",
    "Listing",
    "Mark",
    "MessageKind",
    "OutboxState",
    "Outcome",
    "PaperData",
    "Parts",
    "Pick",
    "Profile",
    "Ranking",
    "Reading",
    "ReadingState",
    "Reason",
    "ReasonKind",
    "Report",
    "Request",
    "Section",
    "Sheet",
    "Site",
    "Standing",
    "Status",
    "Subscriber",
    "Topic",
    "Wording",
]
