"""What subscribers are and want."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from digest.model.moments import require_utc

#: how long a question to confirm may be answered; then the pending row is forgotten
CONFIRM_WITHIN = timedelta(days=7)


class Status(StrEnum):
    """Where an address stands with us."""

    PENDING = "pending"  #: asked to subscribe, has not confirmed; gets nothing but the question
    CONFIRMED = "confirmed"  #: gets editions
    UNSUBSCRIBED = "unsubscribed"  #: has ended it
    SUPPRESSED = "suppressed"  #: never to be mailed again (hard bounce, complaint, operator)


class Cadence(StrEnum):
    """On which local days an edition is due."""

    DAILY = "daily"
    WEEKDAYS = "weekdays"  #: Monday to Friday
    WEEKLY = "weekly"  #: Mondays


class InterestKind(StrEnum):
    """What kind of wish one line of a subscriber's interests is."""

    TOPIC = "topic"  #: slug of a topic
    TEXT = "interest"  #: free text in the person's own words
    KEYWORD = "keyword"  #: a word, or a phrase in quotes
    EXCLUDE = "exclude"  #: a word or phrase that must not occur
    AUTHOR = "author"
    CATEGORY = "category"
    LIKE = "like"  #: key of an item
    DISLIKE = "dislike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A digest the operator offers by name."""

    slug: str
    name: str
    description: str = ""
    #: what it is about, in prose; together with keywords it defines the match
    text: str = ""
    keywords: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A paper that a person liked or disliked, and when."""

    key: str
    title: str
    abstract: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What one person wants, as the ranker sees it. All empty means: whatever is trending."""

    topics: tuple[Topic, ...] = ()
    texts: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    liked: tuple[Example, ...] = ()  #: oldest first
    disliked: tuple[Example, ...] = ()  #: oldest first

    @property
    def count(self) -> int:
        """How many interests a reader would say this person named."""
        return (
            len(self.topics)
            + len(self.texts)
            + len(self.keywords)
            + len(self.authors)
            + len(self.categories)
        )

    @property
    def is_empty(self) -> bool:
        """True when nothing in it can attract a paper (exclusions only repel)."""
        return self.count == 0 and not self.liked


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """An address and when it wants its mail."""

    id: int
    email: str
    status: Status
    zone: str
    send_at: time
    cadence: Cadence
    max_items: int
    #: whether "also rising" may be shown
    rising: bool = True
    created_at: datetime
    confirmed_at: datetime | None = None
    paused_until: datetime | None = None
    #: when the next edition is due; None when none is
    next_edition_at: datetime | None = None

    def __post_init__(self) -> None:
        require_utc(self)
