"""Asking DNS, and where bounces and answers go: against a real name server on loopback."""

from __future__ import annotations

import socket
import time
from ipaddress import ip_address
from pathlib import Path

import dns.resolver
import pytest

from digest.check.dns import checks, receiving_domains, senders_of
from digest.check.resolver import LookupFailed, NameServer, Resolver, parse_name_server
from digest.check.runner import run_side_by_side
from digest.check.senders import judge_exchangers
from digest.errors import BadInput
from tests.check_pieces import levels, only, seen
from tests.config_folder import MINIMAL, Folder
from tests.dns_server import BROKEN, SILENT, dns_zone

MAIL_HOST = {"mail.example.org": {"A": ["192.0.2.25"], "AAAA": ["2001:db8::25"]}}


# -- asking


def test_records_come_in_order_and_whole() -> None:
    records = {"example.org": {"MX": ["20 b.example.org", "10 a.example.org"], "TXT": ["v=1", "x"]}}
    with dns_zone(records) as zone:
        ask = zone.resolver()

        assert ask.mx("example.org") == ((10, "a.example.org"), (20, "b.example.org"))
        assert sorted(ask.txt("example.org")) == ["v=1", "x"]


def test_the_pieces_of_a_long_record_are_joined() -> None:
    with dns_zone({"example.org": {"TXT": ["k" * 700]}}) as zone:
        assert zone.resolver().txt("example.org") == ("k" * 700,)
        assert not zone.by_tcp


def test_what_is_too_long_for_udp_comes_by_tcp() -> None:
    with dns_zone({"example.org": {"TXT": ["k" * 3000]}}) as zone:
        assert zone.resolver().txt("example.org") == ("k" * 3000,)
        assert zone.by_tcp == 1


def test_addresses_are_of_both_versions() -> None:
    with dns_zone(MAIL_HOST) as zone:
        found = zone.resolver().addresses("mail.example.org")

    assert found == (ip_address("192.0.2.25"), ip_address("2001:db8::25"))


def test_what_is_not_there_is_empty() -> None:
    with dns_zone(MAIL_HOST) as zone:
        ask = zone.resolver()

        assert ask.txt("nowhere.example") == ()
        assert ask.txt("mail.example.org") == ()
        assert ask.mx("example.org") == ()


def test_a_name_server_that_says_nothing_is_not_an_empty_answer() -> None:
    begun = time.monotonic()
    with dns_zone({"example.org": SILENT}) as zone:
        with pytest.raises(LookupFailed, match=r"no name server answers .* example\.org"):
            zone.resolver(timeout_s=0.3).txt("example.org")

    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("name", ["broken.example", "a..b", f"{'x' * 64}.example"])
def test_what_cannot_be_found_out_is_not_an_empty_answer(name: str) -> None:
    with dns_zone({"broken.example": BROKEN}) as zone:
        with pytest.raises(LookupFailed, match="cannot be found out"):
            zone.resolver().txt(name)


def test_a_port_without_a_name_server_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        server = NameServer(address="127.0.0.1", port=deaf.getsockname()[1])
        with pytest.raises(LookupFailed):
            Resolver(server, timeout_s=0.3).mx("example.org")


def test_a_machine_without_name_servers_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = dns.resolver.Resolver.read_resolv_conf
    (tmp_path / "resolv.conf").write_text("# nothing\n")
    monkeypatch.setattr(
        dns.resolver.Resolver,
        "read_resolv_conf",
        lambda self, file: read(self, str(tmp_path / "resolv.conf")),
    )

    with pytest.raises(LookupFailed, match="has no name server"):
        Resolver()


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.53", "192.0.2.53", 53),
        ("192.0.2.53:5353", "192.0.2.53", 5353),
        ("2001:db8::53", "2001:db8::53", 53),
        ("[2001:db8::53]", "2001:db8::53", 53),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353),
        (" 127.0.0.1:1 ", "127.0.0.1", 1),
    ],
)
def test_a_name_server_is_read(text: str, address: str, port: int) -> None:
    assert parse_name_server(text) == NameServer(address=address, port=port)


def test_a_name_server_may_be_a_name() -> None:
    assert parse_name_server("localhost:5353").port == 5353
    assert ip_address(parse_name_server("localhost").address).is_loopback


@pytest.mark.parametrize(
    "text", ["", ":53", "192.0.2.53:", "192.0.2.53:70000", "host:dns", "a:0", f"{'x' * 64}.example"]
)
def test_what_is_no_name_server_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_name_server(text)


# -- where bounces and answers go


def test_a_domain_with_a_mail_server_takes_mail() -> None:
    with dns_zone({"example.org": {"MX": ["10 mail.example.org"]}, **MAIL_HOST}) as zone:
        found = only(judge_exchangers(zone.resolver(), "example.org", "bounces go there"))

    assert (found.level, found.said) == ("green", "example.org takes mail at mail.example.org")


def test_an_address_alone_is_yellow() -> None:
    with dns_zone({"example.org": {"A": ["192.0.2.1"]}}) as zone:
        found = only(judge_exchangers(zone.resolver(), "example.org", "bounces go there"))

    assert found.level == "yellow"
    assert "bounces go there" in found.said


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ({}, "has neither MX record nor address"),
        ({"example.org": {"MX": ["0 ."]}}, "takes no mail"),
        ({"example.org": {"MX": ["10 gone.example.org"]}}, "has an address (gone.example.org)"),
    ],
)
def test_a_domain_that_takes_no_mail_is_red(records: dict[str, object], said: str) -> None:
    with dns_zone(records) as zone:  # type: ignore[arg-type]  # zones of one name
        found = only(judge_exchangers(zone.resolver(), "example.org", "answers go there"))

    assert found.level == "red"
    assert said in found.said


def test_one_mail_server_with_an_address_is_enough() -> None:
    records = {"example.org": {"MX": ["10 gone.example.org", "20 mail.example.org"]}, **MAIL_HOST}
    with dns_zone(records) as zone:
        assert levels(judge_exchangers(zone.resolver(), "example.org", "x")) == ["green"]


# -- what is looked up for a configuration


def test_each_domain_that_must_take_mail_is_looked_at_once(tmp_path: Path) -> None:
    keys = 'bounce_domain = "bounces.example.org"\nreply_to = "team@office.example.net"\n'
    settings = Folder(tmp_path).load(MINIMAL + keys)

    assert receiving_domains(settings.mail) == {
        "bounces.example.org": "bounces go there",
        "example.org": "the From line names it",
        "office.example.net": "answers go there",
    }


def test_without_a_bounce_domain_the_from_domain_stands_for_all(tmp_path: Path) -> None:
    settings = Folder(tmp_path).load(MINIMAL + 'reply_to = "team@EXAMPLE.org"\n')

    assert receiving_domains(settings.mail) == {"example.org": "bounces go there"}
    assert senders_of(settings.mail).bounce_domain == "example.org"


def test_every_question_is_asked_of_the_name_server_given(tmp_path: Path) -> None:
    keys = 'bounce_domain = "bounces.example.org"\n'
    settings = Folder(tmp_path).load(MINIMAL + keys)
    with dns_zone(MAIL_HOST) as zone:
        found = seen(run_side_by_side(list(checks(settings, zone.name_server))))

    assert {("MX", "example.org"), ("MX", "bounces.example.org")} <= set(zone.asked)
    assert ("TXT", "bounces.example.org") in zone.asked
    assert ("TXT", "example.org") in zone.asked
    assert ("TXT", "_dmarc.example.org") in zone.asked
    assert [(f.name, f.level.value) for f in found] == [
        ("dns.mx", "red"),
        ("dns.mx", "red"),
        ("dns.spf", "red"),
        ("dns.spf", "green"),
        ("dns.dkim", "yellow"),
        ("dns.dmarc", "red"),
        ("dns.alignment", "yellow"),
    ]


def test_a_key_that_is_none_is_red(tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_text("no key\n")
    keys = 'dkim_domain = "example.org"\ndkim_selector = "s"\ndkim_key_file = "dkim.pem"\n'
    settings = Folder(tmp_path).load(MINIMAL + keys)
    with dns_zone({}) as zone:
        found = seen(run_side_by_side(list(checks(settings, zone.name_server))))

    (dkim,) = (f for f in found if f.name == "dns.dkim")
    assert dkim.level == "red"
    assert "no private key" in dkim.said


def test_a_broken_name_server_makes_every_question_red_and_says_so(tmp_path: Path) -> None:
    settings = Folder(tmp_path).load(MINIMAL)
    with dns_zone({"example.org": BROKEN, "_dmarc.example.org": BROKEN}) as zone:
        found = seen(run_side_by_side(list(checks(settings, zone.name_server))))

    reds = [f.name for f in found if f.level == "red"]
    assert reds == ["dns.mx", "dns.spf", "dns.dmarc"]
    assert all("name servers" in f.advice for f in found if f.level == "red")
