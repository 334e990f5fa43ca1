"""The one rule that all records keep: their moments are aware and in UTC."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any


def require_utc(record: Any) -> None:
    """Refuse a record that holds a datetime not in UTC; names the field. For __post_init__."""
    for f in fields(record):
        value = getattr(record, f.name)
        if isinstance(value, datetime) and value.tzinfo is not UTC:
            raise ValueError(f"{type(record).__name__}.{f.name} must be in UTC, got {value!r}")
