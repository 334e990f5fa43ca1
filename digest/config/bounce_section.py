"""[bounces]: the mailbox that returned mail, complaints and mailed requests arrive in."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from digest.config import values as v
from digest.config.section import Section

_USUAL_PORT = {"tls": 993, "starttls": 143}
_EVERY_MIN = timedelta(seconds=10)


class BounceSettings(Section):
    """[bounces]: where returned mail is read."""

    kind: Literal["none", "maildir", "imap"] = "none"
    #: the Maildir, for kind maildir: the folder that has new and cur in it
    path: v.PlainPath | None = None
    #: the IMAP server
    host: v.Line | None = None
    security: Literal["tls", "starttls"] = "tls"
    #: 0 before validation: the usual one for `security`
    port: Annotated[v.Int, Field(ge=0, le=65535)] = 0
    username: v.Line | None = None
    password: SecretStr | None = None
    password_file: v.PlainPath | None = None
    #: the IMAP folder that is read
    folder: v.Line = "INBOX"
    #: how often it is read
    every: v.Duration = v.parse_duration("5m")

    @field_validator("path")
    @classmethod
    def _path_when_needed(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None and info.data.get("kind") == "maildir":
            raise ValueError('must name the Maildir when kind = "maildir"')
        return path

    @field_validator("host", "username")
    @classmethod
    def _given_for_imap(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("kind") == "imap":
            raise ValueError('must be given when kind = "imap"')
        return value

    @field_validator("port")
    @classmethod
    def _port_fits(cls, port: int, info: ValidationInfo) -> int:
        security = info.data.get("security")
        if security is None:
            return port
        if port == 993 and security == "starttls":
            raise ValueError('993 speaks TLS from the start; set security = "tls" or port = 143')
        if port == 143 and security == "tls":
            raise ValueError('143 begins unencrypted; set security = "starttls" or port = 993')
        return port or _USUAL_PORT[security]

    @field_validator("password")
    @classmethod
    def _password_for_imap(
        cls, password: SecretStr | None, info: ValidationInfo
    ) -> SecretStr | None:
        if info.data.get("kind") == "imap" and not (password and password.get_secret_value()):
            raise ValueError('is missing for kind = "imap"; set it, or password_file')
        return password

    @field_validator("folder")
    @classmethod
    def _folder_in_ascii(cls, folder: str) -> str:
        if not folder.isascii():
            raise ValueError("must be in ASCII; write the folder's name as IMAP does (&AOQ- for ä)")
        return folder

    @field_validator("every")
    @classmethod
    def _not_all_the_time(cls, every: timedelta) -> timedelta:
        if every < _EVERY_MIN:
            raise ValueError('must be at least "10s"')
        return every
