"""What a person chooses in a form: read, checked, and shown again as it was typed.

Used by the subscribe and the preferences page. Pure but for the zones, which come from the system.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar
from zoneinfo import available_timezones

from digest.clock import find_zone, parse_send_at
from digest.enrol import MAX_ITEMS_MAX, Choices, Defaults
from digest.errors import BadInput
from digest.model import Cadence, InterestKind, Subscriber, Topic
from digest.store.people import Wish
from digest.web.forms import Form

T = TypeVar("T")
_AREAS = ("Africa", "America", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
_CADENCES = {
    Cadence.DAILY: "every day",
    Cadence.WEEKDAYS: "Monday to Friday",
    Cadence.WEEKLY: "once a week, on Monday",
}
#: field → kind, for fields with one value a line
_LINES = {
    "interests": InterestKind.TEXT,
    "authors": InterestKind.AUTHOR,
}
#: the same, for fields whose values may also be separated by commas
_COMMAS = {
    "keywords": InterestKind.KEYWORD,
    "exclude": InterestKind.EXCLUDE,
    "categories": InterestKind.CATEGORY,
}
_COMMA = re.compile(r"[,;\n](?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)")
#: what is shown again of a field that was far too long
_ECHO_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value that can be chosen."""

    value: str
    label: str
    is_chosen: bool
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormView:
    """A form as it is shown: every field filled in."""

    topics: tuple[Option, ...]
    interests: str
    keywords: str
    exclude: str
    authors: str
    categories: str
    likes: str
    #: area → its zones
    zones: Mapping[str, tuple[Option, ...]]
    send_at: str
    cadences: tuple[Option, ...]
    max_items: str
    rising: bool
    email: str = ""

    @property
    def has_more(self) -> bool:
        """Whether anything beyond topics and own words was given."""
        return bool(self.keywords or self.exclude or self.authors or self.categories or self.likes)


def lines(text: str) -> tuple[str, ...]:
    """The lines of a text field that hold something."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def parts(text: str) -> tuple[str, ...]:
    """The values of a field, separated by commas or lines; a comma in quotes separates nothing."""
    return tuple(part.strip() for part in _COMMA.split(text) if part.strip())


def read_choices(form: Form) -> tuple[Choices, tuple[str, ...]]:
    """The choices in a form, and what is wrong with those that cannot be used.

    Fields that the form does not have are not said; topics are, for a box that is not ticked sends
    nothing.
    """
    problems: list[str] = []

    def read(name: str, reader: Callable[[str], T]) -> T | None:
        value = form.one(name).strip()
        if not value:
            return None
        try:
            return reader(value)
        except BadInput as error:
            problems.append(str(error))
            return None

    wishes: dict[InterestKind, tuple[str, ...]] = {InterestKind.TOPIC: form.many("topic")}
    wishes |= {kind: lines(form.one(name)) for name, kind in _LINES.items() if form.has(name)}
    wishes |= {kind: parts(form.one(name)) for name, kind in _COMMAS.items() if form.has(name)}
    choices = Choices(
        zone=read("zone", _read_zone),
        send_at=read("send_at", parse_send_at),
        cadence=read("cadence", _read_cadence),
        max_items=read("max_items", _read_count),
        rising=form.one("rising") == "yes" if form.has("rising_asked") else None,
        wishes=wishes,
    )
    return choices, tuple(problems)


def _read_zone(text: str) -> str:
    return find_zone(text[:100]).key


def _read_cadence(text: str) -> Cadence:
    try:
        return Cadence(text)
    except ValueError as error:
        raise BadInput("choose how often: daily, weekdays or weekly") from error


def _read_count(text: str) -> int:
    if text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_ITEMS_MAX:
        return int(text)
    raise BadInput(f"papers in one mail: a number from 1 to {MAX_ITEMS_MAX}")


def empty_form(topics: Iterable[Topic], defaults: Defaults) -> FormView:
    """What a newcomer starts with."""
    return _view(
        topics,
        chosen=(),
        text={},
        zone=defaults.zone,
        send_at=f"{defaults.send_at:%H:%M}",
        cadence=defaults.cadence,
        max_items=str(defaults.max_items),
    )


def typed_form(form: Form, topics: Iterable[Topic], defaults: Defaults) -> FormView:
    """The form as it was sent, to be sent again."""
    zone = form.one("zone").strip()
    return _view(
        topics,
        chosen=form.many("topic"),
        text={name: form.one(name)[:_ECHO_MAX] for name in form.fields},
        zone=zone if zone in known_zones() else defaults.zone,
        send_at=form.one("send_at", f"{defaults.send_at:%H:%M}")[:20],
        cadence=form.one("cadence", defaults.cadence),
        max_items=form.one("max_items", str(defaults.max_items))[:20],
        rising=form.one("rising") == "yes" or not form.has("rising_asked"),
    )


def stored_form(
    subscriber: Subscriber, wishes: Sequence[Wish], topics: Iterable[Topic]
) -> FormView:
    """What a subscriber has now."""

    def values(kind: InterestKind) -> list[str]:
        return [wish.value for wish in wishes if wish.kind is kind]

    text = {name: "\n".join(values(kind)) for name, kind in _LINES.items()}
    text |= {name: ", ".join(values(kind)) for name, kind in _COMMAS.items()}
    return _view(
        topics,
        chosen=values(InterestKind.TOPIC),
        text=text,
        zone=subscriber.zone,
        send_at=f"{subscriber.send_at:%H:%M}",
        cadence=subscriber.cadence,
        max_items=str(subscriber.max_items),
        rising=subscriber.rising,
    )


def _view(
    topics: Iterable[Topic],
    *,
    chosen: Sequence[str],
    text: Mapping[str, str],
    zone: str,
    send_at: str,
    cadence: str,
    max_items: str,
    rising: bool = True,
) -> FormView:
    return FormView(
        topics=tuple(
            Option(value=t.slug, label=t.name, note=t.description, is_chosen=t.slug in chosen)
            for t in topics
        ),
        interests=text.get("interests", ""),
        keywords=text.get("keywords", ""),
        exclude=text.get("exclude", ""),
        authors=text.get("authors", ""),
        categories=text.get("categories", ""),
        likes=text.get("likes", ""),
        zones=zone_options(zone),
        send_at=send_at,
        cadences=tuple(
            Option(value=value, label=label, is_chosen=value == cadence)
            for value, label in _CADENCES.items()
        ),
        max_items=max_items,
        rising=rising,
        email=text.get("email", ""),
    )


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """The names of all time zones."""
    return frozenset(available_timezones())


@lru_cache(maxsize=64)
def zone_options(chosen: str) -> dict[str, tuple[Option, ...]]:
    """The zones of places by area, the chosen one marked; UTC, and an unusual choice, first."""
    places = sorted(z for z in known_zones() if z.partition("/")[0] in _AREAS and "/" in z)
    first = ["UTC"] + ([chosen] if chosen not in places and chosen != "UTC" else [])
    groups = {"Everywhere": first}
    for zone in places:
        groups.setdefault(zone.partition("/")[0], []).append(zone)
    return {
        area: tuple(
            Option(value=zone, label=_place(zone), is_chosen=zone == chosen) for zone in zones
        )
        for area, zones in groups.items()
    }


def _place(zone: str) -> str:
    return zone.partition("/")[2].replace("_", " ").replace("/", ", ") or zone
