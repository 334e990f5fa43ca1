"""`digest topics …`: the digests that the operator offers by name."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated

import typer

from digest.cli.base import AsJson, Config, app, opened, print_json, say, table
from digest.errors import BadInput, NotFound

group = typer.Typer(help="The topics offered.", no_args_is_help=True)
app.add_typer(group, name="topics")

Name = Annotated[str | None, typer.Option(help="As shown to people.")]
Description = Annotated[str | None, typer.Option(help="One line.")]
Text = Annotated[str | None, typer.Option(help="What it is about, in prose.")]
Keywords = Annotated[list[str] | None, typer.Option("--keyword", help="Repeatable.")]
Excludes = Annotated[list[str] | None, typer.Option("--exclude", help="Repeatable.")]
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@group.command("list")
def list_(config: Config = None, as_json: AsJson = False) -> None:
    """All topics, and how many people follow each."""
    from digest.store.topics import followers, topics_by_slug

    with opened(config) as parts, parts.store.read() as tx:
        topics, counts = topics_by_slug(tx), followers(tx)
    if as_json:
        print_json([asdict(t) | {"followers": counts.get(t.slug, 0)} for t in topics.values()])
        return
    rows = [(t.slug, t.name, counts.get(t.slug, 0), t.description) for t in topics.values()]
    say(table(rows, ("slug", "name", "followers", "description")))


@group.command()
def add(
    slug: str,
    name: Name = None,
    description: Description = None,
    text: Text = None,
    keyword: Keywords = None,
    exclude: Excludes = None,
    config: Config = None,
) -> None:
    """Offer a new topic."""
    from digest.model import Topic
    from digest.store.topics import put_topic, topics_by_slug

    if not _SLUG.fullmatch(slug):
        raise BadInput(f"{slug!r} is no slug; use small letters, digits and hyphens: vision-models")
    shown = name or slug.replace("-", " ").capitalize()
    record = Topic(
        slug=slug,
        name=shown,
        description=description or "",
        text=text or f"{shown}. {description or ''}".strip(),
        keywords=tuple(keyword or ()),
        exclude=tuple(exclude or ()),
    )
    with opened(config) as parts, parts.store.write() as tx:
        if slug in topics_by_slug(tx):
            raise BadInput(f"the topic {slug!r} exists already; change it with `digest topics set`")
        put_topic(tx, record)
    say(f"topic {slug} is offered")


@group.command("set")
def set_(
    slug: str,
    name: Name = None,
    description: Description = None,
    text: Text = None,
    keyword: Keywords = None,
    exclude: Excludes = None,
    config: Config = None,
) -> None:
    """Change a topic; what is not named stays."""
    from dataclasses import replace

    from digest.store.topics import put_topic, topics_by_slug

    told = {
        "name": name,
        "description": description,
        "text": text,
        "keywords": tuple(keyword) if keyword is not None else None,
        "exclude": tuple(exclude) if exclude is not None else None,
    }
    with opened(config) as parts, parts.store.write() as tx:
        known = topics_by_slug(tx).get(slug)
        if known is None:
            raise NotFound(f"there is no topic {slug!r}")
        changes = {field: value for field, value in told.items() if value is not None}
        put_topic(tx, replace(known, **changes))  # type: ignore[arg-type]  # by field name
    say(f"topic {slug} is changed")


@group.command()
def remove(slug: str, config: Config = None) -> None:
    """Stop offering a topic; who follows it loses that interest."""
    from digest.store.topics import remove_topic

    with opened(config) as parts, parts.store.write() as tx:
        if not remove_topic(tx, slug):
            raise NotFound(f"there is no topic {slug!r}")
    say(f"topic {slug} is removed")
