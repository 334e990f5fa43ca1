"""Editions made by hand, for tests of what is stored and delivered."""

from __future__ import annotations

from datetime import datetime

from digest.model import Edition, Entry, Item, Parts, Pick, Reason, ReasonKind
from tests.store_pieces import NOW


def edition_of(subscriber_id: int, *items: Item, due_at: datetime = NOW) -> Edition:
    """An edition that picks those items, in order."""
    return Edition(
        id=0,
        subscriber_id=subscriber_id,
        email="ann@example.org",
        zone="UTC",
        due_at=due_at,
        made_at=due_at,
        local_on=due_at.date(),
        entries=tuple(
            Entry(
                pick=Pick(
                    item_id=item.id,
                    position=position,
                    score=0.5,
                    parts=Parts(match=0.5, trend=0.25, freshness=1.0),
                    reasons=(
                        Reason(kind=ReasonKind.TEXT, lead="your interest", subject="attention"),
                    ),
                ),
                wording=item.wording(),
                votes=3,
            )
            for position, item in enumerate(items, 1)
        ),
        considered=10,
        interests=1,
    )
