"""`digest subscribers …`: who is on the list, what they want, reading and writing many."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from digest.cli.base import (
    AsJson,
    At,
    Config,
    app,
    moment_text,
    opened,
    print_json,
    say,
    table,
    warn,
)
from digest.cli.look import find_person
from digest.errors import BadInput, NotFound

if TYPE_CHECKING:
    from digest.app import App
    from digest.enrol import Choices
    from digest.model import Subscriber

group = typer.Typer(help="Who is on the list and what they want.", no_args_is_help=True)
app.add_typer(group, name="subscribers")

Topics = Annotated[list[str] | None, typer.Option("--topic", help="Slug of a topic; repeatable.")]
Texts = Annotated[list[str] | None, typer.Option("--interest", help="In own words; repeatable.")]
Keywords = Annotated[list[str] | None, typer.Option("--keyword", help="A word or phrase.")]
Excludes = Annotated[list[str] | None, typer.Option("--exclude", help="Never with this word.")]
Authors = Annotated[list[str] | None, typer.Option("--author", help="A name to follow.")]
Categories = Annotated[list[str] | None, typer.Option("--category", help="Like cs.CL.")]
Likes = Annotated[list[str] | None, typer.Option("--like", help="A paper's id or link.")]
Zone = Annotated[str | None, typer.Option("--zone", help="Like Europe/Berlin.")]
SendAt = Annotated[str | None, typer.Option("--send-at", help="Hour of the day, like 07:30.")]
Cadence = Annotated[str | None, typer.Option("--cadence", help="daily, weekdays or weekly.")]
MaxItems = Annotated[int | None, typer.Option("--max-items", help="Papers in one mail.")]


@group.command()
def add(
    email: str,
    topic: Topics = None,
    interest: Texts = None,
    keyword: Keywords = None,
    exclude: Excludes = None,
    author: Authors = None,
    category: Categories = None,
    like: Likes = None,
    zone: Zone = None,
    send_at: SendAt = None,
    cadence: Cadence = None,
    max_items: MaxItems = None,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="Skip the opt-in mail; you vouch for the consent.")
    ] = False,
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Put an address on the list. Without --confirmed it is asked by mail first."""
    wishes = _wishes(topic, interest, keyword, exclude, author, category, like)
    choices = _choices(wishes, zone, send_at, cadence, max_items)
    with opened(config, at) as parts:
        joined = parts.enrolment.join(
            email, choices, now=parts.now(), source="operator", vouched=confirmed
        )
        shown = _person_json(parts, joined.subscriber)
    if as_json:
        print_json(shown | {"asked": joined.asked})
    elif joined.asked:
        say("A confirmation is queued; nothing else goes to that address until it is answered.")
    else:
        say(f"{shown['status']}; next edition: {shown['next_edition_at'] or 'none'}")


def _wishes(*values: list[str] | None) -> dict[str, list[str]]:
    names = ("topic", "interest", "keyword", "exclude", "author", "category", "like")
    return {name: given for name, given in zip(names, values, strict=True) if given is not None}


def _choices(
    wishes: dict[str, list[str]],
    zone: str | None,
    send_at: str | None,
    cadence: str | None,
    max_items: int | None,
) -> Choices:
    from digest.clock import parse_send_at
    from digest.enrol import Choices
    from digest.enrol_many import WISH_COLUMNS, read_cadence

    return Choices(
        zone=zone,
        send_at=parse_send_at(send_at) if send_at else None,
        cadence=read_cadence(cadence) if cadence else None,
        max_items=max_items,
        wishes={WISH_COLUMNS[name]: tuple(values) for name, values in wishes.items()},
    )


@group.command("set")
def set_(
    email: str,
    topic: Topics = None,
    interest: Texts = None,
    keyword: Keywords = None,
    exclude: Excludes = None,
    author: Authors = None,
    category: Categories = None,
    like: Likes = None,
    zone: Zone = None,
    send_at: SendAt = None,
    cadence: Cadence = None,
    max_items: MaxItems = None,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="You vouch for the consent.")
    ] = False,
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Change what a person gets and when. Kinds of interests that are named are replaced.

    An empty value (--keyword "") takes all of that kind away.
    """
    wishes = _wishes(topic, interest, keyword, exclude, author, category, like)
    choices = _choices(wishes, zone, send_at, cadence, max_items)
    with opened(config, at) as parts:
        person = find_person(parts, email)
        now = parts.now()
        changed = parts.enrolment.change(person.id, choices, now=now)
        if confirmed:
            joined = parts.enrolment.join(email, choices, now=now, source="operator", vouched=True)
            changed = joined.subscriber
        shown = _person_json(parts, changed)
    print_json(shown) if as_json else say(_person_text(shown))


@group.command()
def show(email: str, config: Config = None, at: At = None, as_json: AsJson = False) -> None:
    """One person: settings, interests, next edition."""
    with opened(config, at) as parts:
        shown = _person_json(parts, find_person(parts, email))
    print_json(shown) if as_json else say(_person_text(shown))


def _person_json(parts: App, person: Subscriber) -> dict[str, Any]:
    from digest.model import InterestKind
    from digest.store.people import consents_of, wishes_of

    with parts.store.read() as tx:
        wishes = [wish for wish, _ in wishes_of(tx, [person.id]).get(person.id, [])]
        consents = consents_of(tx, person.id)

    def values(kind: InterestKind) -> list[str]:
        return [wish.value for wish in wishes if wish.kind is kind]

    return {
        "email": person.email,
        "status": person.status.value,
        "zone": person.zone,
        "send_at": person.send_at.strftime("%H:%M"),
        "cadence": person.cadence.value,
        "max_items": person.max_items,
        "topics": values(InterestKind.TOPIC),
        "interests": values(InterestKind.TEXT),
        "keywords": values(InterestKind.KEYWORD),
        "exclude": values(InterestKind.EXCLUDE),
        "authors": values(InterestKind.AUTHOR),
        "categories": values(InterestKind.CATEGORY),
        "liked": values(InterestKind.LIKE),
        "disliked": values(InterestKind.DISLIKE),
        "created_at": moment_text(person.created_at),
        "confirmed_at": moment_text(person.confirmed_at),
        "paused_until": moment_text(person.paused_until),
        "next_edition_at": moment_text(person.next_edition_at),
        "consents": [c | {"at": moment_text(c["at"])} for c in consents],
    }


def _person_text(shown: dict[str, Any]) -> str:
    lines = []
    for name, value in shown.items():
        if name == "consents":
            value = [f"{c['action']} {c['at']} ({c['source']})" for c in value]
        text = ", ".join(value) if isinstance(value, list) else value
        lines.append(f"{name.replace('_', ' '):16} {'–' if text in (None, '') else text}")
    return "\n".join(lines)


@group.command("list")
def list_(
    status: Annotated[str | None, typer.Option(help="Only those of this status.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Everyone on the list."""
    from digest.model import Status
    from digest.store.people import all_subscribers

    if status is not None and status not in set(Status):
        raise BadInput(f"there is no status {status!r}; it can be {', '.join(Status)}")
    with opened(config) as parts, parts.store.read() as tx:
        found = list(all_subscribers(tx, status=Status(status) if status else None))
    if as_json:
        print_json(
            [
                {
                    "email": s.email,
                    "status": s.status.value,
                    "zone": s.zone,
                    "send_at": s.send_at.strftime("%H:%M"),
                    "cadence": s.cadence.value,
                    "next_edition_at": moment_text(s.next_edition_at),
                }
                for s in found
            ]
        )
        return
    rows = [
        (s.email, s.status, s.zone, s.send_at.strftime("%H:%M"), s.cadence, s.next_edition_at)
        for s in found
    ]
    say(table(rows, ("email", "status", "zone", "at", "cadence", "next edition")))


@group.command()
def remove(email: str, config: Config = None, at: At = None) -> None:
    """Erase a person and all that is known of it. The ledger keeps its numbers."""
    with opened(config, at) as parts:
        person = find_person(parts, email)
        parts.enrolment.erase(person.id, now=parts.now())
    say("erased")


@group.command("import")
def import_(file: Path, config: Config = None, at: At = None, as_json: AsJson = False) -> None:
    """Add everyone in a CSV or JSONL file; bad lines are reported, good ones kept."""
    from digest.enrol_many import import_people, read_people

    if not file.is_file():
        raise NotFound(f"there is no file {file}")
    with opened(config, at) as parts, _reading(file) as stream:
        report = import_people(
            parts.enrolment, read_people(stream, file.name), now=parts.now(), progress=_progress
        )
    if as_json:
        print_json({"added": report.added, "known": report.known, "bad": report.bad})
    else:
        say(f"{report.added} added, {report.known} known already, {len(report.bad)} bad")
    for number, fault in sorted(report.bad.items()):
        warn(f"{file.name}, line {number}: {fault}")
    if report.bad:
        raise typer.Exit(1)


def _reading(file: Path) -> Any:
    try:
        return file.open(encoding="utf-8-sig", errors="replace", newline="")
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from error


def _progress(count: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{count:,} lines read", end="", file=sys.stderr, flush=True)


@group.command()
def export(
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="JSON lines instead of CSV.")] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Print everyone in the form that import reads."""
    from digest.enrol_many import export_people

    with opened(config) as parts:
        for line in export_people(parts.store, as_json=as_jsonl or as_json):
            say(line)
