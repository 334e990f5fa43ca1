"""SPF: the policy with all that it includes, what it costs, and whom it covers."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.check.findings import Finding
from digest.check.senders import judge_other_policy, judge_sender_policy
from digest.check.spf import Policy, read_policy, records_of
from tests.check_pieces import levels, only, seen
from tests.dns_server import Zone, dns_zone

DOMAIN = "bounces.example.org"
RELAY = ip_address("192.0.2.25")


def judged(record: str, *relay: str, **zone: object) -> list[Finding]:
    """What is found of a record, with names of further records that have _ for a dot."""
    whole: Zone = {DOMAIN: {"TXT": [record, "some other text"]}, **_named(zone)}
    with dns_zone(whole) as dns:
        addresses = [ip_address(address) for address in relay]
        return seen(judge_sender_policy(dns.resolver(), DOMAIN, addresses))


def policy(record: str, **zone: object) -> Policy:
    with dns_zone(_named(zone)) as dns:
        return read_policy(dns.resolver(), DOMAIN, record)


def _named(zone: dict[str, object]) -> dict[str, dict[str, list[str]]]:
    return {
        name.replace("_", "."): {"TXT": [records]} if isinstance(records, str) else records  # type: ignore[misc]
        for name, records in zone.items()
    }


# -- reading


def test_the_record_is_found_among_others() -> None:
    texts = ["v=spf1 -all", "v=spf10 -all", "google-site-verification=x", "V=SPF1"]
    with dns_zone({DOMAIN: {"TXT": texts}}) as dns:
        assert sorted(records_of(dns.resolver(), DOMAIN)) == ["V=SPF1", "v=spf1 -all"]


def test_each_kind_of_term_is_read() -> None:
    found = policy(
        "v=spf1 +ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx:mail.example ~include:a.example"
        " ?exists:%{i}.x.example ptr -all",
        a_example="v=spf1 -all",
        mail_example={"MX": ["10 mx.example"]},
        mx_example={"A": ["198.51.100.1"]},
    )

    assert [(t.qualifier, t.kind) for t in found.terms] == [
        ("+", "ip4"),
        ("+", "ip6"),
        ("+", "a"),
        ("+", "mx"),
        ("~", "include"),
        ("?", "exists"),
        ("+", "ptr"),
        ("-", "all"),
    ]
    assert found.terms[0].networks == (ip_network("192.0.2.0/24"),)
    assert found.terms[3].networks == (ip_network("198.51.100.1/32"),)
    assert found.problems == ()


def test_a_prefix_widens_the_addresses_of_a_name() -> None:
    hosts = {"A": ["192.0.2.7"], "AAAA": ["2001:db8::7"]}

    both = policy("v=spf1 a:h.example/24//64 -all", h_example=hosts).terms[0]
    six = policy("v=spf1 a:h.example//64 -all", h_example=hosts).terms[0]

    assert both.networks == (ip_network("192.0.2.0/24"), ip_network("2001:db8::/64"))
    assert six.networks == (ip_network("192.0.2.7/32"), ip_network("2001:db8::/64"))


def test_nothing_behind_all_counts() -> None:
    found = policy("v=spf1 -all include:a.example redirect=b.example")

    assert found.lookups == 0
    assert found.ending == "-"


def test_a_redirect_ends_as_the_other_record_does() -> None:
    found = policy("v=spf1 redirect=a.example", a_example="v=spf1 ip4:192.0.2.25 ~all")

    assert (found.ending, found.lookups) == ("~", 1)
    assert found.covers(RELAY) is True
    assert found.covers(ip_address("192.0.2.26")) is False


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="%"), max_size=60))
def test_whatever_a_record_says_it_is_read_to_its_end(words: str) -> None:
    class Nothing:
        """A world without records."""

        def txt(self, name: str) -> tuple[str, ...]:
            return ()

        mx = addresses = txt

    found = read_policy(Nothing(), DOMAIN, f"v=spf1 {words}")  # type: ignore[arg-type]

    assert found.covers(RELAY) in (True, False, None)
    assert found.ending in "+-~?"
    assert isinstance(found.problems, tuple)


# -- counting


def test_look_ups_are_counted_through_includes() -> None:
    found = policy(
        "v=spf1 include:a.example mx exists:%{i}.x.example exp=why.example -all",
        a_example="v=spf1 include:b.example a ptr -all",
        b_example="v=spf1 ip4:192.0.2.0/24 -all",
    )

    # include a, include b, a, ptr, mx, exists; exp and ip4 cost nothing
    assert found.lookups == 6


def test_what_is_included_twice_costs_twice() -> None:
    record = "v=spf1 include:a.example include:a.example -all"

    assert policy(record, a_example="v=spf1 mx -all").lookups == 4


def test_ten_look_ups_are_allowed_and_eleven_are_red() -> None:
    zone = {f"n{n}_example": "v=spf1 ip4:192.0.2.0/24 -all" for n in range(11)}
    terms = [f"include:n{n}.example" for n in range(11)]

    ten = judged(f"v=spf1 {' '.join(terms[:10])} -all", **zone)
    eleven = only(judged(f"v=spf1 {' '.join(terms)} -all", **zone))

    assert [f.level for f in ten] == ["green"]
    assert "10 of 10 look-ups" in ten[0].said
    assert eleven.level == "red"
    assert "needs 11 look-ups" in eleven.said


def test_includes_in_a_circle_are_told_and_end() -> None:
    found = judged("v=spf1 include:a.example -all", a_example="v=spf1 include:a.example -all")

    assert any("circle" in f.said for f in found)
    assert any("look-ups" in f.said for f in found)


# -- judging


def test_a_good_record_is_green() -> None:
    found = only(judged("v=spf1 ip4:192.0.2.25 -all", "192.0.2.25"))

    assert found.level == "green"
    assert found.said.endswith("in 0 of 10 look-ups, and ends in -all")


def test_no_record_is_red() -> None:
    with dns_zone({}) as dns:
        found = only(judge_sender_policy(dns.resolver(), DOMAIN, []))

    assert (found.level, found.said.partition(",")[0]) == ("red", f"{DOMAIN} has no SPF record")


def test_two_records_are_red() -> None:
    with dns_zone({DOMAIN: {"TXT": ["v=spf1 -all", "v=spf1 mx -all"]}}) as dns:
        found = only(judge_sender_policy(dns.resolver(), DOMAIN, []))

    assert found.level == "red"
    assert "2 SPF records" in found.said


@pytest.mark.parametrize(
    "term",
    [
        "ip4:192.0.2.300",
        "ip4:2001:db8::1",
        "ip6:192.0.2.1",
        "ipv4:192.0.2.1",
        "a:h.example/99",
        "include:",
        "include",
        "all:x",
        "-",
        "192.0.2.1",
    ],
)
def test_a_term_that_is_none_is_red(term: str) -> None:
    found = judged(f"v=spf1 {term} -all", h_example={"A": ["192.0.2.1"]})

    assert [f.level for f in found] == ["red"]
    assert "is invalid" in found[0].said
    assert term in found[0].said


@pytest.mark.parametrize(
    ("records", "said"), [([], "no SPF record"), (["v=spf1 -all", "v=spf1 ?all"], "2 SPF records")]
)
def test_an_include_that_leads_nowhere_is_red(records: list[str], said: str) -> None:
    found = only(judged("v=spf1 include:a.example -all", a_example={"TXT": records}))

    assert found.level == "red"
    assert said in found.said


def test_more_than_ten_mail_servers_behind_one_term_are_red() -> None:
    many = {"MX": [f"10 m{n}.example" for n in range(11)]}

    assert "more than 10 MX" in only(judged("v=spf1 mx:m.example -all", m_example=many)).said


def test_three_hosts_that_do_not_exist_are_red_and_two_are_not() -> None:
    two = judged("v=spf1 a:x.example a:y.example -all")
    three = only(judged("v=spf1 a:x.example a:y.example mx:z.example -all"))

    assert [f.level for f in two] == ["green"]
    assert three.level == "red"
    assert "names 3 hosts that do not exist" in three.said


def test_everybody_may_send_is_red() -> None:
    assert only(judged("v=spf1 +all")).level == "red"
    assert "+all" in only(judged("v=spf1 all")).said


@pytest.mark.parametrize(
    "record", ["v=spf1 ip4:192.0.2.25 ?all", "v=spf1 ip4:192.0.2.25", "v=spf1"]
)
def test_an_open_end_is_yellow(record: str) -> None:
    found = only(judged(record))

    assert found.level == "yellow"
    assert "leaves open" in found.said


def test_ptr_is_yellow() -> None:
    found = only(judged("v=spf1 ptr -all"))

    assert found.level == "yellow"
    assert "ptr" in found.said


@pytest.mark.parametrize(
    ("terms", "covers"),
    [
        ("ip4:192.0.2.0/24 -all", True),
        ("ip4:198.51.100.0/24 -all", False),
        ("-ip4:192.0.2.25 ip4:192.0.2.0/24 -all", False),
        ("~ip4:192.0.2.25 +all", False),
        ("a:h.example -all", True),
        ("mx -all", True),
        ("include:a.example -all", True),
        ("include:n.example -all", False),
        ("-include:a.example +all", False),
        ("exists:%{i}.x.example -all", None),
        ("include:%{d}.x.example -all", None),
        ("exists:%{i}.x.example ip4:192.0.2.25 -all", True),
        ("include:o.example -all", None),
        ("ip6:2001:db8::/32 -all", False),
        ("redirect=a.example", True),
        ("redirect=%{d}.x.example", None),
        ("exists:%{i}.x.example redirect=n.example", None),
        ("", False),
    ],
)
def test_it_is_told_whether_an_address_may_send(terms: str, covers: bool | None) -> None:
    found = policy(
        f"v=spf1 {terms}",
        bounces_example_org={"MX": ["10 h.example"]},
        h_example={"A": ["192.0.2.25"]},
        a_example="v=spf1 ip4:192.0.2.25 -all",
        n_example="v=spf1 ip4:198.51.100.1 -all",
        o_example="v=spf1 exists:%{i}.y.example -all",
    )

    assert found.covers(RELAY) is covers


def test_a_relay_that_is_not_covered_is_yellow() -> None:
    found = only(judged("v=spf1 ip4:198.51.100.1 -all", "192.0.2.25", "2001:db8::25"))

    assert found.level == "yellow"
    assert "192.0.2.25, 2001:db8::25" in found.said


def test_a_relay_of_which_one_address_is_covered_is_not_told() -> None:
    assert levels(judged("v=spf1 ip6:2001:db8::25 -all", "192.0.2.25", "2001:db8::25")) == ["green"]


def test_what_depends_on_the_mail_is_not_held_against_the_relay() -> None:
    assert levels(judged("v=spf1 exists:%{i}.x.example -all", "192.0.2.25")) == ["green"]


# -- a From domain beside the bounce domain


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        ([], "green"),
        (["v=spf1 -all"], "green"),
        (["v=spf1 -all", "v=spf1 mx -all"], "red"),
        (["v=spf1 nonsense -all"], "red"),
    ],
)
def test_a_from_domain_needs_no_record_but_a_right_one(texts: list[str], level: str) -> None:
    with dns_zone({"example.org": {"TXT": texts}}) as dns:
        found = only(judge_other_policy(dns.resolver(), "example.org", DOMAIN))

    assert found.level == level
