"""DMARC: the policy of the From domain, its reports, and what is aligned with it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.check.alignment import Senders, judge_dmarc
from digest.check.domains import is_aligned, is_freemail, organisation_of
from digest.check.findings import Finding
from tests.check_pieces import seen
from tests.dns_server import dns_zone

GOOD = "v=DMARC1; p=none; rua=mailto:dmarc@example.org"
SENDERS = Senders(
    from_domain="example.org", bounce_domain="bounces.example.org", dkim_domain="example.org"
)


def judged(senders: Senders = SENDERS, **zone: str | list[str]) -> dict[str, list[Finding]]:
    """Findings by name; names of records have _ for a dot and lack their _dmarc."""
    records = {
        f"_dmarc.{name.replace('_', '.')}": {"TXT": [text] if isinstance(text, str) else text}
        for name, text in zone.items()
    }
    with dns_zone(records) as dns:
        found = seen(judge_dmarc(dns.resolver(), senders))
    return {name: [f for f in found if f.name == f"dns.{name}"] for name in ("dmarc", "alignment")}


def senders(visible: str, bounce: str, signing: str | None) -> Senders:
    return Senders(from_domain=visible, bounce_domain=bounce, dkim_domain=signing)


# -- the record


@pytest.mark.parametrize("policy", ["none", "quarantine", "reject"])
def test_a_record_with_policy_and_reports_is_green(policy: str) -> None:
    (found,) = judged(example_org=GOOD.replace("none", policy))["dmarc"]

    assert found.level == "green"
    assert f"policy {policy}" in found.said


def test_no_record_is_red() -> None:
    (found,) = judged()["dmarc"]

    assert (found.level, found.said[:31]) == ("red", "example.org has no DMARC record")
    assert "_dmarc.example.org" in found.advice


def test_two_records_are_red() -> None:
    (found,) = judged(example_org=[GOOD, "v=DMARC1; p=reject"])["dmarc"]

    assert found.level == "red"
    assert "2 DMARC records" in found.said


def test_other_texts_at_that_name_do_not_count() -> None:
    (found,) = judged(example_org=[GOOD, "v=DMARC10", "hello"])["dmarc"]

    assert found.level == "green"


@pytest.mark.parametrize("record", ["v=DMARC1", "v=DMARC1; p=maybe; rua=mailto:a@example.org"])
def test_a_record_without_a_policy_is_red(record: str) -> None:
    (found,) = judged(example_org=record)["dmarc"]

    assert found.level == "red"
    assert "no valid policy" in found.said


def test_a_record_without_reports_is_yellow() -> None:
    (found,) = judged(example_org="v=DMARC1; p=reject")["dmarc"]

    assert found.level == "yellow"
    assert "no rua" in found.said


def test_reports_to_somebody_who_did_not_agree_are_yellow() -> None:
    record = "v=DMARC1; p=none; rua=mailto:x@reports.example!10m, mailto:dmarc@sub.example.org"
    (found,) = judged(example_org=record)["dmarc"]

    assert found.level == "yellow"
    assert "reports.example, which has not agreed" in found.said
    assert "example.org._report._dmarc.reports.example" in found.advice


def test_reports_to_somebody_who_agreed_are_green() -> None:
    zone = {
        "_dmarc.example.org": {"TXT": ["v=DMARC1; p=none; rua=mailto:x@reports.example"]},
        "example.org._report._dmarc.reports.example": {"TXT": ["v=DMARC1"]},
    }
    with dns_zone(zone) as dns:
        found = seen(judge_dmarc(dns.resolver(), SENDERS))

    assert [f.level for f in found] == ["green", "green"]


def test_a_subdomain_inherits_the_organisation_s_record() -> None:
    below = senders("news.example.org", "news.example.org", "news.example.org")

    (inherited,) = judged(below, example_org=f"{GOOD}; sp=reject")["dmarc"]
    (own,) = judged(below, example_org=GOOD, news_example_org=GOOD)["dmarc"]

    assert inherited.said.startswith("_dmarc.example.org has the policy reject")
    assert own.said.startswith("_dmarc.news.example.org has the policy none")


def test_a_subdomain_without_any_record_is_red() -> None:
    (found,) = judged(senders("news.example.org", "x.example.org", "example.org"))["dmarc"]

    assert found.level == "red"


# -- alignment


@pytest.mark.parametrize(
    ("bounce", "signing", "level"),
    [
        ("bounces.example.org", "example.org", "green"),
        ("relay.example.net", "example.org", "green"),
        ("relay.example.net", "mail.example.org", "green"),
        ("bounces.example.org", None, "yellow"),
        ("relay.example.net", None, "yellow"),
        ("bounces.example.org", "example.net", "yellow"),
        ("relay.example.net", "example.net", "red"),
    ],
)
def test_signature_and_bounce_domain_belong_to_the_from_line(
    bounce: str, signing: str | None, level: str
) -> None:
    found = judged(senders("example.org", bounce, signing), example_org=GOOD)["alignment"]

    assert [f.level for f in found] == [level]


@pytest.mark.parametrize(
    ("tags", "level"), [("", "green"), ("; adkim=s", "yellow"), ("; adkim=s; aspf=s", "red")]
)
def test_a_strict_record_wants_the_very_domain(tags: str, level: str) -> None:
    below = senders("example.org", "bounces.example.org", "mail.example.org")

    found = judged(below, example_org=GOOD + tags)["alignment"]

    assert [f.level for f in found] == [level]


def test_alignment_is_told_without_a_record_too() -> None:
    assert [f.level for f in judged()["alignment"]] == ["green"]


# -- domains


@pytest.mark.parametrize(
    ("domain", "organisation"),
    [
        ("example.org", "example.org"),
        ("a.b.example.org", "example.org"),
        ("digest.example.co.uk", "example.co.uk"),
        ("example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("Mail.Example.COM.au.", "example.com.au"),
        ("news.example.de", "example.de"),
        ("com.example.de", "example.de"),
        ("localhost", "localhost"),
    ],
)
def test_the_organisation_is_the_registered_domain(domain: str, organisation: str) -> None:
    assert organisation_of(domain) == organisation


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(["a", "co", "example", "org", "uk", "b-c"]), min_size=1, max_size=6)
)
def test_a_domain_belongs_to_its_own_organisation(labels: list[str]) -> None:
    domain = ".".join(labels)

    assert is_aligned(domain, organisation_of(domain))
    assert is_aligned(domain, domain.upper(), strict=True)
    assert f".{domain}".endswith(f".{organisation_of(domain)}")


@pytest.mark.parametrize(
    "domain", ["gmail.com", "yahoo.co.jp", "Yahoo.com", "hotmail.fr", "web.de"]
)
def test_a_mail_provider_is_known(domain: str) -> None:
    assert is_freemail(domain)


@pytest.mark.parametrize(
    "domain", ["example.org", "gmail.example.org", "live.example", "yahoo.org"]
)
def test_other_domains_are_no_mail_providers(domain: str) -> None:
    assert not is_freemail(domain)
