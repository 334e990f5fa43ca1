"""One day's list at several moments, as recorded, read by the real source."""

from __future__ import annotations

from datetime import datetime

import pytest

from digest.model import PaperData, Request
from digest.sources.base import SourceOptions
from digest.sources.huggingface import HuggingFace
from tests.listing_server import recorded_snapshots
from tests.paths import SHARED
from tests.recordings import daily_body


def read_snapshots(day: str) -> list[tuple[datetime, tuple[PaperData, ...]]]:
    """When the day's list was read, and its entries then; oldest first."""
    if not SHARED.is_dir():
        pytest.skip("the recordings in ../shared are not on this machine")
    source = HuggingFace("hf", SourceOptions(url="http://127.0.0.1"))
    asked = Request(url="http://127.0.0.1", label=day, accept="application/json")
    told = []
    for at, path in recorded_snapshots()[day]:
        listing = source.parse(asked, daily_body(path), "application/json")
        assert listing.broken == ()
        told.append((at, listing.entries))
    return told
