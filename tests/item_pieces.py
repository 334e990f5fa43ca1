"""What tests ask of the items in a store."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from digest.model import PaperData
from digest.store import Store, catalogue
from digest.store.schema import sighting
from tests.store_pieces import DAY, NOW, item_of, paper


def series(store: Store, key: str) -> list[tuple[str, int | None, int | None]]:
    """What was seen of an item, oldest first: source, votes, comments."""
    found = item_of(store, key)
    with store.read() as tx:
        rows = tx.execute(
            select(sighting).where(sighting.c.item_id == found.id).order_by(sighting.c.seen_at)
        )
        return [(row.source, row.votes, row.comments) for row in rows]


def candidate_keys(
    store: Store, *, since: datetime = NOW - DAY, until: datetime = NOW + DAY
) -> list[str]:
    with store.read() as tx:
        return [c.wording.key for c in catalogue.candidates(tx, since=since, until=until)]


def by_doi(doi: str = "10.5555/abc", **told: object) -> PaperData:
    return paper(None, doi=doi, url=f"https://doi.org/{doi}", **told)
