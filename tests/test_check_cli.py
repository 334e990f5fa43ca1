"""`digest check` as it is typed: one good service, and each thing that can be wrong with it."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.check.findings import NAMES, Finding, Level
from digest.cli import run
from digest.cli.check import told
from digest.model import MessageKind, OutboxState
from digest.store import outbox
from tests.check_pieces import seen
from tests.check_service import FEED, Service, running_service
from tests.config_folder import KEY, MINIMAL
from tests.databases import Databases
from tests.store_pieces import add_person

TRYING = f"""
[site]
url = "http://localhost:8080"
secret_key = "{KEY}"
[mail]
from = "Trending Papers <digest@example.org>"
[smtp]
transport = "folder"
path = "outgoing"
[[source]]
name = "saved"
kind = "feed"
url = "file:///FOLDER/feed.xml"
"""


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with running_service(tmp_path, monkeypatch) as running:
        yield running


def report(captured: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The JSON document; every finding in it is explained in the docs."""
    whole: dict[str, Any] = json.loads(captured.readouterr().out)
    seen(
        Finding(name=f["name"], level=Level(f["level"]), said=f["said"], advice=f["advice"])
        for f in whole["findings"]
    )
    return whole


def not_green(whole: dict[str, Any]) -> dict[str, str]:
    return {f["name"]: f["level"] for f in whole["findings"] if f["level"] != "green"}


# -- a good service


def test_a_service_without_fault_is_green_and_exits_0(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    code = service.look("--json", "--arrived", str(service.arrived()))
    whole = report(capsys)

    assert not_green(whole) == {}
    assert (code, whole["worst"], whole["skipped"]) == (0, "green", [])
    looked_at = {f["name"] for f in whole["findings"]}
    assert looked_at >= set(NAMES)


def test_nothing_is_sent_and_nothing_stays_behind(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.write()
    before = {path: path.stat().st_mtime_ns for path in service.folder.rglob("*.pem")}
    files = sorted(service.folder.rglob("*"))

    service.look()

    assert service.relay.received == []
    assert not any("MAIL" in line for _, line in service.relay.commands)
    after = [p for p in sorted(service.folder.rglob("*")) if not p.name.endswith(("-wal", "-shm"))]
    assert after == [p for p in files if not p.name.endswith(("-wal", "-shm"))]
    assert before == {path: path.stat().st_mtime_ns for path in service.folder.rglob("*.pem")}
    with_app = service.open()
    with with_app.store.read() as tx:
        assert outbox.waiting(tx) == {}
    with_app.close()


# -- one thing that is wrong


Break = Callable[[Service], None]


def _set(section: str, **keys: Any) -> Break:
    return lambda service: service.config[section].update(keys)


def _record(name: str, **records: list[str]) -> Break:
    return lambda service: service.records.__setitem__(name, records)


def _unknown_login(service: Service) -> None:
    service.config["smtp"]["password"] = "wrong"


def _dead_relay(service: Service) -> None:
    service.relay.rule = lambda moment: "421 4.3.2 down" if moment.verb == "CONNECT" else None


def _dead_source(service: Service) -> None:
    service.config["source"]["url"] = f"{service.source.url}/gone.xml"


def _no_mailbox(service: Service) -> None:
    (service.folder / "Maildir" / "new").rmdir()


def _broken_template(service: Service) -> None:
    folder = service.folder / "templates" / "email"
    folder.mkdir(parents=True)
    (folder / "edition.subject.txt").write_text("{{ nothing }}")
    service.config["mail"]["templates"] = "templates"


def _doubt(service: Service) -> None:
    app = service.open()
    reader = add_person(app.store)
    row = outbox.NewMessage(
        kind=MessageKind.EDITION,
        subscriber_id=reader,
        dedupe_key="x",
        message_id="<x@example.org>",
        state=OutboxState.UNCERTAIN,
        due_at=datetime.now(UTC),
    )
    with app.store.write() as tx:
        outbox.add_messages(tx, [row], now=datetime.now(UTC))
    app.close()


REDS: dict[str, tuple[Break, set[str]]] = {
    "another secret": (_unknown_login, {"relay.login"}),
    "a relay that is down": (_dead_relay, {"relay.connection"}),
    "a source that is gone": (_dead_source, {"sources.reachable"}),
    "no such mailbox": (_no_mailbox, {"bounces.mailbox"}),
    "no SPF": (_record("bounces.example.org", MX=["10 mail.example.org"]), {"dns.spf"}),
    "no MX": (_record("bounces.example.org", TXT=["v=spf1 -all"]), {"dns.mx"}),
    "another key": (
        _record("digest._domainkey.example.org", TXT=["v=DKIM1; k=rsa; p=AAAA"]),
        {"dns.dkim"},
    ),
    "no DMARC": (_record("_dmarc.example.org"), {"dns.dmarc"}),
    "a site on this machine": (_set("site", url="https://localhost"), {"site.url"}),
    "a mail provider": (
        _set("mail", **{"from": "me@gmail.com"}),
        {"mail.from", "dns.mx", "dns.dmarc", "dns.alignment"},
    ),
}
YELLOWS: dict[str, tuple[Break, set[str]]] = {
    "no address": (_set("site", postal_address=""), {"site.identity"}),
    "no source": (_set("source", enabled=False), {"sources.reachable"}),
    "no mailbox": (_set("bounces", kind="none"), {"bounces.mailbox"}),
    "no reports": (_record("_dmarc.example.org", TXT=["v=DMARC1; p=none"]), {"dns.dmarc"}),
    "a broken template": (_broken_template, {"mail.sample"}),
    "messages in doubt": (_doubt, {"alarms.uncertain"}),
}


@pytest.mark.parametrize("case", REDS)
def test_what_is_red_is_told_and_exits_1(
    service: Service, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    break_it, expected = REDS[case]
    break_it(service)

    code = service.look("--json")
    found = not_green(report(capsys))

    assert code == 1
    assert {name for name, level in found.items() if level == "red"} == expected


@pytest.mark.parametrize("case", YELLOWS)
def test_what_is_yellow_is_told_and_exits_0(
    service: Service, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    break_it, expected = YELLOWS[case]
    break_it(service)

    code = service.look("--json")

    assert not_green(report(capsys)) == dict.fromkeys(expected, "yellow")
    assert code == 0


def test_another_time_can_be_judged_by(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    later = (datetime.now(UTC) + timedelta(days=3)).isoformat()

    code = service.look("--json", "--at", later)

    assert code == 1
    assert not_green(report(capsys)) == {"alarms.heartbeat": "red"}


# -- what is left out


def test_offline_asks_nobody(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    code = service.look("--json", "--offline")
    whole = report(capsys)

    assert (code, not_green(whole)) == (0, {})
    assert (service.relay.connections, service.source.heads, service.dns.asked) == (0, [], [])
    skipped = {one["name"] for one in whole["skipped"]}
    assert skipped == {
        name
        for name in NAMES
        if name.startswith(("relay.", "dns.", "sources."))
        or name in ("site.one-click", "mail.arrived")
    }


def test_a_key_that_is_none_is_red_whoever_is_asked(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    (service.folder / "dkim.pem").write_text("no key\n")

    code = service.look("--json", "--offline")

    assert (code, not_green(report(capsys))) == (1, {"mail.headers": "red"})


def test_a_mail_that_cannot_be_read_is_told_and_exits_2(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    code = service.look("--arrived", str(service.folder / "none.eml"))

    assert code == 2
    assert "cannot read" in capsys.readouterr().err
    assert service.look("--arrived", str(service.folder)) == 2


def test_postgresql_is_looked_at_and_its_disk_is_not(
    service: Service, capsys: pytest.CaptureFixture[str], postgres_databases: Databases
) -> None:
    url = postgres_databases.fresh()
    service.config["database"] = {"url": url}

    code = service.look("--json", "--offline")
    whole = report(capsys)
    postgres_databases.drop(url)

    assert code == 0
    assert not_green(whole) == {"alarms.heartbeat": "yellow"}
    assert "database.space" in {one["name"] for one in whole["skipped"]}


def test_trying_it_out_is_not_red(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.toml").write_text(TRYING.replace("/FOLDER", str(tmp_path)))
    (tmp_path / "feed.xml").write_bytes(FEED)

    code = run(["check", "--config", str(tmp_path / "config.toml"), "--offline", "--json"])
    whole = report(capsys)

    assert not_green(whole) == {
        "database.version": "yellow",
        "relay.connection": "yellow",
        "mail.headers": "yellow",
        "site.url": "yellow",
        "site.identity": "yellow",
        "rank.model": "yellow",
    }
    assert code == 0
    assert {one["reason"] for one in whole["skipped"]} == {
        "no mail is sent",
        "the database cannot be used",
        "--offline",
    }
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.toml", "feed.xml"]


def test_a_database_in_a_folder_that_is_not_there_is_red(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL + '[database]\nurl = "sqlite:///gone/digest.db"\n')

    code = run(["check", "--config", str(path), "--offline", "--json"])
    whole = report(capsys)

    assert code == 1
    assert {n for n, level in not_green(whole).items() if level == "red"} == {"database.version"}
    assert "database.space" in {one["name"] for one in whole["skipped"]}
    assert not (tmp_path / "gone").exists()


# -- settings


def test_broken_settings_are_listed_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINIMAL + 'form = 1\n[smtp]\nport = "x"\n')

    code = run(["check", "--config", str(path), "--json"])
    said = capsys.readouterr()
    whole = json.loads(said.out)

    assert code == 2
    assert [f["name"] for f in whole["findings"]] == ["settings.load"] * 2
    assert {f["level"] for f in whole["findings"]} == {"red"}
    assert all(f["said"] in said.err for f in whole["findings"])
    assert {one["name"] for one in whole["skipped"]} == set(NAMES) - {"settings.load"}


def test_no_settings_at_all_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["check", "--config", str(tmp_path / "none.toml")])
    said = capsys.readouterr()

    assert code == 2
    assert "✗ load: there is no such file" in said.out
    assert "no such file" in said.err


def test_a_name_server_that_is_none_exits_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text(MINIMAL)

    code = run(["check", "--config", str(tmp_path / "config.toml"), "--nameserver", "a:b"])

    assert code == 2
    assert "name server" in capsys.readouterr().err


# -- the table


def test_the_table_has_a_section_for_each_and_advice_below(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.records["_dmarc.example.org"] = {}

    code = service.look()
    text = capsys.readouterr().out

    assert code == 1
    assert "\x1b" not in text
    sections = re.findall(r"^(\w+)$", text, flags=re.M)
    order = list(dict.fromkeys(name.partition(".")[0] for name in NAMES))
    assert sections == order
    lines = text.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  ✗ dmarc: "))
    assert lines[at + 1].startswith("    → publish a TXT record for _dmarc.example.org")
    assert "1 red" in lines[-1]


def test_no_secret_is_shown(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    _unknown_login(service)
    service.look()
    table = capsys.readouterr()
    service.look("--json")
    document = capsys.readouterr()

    for text in (*table, *document):
        assert "wrong" not in text.replace("535 5.7.8 wrong user or password", "")
        assert "kkkk" not in text


def test_long_lines_are_wrapped_for_a_terminal_but_words_stay_whole() -> None:
    from digest.check.findings import CheckReport, Skipped, red

    record = "v=DKIM1;" + "k" * 150
    whole = CheckReport(
        findings=(red("dns.dkim", "words " * 40, f"publish this: {record} (now)"),),
        skipped=(Skipped(name="dns.mx", reason="--offline"),),
    )

    wrapped, plain = (list(told(whole, width=width)) for width in (60, None))

    assert max(len(line) for line in wrapped if record not in line) <= 60
    assert any(record in line for line in wrapped)
    assert " ".join(" ".join(wrapped).split()) == " ".join(" ".join(plain).split())
    assert len(plain) == 6


def test_a_terminal_s_width_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    (tmp_path / "config.toml").write_text(MINIMAL)
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "60")

    run(["check", "--config", str(tmp_path / "config.toml"), "--offline"])

    assert max(map(len, screen.getvalue().splitlines())) <= 60 + len(str(tmp_path))
