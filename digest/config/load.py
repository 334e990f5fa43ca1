"""Finds config.toml, lays the environment and the secret files over it, and validates the whole.

The only module that reads the environment. Called by app.py once, before anything else; every
problem is found in one go, so that an operator mends the file once.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from digest.config.lines import KeyPath, find_lines
from digest.config.problems import describe_errors, nearest, tell, unknown_key
from digest.config.settings import LISTS, SECTIONS, Settings, keys_of
from digest.errors import ConfigError

PREFIX = "DIGEST_"
DEFAULT_NAME = "config.toml"
#: secrets that may be given by file: section → keys; the file's key ends in _file
SECRETS = {
    "site": ("secret_key",),
    "database": ("url",),
    "smtp": ("password",),
    "bounces": ("password",),
    "web": ("admin_token",),
    "source": ("token",),
}
#: what is collected when the file has no [[source]] at all
USUAL_SOURCE = {"name": "huggingface", "kind": "huggingface"}
_SECRET_BYTES_MAX = 64 * 1024


@dataclass(slots=True)
class _Draft:
    """Settings on their way: the values so far, where they came from, what is wrong."""

    data: dict[str, Any]
    lines: dict[KeyPath, int]
    folder: Path
    origins: dict[KeyPath, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def report(self, path: KeyPath, sentence: str) -> None:
        self.problems.append(
            tell(path, sentence, self.data, lines=self.lines, origins=self.origins)
        )


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,  # noqa: TID251 - the one place that reads it
) -> Settings:
    """Read the settings: from `path`, else $DIGEST_CONFIG, else ./config.toml.

    Raises ConfigError with all problems at once.
    """
    file = path or Path(environ.get("DIGEST_CONFIG") or DEFAULT_NAME)
    draft = _read_file(file)
    _lay_environment_over(draft, environ)
    _read_secret_files(draft)
    _find_doubles(draft)
    settings = _validate(draft)
    if draft.problems or settings is None:
        raise ConfigError(draft.problems, path=str(file))
    return settings


def _read_file(file: Path) -> _Draft:
    try:
        text = file.read_text("utf-8-sig")
        data = tomllib.loads(text)
    except FileNotFoundError as error:
        sentence = "there is no such file; run `digest init` to make one, or give --config PATH"
        raise ConfigError([sentence], path=str(file)) from error
    except OSError as error:
        raise ConfigError([f"cannot be read: {error.strerror}"], path=str(file)) from error
    except UnicodeDecodeError as error:
        sentence = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        raise ConfigError([sentence], path=str(file)) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_problem(error)], path=str(file)) from error
    folder = file.absolute().parent
    draft = _Draft(data=data, lines=find_lines(text), folder=folder)
    _mend_shape(draft)
    return draft


def _syntax_problem(error: tomllib.TOMLDecodeError) -> str:
    match = re.fullmatch(r"(.*) \(at (line \d+, column \d+|end of document)\)", str(error), re.S)
    if match is None:
        return f"is not TOML: {error}"
    return f"{match[2]}: {match[1]}; text values need quotes, lists need brackets"


def _mend_shape(draft: _Draft) -> None:
    """Make every known section a table, or a list of tables; report those that are not."""
    draft.data.setdefault("source", [dict(USUAL_SOURCE)])
    for section in SECTIONS:
        value = draft.data.get(section)
        if section in LISTS:
            if value is None:
                continue
            if not isinstance(value, list) or not all(isinstance(table, dict) for table in value):
                draft.report((section,), f"must be written as [[{section}]], once for each")
                del draft.data[section]
        elif value is None:
            draft.data[section] = {}
        elif not isinstance(value, dict):
            draft.report((section,), f"must be a table, written [{section}]")
            draft.data[section] = {}


def _lay_environment_over(draft: _Draft, environ: Mapping[str, str]) -> None:
    """DIGEST_SMTP__PASSWORD is smtp.password; DIGEST_SOURCE__ARXIV__EVERY that of one source.

    An empty variable counts as not set, as containers often pass them.
    """
    for name in sorted(environ):
        is_ours = name.startswith(PREFIX) and not name.startswith("DIGEST_TEST_")
        if not is_ours or name == "DIGEST_CONFIG" or not environ[name]:
            continue
        section, *rest = name.removeprefix(PREFIX).lower().split("__")
        problem = _set_from_environment(draft, name, section, rest, environ[name])
        if problem:
            draft.problems.append(f"{name}: {problem} (environment)")


def _set_from_environment(
    draft: _Draft, name: str, section: str, rest: list[str], text: str
) -> str | None:
    """Set one key; the sentence that says what is wrong with the variable, if it is."""
    if section not in SECTIONS or not rest:
        return f"is no setting, they are named DIGEST_SECTION__KEY; {nearest(section, SECTIONS)}"
    path: KeyPath = (section,)
    table: dict[str, Any] | None
    if section in LISTS:
        index = _find_table(draft.data.get(section, []), LISTS[section], rest.pop(0))
        if index is None:
            return f"names no [[{section}]] of the file; write DIGEST_{section.upper()}__NAME__KEY"
        path, table = (section, index), draft.data[section][index]
    else:
        table = draft.data[section]
    key = "__".join(rest)
    if key not in keys_of(section):
        return unknown_key((*path[:1], key))
    _drop_other_form(table, section, key, path, draft)
    table[key] = _coerce(section, key, text)
    draft.origins[(*path, key)] = name
    return None


def _find_table(tables: list[dict[str, Any]], key: str, wanted: str) -> int | None:
    for index, table in enumerate(tables):
        if re.sub(r"[^a-z0-9]+", "_", str(table.get(key, "")).lower()) == wanted:
            return index
    return None


def _drop_other_form(
    table: dict[str, Any], section: str, key: str, path: KeyPath, draft: _Draft
) -> None:
    """A secret from the environment replaces the file's, whichever of the two forms it has."""
    bare = key.removesuffix("_file")
    if bare in SECRETS.get(section, ()):
        other = bare if key != bare else f"{bare}_file"
        if (*path, other) not in draft.origins:
            table.pop(other, None)


def _coerce(section: str, key: str, text: str) -> Any:
    """The text of a variable as the key's type; what does not fit stays text and is refused."""
    fields = SECTIONS[section].model_fields
    kinds = set(_kinds(next(f.annotation for n, f in fields.items() if (f.alias or n) == key)))
    if key == "secret_key":
        return text
    if tuple in kinds:
        return [part.strip() for part in text.split(",") if part.strip()]
    if bool in kinds:
        return {"true": True, "false": False}.get(text.strip().lower(), text)
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                return text
    return text


def _kinds(annotation: Any) -> Iterator[Any]:
    """All types in an annotation: `Annotated[int, …] | None` has int."""
    yield get_origin(annotation) or annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _read_secret_files(draft: _Draft) -> None:
    for section, keys in SECRETS.items():
        tables = draft.data.get(section, {})
        places: list[tuple[KeyPath, dict[str, Any]]] = (
            [((section, i), table) for i, table in enumerate(tables)]
            if section in LISTS
            else [((section,), tables)]
        )
        for path, table in places:
            for key in keys:
                if f"{key}_file" in table:
                    _read_secret_file(draft, path, table, key)


def _read_secret_file(draft: _Draft, path: KeyPath, table: dict[str, Any], key: str) -> None:
    """Put the file's content where the key would be. Its last line break does not count."""
    place = (*path, f"{key}_file")
    name = table[f"{key}_file"]
    if key in table:
        draft.report(place, f"is given beside {key}; keep one of them")
        return
    if not isinstance(name, str) or not name.strip():
        return  # the wrong type is found by validation
    try:
        with (draft.folder / Path(name).expanduser()).open("rb") as file:
            content = file.read(_SECRET_BYTES_MAX + 1).decode().strip("\r\n")
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        draft.report(place, f'"{name}" cannot be read: {reason}')
        draft.origins[(*path, key)] = _UNREAD
        return
    lines = [line for line in content.splitlines() if line]
    if not lines or len(content) > _SECRET_BYTES_MAX or (len(lines) > 1 and key != "secret_key"):
        draft.report(place, f'"{name}" must hold the secret on one line and nothing else')
        draft.origins[(*path, key)] = _UNREAD
        return
    table[key] = lines if key == "secret_key" else lines[0]
    draft.origins[(*path, key)] = f"{key}_file"


#: origin of a secret whose file could not be read: it is reported once, not also as missing
_UNREAD = ""


def _find_doubles(draft: _Draft) -> None:
    for section, key in LISTS.items():
        seen: dict[str, int] = {}
        for index, table in enumerate(draft.data.get(section, [])):
            name = table.get(key)
            if not isinstance(name, str):
                continue
            first = seen.setdefault(name, index)
            if first != index:
                draft.report(
                    (section, index, key), f"is the {key} of {section}[{first + 1}] too; change one"
                )


def _validate(draft: _Draft) -> Settings | None:
    try:
        return Settings.model_validate(draft.data, context={"folder": draft.folder})
    except ValidationError as error:
        unread = {path for path, origin in draft.origins.items() if origin == _UNREAD}
        draft.problems += describe_errors(
            error, draft.data, lines=draft.lines, origins=draft.origins, skip=unread
        )
        return None
