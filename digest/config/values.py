"""What one value in the settings may be: a duration, a mailbox, a path, a URL.

Each function takes what the operator wrote and returns what the program uses, or raises
ValueError with a sentence that says what would be right. Used by settings.py through pydantic.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, Strict, ValidationInfo

from digest.clock import find_zone, parse_send_at
from digest.errors import BadInput
from digest.model import Cadence

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_CONTROL_BUT_NEWLINE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9-]{1,63})*\Z")
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")
#: the longest local part and address that SMTP carries (RFC 5321 §4.5.3.1)
_LOCAL_PART_MAX, _ADDRESS_MAX = 64, 254


def read_day(value: Any) -> date:
    """Read 2026-03-11, as a date of TOML or as text."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise ValueError("must be a day, like 2026-03-11") from None


def parse_duration(value: Any) -> timedelta:
    """Read "90s", "15m", "1h", "7d"."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a number and a unit, like "90s", "15m", "1h" or "7d"')
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError as error:
        raise ValueError("is longer than any time this program can count") from error


def write_duration(span: timedelta) -> str:
    """The shortest text that parse_duration reads back as `span`."""
    seconds = span.total_seconds()
    for unit in "dhms":
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds:g}s"


def check_line(value: str) -> str:
    """Text that stands on one line, without control characters, and is not empty."""
    if _CONTROL.search(value):
        raise ValueError("must be one line without control characters")
    if not value.strip():
        raise ValueError("must not be empty; leave the key out to use the default")
    return value.strip()


def check_text(value: str) -> str:
    """Text of any number of lines, without other control characters."""
    value = value.replace("\r\n", "\n")
    if _CONTROL_BUT_NEWLINE.search(value):
        raise ValueError("must hold no control characters")
    return value.strip()


def check_domain(value: str) -> str:
    """A host name in its ASCII form, lower-case."""
    domain = value.strip().lower().rstrip(".")
    if not _DOMAIN.match(domain):
        raise ValueError(
            "must be a domain like example.org (in its xn-- form if it has letters beyond a to z)"
        )
    return domain


def split_mailbox(value: str) -> tuple[str, str]:
    """The name and the address of an RFC 5322 mailbox, `Name <local@domain>` or `local@domain`."""
    from email.errors import HeaderParseError
    from email.policy import SMTP

    check_line(value)
    try:
        header = SMTP.header_factory("from", value)
        (address,) = header.addresses
    except (ValueError, IndexError, HeaderParseError) as error:
        raise ValueError(_MAILBOX_RULE) from error
    local, domain = address.username, address.domain
    if header.defects or not local or not domain or header.groups[0].display_name is not None:
        raise ValueError(_MAILBOX_RULE)
    if not address.addr_spec.isascii():
        raise ValueError("must have an address in ASCII; write the domain in its xn-- form")
    check_domain(domain)
    if len(local) > _LOCAL_PART_MAX or len(address.addr_spec) > _ADDRESS_MAX:
        raise ValueError(
            "is longer than mail servers accept: 64 characters before the @, 254 in all"
        )
    return address.display_name, address.addr_spec


_MAILBOX_RULE = "must be one mailbox, like: Trending Papers <digest@example.org>"


def check_mailbox(value: str) -> str:
    split_mailbox(value)
    return value.strip()


def check_address(value: str) -> str:
    """An address alone, without a name."""
    name, address = split_mailbox(value)
    if name or address != value.strip():
        raise ValueError("must be an address alone, like digest@example.org")
    return address


def check_site_url(value: str) -> str:
    """The public base of all links: http(s), absolute; a slash at the end is dropped."""
    parts = _split_http(value)
    if parts.query or parts.fragment:
        raise ValueError("must end with the path; drop what follows the ? or #")
    if parts.username is not None:
        raise ValueError("must hold no login: it goes into every mail")
    return value.strip().rstrip("/")


def check_source_url(value: str) -> str:
    """Where a source is asked: http(s), or file:// and a path for a saved page."""
    if value.strip().startswith("file://"):
        return value.strip()
    _split_http(value)
    return value.strip()


def _split_http(value: str) -> Any:
    check_line(value)
    try:
        parts = urlsplit(value.strip())
        port_is_good = parts.port is None or 0 < parts.port
    except ValueError as error:
        raise ValueError("must be a URL like https://digest.example.org") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_good:
        raise ValueError("must be a whole URL, like https://digest.example.org")
    if any(c.isspace() for c in value.strip()) or not value.isascii():
        raise ValueError("must hold no blanks and only ASCII; percent-encode the rest")
    return parts


def check_network(value: str) -> str:
    """An IP address or a network like 10.0.0.0/8."""
    try:
        ipaddress.ip_network(value.strip(), strict=False)
    except ValueError as error:
        raise ValueError("must be an IP address or a network like 10.0.0.0/8") from error
    return value.strip()


def check_zone(value: str) -> str:
    try:
        find_zone(value)
    except BadInput as error:
        raise ValueError(str(error)) from error
    return value


def read_send_at(value: Any) -> time:
    """An hour of the day: "07:30", or TOML's own 07:30:00."""
    if isinstance(value, time) and value.tzinfo is None:
        value = value.isoformat("minutes")
    if not isinstance(value, str):
        raise ValueError('must be an hour of the day, like "07:30"')
    try:
        return parse_send_at(value)
    except BadInput as error:
        raise ValueError(str(error)) from error


def read_cadence(value: Any) -> Cadence:
    try:
        return Cadence(value)
    except ValueError as error:
        choices = ", ".join(f'"{c.value}"' for c in Cadence)
        raise ValueError(f"must be one of {choices}") from error


def check_slug(value: str) -> str:
    if not _SLUG.match(value) or len(value) > 64:
        raise ValueError("must be small letters, digits and single hyphens, like language-models")
    return value


def resolve(value: str | Path, info: ValidationInfo) -> Path:
    """The path as seen from the folder of the config file; ~ is the user's home."""
    folder = (info.context or {}).get("folder", Path())
    try:
        return Path(folder) / Path(value).expanduser()
    except RuntimeError as error:
        raise ValueError("starts with a ~ whose home folder is unknown; write it out") from error


def _read_path(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value).strip() or "\0" in str(value):
        raise ValueError("must be a path in quotes")
    return resolve(value, info)


def _require_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


def _require_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"there is no folder {path}")
    return path


def resolve_database(value: str, info: ValidationInfo) -> str:
    """The URL as SQLAlchemy wants it, with our driver, and an SQLite path made absolute."""
    scheme, separator, _ = value.partition("://")
    dialect = scheme.partition("+")[0]
    if separator and dialect in ("postgresql", "postgres"):
        if scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
            raise ValueError("must use the psycopg driver: postgresql+psycopg://user@host/name")
        return _check_postgres("postgresql+psycopg" + value[len(scheme) :])
    if separator and scheme in ("sqlite", "sqlite+pysqlite"):
        return _resolve_sqlite(value[len(scheme) + 3 :], info)
    raise ValueError('must begin with "sqlite:///" or "postgresql+psycopg://"')


def _check_postgres(url: str) -> str:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        raise ValueError("must be like postgresql+psycopg://user@host:5432/name") from error
    if not parts.path.strip("/") and "dbname=" not in parts.query:
        raise ValueError("must end in a database name, like postgresql+psycopg://user@host/digest")
    return url


def _resolve_sqlite(rest: str, info: ValidationInfo) -> str:
    path, question, query = rest.partition("?")
    if not path.startswith("/"):
        raise ValueError('must have three slashes before a path: "sqlite:///digest.db"')
    name = path[1:]
    if name in ("", ":memory:") or "mode=memory" in query:
        raise ValueError("must name a file: a database in memory would forget who was mailed")
    return f"sqlite:///{resolve(name, info)}{question}{query}"


def hide_password(url: str) -> str:
    """The same URL with its password, if any, replaced by dots."""
    url = re.sub(r"(?<=[?&]password=)[^&]*", HIDDEN, url)
    parts = urlsplit(url)
    if parts.password is None:
        return url
    login, _, host = parts.netloc.rpartition("@")
    user = quote(unquote(login.partition(":")[0]), safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{HIDDEN}@{host}"))


HIDDEN = "•••"

Text = Annotated[str, Strict(), AfterValidator(check_text)]
Line = Annotated[str, Strict(), AfterValidator(check_line)]
Int = Annotated[int, Strict()]
Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
Bool = Annotated[bool, Strict()]
Fraction = Annotated[float, Strict(), Field(ge=0, le=1)]
Domain = Annotated[str, Strict(), AfterValidator(check_domain)]
Mailbox = Annotated[str, Strict(), AfterValidator(check_mailbox)]
Address = Annotated[str, Strict(), AfterValidator(check_address)]
SiteUrl = Annotated[str, Strict(), AfterValidator(check_site_url)]
SourceUrl = Annotated[str, Strict(), AfterValidator(check_source_url)]
DatabaseUrl = Annotated[str, Strict(), AfterValidator(resolve_database)]
Network = Annotated[str, Strict(), AfterValidator(check_network)]
Zone = Annotated[str, Strict(), AfterValidator(check_zone)]
Slug = Annotated[str, Strict(), AfterValidator(check_slug)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Day = Annotated[date, BeforeValidator(read_day)]
SendAt = Annotated[time, BeforeValidator(read_send_at)]
Rhythm = Annotated[Cadence, BeforeValidator(read_cadence)]
PlainPath = Annotated[Path, BeforeValidator(_read_path)]
FilePath = Annotated[PlainPath, AfterValidator(_require_file)]
FolderPath = Annotated[PlainPath, AfterValidator(_require_folder)]
