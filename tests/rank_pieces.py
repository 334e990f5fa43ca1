"""Candidates and profiles for the ranking tests, in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from digest.model import Candidate, Count, Example, Standing, Wording

NOW = datetime(2026, 3, 12, 7, 0, tzinfo=UTC)


def wording(key: str, title: str, abstract: str = "", **more: object) -> Wording:
    fields: dict[str, object] = {"authors": (), "categories": (), "url": f"https://x.org/{key}"}
    return Wording(key=key, title=title, abstract=abstract, **(fields | more))  # type: ignore[arg-type]


def standing(votes: int | None, *, hours: float, kind: str = "huggingface") -> Standing:
    """One reading now of something listed that many hours ago."""
    since = NOW - timedelta(hours=hours)
    return Standing(
        source=kind, kind=kind, first_seen_at=since, counts=(Count(at=NOW, votes=votes),)
    )


def series(*readings: tuple[float, int], kind: str = "huggingface") -> Standing:
    """Readings as (hours ago, votes), oldest first; listed at the first."""
    counts = tuple(Count(at=NOW - timedelta(hours=h), votes=v) for h, v in readings)
    return Standing(source=kind, kind=kind, first_seen_at=counts[0].at, counts=counts)


def candidate(
    item_id: int,
    title: str,
    abstract: str = "",
    *,
    votes: int | None = None,
    hours: float = 5.0,
    key: str | None = None,
    **more: object,
) -> Candidate:
    return Candidate(
        item_id=item_id,
        wording=wording(key or f"arxiv:2603.{item_id:05d}", title, abstract, **more),
        first_seen_at=NOW - timedelta(hours=hours),
        standings=(standing(votes, hours=hours),),
    )


def liked(title: str, abstract: str = "", *, days: float = 3.0) -> Example:
    return Example(
        key=f"url:{title}", title=title, abstract=abstract, at=NOW - timedelta(days=days)
    )


#: a small archive on many things: (title, abstract)
ARCHIVE: tuple[tuple[str, str], ...] = tuple(
    (f"{method} for {thing}", f"We study {thing} with {method} and report {result}.")
    for method in ("graph networks", "transformers", "diffusion models", "policy gradients",
                   "Gaussian processes", "contrastive learning", "sparse attention")
    for thing, result in (
        ("protein folding", "lower energies"), ("traffic forecasting", "fewer delays"),
        ("speech recognition", "fewer word errors"), ("image synthesis", "sharper pictures"),
        ("robot grasping", "safer grips"), ("code generation", "more passing tests"),
        ("weather prediction", "longer horizons"), ("question answering", "exact answers"),
    )
)  # fmt: skip

#: words that mean nearly the same, as a model would know; each line is a direction
THEMES = (
    "protein proteins folding enzyme enzymes molecule molecules biology cell cells",
    "attention transformer transformers context kernel kernels token tokens",
    "robot robots grasping gripper grips kitchen manipulation hand",
    "weather rain wind storm climate forecast prediction",
    "speech voice spoken languages recognition hearing",
    "image images picture pictures painting synthesis diffusion",
)


def embed_themes(texts: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """A small model: how much of each theme a text has, a bit of everything else; unit rows."""
    rows = np.zeros((len(texts), 16), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in " ".join(text).casefold().replace(".", " ").split():
            theme = next((i for i, words in enumerate(THEMES) if word in words.split()), None)
            if theme is not None:
                row[theme] += 1.0
            row[6 + crc32(word.encode()) % 10] += 0.2
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1.0)
