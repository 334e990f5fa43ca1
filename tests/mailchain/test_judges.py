"""What judges at receivers say of our mail: signatures, SPF, DMARC, and whether it is spam.

Each judge is also shown what it must refuse: one that accepts everything proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import pytest

from digest.check.alignment import Senders
from digest.check.arrived import judge_arrived
from digest.mail import TransportOptions, build_transport, run_to_end
from digest.model import Fate
from tests.mail_runs import run_mail
from tests.mailchain.chain import BOUNCE_DOMAIN, READERS, Chain
from tests.mailchain.judges import (
    Verdict,
    ask_mail_dkim,
    ask_mailauth,
    ask_spamassassin,
    from_outside,
    mailauth_report,
)
from tests.mailchain.letters import odd_letters
from tests.mailchain.site import Site
from tests.mailchain.zone import RELAY_IP, Zone, zone_of
from tests.test_mail_dkim import RSA, odd_messages

WELCOME = Verdict(dkim=("pass",), spf="pass", dmarc="pass")
THOUSAND = 1_000


def write_all(letters: Sequence[bytes], folder: Path) -> list[Path]:
    """The letters as files."""
    files = []
    for number, letter in enumerate(letters):
        files.append(folder / f"{number:04}.eml")
        files[-1].write_bytes(letter)
    return files


class Welcome:
    """Mails of an installation that arrived, as if they had come over the internet."""

    def __init__(self, site: Site, chain: Chain) -> None:
        chain.dovecot.tidy()
        self.zone = zone_of(site.signer)
        site.enrol(READERS[0])
        site.enrol(READERS[1], confirmed="no")
        assert site.ask("send", at=site.now)["delivered"] == {"sent": 2}
        edition, question = (chain.dovecot.take(reader, 1)[0] for reader in READERS[:2])
        self.mails = {"edition": from_outside(edition), "confirmation": from_outside(question)}


@pytest.fixture(scope="module")
def welcome(site: Site, running: Chain, tmp_path_factory: pytest.TempPathFactory) -> Welcome:
    return Welcome(site.copy(tmp_path_factory.mktemp("welcome") / "site"), running)


MAILS = ("edition", "confirmation")

# -- what arrived


@pytest.mark.mailchain
@pytest.mark.parametrize("mail", MAILS)
def test_spamassassin_has_nothing_against_it(welcome: Welcome, mail: str, tmp_path: Path) -> None:
    report = ask_spamassassin(welcome.mails[mail], welcome.zone, tmp_path)

    assert report.score < 1
    # the signature itself costs 0.1, and brings twice that when it is valid
    assert set(report.against) <= {"DKIM_SIGNED"}
    assert {"DKIM_VALID", "DKIM_VALID_AU", "SPF_PASS"} <= set(report.rules)
    assert "ALL_TRUSTED" not in report.rules


@pytest.mark.mailchain
def test_spamassassin_would_have_said_so(welcome: Welcome, tmp_path: Path) -> None:
    spoilt = welcome.mails["edition"]
    for name, value in (("Date", b""), ("Message-ID", b""), ("Subject", b"FREE MONEY ACT NOW!!!")):
        line = re.compile(rb"^%s: .*\r\n" % name.encode(), re.M)
        spoilt, count = line.subn(b"Subject: " + value + b"\r\n" if value else b"", spoilt)
        assert count == 1

    report = ask_spamassassin(spoilt, welcome.zone, tmp_path)

    assert report.score >= 1
    assert {"MISSING_DATE", "DKIM_INVALID"} <= set(report.against)


@pytest.mark.mailchain
@pytest.mark.parametrize("mail", MAILS)
def test_dkim_spf_and_dmarc_pass(welcome: Welcome, mail: str, tmp_path: Path) -> None:
    (file,) = write_all([welcome.mails[mail]], tmp_path)

    report = mailauth_report(file, welcome.zone, tmp_path)

    (signature,) = report["dkim"]["results"]
    assert signature["status"]["result"] == "pass"
    assert signature["status"]["aligned"] == "example.org"
    assert report["spf"]["status"]["result"] == "pass"
    assert report["dmarc"]["status"]["result"] == "pass"
    # both ways, so that a forwarder that breaks one of them leaves the other
    alignment = report["dmarc"]["alignment"]
    assert alignment["dkim"]["result"] == "example.org"
    assert alignment["spf"]["result"] == BOUNCE_DOMAIN


@pytest.mark.mailchain
def test_the_program_finds_no_fault_in_what_arrived(welcome: Welcome) -> None:
    senders = Senders(
        from_domain="example.org", bounce_domain=BOUNCE_DOMAIN, dkim_domain="example.org"
    )

    (found,) = judge_arrived(welcome.mails["edition"], senders)

    assert found.level == "green", found


@pytest.mark.mailchain
def test_the_signature_covers_what_one_click_needs(welcome: Welcome, tmp_path: Path) -> None:
    (file,) = write_all([welcome.mails["edition"]], tmp_path)

    (signature,) = mailauth_report(file, welcome.zone, tmp_path)["dkim"]["results"]

    signed = signature["signingHeaders"]["keys"].lower().split(": ")
    assert {"from", "to", "subject", "date", "list-unsubscribe", "list-unsubscribe-post"} <= {
        name.strip(": ") for name in signed
    }


@pytest.mark.mailchain
@pytest.mark.parametrize(
    ("wrong", "verdict"),
    [
        ({"ip": "8.8.4.4"}, Verdict(dkim=("pass",), spf="fail", dmarc="pass")),
        ({"spf": ""}, Verdict(dkim=("pass",), spf="none", dmarc="pass")),
        ({"dmarc": ""}, Verdict(dkim=("pass",), spf="pass", dmarc="none")),
    ],
    ids=["from elsewhere", "no SPF", "no DMARC"],
)
def test_a_fault_in_the_records_is_seen(
    welcome: Welcome, site: Site, wrong: dict[str, str], verdict: Verdict, tmp_path: Path
) -> None:
    files = write_all([welcome.mails["edition"]], tmp_path)
    ip = wrong.get("ip", RELAY_IP)
    zone = zone_of(site.signer, **{k: v for k, v in wrong.items() if k != "ip"})

    assert ask_mailauth(files, zone, tmp_path, ip=ip) == [verdict]


# -- a thousand


@pytest.fixture(scope="module")
def delivered(running: Chain, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A thousand odd letters of ours as they arrived, the last one changed on the way."""
    letters = list(odd_letters(RSA, repeat(READERS[2]), THOUSAND))
    transport = build_transport(
        TransportOptions(
            host="localhost",
            port=running.postfix.ports["relay"],
            connections=4,
            timeout_s=30,
            hostname="example.org",
            ca_file=running.identity.authority,
        )
    )
    running.dovecot.tidy()
    run = run_to_end(run_mail(transport, letters))
    assert run.with_fate(Fate.ACCEPTED) == [*range(1, THOUSAND + 1)]
    arrived = running.dovecot.take(READERS[2], THOUSAND, seconds=90)
    assert len({re.search(rb"<letter-\d+@", letter)[0] for letter in arrived}) == THOUSAND
    arrived[-1] = arrived[-1].replace(b"Content-Transfer-Encoding", b"Content-transfer-Encoding")
    folder = tmp_path_factory.mktemp("delivered")
    return write_all([from_outside(letter) for letter in arrived], folder)


@pytest.mark.slow
@pytest.mark.mailchain
def test_mail_dkim_accepts_a_thousand_letters_that_arrived(delivered: list[Path]) -> None:
    verdicts = ask_mail_dkim(delivered, zone_of(RSA))

    assert verdicts[:-1] == ["pass"] * (THOUSAND - 1)
    assert verdicts[-1] == "fail (body has been altered)"


@pytest.mark.slow
@pytest.mark.mailchain
def test_mailauth_accepts_a_thousand_letters_that_arrived(
    delivered: list[Path], tmp_path: Path
) -> None:
    verdicts = ask_mailauth(delivered, zone_of(RSA), tmp_path)

    assert verdicts[:-1] == [WELCOME] * (THOUSAND - 1)
    assert verdicts[-1].dkim == ("neutral body hash did not verify",)
    assert (verdicts[-1].spf, verdicts[-1].dmarc) == ("pass", "pass")


@pytest.mark.slow
def test_mailauth_accepts_a_thousand_odd_messages(tmp_path: Path) -> None:
    # 8-bit bytes, lines of 2,000: what the composer never makes, and a template could
    odd = [RSA.sign(message) for message in odd_messages(THOUSAND)]
    odd[0] = odd[0].replace(b"Subject: ", b"Subject: Re: ")
    zone = Zone(records={RSA.dns_name: RSA.dns_record})

    verdicts = ask_mailauth(write_all(odd, tmp_path), zone, tmp_path)

    assert [verdict.dkim for verdict in verdicts[1:]] == [("pass",)] * (THOUSAND - 1)
    assert verdicts[0].dkim != ("pass",)
