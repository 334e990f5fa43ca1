"""Full-text search over the whole archive, with filters, at a cost that does not grow with it.

A common word has tens of thousands of hits: only the newest ones are weighed against each other.
Whatever people type is taken as words; nothing of it is search syntax.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from digest.store.items import batches
from digest.store.schema import item

#: newest hits that are weighed; the cost of a search is the cost of these
WEIGHED_MAX = 2_000
#: words of a query; further ones are left out
WORDS_MAX = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a search is limited to; None and () are no limit."""

    source: str | None = None
    #: first seen by us, half-open
    since: datetime | None = None
    until: datetime | None = None
    #: at least one of these phrases must occur (a topic's keywords)
    phrases: tuple[str, ...] = ()


def find_words(
    tx: Connection, words: Sequence[str], filters: Filters, *, limit: int
) -> tuple[int, ...]:
    """Ids of the items that have all those words, best first."""
    return _find(tx, list(words)[:WORDS_MAX], [], filters, limit)


def find_any(
    tx: Connection, words: Sequence[str], filters: Filters, *, limit: int
) -> tuple[int, ...]:
    """Ids of the items that have some of those words, best first."""
    return _find(tx, [], list(words)[:WORDS_MAX], filters, limit)


def passing(tx: Connection, ids: Sequence[int], filters: Filters) -> set[int]:
    """Those of the items that the filters let through."""
    if filters == Filters():
        return set(ids)
    found: set[int] = set()
    for batch in batches(ids):
        values: dict[str, Any] = {"low": min(batch), "high": max(batch)}
        conditions = [_conditions(filters, values, "item.id")]
        if filters.phrases:
            conditions.append(_has_phrase(tx, filters.phrases, values))
        listed = ", ".join(str(int(i)) for i in batch)
        statement = f"SELECT item.id FROM item WHERE item.id IN ({listed}) AND "
        asked = _typed(statement + " AND ".join(conditions), values)
        found |= set(tx.execute(asked, values).scalars())
    return found


def _has_phrase(tx: Connection, phrases: Sequence[str], values: dict[str, Any]) -> str:
    """A condition on an item: that one of the phrases occurs; puts its values into `values`."""
    if tx.dialect.name == "sqlite":
        values["phrases"] = " OR ".join(map(_quote, phrases))
        return "item.id IN (SELECT rowid FROM item_text WHERE item_text MATCH :phrases)"
    names = [f"p{at}" for at in range(len(phrases))]
    values |= dict(zip(names, phrases, strict=True))
    return f"item.search @@ ({' || '.join(map(_word_query, names))})"


def _find(
    tx: Connection, every: list[str], some: list[str], filters: Filters, limit: int
) -> tuple[int, ...]:
    every, some = ([w for w in words if any(map(str.isalnum, w))] for words in (every, some))
    if not every and not some:
        return ()
    bounds = _id_bounds(tx, filters)
    if bounds is None:
        return ()
    find = _find_sqlite if tx.dialect.name == "sqlite" else _find_postgresql
    return find(tx, every, some, filters, {"low": bounds[0], "high": bounds[1], "limit": limit})


def _id_bounds(tx: Connection, filters: Filters) -> tuple[int, int] | None:
    """The ids between which everything of that time lies; None when nothing does."""
    if filters.since is None and filters.until is None:
        return 0, 2**62
    question = select(func.min(item.c.id), func.max(item.c.id))
    if filters.since is not None:
        question = question.where(item.c.first_seen_at >= filters.since)
    if filters.until is not None:
        question = question.where(item.c.first_seen_at < filters.until)
    low, high = tx.execute(question).one()
    return None if low is None else (low, high)


def _conditions(filters: Filters, values: dict[str, Any], row_id: str) -> str:
    """Further SQL conditions on the item of a hit; puts their values into `values`."""
    conditions = [f"{row_id} BETWEEN :low AND :high"]
    if filters.source is not None:
        values["source"] = filters.source
        conditions.append(
            f"EXISTS (SELECT 1 FROM standing WHERE item_id = {row_id} AND source = :source)"
        )
    moments = [("since", ">=", filters.since), ("until", "<", filters.until)]
    for name, sign, moment in moments:
        if moment is not None:
            values[name] = moment
            conditions.append(
                f"EXISTS (SELECT 1 FROM item AS i WHERE i.id = {row_id}"
                f" AND i.first_seen_at {sign} :{name})"
            )
    return " AND ".join(conditions)


def _typed(statement: str, values: dict[str, Any]) -> Any:
    """The statement, with moments bound as the columns store them."""
    moments = [n for n in ("since", "until") if n in values]
    clause = text(statement)
    return clause.bindparams(*(_moment_parameter(n) for n in moments)) if moments else clause


def _moment_parameter(name: str) -> Any:
    from sqlalchemy import bindparam

    return bindparam(name, type_=item.c.first_seen_at.type)


def _find_sqlite(
    tx: Connection, every: list[str], some: list[str], filters: Filters, values: dict[str, Any]
) -> tuple[int, ...]:
    groups = [" AND ".join(map(_quote, every))] if every else []
    groups += [" OR ".join(map(_quote, group)) for group in (some, filters.phrases) if group]
    values |= {"asked": " AND ".join(f"({group})" for group in groups), "weighed": WEIGHED_MAX}
    where = f"item_text MATCH :asked AND {_conditions(filters, values, 'item_text.rowid')}"
    floor = (
        f"SELECT item_text.rowid FROM item_text WHERE {where}"
        " ORDER BY item_text.rowid DESC LIMIT 1 OFFSET :weighed"
    )
    oldest = tx.execute(_typed(floor, values), values).scalar()
    values["low"] = max(values["low"], oldest or 0)
    best = (
        f"SELECT item_text.rowid AS id FROM item_text WHERE {where}"
        " ORDER BY bm25(item_text, 4.0, 1.0, 2.0), item_text.rowid DESC LIMIT :limit"
    )
    return tuple(tx.execute(_typed(best, values), values).scalars())


def _quote(words: str) -> str:
    """A phrase of FTS5: what stands in quotes has no syntax."""
    return '"' + words.replace('"', " ") + '"'


def _find_postgresql(
    tx: Connection, every: list[str], some: list[str], filters: Filters, values: dict[str, Any]
) -> tuple[int, ...]:
    groups: list[str] = []
    for sign, words in (("&&", every), ("||", some), ("||", list(filters.phrases))):
        names = [f"{'a' if sign == '&&' else 'o'}{len(groups)}_{at}" for at in range(len(words))]
        values |= dict(zip(names, words, strict=True))
        if names:
            groups.append("(" + f" {sign} ".join(map(_word_query, names)) + ")")
    values["weighed"] = WEIGHED_MAX
    statement = (
        f"WITH asked AS (SELECT {' && '.join(groups)} AS query), newest AS"
        " (SELECT item.id, item.search FROM item, asked WHERE item.search @@ asked.query"
        f" AND {_conditions(filters, values, 'item.id')} ORDER BY item.id DESC LIMIT :weighed)"
        " SELECT newest.id FROM newest, asked"
        " ORDER BY ts_rank(newest.search, asked.query) DESC, newest.id DESC LIMIT :limit"
    )
    return tuple(tx.execute(_typed(statement, values), values).scalars())


def _word_query(name: str) -> str:
    """A word in its English or its plain form: texts are kept stemmed, names of people are not.

    A word that English leaves out ("the") asks for nothing.
    """
    english = f"phraseto_tsquery('english', :{name})"
    plain = f"phraseto_tsquery('simple', :{name})"
    return f"(CASE WHEN numnode({english}) = 0 THEN {english} ELSE {english} || {plain} END)"
