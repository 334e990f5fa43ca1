"""How the accounts of several sources about one paper become one item. Pure: values in, values out.

Called by the store for every entry of a listing whose key is already known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from digest.model import Item, PaperData

#: whose title and abstract are believed: arXiv publishes the paper, Hugging Face and Semantic
#: Scholar copy it from there and lag behind, a feed or a saved page may cut it
_AUTHORITY = {"arxiv": 3, "huggingface": 2, "semantic-scholar": 2}


def best_key(keys: Iterable[str]) -> str:
    """The key that tells most: arXiv id before DOI before address; the first of several alike."""
    order = ("arxiv", "doi", "url")
    return min(keys, key=lambda key: order.index(key.partition(":")[0]))


def first_account(entry: PaperData, *, kind: str, key: str) -> Item:
    """The item that a first sighting makes; its id is 0 until it is stored."""
    return Item(
        id=0,
        key=key,
        title=entry.title,
        abstract=entry.abstract,
        url=entry.url,
        authors=entry.authors,
        categories=entry.categories,
        arxiv_id=entry.arxiv_id,
        version=entry.version,
        doi=entry.doi,
        organization=entry.organization,
        published_at=entry.published_at,
        pdf_url=entry.pdf_url,
        code_url=entry.code_url,
        project_url=entry.project_url,
        discussion_url=entry.discussion_url,
        told_by=kind,
        withdrawn=entry.withdrawn,
        offered=not entry.announce.is_replacement,
    )


def absorb(item: Item, entry: PaperData, *, kind: str) -> Item:
    """The item after one more source has told about it; the very same object if nothing changed.

    Titles and abstracts follow the source of highest authority, and within it the newest version:
    an old version that arrives late changes nothing. Links and names are filled in and refreshed,
    never emptied: a source that does not know something does not unsay it.
    """
    is_older = _is_older(entry.version, item.version)
    told: dict[str, object] = {
        "arxiv_id": item.arxiv_id or entry.arxiv_id,
        "doi": item.doi or entry.doi,
        "version": max(filter(None, (item.version, entry.version)), default=None),
        "published_at": item.published_at or entry.published_at,
        "categories": _joined(item.categories, entry.categories),
        "offered": item.offered or not entry.announce.is_replacement,
    }
    if not is_older:
        for name in ("pdf_url", "code_url", "project_url", "discussion_url", "organization"):
            told[name] = getattr(entry, name) or getattr(item, name)
        # not every account says so: only a newer version takes a withdrawal back
        told["withdrawn"] = entry.withdrawn or (item.withdrawn and not _is_newer(entry, item))
    if not is_older and _authority(kind) >= _authority(item.told_by):
        told |= {"title": entry.title, "url": entry.url, "told_by": kind}
        told["abstract"] = entry.abstract or item.abstract
        told["authors"] = entry.authors or item.authors
    changed = {name: value for name, value in told.items() if value != getattr(item, name)}
    return replace(item, **changed) if changed else item  # type: ignore[arg-type]  # by name


def unite(winner: Item, loser: Item) -> Item:
    """One item out of two that turned out to be the same paper; the winner keeps its id."""
    teller = max(winner, loser, key=lambda item: (_authority(item.told_by), item.version or 0))
    return replace(
        winner,
        title=teller.title,
        abstract=teller.abstract or winner.abstract or loser.abstract,
        authors=teller.authors or winner.authors or loser.authors,
        url=teller.url,
        told_by=teller.told_by,
        categories=_joined(winner.categories, loser.categories),
        arxiv_id=winner.arxiv_id or loser.arxiv_id,
        version=max(filter(None, (winner.version, loser.version)), default=None),
        doi=winner.doi or loser.doi,
        organization=winner.organization or loser.organization,
        published_at=winner.published_at or loser.published_at,
        pdf_url=winner.pdf_url or loser.pdf_url,
        code_url=winner.code_url or loser.code_url,
        project_url=winner.project_url or loser.project_url,
        discussion_url=winner.discussion_url or loser.discussion_url,
        withdrawn=winner.withdrawn or loser.withdrawn,
        offered=winner.offered or loser.offered,
    )


def _authority(kind: str) -> int:
    return _AUTHORITY.get(kind, 1)


def _is_older(version: int | None, known: int | None) -> bool:
    return version is not None and known is not None and version < known


def _is_newer(entry: PaperData, item: Item) -> bool:
    return (entry.version or 0) > (item.version or 0)


def _joined(known: tuple[str, ...], told: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(known + told))
