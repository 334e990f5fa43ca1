"""The settings as records: one class for each section of config.toml, one field for each key.

config.example.toml tells each key's meaning to the operator; a test holds the two together.
Nothing here reads a file or the environment: load.py does, and hands the values over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from digest.config import values as v
from digest.model import Cadence, Site, Topic

#: kinds of sources that come with the program; others are found by entry point
SOURCE_KINDS = (
    "huggingface",
    "arxiv",
    "feed",
    "github-trending",
    "hackernews",
    "reddit",
    "semantic-scholar",
    "page",
)
#: where packages declare further kinds
SOURCE_GROUP = "digest.sources"

SECRET_KEY_MIN = 32
ADMIN_TOKEN_MIN = 8
_USUAL_PORT = {"starttls": 587, "tls": 465, "none": 25}


def _to_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


class Section(BaseModel):
    """What all sections keep: unknown keys are refused, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class SiteSettings(Section):
    """[site]: what the service is called and where it is found."""

    #: shown in mails and pages
    name: v.Line = "Trending Papers"
    #: public base of all links, without a trailing slash
    url: v.SiteUrl
    #: signs links; the first is in use, further ones are retired but still accepted
    secret_key: Annotated[tuple[SecretStr, ...], BeforeValidator(_to_tuple), Field(min_length=1)]
    secret_key_file: v.PlainPath | None = None
    #: printed at the foot of every mail; the law of many countries asks for it
    postal_address: v.Text | None = None
    #: where people and sources reach the operator
    operator_email: v.Address | None = None

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key.get_secret_value()) < SECRET_KEY_MIN for key in keys):
            raise ValueError(
                f"must have at least {SECRET_KEY_MIN} characters; make one with:"
                ' python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
            )
        return keys

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys in the clear, the one in use first, as digest.tokens.Tokens wants them."""
        return tuple(key.get_secret_value() for key in self.secret_key)


class DatabaseSettings(Section):
    """[database]: where everything is kept."""

    #: SQLAlchemy URL; an SQLite path is relative to the config file
    url: v.DatabaseUrl = "sqlite:///digest.db"
    url_file: v.PlainPath | None = None


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


class EditionSettings(Section):
    """[edition]: what goes into one mail."""

    max_items: Annotated[v.Int, Field(ge=1, le=100)] = 12
    #: a paper that scores lower is not for this person; 0…1
    min_score: v.Fraction = 0.1
    #: how old a paper may be to be picked, in days since it was first seen
    lookback_days: Annotated[v.Int, Field(ge=1, le=90)] = 7
    #: whether a mail goes out when nothing was picked
    send_empty: v.Bool = False
    #: how late an edition may be made after a pause of the daemon, in hours
    catch_up_hours: Annotated[v.Number, Field(ge=0, le=168)] = 20.0


class RankSettings(Section):
    """[rank]: how papers are scored."""

    #: after this many hours a paper's freshness has halved
    half_life_hours: Annotated[v.Number, Field(gt=0, le=10_000)] = 48.0
    #: 0 = only the best, 1 = only the most different
    diversity: v.Fraction = 0.3
    #: 0 = what is trending does not count, 1 = it counts as much as the match
    trend_weight: v.Fraction = 0.5
    #: "auto", "lexical", or the folder of an embedding model (absolute once loaded)
    model: v.Line = "auto"

    @field_validator("model")
    @classmethod
    def _resolve_model(cls, model: str, info: ValidationInfo) -> str:
        if model in ("auto", "lexical"):
            return model
        folder = v.resolve(model, info)
        if not folder.is_dir():
            raise ValueError(
                f'must be "auto", "lexical" or the folder of a model; there is no folder {folder}'
            )
        return str(folder)


class WebSettings(Section):
    """[web]: where the pages are served."""

    host: v.Line = "127.0.0.1"
    #: 0 lets the system choose
    port: Annotated[v.Int, Field(ge=0, le=65535)] = 8080
    #: opens /admin; without one there is no admin page
    admin_token: SecretStr | None = None
    admin_token_file: v.PlainPath | None = None
    #: addresses whose X-Forwarded-For is believed
    trusted_proxies: tuple[v.Network, ...] = ()

    @field_validator("admin_token")
    @classmethod
    def _hard_to_guess(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < ADMIN_TOKEN_MIN:
            raise ValueError(f"must have at least {ADMIN_TOKEN_MIN} characters")
        return token


class DefaultSettings(Section):
    """[defaults]: what the subscribe form starts with."""

    zone: v.Zone = "UTC"
    send_at: v.SendAt = v.read_send_at("07:30")
    cadence: v.Rhythm = Cadence.DAILY


class SourceSettings(Section):
    """[[source]]: one place that is asked for listings."""

    name: v.Line
    kind: v.Line
    #: base URL; can point to a mirror; None means the kind's public one
    url: v.SourceUrl | None = None
    #: how often it is asked
    every: v.Duration = v.parse_duration("1h")
    #: between two requests to its host; None means the kind's own
    pause: v.Duration | None = None
    enabled: v.Bool = True
    #: arXiv categories, subreddits
    categories: tuple[v.Line, ...] = ()
    #: search words, for kinds that search
    query: v.Line | None = None
    #: entries to ask for; None means as many as the kind gives
    limit: Annotated[v.Int, Field(ge=1, le=10_000)] | None = None
    token: SecretStr | None = None
    token_file: v.PlainPath | None = None

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in SOURCE_KINDS and kind not in (further := _further_kinds()):
            known = ", ".join(f'"{k}"' for k in (*SOURCE_KINDS, *further))
            raise ValueError(f"must be one of {known}")
        return kind

    @field_validator("url")
    @classmethod
    def _url_when_needed(cls, url: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if url is None and kind in ("feed", "page"):
            raise ValueError(f'must be given for kind = "{kind}": there is no usual place')
        return url

    @field_validator("every")
    @classmethod
    def _not_all_the_time(cls, every: Any) -> Any:
        if every.total_seconds() < 1:
            raise ValueError('must be at least "1s"')
        return every

    @field_validator("query")
    @classmethod
    def _something_to_ask(cls, query: str | None, info: ValidationInfo) -> str | None:
        nothing = info.data.get("categories") == () and not query
        if nothing and info.data.get("kind") == "arxiv" and info.data.get("enabled"):
            raise ValueError('or categories must be given, like categories = ["cs.CL"]')
        return query


def _further_kinds() -> tuple[str, ...]:
    from importlib.metadata import entry_points

    return tuple(sorted({e.name for e in entry_points(group=SOURCE_GROUP)} - set(SOURCE_KINDS)))


class TopicSettings(Section):
    """[[topic]]: one digest offered by name; seeded into the database once."""

    slug: v.Slug
    #: None: made from the slug
    name: v.Line | None = None
    #: one line for the people who choose
    description: v.Text = ""
    #: what it is about, in prose: what papers are compared with
    text: v.Text = ""
    keywords: tuple[v.Line, ...] = ()
    exclude: tuple[v.Line, ...] = ()

    def record(self) -> Topic:
        """The topic as the rest of the program knows it; without a text its name stands in."""
        name = self.name or self.slug.replace("-", " ").capitalize()
        return Topic(
            slug=self.slug,
            name=name,
            description=self.description,
            text=self.text or f"{name}. {self.description}".strip(),
            keywords=self.keywords,
            exclude=self.exclude,
        )


class Settings(Section):
    """All settings, validated. Made by load_settings."""

    site: SiteSettings
    database: DatabaseSettings
    smtp: SmtpSettings
    mail: MailSettings
    edition: EditionSettings
    rank: RankSettings
    web: WebSettings
    defaults: DefaultSettings
    #: as configured, the disabled ones included; Hugging Face when none is
    sources: Annotated[tuple[SourceSettings, ...], Field(alias="source")] = (
        SourceSettings(name="huggingface", kind="huggingface"),
    )
    topic_settings: Annotated[tuple[TopicSettings, ...], Field(alias="topic")] = ()
    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The folder of the config file; what is relative there is relative to it."""
        return self._folder

    @property
    def topics(self) -> tuple[Topic, ...]:
        return tuple(topic.record() for topic in self.topic_settings)

    def site_record(self) -> Site:
        """What every mail and page says about where it comes from."""
        return Site(
            name=self.site.name,
            url=self.site.url,
            from_name=self.mail.from_name or self.site.name,
            from_address=self.mail.from_address,
            reply_to=self.mail.reply_to,
            operator_email=self.site.operator_email,
            postal_address=self.site.postal_address,
        )


#: section → its record; the two lists of tables are given by their element
SECTIONS: dict[str, type[Section]] = {
    "site": SiteSettings,
    "database": DatabaseSettings,
    "smtp": SmtpSettings,
    "mail": MailSettings,
    "edition": EditionSettings,
    "rank": RankSettings,
    "web": WebSettings,
    "defaults": DefaultSettings,
    "source": SourceSettings,
    "topic": TopicSettings,
}
#: sections that are lists of tables, and the key that names an element
LISTS = {"source": "name", "topic": "slug"}


def keys_of(section: str) -> Sequence[str]:
    """The keys that may stand in that section, as they are written in the file."""
    return [field.alias or name for name, field in SECTIONS[section].model_fields.items()]
