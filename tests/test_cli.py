"""The program as its operator types it: what comes out, and with which exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from digest.cli import run
from digest.sample import SampleServer

NOON = "2026-03-10T12:00:00Z"
MORNING = "2026-03-11T06:30:00Z"


@dataclass(frozen=True)
class Said:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Digest = Callable[..., Said]


@pytest.fixture
def server() -> Iterator[SampleServer]:
    with SampleServer(datetime(2026, 3, 11, 6, tzinfo=UTC)) as running:
        yield running


@pytest.fixture
def digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Digest:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Said:
        code = run(arguments)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return call


@pytest.fixture
def site(tmp_path: Path, digest: Digest, server: SampleServer) -> Digest:
    """The program in a folder with settings whose only source is the sample's server."""
    made = digest(
        "init", "--url", "https://digest.example.org", "--from", "Papers <d@example.org>",
        "--mail-folder", "mail",
    )  # fmt: skip
    assert made.code == 0
    path = tmp_path / "config.toml"
    kept = path.read_text().partition("\n[[source]]\n")[0] + "\n"
    path.write_text(
        f'{kept}[[source]]\nname = "huggingface"\nkind = "huggingface"\nurl = "{server.url}"\n'
        'pause = "0s"\n[[topic]]\nslug = "language-models"\n'
        'text = "Large language models, their pretraining, reasoning and long contexts."\n'
    )
    return digest


def subscribe(site: Digest, email: str = "me@example.org", *options: str) -> Said:
    return site(
        "subscribers", "add", email, "--topic", "language-models",
        "--interest", "sparse attention", "--zone", "Europe/Berlin", "--send-at", "07:30",
        "--at", NOON, *options,
    )  # fmt: skip


def test_an_operator_gets_from_init_to_the_first_mail(site: Digest, tmp_path: Path) -> None:
    added = subscribe(site, "me@example.org", "--confirmed")
    collected = site("collect", "--at", "2026-03-11T05:00:00Z")
    dry = site("send", "--dry-run", "--at", MORNING, "--json")
    sent = site("send", "--at", MORNING, "--json")
    again = site("send", "--at", MORNING, "--json")
    report = site("report", "--date", "2026-03-11", "--json")

    assert (added.code, collected.code, sent.code) == (0, 0, 0)
    assert "2026-03-11T06:30:00Z" in added.out
    assert [d["email"] for d in dry.json["drafts"]] == ["me@example.org"]
    assert sent.json["made"] == 1
    assert sent.json["delivered"] == {"sent": 1}
    assert again.json["made"] == 0
    ledger = report.json["ledger"]
    assert ledger["due"] == ledger["sent"] == 1
    assert sum(n for state, n in ledger.items() if state != "due") == 1
    assert [s["name"] for s in report.json["sources"]] == ["huggingface"]
    (mail,) = (tmp_path / "mail").iterdir()
    message = message_from_bytes(mail.read_bytes(), policy=policy.default)
    assert message["To"] == "me@example.org"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_dry_run_changes_nothing(site: Digest, tmp_path: Path) -> None:
    subscribe(site, "me@example.org", "--confirmed")
    site("collect", "--at", "2026-03-11T05:00:00Z")

    site("send", "--dry-run", "--at", MORNING)
    report = site("report", "--date", "2026-03-11", "--json")

    assert report.json["ledger"]["due"] == 0
    assert not (tmp_path / "mail").exists()


def test_who_is_not_vouched_for_gets_a_question_and_nothing_else(
    site: Digest, tmp_path: Path
) -> None:
    added = subscribe(site)
    site("collect", "--at", "2026-03-11T05:00:00Z")
    site("send", "--at", MORNING)
    shown = site("subscribers", "show", "me@example.org", "--json")

    assert "confirmation is queued" in added.out
    (mail,) = (tmp_path / "mail").iterdir()
    assert b"/confirm/" in mail.read_bytes().replace(b"=\r\n", b"")
    assert b"List-Unsubscribe" not in mail.read_bytes()
    assert shown.json["status"] == "pending"
    assert shown.json["next_edition_at"] is None


def test_show_tells_what_the_design_promises(site: Digest) -> None:
    subscribe(site, "me@example.org", "--confirmed", "--max-items", "5", "--cadence", "weekdays")

    shown = site("subscribers", "show", "me@example.org", "--json").json

    assert shown["email"] == "me@example.org"
    assert shown["status"] == "confirmed"
    assert (shown["zone"], shown["send_at"]) == ("Europe/Berlin", "07:30")
    assert (shown["cadence"], shown["max_items"]) == ("weekdays", 5)
    assert shown["topics"] == ["language-models"]
    assert shown["interests"] == ["sparse attention"]
    assert shown["next_edition_at"] == "2026-03-11T06:30:00Z"


def test_settings_of_a_person_change_and_the_next_edition_moves(site: Digest) -> None:
    subscribe(site, "me@example.org", "--confirmed")

    changed = site(
        "subscribers", "set", "me@example.org", "--zone", "Asia/Tokyo", "--interest", "robots",
        "--keyword", "", "--at", NOON, "--json",
    )  # fmt: skip

    assert changed.json["interests"] == ["robots"]
    assert changed.json["topics"] == ["language-models"]
    assert changed.json["next_edition_at"] == "2026-03-10T22:30:00Z"


def test_why_and_preview_and_top_agree(site: Digest) -> None:
    subscribe(site, "me@example.org", "--confirmed")
    site("collect", "--at", "2026-03-11T05:00:00Z")

    preview = site("preview", "me@example.org", "--format", "json", "--at", MORNING).json
    first = preview["entries"][0]
    why = site("why", "me@example.org", first["wording"]["key"], "--at", MORNING, "--json").json
    top = site("top", "--at", MORNING, "--limit", "3", "--json").json

    assert why["now"]["verdict"] == "picked"
    assert why["now"]["score"] == pytest.approx(first["pick"]["score"])
    assert len(top["items"]) == 3
    assert all(item["reasons"] is not None for item in top["items"])


@pytest.mark.parametrize("form", ["text", "html", "eml"])
def test_a_preview_has_three_more_forms(site: Digest, form: str) -> None:
    subscribe(site, "me@example.org", "--confirmed")
    site("collect", "--at", "2026-03-11T05:00:00Z")

    said = site("preview", "me@example.org", "--format", form, "--at", MORNING)

    assert said.code == 0
    assert {"text": "Subject:", "html": "<html", "eml": "MIME-Version:"}[form] in said.out


def test_search_and_similar_find_what_was_collected(site: Digest) -> None:
    site("collect", "--at", "2026-03-11T05:00:00Z")
    item = site("top", "--at", MORNING, "--limit", "1", "--json").json["items"][0]

    found = site("search", item["title"], "--at", MORNING, "--json").json
    similar = site("similar", item["key"], "--limit", "3", "--at", MORNING, "--json").json

    assert item["key"] in [hit["key"] for hit in found]
    assert item["key"] not in [hit["key"] for hit in similar]


def test_a_date_shows_what_was_listed_on_it(site: Digest) -> None:
    site("collect", "--at", "2026-03-11T05:00:00Z")

    tuesday = site("top", "--date", "2026-03-10", "--limit", "50", "--json").json["items"]
    sunday = site("top", "--date", "2026-03-08", "--json").json["items"]

    assert len(tuesday) >= 10
    assert sunday == []


def test_people_go_out_and_come_in_again(site: Digest, tmp_path: Path) -> None:
    subscribe(site, "me@example.org", "--confirmed", "--keyword", "KV cache")
    exported = site("subscribers", "export").out
    site("subscribers", "remove", "me@example.org")
    (tmp_path / "people.csv").write_text(exported)

    imported = site("subscribers", "import", "people.csv", "--at", NOON, "--json")

    assert imported.json == {"added": 1, "known": 0, "bad": {}}
    assert site("subscribers", "export").out == exported


def test_three_bad_lines_in_a_thousand_are_told_by_number(site: Digest, tmp_path: Path) -> None:
    lines = [f"reader{n}@example.org,language-models,yes" for n in range(1000)]
    lines[9] = "no address,language-models,yes"
    lines[499] = "a@example.org,no-such-topic,yes"
    lines[999] = "b@example.org,language-models,perhaps"
    (tmp_path / "people.csv").write_text("email,topic,confirmed\n" + "\n".join(lines) + "\n")

    said = site("subscribers", "import", "people.csv", "--at", NOON, "--json")

    assert said.code == 1
    assert said.json["added"] == 997
    assert sorted(map(int, said.json["bad"])) == [11, 501, 1001]
    assert "line 501" in said.err
    assert len(site("subscribers", "list", "--json").json) == 997


def test_topics_are_offered_changed_and_taken_back(site: Digest) -> None:
    added = site("topics", "add", "robots", "--name", "Robots", "--keyword", "robot")
    twice = site("topics", "add", "robots")
    site("topics", "set", "robots", "--description", "That move")
    listed = {topic["slug"]: topic for topic in site("topics", "list", "--json").json}
    removed = site("topics", "remove", "robots")
    gone = site("topics", "remove", "robots")

    assert (added.code, twice.code, removed.code, gone.code) == (0, 2, 0, 1)
    assert listed["robots"]["keywords"] == ["robot"]
    assert listed["robots"]["description"] == "That move"


def test_a_source_that_fails_is_said_and_ends_with_1(site: Digest, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = path.read_text()
    at = text.index('url = "http://127.0.0.1')
    path.write_text(text[:at] + 'url = "http://127.0.0.1:9"' + text[text.index("\n", at) :])

    said = site("collect", "--at", NOON)
    shown = site("sources", "--json").json

    assert said.code == 1
    assert "huggingface" in said.err
    assert shown[0]["last_error"]
    assert shown[0]["last_read_at"] is None


BAD = [
    (("subscribers", "add", "no address"), 2, "mail address"),
    (("subscribers", "add", "a@example.org\r\nBcc: b@example.org"), 2, "mail address"),
    (("subscribers", "add", "a@example.org", "--zone", "Mars/Base"), 2, "time zone"),
    (("subscribers", "add", "a@example.org", "--send-at", "25:00"), 2, "hour of the day"),
    (("subscribers", "add", "a@example.org", "--cadence", "hourly"), 2, "daily"),
    (("subscribers", "add", "a@example.org", "--topic", "nope"), 2, "language-models"),
    (("subscribers", "add", "a@example.org", "--like", "no paper"), 2, "names no paper"),
    (("subscribers", "add", "a@example.org", "--max-items", "0"), 2, "between"),
    (("subscribers", "show", "nobody@example.org"), 1, "nobody"),
    (("subscribers", "import", "missing.csv"), 1, "missing.csv"),
    (("why", "nobody@example.org", "2401.00001"), 1, "nobody"),
    (("similar", "2401.00001"), 1, "archive"),
    (("collect", "nope"), 2, "huggingface"),
    (("collect", "--at", "yesterday"), 2, "2026-03-11T07:00:00Z"),
    (("report", "--date", "11.3.2026"), 2, "2026-03-11"),
    (("top", "--topic", "nope"), 2, "language-models"),
    (("top", "--limit", "many"), 2, "--limit"),
    (("run", "--only", "dance"), 2, "collect, edition, deliver, web"),
    (("init",), 2, "exists already"),
    (("nonsense",), 2, "nonsense"),
    (("report", "--config", "elsewhere.toml"), 2, "digest init"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=lambda value: str(value)[:60])
def test_nonsense_is_refused_with_what_would_be_right(
    site: Digest, arguments: tuple[str, ...], code: int, words: str
) -> None:
    said = site(*arguments)

    assert said.code == code
    assert words in said.err
    assert "Traceback" not in said.err


def test_all_problems_of_the_settings_are_told_at_once(site: Digest, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    text = path.read_text().replace('zone = "UTC"', 'zone = "Mars/Base"')
    path.write_text(text.replace("max_items = 12", 'max_itmes = "many"'))

    said = site("report")

    assert said.code == 2
    assert "edition.max_itmes" in said.err and '"max_items"' in said.err
    assert "defaults.zone" in said.err


def test_a_database_newer_than_the_program_is_left_alone(site: Digest, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "digest.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()

    said = site("report")

    assert said.code == 1
    assert "newer" in said.err


def test_a_copy_is_made_while_others_work_and_never_over_a_file(
    site: Digest, tmp_path: Path
) -> None:
    subscribe(site, "me@example.org", "--confirmed")

    made, twice = site("backup", "copy.db"), site("backup", "copy.db")

    assert (made.code, twice.code) == (0, 2)
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0
    (tmp_path / "digest.db").write_bytes((tmp_path / "copy.db").read_bytes())
    assert site("subscribers", "show", "me@example.org").code == 0


def test_help_loads_nothing_heavy() -> None:
    asked = (
        "import sys\nfrom digest.cli import run\nassert run(['--help']) == 0\n"
        "heavy = {'sqlalchemy', 'httpx', 'numpy', 'jinja2', 'bs4', 'starlette'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stderr.strip() == "[]"
    assert "subscribers" in done.stdout
