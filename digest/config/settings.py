"""The settings as records: one class for each section of config.toml, one field for each key.

config.example.toml tells each key's meaning to the operator; a test holds the two together.
Nothing here reads a file or the environment: load.py does, and hands the values over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, SecretStr, ValidationInfo, field_validator

from digest.config import values as v
from digest.config.bounce_section import BounceSettings
from digest.config.list_sections import SourceSettings, TopicSettings
from digest.config.mail_sections import MailSettings, SmtpSettings
from digest.config.section import Section
from digest.model import Cadence, Site, Topic

SECRET_KEY_MIN = 32
ADMIN_TOKEN_MIN = 8


def _to_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


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


class EditionSettings(Section):
    """[edition]: what goes into one mail."""

    max_items: Annotated[v.Int, Field(ge=1, le=100)] = 12
    #: a paper that scores lower is not for this person; 0…1
    min_score: v.Fraction = 0.25
    #: how old a paper may be to be picked, in days since it was first seen
    lookback_days: Annotated[v.Int, Field(ge=1, le=90)] = 7
    #: whether a mail goes out when nothing was picked
    send_empty: v.Bool = False
    #: how late an edition may be made after a pause of the daemon, in hours
    catch_up_hours: Annotated[v.Number, Field(ge=0, le=168)] = 20.0


class RankSettings(Section):
    """[rank]: how papers are scored."""

    #: after this many hours a paper's freshness has halved
    half_life_hours: Annotated[v.Number, Field(gt=0, le=10_000)] = 72.0
    #: 0 = only the best, 1 = only the most different
    diversity: v.Fraction = 0.3
    #: 0 = only the match counts; 1 = trend and freshness count most
    trend_weight: v.Fraction = 0.3
    #: "auto", "lexical", or the folder of an embedding model (absolute once loaded)
    model: v.Line = "auto"
    #: where fetched models lie; None: `models` in the data folder
    models: v.PlainPath | None = None

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


class Settings(Section):
    """All settings, validated. Made by load_settings."""

    site: SiteSettings
    database: DatabaseSettings
    smtp: SmtpSettings
    mail: MailSettings
    bounces: BounceSettings
    edition: EditionSettings
    rank: RankSettings
    web: WebSettings
    defaults: DefaultSettings
    #: as configured, the disabled ones included
    sources: Annotated[tuple[SourceSettings, ...], Field(alias="source")]
    topic_settings: Annotated[tuple[TopicSettings, ...], Field(alias="topic")] = ()
    _folder: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any) -> None:
        self._folder = (context or {}).get("folder", Path())

    @property
    def folder(self) -> Path:
        """The folder of the config file; what is relative there is relative to it."""
        return self._folder

    @property
    def data_folder(self) -> Path:
        """Where what we make is kept: beside the SQLite file, else beside the config file."""
        scheme, _, path = self.database.url.partition(":///")
        is_file = scheme.startswith("sqlite") and path not in ("", ":memory:")
        return Path(path).parent if is_file else self._folder

    @property
    def models_folder(self) -> Path:
        """Where `digest model pull` puts models and "auto" looks for them."""
        return self.rank.models or self.data_folder / "models"

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
    "bounces": BounceSettings,
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
