"""Writes an operator's first config.toml: the example with the answers and a fresh secret in it.

Called by `digest init`. Knows how a key looks in config.example.toml (set, or behind a #), so
that the new file is the manual too; never overwrites a file.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from digest.errors import BadInput
from digest.resources import data_path

EXAMPLE = "config.example.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What `digest init` was told; None leaves the example's value, or the key out."""

    site_url: str
    #: the From line, e.g. "Trending Papers <digest@example.org>"
    mail_from: str
    site_name: str | None = None
    operator_email: str | None = None
    postal_address: str | None = None
    database_url: str | None = None
    transport: str | None = None
    #: folder for the transports maildir and folder
    mail_path: str | None = None
    smtp_host: str | None = None
    smtp_port: int | None = None
    smtp_security: str | None = None
    smtp_username: str | None = None
    smtp_password: str | None = None
    zone: str | None = None
    send_at: str | None = None
    admin_token: str | None = None


#: answer → section and key
_PLACES = {
    "site_url": ("site", "url"),
    "mail_from": ("mail", "from"),
    "site_name": ("site", "name"),
    "operator_email": ("site", "operator_email"),
    "postal_address": ("site", "postal_address"),
    "database_url": ("database", "url"),
    "transport": ("smtp", "transport"),
    "mail_path": ("smtp", "path"),
    "smtp_host": ("smtp", "host"),
    "smtp_port": ("smtp", "port"),
    "smtp_security": ("smtp", "security"),
    "smtp_username": ("smtp", "username"),
    "smtp_password": ("smtp", "password"),
    "zone": ("defaults", "zone"),
    "send_at": ("defaults", "send_at"),
    "admin_token": ("web", "admin_token"),
}
_OPENING = re.compile(r"\A(?:#.*\n)+")
_FIRST_LINES = """\
# The settings of this digest service, made by `digest init`. It holds secrets: keep it private.
#
# A key behind a # with no blank is optional and shows its default or an example.
#   - Paths are relative to the folder of this file.
#   - Lengths of time are a number and a unit: "90s", "15m", "1h", "7d".
#   - Every key can come from the environment: DIGEST_SMTP__PASSWORD is password in [smtp].
#   - Every secret can come from a file instead: password_file in place of password.
"""


def refuse_existing(path: Path) -> None:
    """Raise BadInput when something is there: questions about it would be in vain."""
    if path.is_symlink() or path.exists():
        raise BadInput(f"{path} is there already and was left as it is; remove it to begin anew")


def write_config(path: Path, answers: Answers) -> None:
    """Write a commented config.toml that only its owner can read.

    Raises BadInput when something is there already or the folder cannot be written to. Answers
    are not judged: load_settings does that.
    """
    refuse_existing(path)
    text = _fill(data_path(EXAMPLE).read_text("utf-8"), answers)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def _fill(text: str, answers: Answers) -> str:
    text = _OPENING.sub(lambda _: _FIRST_LINES, text, count=1)
    text = _set_key(text, "site", "secret_key", secrets.token_urlsafe(48))
    for answer, (section, key) in _PLACES.items():
        value = getattr(answers, answer)
        if value is not None:
            text = _set_key(text, section, key, value)
    return text


def _set_key(text: str, section: str, key: str, value: str | int) -> str:
    """The text with that key set, where it stands in its section, behind a # or not."""
    start = text.index(f"[{section}]\n")
    pattern = re.compile(rf"^#?{key} = .*$", re.M)
    place = pattern.search(text, start)
    assert place is not None, f"{EXAMPLE} lacks {section}.{key}"
    return f"{text[: place.start()]}{key} = {_toml(value)}{text[place.end() :]}"


def _toml(value: str | int) -> str:
    """The value as TOML writes it: a number, or a basic string with what must be escaped."""
    if isinstance(value, int):
        return str(value)
    escaped = re.sub(
        r'[\x00-\x1f\x7f"\\]',
        lambda match: f"\\{match[0]}" if match[0] in '"\\' else f"\\u{ord(match[0]):04x}",
        value,
    )
    return f'"{escaped}"'
