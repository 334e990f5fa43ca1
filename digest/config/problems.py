"""What is wrong with the settings, in sentences: key path, what is wrong, what would be right.

Turns pydantic's errors into them. Never shows a value that may be a secret. Called by load.py.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Container, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from digest.config.lines import KeyPath, line_of
from digest.config.settings import LISTS, SECTIONS, keys_of

#: keys whose values are never shown
SECRET_KEYS = frozenset({"secret_key", "password", "admin_token", "token"})

_SENTENCES: dict[str, str] = {
    "missing": "is missing; it has no default",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text in quotes",
    "tuple_type": 'must be a list, like ["…", "…"]',
    "too_short": "must not be an empty list",
    "model_type": "must be a table",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be one of {expected}",
}


def describe_errors(
    error: ValidationError,
    data: Mapping[str, Any],
    *,
    lines: dict[KeyPath, int],
    origins: Mapping[KeyPath, str],
    skip: Container[KeyPath] = (),
) -> list[str]:
    """One line for each error. `origins` names the variable or file of keys that came from one;
    what is in `skip` was reported before."""
    return [
        tell(path, _sentence(found), data, lines=lines, origins=origins)
        for found in error.errors(include_url=False)
        if (path := _trim(found["loc"])) not in skip
    ]


def tell(
    path: KeyPath,
    sentence: str,
    data: Mapping[str, Any],
    *,
    lines: dict[KeyPath, int],
    origins: Mapping[KeyPath, str],
) -> str:
    """The line for one problem: where it is by name, what is wrong, where it is in the file."""
    origin = origins.get(path)
    line = None if origin else line_of(path, lines)
    facts = (_found(path, data), f"from {origin}" if origin else "", f"line {line}" if line else "")
    where = ", ".join(fact for fact in facts if fact)
    return f"{path_name(path, data)}: {sentence}" + (f" ({where})" if where else "")


def path_name(path: KeyPath, data: Mapping[str, Any]) -> str:
    """`smtp.port`, `source[2] "arxiv".every`; tables of a list count from 1."""
    section, *rest = path
    name = str(section)
    if section in LISTS and rest and isinstance(rest[0], int):
        index = rest.pop(0)
        name += f"[{int(index) + 1}]"
        label = _label(data, str(section), int(index))
        name += f' "{label}"' if label else ""
    for part in rest:
        name += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return name


def _label(data: Mapping[str, Any], section: str, index: int) -> str | None:
    tables = data.get(section)
    if not isinstance(tables, list) or index >= len(tables) or not isinstance(tables[index], dict):
        return None
    label = tables[index].get(LISTS[section])
    return label if isinstance(label, str) and label.isprintable() else None


def _trim(loc: KeyPath) -> KeyPath:
    """The path without what pydantic adds to it for the members of a union."""
    return tuple(part for part in loc if isinstance(part, int) or "[" not in part)


def _sentence(found: Any) -> str:
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(_trim(found["loc"]))
    if kind == "value_error":
        return str(context["error"])
    values = {name: _plain(value) for name, value in context.items()}
    return _SENTENCES.get(kind, str(found["msg"])).format(**values)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.replace("'", '"').replace(" or ", ", ") if isinstance(value, str) else value


def _found(path: KeyPath, data: Mapping[str, Any]) -> str:
    """The value in question as TOML writes it, if it is one, may be shown, and is given at all.

    The value of an unknown key is not shown: it may be a misspelt secret.
    """
    value: Any = data
    try:
        for part in path:
            value = value[part]
    except (KeyError, IndexError, TypeError):
        return ""
    is_known = len(path) > 1 and any(part in keys_of(str(path[0])) for part in path[1:])
    is_secret = any(part in SECRET_KEYS for part in path) or path == ("database", "url")
    if not is_known or is_secret or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, bool):
        return f"found {str(value).lower()}"
    return f"found {json.dumps(value, ensure_ascii=not str(value).isprintable())[:80]}"


def unknown_key(path: KeyPath) -> str:
    """That there is no such key or section, and which one was probably meant."""
    name = str(path[-1])
    if len(path) == 1:
        homes = [f"[{section}]" for section in SECTIONS if name in keys_of(section)]
        if homes:
            return f"stands outside its section; put it below {' or '.join(homes)}"
        return f"is not a section; {nearest(name, SECTIONS)}"
    return f"is not a key of [{path[0]}]; {nearest(name, keys_of(str(path[0])))}"


def nearest(name: str, known: Iterable[str]) -> str:
    """ "did you mean …?", or all that is known when nothing is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else f"known are {', '.join(known)}"
