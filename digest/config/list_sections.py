"""[[source]] and [[topic]]: what is collected, and the digests offered by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from digest.config import values as v
from digest.config.section import Section
from digest.model import Topic

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

    @field_validator("url", mode="before")
    @classmethod
    def _path_of_a_page(cls, url: Any, info: ValidationInfo) -> Any:
        """A saved page may be given by its path, as seen from the config file."""
        is_path = info.data.get("kind") == "page" and isinstance(url, str) and "://" not in url
        return v.resolve(url, info).absolute().as_uri() if is_path and url.strip() else url

    @field_validator("url")
    @classmethod
    def _url_when_needed(cls, url: str | None, info: ValidationInfo) -> str | None:
        kind = info.data.get("kind")
        if url is None and kind in ("feed", "page"):
            raise ValueError(f'must be given for kind = "{kind}": there is no usual place')
        return url

    @field_validator("every")
    @classmethod
    def _not_all_the_time(cls, every: timedelta) -> timedelta:
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
