"""Looking: top, search, similar, preview, why, sources, report."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum
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
)
from digest.errors import BadInput, NotFound

if TYPE_CHECKING:
    from digest.app import App
    from digest.find import Finder
    from digest.model import Item, Pick, Subscriber
    from digest.rank import Pool

Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")]


@app.command()
def top(
    day: Annotated[str | None, typer.Option("--date", help="What was listed on this day.")] = None,
    topic: Annotated[str | None, typer.Option(help="Only what matches this topic.")] = None,
    limit: Limit = 20,
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """The trending list, with the parts of each score."""
    from digest.clock import day_bounds, parse_date
    from digest.model import Profile
    from digest.store.catalogue import candidates
    from digest.store.pages import day_items
    from digest.store.topics import topics_by_slug

    with opened(config, at) as parts:
        now = parts.now()
        lookback = timedelta(days=parts.settings.edition.lookback_days)
        with parts.store.read() as tx:
            topics = topics_by_slug(tx)
            if day is None:
                found = candidates(tx, since=now - lookback, until=now)
            else:
                on = parse_date(day)
                # a past day as it stood when its votes had settled
                now = min(now, day_bounds(on)[1] + lookback)
                found = day_items(tx, on, until=now)
        if topic is not None and topic not in topics:
            known = ", ".join(topics) or "none"
            raise BadInput(f"there is no topic {topic!r}; topics: {known}")
        profile = Profile(topics=(topics[topic],)) if topic else Profile()
        pool = parts.editor.ranker(now).pool(found, now=now)
        picks = pool.pick(profile, limit=limit, rising=0).picks
    if as_json:
        print_json({"at": moment_text(now), "items": [_pick_json(p, pool) for p in picks]})
        return
    for pick in picks:
        say(f"{pick.position:3}. {pool.candidate(pick.item_id).wording.title}")
        say(f"     {_why_line(pick)}  [{_parts_line(pick)}]")
    if not picks:
        say("nothing: no source has listed anything in this time")


def _pick_json(pick: Pick, pool: Pool) -> dict[str, Any]:
    from dataclasses import asdict

    wording = pool.candidate(pick.item_id).wording
    return {
        "position": pick.position,
        "key": wording.key,
        "title": wording.title,
        "url": wording.url,
        "score": pick.score,
        "parts": asdict(pick.parts),
        "reasons": [str(reason) for reason in pick.reasons],
    }


def _why_line(pick: Pick) -> str:
    return " · ".join(str(reason) for reason in pick.reasons)


def _parts_line(pick: Pick) -> str:
    p = pick.parts
    return (
        f"{pick.score:.2f} = match {p.match:.2f}, trend {p.trend:.2f}, freshness {p.freshness:.2f}"
    )


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="Words.")],
    limit: Limit = 20,
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Items by words and by meaning."""
    from digest.store.searching import Filters

    with opened(config, at) as parts:
        now = parts.now()
        # what is half-open ends just behind what was seen at that very moment
        filters = Filters(until=now + timedelta(microseconds=1)) if at else Filters()
        hits = _finder(parts).search(query, filters, now=now, limit=limit, meaning=limit)
    found = [("words", item) for item in hits.by_words]
    found += [("meaning", item) for item in hits.by_meaning]
    _print_items(found[:limit], as_json)


@app.command()
def similar(
    item: Annotated[str, typer.Argument(help="arXiv id, DOI, link or key.")],
    limit: Limit = 10,
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Items like this one."""
    with opened(config, at) as parts:
        own = _find_item(parts, item)
        alike = _finder(parts).similar(own, now=parts.now(), limit=limit)
    _print_items([("meaning", other) for other in alike], as_json)


def _finder(parts: App) -> Finder:
    from digest.find import Finder

    return Finder(parts.store, parts.editor.ranker, parts.meaning.vectors)


def _find_item(parts: App, text: str) -> Item:
    from digest.papers import parse_key
    from digest.store.items import find_item

    with parts.store.read() as tx:
        found = find_item(tx, parse_key(text))
    if found is None:
        raise NotFound(f"{text} is not in the archive; no source has listed it")
    return found


def _print_items(found: list[tuple[str, Item]], as_json: bool) -> None:
    if as_json:
        print_json(
            [{"key": i.key, "title": i.title, "url": i.url, "found_by": how} for how, i in found]
        )
        return
    for how, item in found:
        say(f"{item.title}\n    {item.url}  (by {how})")
    if not found:
        say("nothing found")


class Format(StrEnum):
    """What a preview prints."""

    TEXT = "text"
    HTML = "html"
    EML = "eml"
    JSON = "json"


@app.command()
def preview(
    email: str,
    form: Annotated[Format, typer.Option("--format", help="What to print.")] = Format.TEXT,
    config: Config = None,
    at: At = None,
) -> None:
    """The edition that this person would get now; nothing is stored."""
    from dataclasses import asdict

    with opened(config, at) as parts:
        edition, why_empty = parts.editor.preview(find_person(parts, email), parts.now())
        if form is Format.JSON:
            print_json(asdict(edition) | {"why_empty": why_empty})
        elif not edition.entries and not parts.settings.edition.send_empty:
            say(f"nothing would be sent: {why_empty}")
        elif form is Format.EML:
            domain = parts.settings.mail.from_address.rpartition("@")[2]
            message_id = f"<preview@{domain}>"
            made = parts.composer.edition(edition.sheet(), outbox_id=0, message_id=message_id)
            typer.echo(made.content, nl=False)
        else:
            body = parts.composer.parts(edition.sheet())
            say(body.html if form is Format.HTML else f"Subject: {body.subject}\n\n{body.text}")


def find_person(parts: App, email: str) -> Subscriber:
    """The subscriber of that address. Raises NotFound when there is none."""
    from digest.addresses import parse_address
    from digest.store.people import find_subscriber

    with parts.store.read() as tx:
        found = find_subscriber(tx, parse_address(email).key)
    if found is None:
        raise NotFound("nobody with that address is on the list; see `digest subscribers list`")
    return found


@app.command()
def why(
    email: str, item: str, config: Config = None, at: At = None, as_json: AsJson = False
) -> None:
    """Why this item was picked for this person, or why not."""
    from dataclasses import asdict

    with opened(config, at) as parts:
        person, found = find_person(parts, email), _find_item(parts, item)
        told, past = parts.editor.explain(person, found.id, parts.now())
    if as_json:
        sent = None
        if past is not None:
            sent = {"local_on": past.local_on, **asdict(past.entry.pick)}
        print_json({"key": found.key, "title": found.title, "sent": sent, "now": asdict(told)})
        return
    say(found.title)
    if past is not None:
        pick = past.entry.pick
        say(f"sent on {past.local_on}, place {pick.position}: {_why_line(pick)}")
        say(f"  {_parts_line(pick)}")
    say(f"now: {told.verdict} – {told.text}")
    if told.parts is not None and told.score is not None:
        p = told.parts
        say(
            f"  score {told.score:.3f}: match {p.match:.3f}, trend {p.trend:.3f},"
            f" freshness {p.freshness:.3f}"
        )
    for evidence in told.evidence:
        say(f"  {evidence.match:.3f}  {evidence.reason}")


@app.command()
def sources(config: Config = None, at: At = None, as_json: AsJson = False) -> None:
    """Each source's last reading, against its own usual, and when it is read next."""
    from dataclasses import asdict

    from digest.store.collecting import source_states

    with opened(config, at) as parts:
        with parts.store.read() as tx:
            states = source_states(tx, parts.source_names)
    if as_json:
        print_json([asdict(state) for state in states])
        return
    rows = [
        (
            s.name,
            s.kind,
            s.last_read_at,
            s.last_reading.entries if s.last_reading else None,
            f"{s.usual:g}" if s.usual is not None else None,
            s.next_fetch_at,
            s.last_error or "",
        )
        for s in states
    ]
    head = ("source", "kind", "last read", "entries", "usual", "next", "error")
    say(table(rows, head))


@app.command()
def report(
    day: Annotated[str | None, typer.Option("--date", help="A UTC day; default today.")] = None,
    config: Config = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """The ledger of a day: what was due, and where every message of it stands."""
    from digest.clock import parse_date
    from digest.report import day_report

    with opened(config, at) as parts:
        on: date = parse_date(day) if day else parts.now().date()
        told = day_report(parts.store, on, parts.source_names)
    if as_json:
        print_json(told.as_json())
        return
    account = told.ledger
    say(f"{on}: {account.due} due")
    for state, count in account.states.items():
        if count:
            reasons = account.reasons.get(state, {})
            words = "; ".join(f"{n} × {reason}" for reason, n in reasons.items())
            say(f"  {count:6} {state.value}" + (f"  ({words})" if words else ""))
    rows = [(s.name, s.read, s.new, s.merged, s.broken, s.error or "") for s in told.sources]
    if rows:
        say("\n" + table(rows, ("source", "read", "new", "merged", "broken", "error")))
