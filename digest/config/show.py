"""The settings as plain values for people and logs, with every secret hidden."""

from __future__ import annotations

from datetime import time, timedelta
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr

from digest.config.settings import Settings
from digest.config.values import HIDDEN, hide_password, write_duration


def describe(settings: Settings) -> dict[str, Any]:
    """Every key with its value in use, named as in the file, fit for JSON."""
    shown = _plain(settings)
    shown["database"]["url"] = hide_password(settings.database.url)
    assert isinstance(shown, dict)
    return shown


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            fields = type(value).model_fields
            return {f.alias or n: _plain(getattr(value, n)) for n, f in fields.items()}
        case SecretStr():
            return HIDDEN
        case tuple():
            return [_plain(part) for part in value]
        case timedelta():
            return write_duration(value)
        case time():
            return value.isoformat("minutes")
        case Enum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)
