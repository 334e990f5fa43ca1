"""The commands about people and topics: what is typed, kept, told and refused."""

from __future__ import annotations

import json

import pytest

from tests.cli_pieces import CONFIG, Operator

# subscribers


def test_an_operators_first_day(site: Operator) -> None:
    told = site.gets(
        *("subscribers", "add", "me@example.org", "--topic", "vision"),
        *("--interest", "sparse attention", "--zone", "Europe/Berlin", "--send-at", "07:30"),
        *("--confirmed", "--at", "2026-03-11T12:00:00Z"),
    )
    assert told == "confirmed; next edition: 2026-03-12T06:30:00Z\n"

    shown = json.loads(site.gets("subscribers", "show", "me@example.org", "--json"))
    assert {
        "email": "me@example.org",
        "status": "confirmed",
        "zone": "Europe/Berlin",
        "send_at": "07:30",
        "cadence": "daily",
        "max_items": 12,
        "topics": ["vision"],
        "interests": ["sparse attention"],
        "next_edition_at": "2026-03-12T06:30:00Z",
    }.items() <= shown.items()


def test_without_a_vouching_operator_an_address_is_asked(site: Operator) -> None:
    told = site.gets("subscribers", "add", "ann@example.org")

    assert "until it is answered" in told
    assert "queued" in site.gets("report")
    shown = json.loads(site.gets("subscribers", "show", "ann@example.org", "--json"))
    assert (shown["status"], shown["next_edition_at"]) == ("pending", None)


def test_what_is_set_replaces_and_an_empty_value_takes_away(site: Operator) -> None:
    site.gets(
        "subscribers", "add", "ann@example.org", "--keyword", "a", "--author", "Ben", "--confirmed"
    )

    site.gets("subscribers", "set", "ann@example.org", "--keyword", "b", "--keyword", "c")
    site.gets("subscribers", "set", "ann@example.org", "--author", "", "--cadence", "weekly")

    shown = json.loads(site.gets("subscribers", "show", "ann@example.org", "--json"))
    assert (shown["keywords"], shown["authors"]) == (["b", "c"], [])
    assert shown["cadence"] == "weekly"


def test_an_operator_can_vouch_later(site: Operator) -> None:
    site.gets("subscribers", "add", "ann@example.org")

    shown = json.loads(site.gets("subscribers", "set", "ann@example.org", "--confirmed", "--json"))

    assert shown["status"] == "confirmed"
    assert [c["action"] for c in shown["consents"]] == ["asked", "vouched"]


def test_the_list_can_be_narrowed_and_people_erased(site: Operator) -> None:
    site.gets("subscribers", "add", "ann@example.org", "--confirmed")
    site.gets("subscribers", "add", "ben@example.org")

    listed = json.loads(site.gets("subscribers", "list", "--status", "pending", "--json"))
    assert [person["email"] for person in listed] == ["ben@example.org"]

    site.gets("subscribers", "remove", "ann@example.org")
    assert "ann@example.org" not in site.gets("subscribers", "list")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "nobody"], "not a mail address"),
        (["add", "ann@localhost"], "not a domain name"),
        (["add", "ann\r\nBcc: ben@example.org"], "not a mail address"),
        (["add", "ann@example.org", "--topic", "nothing"], "topics: vision"),
        (["add", "ann@example.org", "--zone", "Europe/Atlantis"], "Europe/Berlin"),
        (["add", "ann@example.org", "--send-at", "24:00"], "00:00 to 23:59"),
        (["add", "ann@example.org", "--cadence", "hourly"], "daily, weekdays, weekly"),
        (["add", "ann@example.org", "--max-items", "0"], "between 1 and 100"),
        (["add", "ann@example.org", "--like", "some paper"], "names no paper"),
        (["add", "ann@example.org", "--at", "soon"], "2026-03-11T07:00:00Z"),
        (["add", "ann@example.org", "--at", "2026-03-11T07:00:00"], "no zone"),
        (["list", "--status", "lost"], "pending, confirmed"),
    ],
)
def test_what_cannot_be_used_is_told_with_what_would_be_right(
    site: Operator, words: list[str], said: str
) -> None:
    assert said in site.is_refused("subscribers", *words, code=2)
    assert json.loads(site.gets("subscribers", "list", "--json")) == []


@pytest.mark.parametrize("command", ["show", "set", "remove"])
def test_nobody_of_that_address_is_exit_1(site: Operator, command: str) -> None:
    assert "on the list" in site.is_refused("subscribers", command, "ann@example.org")


def test_an_import_reports_bad_lines_and_keeps_the_good(site: Operator) -> None:
    path = site.folder / "people.csv"
    path.write_bytes(
        b"\xef\xbb\xbfemail,topic,confirmed\r\nann@example.org,vision,yes\r\n"
        b"nobody,vision,yes\r\njos\xe9@example.org,vision,yes\r\nben@example.org,,no\r\n"
    )

    told = site.types("subscribers", "import", str(path))

    assert told.code == 1
    assert told.out == "2 added, 0 known already, 2 bad\n"
    lines = told.err.splitlines()
    assert lines[0].startswith("digest: people.csv, line 3: that is not a mail address")
    assert lines[1].startswith("digest: people.csv, line 4: is not UTF-8")


def test_an_export_can_be_imported_elsewhere(
    site: Operator, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    site.gets("subscribers", "add", "ann@example.org", "--interest", "a; b", "--confirmed")
    site.gets("subscribers", "add", "ben@example.org", "--send-at", "6:05", "--topic", "vision")
    told = site.gets("subscribers", "export")
    other = Operator(tmp_path_factory.mktemp("other"), capsys)
    other.config.write_text(CONFIG)
    (other.folder / "people.csv").write_text(told)

    counted = json.loads(
        other.gets("subscribers", "import", f"{other.folder}/people.csv", "--json")
    )

    assert counted == {"added": 2, "known": 0, "bad": {}}
    assert other.gets("subscribers", "export") == told


@pytest.mark.parametrize("name", ["nowhere.csv", "."])
def test_a_file_that_is_not_there_is_told(site: Operator, name: str) -> None:
    assert "no file" in site.is_refused("subscribers", "import", str(site.folder / name))


# topics


def test_topics_are_offered_changed_and_removed(site: Operator) -> None:
    site.gets("topics", "add", "robots", "--name", "Robots", "--keyword", "manipulation")
    site.gets("topics", "set", "robots", "--description", "Machines that move")
    site.gets("subscribers", "add", "ann@example.org", "--topic", "robots", "--confirmed")

    listed = {t["slug"]: t for t in json.loads(site.gets("topics", "list", "--json"))}
    assert listed["robots"]["description"] == "Machines that move"
    assert (listed["robots"]["keywords"], listed["robots"]["followers"]) == (["manipulation"], 1)

    site.gets("topics", "remove", "robots")
    shown = json.loads(site.gets("subscribers", "show", "ann@example.org", "--json"))
    assert shown["topics"] == []


def test_a_removed_topic_does_not_come_back_by_itself(site: Operator) -> None:
    site.gets("topics", "remove", "vision")

    assert json.loads(site.gets("topics", "list", "--json")) == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["add", "Not A Slug"], 2),
        (["add", "vision"], 2),
        (["set", "nothing", "--name", "x"], 1),
        (["remove", "nothing"], 1),
    ],
)
def test_topics_that_cannot_be_are_refused(site: Operator, words: list[str], code: int) -> None:
    site.is_refused("topics", *words, code=code)
