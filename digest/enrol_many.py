"""Many subscribers at once: reading CSV and JSON lines, and writing what can be read again.

A bad line is reported by its number and costs nobody else anything. Used by the commands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TextIO

from digest.addresses import Address, parse_address
from digest.cells import cell_of, csv_line, read_csv, read_json, values_of
from digest.clock import parse_send_at
from digest.enrol import (
    Choices,
    Defaults,
    Enrolment,
    check_choices,
    clean_wishes,
    first_edition,
    new_row,
)
from digest.errors import BadInput
from digest.model import Cadence, InterestKind, Status, Subscriber
from digest.store import Store, Transaction, people
from digest.store.people import Wish
from digest.store.topics import topics_by_slug

_BATCH = 2_000
#: column → kind of interest; several values in a cell are separated by ;
WISH_COLUMNS = {
    "topic": InterestKind.TOPIC,
    "interest": InterestKind.TEXT,
    "keyword": InterestKind.KEYWORD,
    "exclude": InterestKind.EXCLUDE,
    "author": InterestKind.AUTHOR,
    "category": InterestKind.CATEGORY,
    "like": InterestKind.LIKE,
}
COLUMNS = ("email", *WISH_COLUMNS, "zone", "send_at", "cadence", "max_items", "confirmed")
_YES = {"true", "yes", "1", "y", "confirmed"}
_NO = {"false", "no", "0", "n", "", "pending"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Newcomer:
    """One good line of an import."""

    line: int
    address: Address
    choices: Choices
    confirmed: bool


@dataclass(slots=True)
class ImportReport:
    """What an import came to."""

    added: int = 0
    #: addresses that were on the list already, or twice in the file; they keep what they have
    known: int = 0
    #: line number → what is wrong with it
    bad: dict[int, str] = field(default_factory=dict)


def read_people(stream: TextIO, name: str) -> Iterator[Newcomer | tuple[int, str]]:
    """The lines of a CSV file, or of JSON lines: newcomers, or a line's number and fault.

    Raises BadInput when the file as a whole cannot be read: no header, an unknown column.
    """
    is_json = name.endswith((".jsonl", ".ndjson", ".json"))
    lines = read_json(stream, COLUMNS) if is_json else read_csv(stream, COLUMNS, needed="email")
    for number, fields in lines:
        if isinstance(fields, str):
            yield number, fields
            continue
        try:
            yield _newcomer(number, fields)
        except BadInput as error:
            yield number, str(error)


def _newcomer(line: int, fields: Mapping[str, Any]) -> Newcomer:
    cells = {name: values_of(fields.get(name), split=name in WISH_COLUMNS) for name in COLUMNS}
    single = {name: values[0] if values else None for name, values in cells.items()}
    for name in COLUMNS:
        if len(cells[name]) > 1 and name not in WISH_COLUMNS:
            raise BadInput(f"{name} has more than one value")
    choices = Choices(
        zone=single["zone"],
        send_at=parse_send_at(single["send_at"]) if single["send_at"] else None,
        cadence=read_cadence(single["cadence"]) if single["cadence"] else None,
        max_items=_read_count(single["max_items"]) if single["max_items"] else None,
        wishes={kind: cells[name] for name, kind in WISH_COLUMNS.items() if cells[name]},
    )
    check_choices(choices)
    return Newcomer(
        line=line,
        address=parse_address(single["email"] or ""),
        choices=choices,
        confirmed=_read_yes(single["confirmed"] or ""),
    )


def read_cadence(text: str) -> Cadence:
    """Read a cadence. Raises BadInput with the choices."""
    try:
        return Cadence(text.strip().lower())
    except ValueError as error:
        known = ", ".join(c.value for c in Cadence)
        raise BadInput(f"there is no cadence {text!r}; it can be {known}") from error


def _read_count(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadInput(f"max_items must be a number, not {text!r}") from error


def _read_yes(text: str) -> bool:
    if text.strip().lower() in _YES:
        return True
    if text.strip().lower() in _NO:
        return False
    raise BadInput(f"confirmed must be true or false, not {text!r}")


def import_people(
    enrolment: Enrolment,
    lines: Iterable[Newcomer | tuple[int, str]],
    *,
    now: datetime,
    progress: Callable[[int], None] = lambda count: None,
) -> ImportReport:
    """Add the newcomers in batches, each whole or not at all; known addresses stay as they are.

    Unconfirmed ones get the question whether they want our mail, like anybody else.
    """
    report = ImportReport()
    batch: list[Newcomer] = []
    count = 0
    for line in lines:
        count += 1
        if isinstance(line, Newcomer):
            batch.append(line)
        else:
            report.bad[line[0]] = line[1]
        if len(batch) >= _BATCH:
            _add_batch(enrolment, batch, report, now)
            batch.clear()
            progress(count)
    _add_batch(enrolment, batch, report, now)
    progress(count)
    return report


def _add_batch(
    enrolment: Enrolment, batch: list[Newcomer], report: ImportReport, now: datetime
) -> None:
    with enrolment.store.write() as tx:
        slugs = topics_by_slug(tx)
        keys = [newcomer.address.key for newcomer in batch]
        taken = set(people.known_addresses(tx, keys)) | set(people.suppressed_among(tx, keys))
        good: dict[str, tuple[Newcomer, list[Wish]]] = {}
        for newcomer in batch:
            try:
                wishes = clean_wishes(newcomer.choices, slugs)
            except BadInput as error:
                report.bad[newcomer.line] = str(error)
                continue
            if newcomer.address.key in taken:
                report.known += 1
            else:
                taken.add(newcomer.address.key)
                good[newcomer.address.key] = (newcomer, wishes)
        rows = [_row(newcomer, enrolment.defaults, now) for newcomer, _ in good.values()]
        ids = people.add_subscribers(tx, rows)
        report.known += len(rows) - len(ids)
        numbered = {i: good[key] for key, i in ids.items()}
        people.add_wishes(tx, [(i, w) for i, (_, ws) in numbered.items() for w in ws], now=now)
        vouched = [i for i, (newcomer, _) in numbered.items() if newcomer.confirmed]
        asked = [i for i, (newcomer, _) in numbered.items() if not newcomer.confirmed]
        people.note_consent(tx, vouched, "vouched", now=now, source="import")
        people.note_consent(tx, asked, "asked", now=now, source="import")
        enrolment.ask_many(tx, asked, now)
        report.added += len(ids)


def _row(newcomer: Newcomer, defaults: Defaults, now: datetime) -> dict[str, object]:
    row = new_row(newcomer.address, newcomer.choices, defaults, now)
    confirmed: dict[str, object] = {"confirmed_at": None, "next_edition_at": None}
    if newcomer.confirmed:
        row["status"] = Status.CONFIRMED
        confirmed["confirmed_at"] = now
        confirmed["next_edition_at"] = first_edition(newcomer.choices, defaults, now)
    return row | confirmed


def export_people(store: Store, *, as_json: bool) -> Iterator[str]:
    """Lines that import reads again: everyone on the list who did not leave it."""
    if not as_json:
        yield csv_line(COLUMNS)
    with store.read() as tx:
        batch: list[Subscriber] = []
        for subscriber in people.all_subscribers(tx):
            if subscriber.status in (Status.CONFIRMED, Status.PENDING):
                batch.append(subscriber)
            if len(batch) >= _BATCH:
                yield from _export_batch(tx, batch, as_json)
                batch.clear()
        yield from _export_batch(tx, batch, as_json)


def _export_batch(tx: Transaction, batch: list[Subscriber], as_json: bool) -> Iterator[str]:
    wishes = people.wishes_of(tx, [s.id for s in batch])
    for s in batch:
        mine = [wish for wish, _ in wishes.get(s.id, [])]
        fields = _export_fields(s, mine)
        if as_json:
            yield json.dumps(fields, ensure_ascii=False)
        else:
            yield csv_line([cell_of(fields[name]) for name in COLUMNS])


def _export_fields(s: Subscriber, wishes: list[Wish]) -> dict[str, Any]:
    return {
        "email": s.email,
        **{
            name: [wish.value for wish in wishes if wish.kind is kind]
            for name, kind in WISH_COLUMNS.items()
        },
        "zone": s.zone,
        "send_at": s.send_at.strftime("%H:%M"),
        "cadence": s.cadence.value,
        "max_items": s.max_items,
        "confirmed": s.status is Status.CONFIRMED,
    }
