"""[smtp] and [mail]: who takes our mails, who they are from, how they are signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from digest.config import values as v
from digest.config.section import Section

_USUAL_PORT = {"starttls": 587, "tls": 465, "none": 25}


class SmtpSettings(Section):
    """[smtp]: the relay that takes our mail, or a folder instead of one."""

    transport: Literal["smtp", "maildir", "folder"] = "smtp"
    #: folder that mail is written to, for transport maildir and folder
    path: v.PlainPath | None = None
    host: v.Line = "localhost"
    security: Literal["starttls", "tls", "none"] = "starttls"
    #: 0 before validation: the usual one for `security`
    port: Annotated[v.Int, Field(ge=0, le=65535)] = 0
    username: v.Line | None = None
    password: SecretStr | None = None
    password_file: v.PlainPath | None = None
    #: connections at once
    connections: Annotated[v.Int, Field(ge=1, le=500)] = 8
    #: messages a minute over all connections; 0 is no limit
    rate_per_minute: Annotated[v.Int, Field(ge=0)] = 0
    #: messages that one connection carries before another takes its place; 0 is no limit
    messages_per_connection: Annotated[v.Int, Field(ge=0)] = 0
    #: messages a minute to one domain of readers; 0 is no limit
    domain_rate_per_minute: Annotated[v.Int, Field(ge=0)] = 0
    #: first day of a new sending domain: few messages at first, twice as many on each day after
    warm_up_from: v.Day | None = None
    #: for one answer of the relay, in seconds
    timeout_s: Annotated[v.Number, Field(gt=0, le=3600)] = 60.0
    #: what becomes of a message that was on the wire when the sender died
    uncertain: Literal["resend", "hold"] = "resend"

    @field_validator("path")
    @classmethod
    def _path_when_needed(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        transport = info.data.get("transport")
        if path is None and transport in ("maildir", "folder"):
            raise ValueError(f'must name a folder when transport = "{transport}"')
        return path

    @field_validator("port")
    @classmethod
    def _port_fits(cls, port: int, info: ValidationInfo) -> int:
        security = info.data.get("security")
        if security is None:
            return port
        if port == 465 and security != "tls":
            raise ValueError('465 speaks TLS from the start; set security = "tls" or port = 587')
        if port in (25, 587) and security == "tls":
            raise ValueError(f'{port} begins unencrypted; set security = "starttls" or port = 465')
        return port or _USUAL_PORT[security]

    @field_validator("username")
    @classmethod
    def _login_needs_tls(cls, username: str | None, info: ValidationInfo) -> str | None:
        if username is not None and info.data.get("security") == "none":
            raise ValueError(
                'must not be set with security = "none": the password would travel in clear;'
                ' use "starttls" or "tls"'
            )
        return username

    @field_validator("password")
    @classmethod
    def _login_is_whole(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if "username" not in info.data:
            return password
        username = info.data["username"]
        if username is None and password is not None:
            raise ValueError("is given without a username; set smtp.username too")
        if username is not None and (password is None or not password.get_secret_value()):
            raise ValueError("is missing beside the username; set it, or password_file")
        return password


class MailSettings(Section):
    """[mail]: who the mails are from and how they are signed."""

    #: the From line: a name and an address, or an address
    from_: Annotated[v.Mailbox, Field(alias="from")]
    reply_to: v.Address | None = None
    #: domain of the envelope sender, where bounces come back
    bounce_domain: v.Domain | None = None
    dkim_domain: v.Domain | None = None
    dkim_selector: v.Domain | None = None
    #: private key in PEM form, RSA or Ed25519
    dkim_key_file: v.FilePath | None = None
    #: folder whose templates go before the built-in ones of the same name
    templates: v.FolderPath | None = None

    @field_validator("dkim_key_file")
    @classmethod
    def _dkim_is_whole(cls, key_file: Path | None, info: ValidationInfo) -> Path | None:
        given = {**info.data, "dkim_key_file": key_file}
        names = ("dkim_domain", "dkim_selector", "dkim_key_file")
        missing = [name for name in names if name in given and given[name] is None]
        if 0 < len(missing) < len(names):
            raise ValueError(
                f"DKIM needs dkim_domain, dkim_selector and dkim_key_file together, or none;"
                f" missing: {', '.join(missing)}"
            )
        return key_file

    @property
    def from_name(self) -> str:
        return v.split_mailbox(self.from_)[0]

    @property
    def from_address(self) -> str:
        return v.split_mailbox(self.from_)[1]
