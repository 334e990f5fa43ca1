"""What people want, as the ranker sees it: read for everybody who gets an edition.

Wishes are written in people.py; here they are put together with the topics and papers they name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select

from digest.model import Example, InterestKind, Profile, Topic
from digest.store.items import batches
from digest.store.schema import interest, item, item_key
from digest.store.topics import topics_by_slug

_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_VOTES = (InterestKind.LIKE, InterestKind.DISLIKE)
_NO_EXAMPLES: Mapping[str, Sequence[Example]] = {}
# built once: building a statement costs more than running it
_NAMED = (
    select(interest.c.subscriber_id, interest.c.kind, interest.c.value)
    .where(interest.c.subscriber_id.in_(_IDS), interest.c.kind.not_in(_VOTES))
    .order_by(interest.c.id)
)
_VOTED = (
    select(
        interest.c.subscriber_id,
        interest.c.kind,
        interest.c.value,
        interest.c.created_at,
        item_key.c.item_id,
    )
    .join(item_key, item_key.c.key == interest.c.value)
    .where(interest.c.subscriber_id.in_(_IDS), interest.c.kind.in_(_VOTES))
    .order_by(interest.c.created_at, interest.c.id)
)
_TEXTS = select(item.c.id, item.c.title, item.c.abstract).where(item.c.id.in_(_IDS))


def profiles_of(tx: Connection, subscriber_ids: Sequence[int]) -> dict[int, Profile]:
    """What each of them wants, with topics and liked papers looked up.

    A topic or paper that is gone is left out: it cannot attract anything any more.
    """
    topics = topics_by_slug(tx)
    found: dict[int, Profile] = {}
    for batch in batches(subscriber_ids):
        asked = {"ids": list(batch)}
        lines: dict[int, dict[str, list[str]]] = {i: defaultdict(list) for i in batch}
        for subscriber_id, kind, value in tx.execute(_NAMED, asked):
            lines[subscriber_id][kind].append(value)
        examples = _examples(tx, batch)
        found |= {i: _profile(lines[i], examples.get(i, _NO_EXAMPLES), topics) for i in batch}
    return found


def _examples(tx: Connection, subscriber_ids: Sequence[int]) -> dict[int, dict[str, list[Example]]]:
    """The papers that each of them voted on, oldest vote first, by kind of vote."""
    votes = tx.execute(_VOTED, {"ids": list(subscriber_ids)}).all()
    texts: dict[int, tuple[str, str]] = {}
    for batch in batches(sorted({item_id for *_, item_id in votes})):
        rows = tx.execute(_TEXTS, {"ids": list(batch)})
        texts.update((item_id, (title, abstract)) for item_id, title, abstract in rows)
    found: dict[int, dict[str, list[Example]]] = {}
    for subscriber_id, kind, key, at, item_id in votes:
        title, abstract = texts[item_id]
        example = Example(key=key, title=title, abstract=abstract, at=at)
        found.setdefault(subscriber_id, {}).setdefault(kind, []).append(example)
    return found


def _profile(
    lines: Mapping[str, Sequence[str]],
    examples: Mapping[str, Sequence[Example]],
    topics: Mapping[str, Topic],
) -> Profile:
    def values(kind: InterestKind) -> tuple[str, ...]:
        return tuple(lines.get(kind.value, ()))

    return Profile(
        topics=tuple(topics[s] for s in values(InterestKind.TOPIC) if s in topics),
        texts=values(InterestKind.TEXT),
        keywords=values(InterestKind.KEYWORD),
        excluded=values(InterestKind.EXCLUDE),
        authors=values(InterestKind.AUTHOR),
        categories=values(InterestKind.CATEGORY),
        liked=tuple(examples.get(InterestKind.LIKE.value, ())),
        disliked=tuple(examples.get(InterestKind.DISLIKE.value, ())),
    )
