"""The daemon's work by hand: collecting and sending."""

from __future__ import annotations

import json
from pathlib import Path

from digest.store import Store
from tests.cli_pieces import CONFIG, Operator
from tests.collect_pieces import write_days
from tests.deliver_pieces import World
from tests.listing_server import ReplayServer, html_page
from tests.outbox_pieces import claim
from tests.store_pieces import NOW

# Working


def with_source(site: Operator, url: str, name: str = "hub") -> None:
    source = f'[[source]]\nname = "{name}"\nkind = "huggingface"\nurl = "{url}"\npause = "0s"\n'
    site.config.write_text(site.config.read_text() + source)


def test_collect_and_send_are_the_daemon_by_hand(
    site: Operator, tmp_path: Path, no_proxies: None
) -> None:
    site.gets("subscribers", "add", "me@example.org", "--confirmed", "--at", "2026-03-11T06:00:00Z")
    with ReplayServer(write_days(tmp_path / "days", {0: 5, 1: 20}), now=NOW) as server:
        with_source(site, server.url)
        at = ("--at", "2026-03-11T08:00:00Z")

        assert site.gets("collect", *at) == "hub: 25 read, 25 new, 0 known\n"
        assert "no source is due" in site.gets("collect", *at)
        assert json.loads(site.gets("collect", "hub", *at, "--json"))[0]["error"] is None

    dry = json.loads(site.gets("send", "--dry-run", *at, "--json"))
    assert len(dry["drafts"][0]["picks"]) == 12
    assert "1 people are due" in site.gets("send", "--dry-run", *at)
    assert not (site.folder / "mail").exists()

    sent = json.loads(site.gets("send", *at, "--json"))
    assert (sent["made"], sent["delivered"], sent["stopped"]) == (1, {"sent": 1}, None)
    assert len(list((site.folder / "mail").glob("*.eml"))) == 1
    assert (
        site.gets("send", *at) == "editions: 0 made, 0 skipped, 0 missed\nmessages: none waited\n"
    )


def test_a_source_in_trouble_is_exit_1_and_the_others_are_read(
    site: Operator, tmp_path: Path, no_proxies: None
) -> None:
    folder = write_days(tmp_path / "days", {0: 3})
    with ReplayServer(folder, now=NOW) as good, ReplayServer(folder, now=NOW) as bad:
        bad.misbehave(html_page())
        with_source(site, bad.url, "bad")
        with_source(site, good.url, "good")

        told = site.types("collect", "--at", "2026-03-11T08:00:00Z")

    assert told.code == 1
    assert "good: 3 read, 3 new" in told.out
    (line,) = told.err.splitlines()
    assert line.startswith("digest: source bad: ")
    assert "JSON" in line
    sources = {s["name"]: s for s in json.loads(site.gets("sources", "--json"))}
    assert (sources["bad"]["failures"], sources["good"]["failures"]) == (1, 0)


def test_a_source_nobody_configured_is_refused(site: Operator) -> None:
    assert "configured and enabled: " in site.is_refused("collect", "nothing", code=2)


def test_a_dead_relay_is_exit_1_and_loses_nothing(site: Operator) -> None:
    site.gets("subscribers", "add", "ann@example.org")
    site.config.write_text(
        CONFIG.replace(
            'transport = "folder"\npath = "mail"',
            'host = "127.0.0.1"\nport = 1\nsecurity = "none"\ntimeout_s = 2',
        )
    )

    told = site.types("send")

    assert told.code == 1
    assert "what waits is kept" in told.err
    ledger = json.loads(site.gets("report", "--json"))["ledger"]
    assert ledger["due"] == ledger["queued"] + ledger["deferred"] == 1


def test_sending_tells_of_what_another_sender_holds(site: Operator, postgres_store: Store) -> None:
    url = f'[database]\nurl = "{postgres_store.url}"\n'
    site.config.write_text(site.config.read_text() + url)
    World(postgres_store).queue_editions(3)
    claim(postgres_store, "another", limit=2)
    at = ("--at", "2026-03-11T08:00:00Z")

    told = site.gets("send", *at)

    assert "messages: 1 sent\n2 are in another sender's hands" in told
    assert json.loads(site.gets("send", *at, "--json"))["elsewhere"] == 2
