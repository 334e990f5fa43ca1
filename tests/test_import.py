"""Reading and writing lists: bad lines are told by their number, good ones kept, nothing changed."""

from __future__ import annotations

import csv
import json
from datetime import time
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.addresses import parse_address
from digest.cells import cell_of, csv_line, values_of
from digest.enrol import Enrolment
from digest.enrol_many import COLUMNS, ImportReport, Newcomer, export_people, import_people
from digest.enrol_many import read_people as read_lines
from digest.errors import BadInput
from digest.model import Cadence, InterestKind, Status
from digest.store import Store, people
from digest.store.schema import outbox, subscriber
from tests.enrol_pieces import DEFAULTS, consents, enrolment_of, person_of, wishes
from tests.store_pieces import NOW, count


def read(text: str, name: str = "people.csv") -> list[Newcomer | tuple[int, str]]:
    return list(read_lines(StringIO(text, newline=""), name))


def take(enrolment: Enrolment, text: str, name: str = "people.csv") -> ImportReport:
    return import_people(enrolment, read(text, name), now=NOW)


def bad(text: str, name: str = "people.csv") -> dict[int, str]:
    return dict(line for line in read(text, name) if isinstance(line, tuple))


def good(text: str, name: str = "people.csv") -> list[Newcomer]:
    return [line for line in read(text, name) if isinstance(line, Newcomer)]


# Cells


def test_every_column_is_read() -> None:
    (one,) = good(
        "email,topic,interest,keyword,exclude,author,category,like,zone,send_at,cadence,"
        "max_items,confirmed\n"
        "ann@example.org,vision;language-models,sparse attention,kv cache,survey,Ann Example,"
        "cs.CL;cs.LG,2603.00001,Asia/Tokyo,6:05,Weekly,5,yes\n"
    )

    assert one.address.text == "ann@example.org"
    assert one.choices.wishes == {
        InterestKind.TOPIC: ("vision", "language-models"),
        InterestKind.TEXT: ("sparse attention",),
        InterestKind.KEYWORD: ("kv cache",),
        InterestKind.EXCLUDE: ("survey",),
        InterestKind.AUTHOR: ("Ann Example",),
        InterestKind.CATEGORY: ("cs.CL", "cs.LG"),
        InterestKind.LIKE: ("2603.00001",),
    }
    choices = one.choices
    assert (choices.zone, choices.send_at, choices.cadence) == (
        "Asia/Tokyo",
        time(6, 5),
        Cadence.WEEKLY,
    )
    assert (choices.max_items, one.confirmed, one.line) == (5, True, 2)


def test_an_address_alone_is_enough() -> None:
    (one,) = good("email\nann@example.org\n")

    assert (one.confirmed, one.choices.zone, one.choices.wishes) == (False, None, {})


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffemail,zone\nann@example.org,UTC\n",
        "Email , ZONE\r\nann@example.org,UTC\r\n",
        "zone,email\nUTC,ann@example.org",
        '"email","zone"\n"ann@example.org","UTC"\n',
        "email,zone\n\n\nann@example.org,UTC\n\n",
    ],
)
def test_files_of_many_programs_can_be_read(text: str) -> None:
    (one,) = good(text)

    assert (one.address.text, one.choices.zone) == ("ann@example.org", "UTC")


def test_json_lines_say_the_same() -> None:
    (one, two) = good(
        json.dumps(
            {
                "email": "ann@example.org",
                "topic": ["vision"],
                "interest": "sparse attention; key-value caches",
                "max_items": 5,
                "confirmed": True,
            }
        )
        + '\n\n{"email": "ben@example.org", "confirmed": null, "zone": null}\n',
        "people.jsonl",
    )

    assert one.choices.wishes == {
        InterestKind.TOPIC: ("vision",),
        InterestKind.TEXT: ("sparse attention", "key-value caches"),
    }
    assert (one.choices.max_items, one.confirmed) == (5, True)
    assert (two.choices.zone, two.confirmed) == (None, False)


def test_a_semicolon_within_a_value_is_written_with_a_backslash() -> None:
    assert values_of(r"a\;b; c\\;d \alpha", split=True) == ("a;b", "c\\", r"d \alpha")


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1)))
def test_what_is_written_into_a_cell_is_read_out_of_it(values: list[str]) -> None:
    line = csv_line([cell_of(values), "x"])

    (cells,) = csv.reader([line])
    assert values_of(cells[0], split=True) == tuple(values)


# Lines that are wrong


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("no address", "mail address"),
        ("", None),
        (",,,", "mail address"),
        ("ann@example.org,Europe/Atlantis", "not a time zone"),
        ("ann@example.org,UTC,25:00", "hour of the day"),
        ("ann@example.org,UTC,7:30,hourly", "no cadence"),
        ("ann@example.org,UTC,7:30,daily,many", "must be a number"),
        ("ann@example.org,UTC,7:30,daily,101", "between 1 and 100"),
        ("ann@example.org,UTC,7:30,daily,5,perhaps", "true or false"),
        ("ann@example.org,UTC,7:30,daily,5,yes,extra", "more cells"),
        ("ann@example.org;ben@example.org", "mail address"),
        ('ann@example.org,"UTC', "not CSV"),
        ('"ann@example.org"x,UTC', "not CSV"),
        ("jos\ufffd@example.org", "UTF-8"),
        ('"ann@example.org\r\nBcc: ben@example.org",UTC', "mail address"),
        ("x" * 200_000, "not CSV"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_costs_nobody_else(
    line: str, said: str | None
) -> None:
    head = "email,zone,send_at,cadence,max_items,confirmed\n"
    before = "".join(f"before{n}@example.org,UTC\n" for n in range(5))
    after = "".join(f'after{n}@example.org,"UTC"\n' for n in range(30))

    lines = read(f"{head}{before}{line}\n{after}")

    told = dict(entry for entry in lines if isinstance(entry, tuple))
    assert len(lines) - len(told) == 35
    assert set(told) == ({7} if said else set())
    if said:
        assert said in told[7]


def test_a_cell_may_span_lines() -> None:
    one, two = good('email,interest\nann@example.org,"sparse\nattention"\nben@example.org,x\n')

    assert one.choices.wishes[InterestKind.TEXT] == ("sparse\nattention",)
    assert (one.line, two.line) == (2, 4)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "7",
        '"ann@example.org"',
        '{"email": "ann@example.org", "colour": "blue"}',
        '{"email": ["ann@example.org", "ben@example.org"]}',
        '{"email": "ann@example.org", "max_items": 1.5}',
        '{"email": "\\ud800@example.org"}',
        '{"email": "ann@example.org", "zone": {"a": 1}}',
        '{"email": ' + "9" * 5000 + "}",
        "[" * 100_000,
        "\ufffd",
        "null",
    ],
)
def test_a_bad_line_of_json_is_told_by_its_number(line: str) -> None:
    text = f'{{"email": "ann@example.org"}}\n{line}\n{{"email": "ben@example.org"}}\n'

    assert set(bad(text, "people.jsonl")) == {2}
    assert len(good(text, "people.jsonl")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "email among them"),
        ("ann@example.org\nben@example.org\n", "email among them"),
        ("email;zone\nann@example.org;UTC\n", "separated by commas"),
        ("email,colour\nann@example.org,blue\n", "no column 'colour'"),
        ("email,zone,email\n", "twice"),
        ('email,"zone\n', "email among them"),
        ("\x00\x01\x02", "email among them"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read(text)


@given(st.text())
def test_whatever_is_in_a_file_every_line_is_good_or_told(text: str) -> None:
    for name, head in (("people.csv", "email,interest\n"), ("people.jsonl", "")):
        for line in read(head + text, name):
            if isinstance(line, tuple):
                assert line[0] >= 1
                assert line[1]


# Taking them in


def test_the_confirmed_are_in_and_the_others_are_asked(enrolment: Enrolment, store: Store) -> None:
    report = take(
        enrolment,
        "email,confirmed,topic,zone\n"
        "ann@example.org,true,vision,Asia/Tokyo\nben@example.org,false,,\n",
    )

    assert (report.added, report.known, report.bad) == (2, 0, {})
    ann, ben = person_of(store, 1), person_of(store, 2)
    assert (ann.status, ann.zone, ann.confirmed_at) == (Status.CONFIRMED, "Asia/Tokyo", NOW)
    assert ann.next_edition_at is not None
    assert (ben.status, ben.zone, ben.next_edition_at) == (Status.PENDING, DEFAULTS.zone, None)
    assert wishes(store, 1) == [("topic", "vision")]
    assert (consents(store, 1), consents(store, 2)) == (
        [("vouched", "import")],
        [("asked", "import")],
    )
    assert count(store, outbox) == 1


def test_three_bad_lines_in_a_thousand_cost_three(enrolment: Enrolment, store: Store) -> None:
    lines = [f"reader{n}@example.org,vision,true" for n in range(1000)]
    lines[9], lines[499], lines[999] = (
        "nobody at all,vision,true",
        "reader@example.org,no-such-topic,true",
        'reader@example.org,"vision,true',
    )

    report = take(enrolment, "email,topic,confirmed\n" + "\n".join(lines))

    assert report.added == 997
    assert sorted(report.bad) == [11, 501, 1001]
    assert "topics: language-models, vision" in report.bad[501]
    assert count(store, subscriber) == 997


def test_who_is_known_or_suppressed_stays_as_is(enrolment: Enrolment, store: Store) -> None:
    take(enrolment, "email,confirmed\nann@example.org,yes\nben@example.org,yes\n")
    enrolment.unsubscribe(2, now=NOW, source="web")
    with store.write() as tx:
        people.suppress(tx, parse_address("cem@example.org").key, reason="complaint", now=NOW)

    report = take(
        enrolment,
        "email,confirmed,zone\nAnn@Example.org,yes,UTC\nben@example.org,yes,\n"
        "cem@example.org,yes,\ndan@example.org,yes,\nDAN@example.org,yes,\n",
    )

    assert (report.added, report.known) == (1, 4)
    assert person_of(store, 1).zone == DEFAULTS.zone
    assert person_of(store, 2).status is Status.UNSUBSCRIBED


def test_many_thousands_go_in_batch_by_batch_and_the_progress_is_told(
    enrolment: Enrolment, store: Store
) -> None:
    told: list[int] = []
    text = "email,interest,confirmed\n" + "".join(
        f"reader{n}@example.org,interest {n},yes\n" for n in range(4100)
    )

    report = import_people(enrolment, read(text), now=NOW, progress=told.append)

    assert report.added == 4100
    assert told == [2000, 4000, 4100]
    assert wishes(store, 4100) == [("interest", "interest 4099")]


def test_importing_the_same_file_again_adds_nobody(enrolment: Enrolment) -> None:
    text = "email,confirmed\n" + "".join(f"reader{n}@example.org,yes\n" for n in range(50))
    take(enrolment, text)

    report = take(enrolment, text)

    assert (report.added, report.known) == (0, 50)


# And out again

FULL = (
    "email,topic,interest,keyword,exclude,author,category,like,zone,send_at,cadence,max_items,"
    "confirmed\r\n"
    'ann@example.org,vision,"a; ""b"", c\\; d \\\\alpha",kv cache,,José Á;李,cs.CL,'
    "arxiv:2603.00001,Asia/Tokyo,06:05,weekly,5,true\r\n"
    "ben@example.org,,,,,,,,Europe/Berlin,07:30,weekdays,12,false\r\n"
)


@pytest.mark.parametrize("as_json", [False, True])
def test_what_is_exported_can_be_imported_and_is_the_same(
    enrolment: Enrolment, store: Store, sqlite_store: Store, as_json: bool
) -> None:
    take(enrolment, FULL)
    name = "people.jsonl" if as_json else "people.csv"

    told = "\n".join(export_people(store, as_json=as_json))

    assert wishes(store)[1:3] == [("interest", "a"), ("interest", '"b", c; d \\alpha')]
    if sqlite_store.url != store.url:
        other = enrolment_of(sqlite_store)
        assert take(other, told, name).added == 2
        assert "\n".join(export_people(sqlite_store, as_json=as_json)) == told


def test_an_export_leaves_out_who_left(enrolment: Enrolment, store: Store) -> None:
    take(enrolment, "email,confirmed\nann@example.org,yes\nben@example.org,no\n")
    enrolment.unsubscribe(1, now=NOW, source="web")

    lines = list(export_people(store, as_json=False))

    assert lines[0] == ",".join(COLUMNS)
    assert [line.partition(",")[0] for line in lines[1:]] == ["ben@example.org"]


def test_an_export_of_nobody_is_a_head_alone(store: Store) -> None:
    assert list(export_people(store, as_json=False)) == [",".join(COLUMNS)]
    assert list(export_people(store, as_json=True)) == []
