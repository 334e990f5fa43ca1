"""Where test data lies. Recordings of real sources are beside the repository and may be absent."""

from __future__ import annotations

from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
SHARED = REPO.parent / "shared"
LISTINGS = SHARED / "listings"

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the recordings in ../shared are not on this machine"
)
