"""Editions made by hand, and an editor with usual rules and papers to pick from."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from digest.edition import EditionRules, Editor
from digest.model import Edition, Entry, InterestKind, Item, Parts, Pick, Reason, ReasonKind
from digest.rank import RankSettings
from digest.store import Store
from digest.store.people import Wish
from tests.store_pieces import NOW, merge, paper


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


RULES = EditionRules(
    lookback=timedelta(days=7),
    catch_up=timedelta(hours=20),
    send_empty=False,
    domain="example.org",
    rank=RankSettings(),
)
ATTENTION = Wish(kind=InterestKind.KEYWORD, value="attention")


def editor(store: Store, **changes: object) -> Editor:
    return Editor(store, replace(RULES, **changes))  # type: ignore[arg-type]


def list_papers(store: Store, now: datetime = NOW, start: int = 1, number: int = 3) -> None:
    """So many papers on attention, first listed then."""
    merge(
        store,
        *(
            paper(
                f"2603.{n:05}",
                position=n,
                title=f"Attention of kind {n} for the {'abcdefghijklmnopqrstuvwxyz'[n % 26]} task",
                abstract=f"We study attention number {n} and what it attends to.",
                votes=5 + n,
            )
            for n in range(start, start + number)
        ),
        now=now,
    )
