"""Reading of the recordings in ../shared, for tests that use them."""

from __future__ import annotations

import ast
import json
from functools import cache
from pathlib import Path

from tests.paths import LISTINGS

HUGGINGFACE = LISTINGS / "huggingface"


def daily_files() -> list[Path]:
    """All recorded answers of the daily papers API, day by day."""
    return sorted((HUGGINGFACE / "daily_papers").glob("*.json"))


def snapshot_files() -> list[Path]:
    """Answers for the same days at several times, named DAY__at_TIME.json."""
    return sorted((HUGGINGFACE / "snapshots").glob("*.json"))


@cache
def daily_items(path: Path) -> list[dict[str, object]]:
    """The items of a recorded day in the API's own form; the archive kept some as Python reprs."""
    answer = json.loads(path.read_text("utf-8"))
    items = answer["data"] if isinstance(answer, dict) else answer
    return [ast.literal_eval(item) if isinstance(item, str) else item for item in items]


def daily_body(path: Path) -> bytes:
    """The recorded day as the API would answer it."""
    return json.dumps(daily_items(path)).encode()
