"""A mail as it arrived: what the relay has signed, and what the receiver says of it."""

from __future__ import annotations

import pytest

from digest.check.alignment import Senders
from digest.check.arrived import judge_arrived
from digest.check.findings import Finding
from digest.mail.dkim import DkimSigner
from tests.check_pieces import only, seen
from tests.mail_pieces import compose, edition
from tests.test_check_message import key_pem

OURS = Senders(
    from_domain="example.org", bounce_domain="bounces.example.org", dkim_domain="example.org"
)
PASSED = (
    b"Authentication-Results: mx.receiver.example;\r\n"
    b"\tspf=pass (ok: dkim=fail is a comment) smtp.mailfrom=bounces.example.org;\r\n"
    b"\tdkim=fail header.d=other.example; dkim=pass header.d=example.org;\r\n"
    b"\tdmarc=pass (p=NONE) header.from=example.org\r\n"
)


def signed(domain: str = "example.org") -> bytes:
    """An edition as a relay that signs for that domain hands it over."""
    return DkimSigner(domain, "s", key_pem()).sign(compose(edition()))


def look(content: bytes) -> list[Finding]:
    return seen(judge_arrived(content, OURS))


def test_a_mail_whose_signature_covers_one_click_is_green() -> None:
    found = only(judge_arrived(PASSED + signed(), OURS))

    assert found.level == "green"
    assert "the signature of example.org covers one-click" in found.said
    assert "spf=pass, dkim=pass, dmarc=pass" in found.said


@pytest.mark.parametrize("change", ["a receiver that tells nothing", "LF", "mbox", "sub-domain"])
def test_a_mail_is_read_as_it_was_saved(change: str) -> None:
    content = signed("mail.example.org" if change == "sub-domain" else "example.org")
    if change == "LF":
        content = content.replace(b"\r\n", b"\n")
    if change == "mbox":
        content = b"From bounce@example.org Thu Mar 12 07:00:00 2026\n" + content

    found = only(judge_arrived(content, OURS))

    assert found.level == "green"
    assert "nothing of SPF, DKIM and DMARC" in found.said


def test_a_mail_without_a_signature_is_red() -> None:
    found = only(judge_arrived(compose(edition()), OURS))

    assert (found.level, found.said) == ("red", "the mail arrived without a DKIM signature")


def test_a_signature_of_the_relay_s_own_domain_does_not_count() -> None:
    found = only(judge_arrived(signed("relay.example"), OURS))

    assert found.level == "red"
    assert "signed by relay.example, which does not count for example.org" in found.said


@pytest.mark.parametrize("name", [b"list-unsubscribe", b"list-unsubscribe-post", b"from"])
def test_a_signature_that_leaves_out_one_click_is_red(name: bytes) -> None:
    head, _, rest = signed().partition(b"bh=")
    lacking = head.replace(name + b":", b"") + b"bh=" + rest

    found = only(judge_arrived(lacking, OURS))

    assert found.level == "red"
    assert f"does not cover {name.decode()}," in found.said


def test_one_signature_that_covers_all_is_enough() -> None:
    head, _, rest = signed().partition(b"bh=")
    poor = head.replace(b"list-unsubscribe:", b"") + b"bh=" + rest

    twice = DkimSigner("example.org", "relay", key_pem()).sign(poor)

    assert [f.level.value for f in look(twice)] == ["green"]


def test_a_signature_of_a_part_is_yellow() -> None:
    found = only(judge_arrived(signed().replace(b"v=1;", b"v=1; l=200;", 1), OURS))

    assert found.level == "yellow"


@pytest.mark.parametrize("name", [b"List-Unsubscribe", b"List-Unsubscribe-Post"])
def test_a_header_that_was_lost_on_the_way_is_red(name: bytes) -> None:
    lines = signed().split(b"\r\n")
    left = b"\r\n".join(line for line in lines if not line.startswith(name + b":"))

    (found,) = look(left)

    assert (found.level, found.said) == ("red", f"the mail arrived without {name.decode()}")


@pytest.mark.parametrize(
    "result", ["spf=softfail", "spf=fail", "dkim=fail", "dkim=permerror", "dmarc=fail"]
)
def test_what_the_receiver_did_not_let_pass_is_red(result: str) -> None:
    method, _, _ = result.partition("=")
    results = PASSED.replace(b"dkim=pass", b"dkim=fail") if method == "dkim" else PASSED
    kept = b";".join(
        part for part in results.split(b";") if not part.strip().startswith(method.encode() + b"=")
    )
    content = kept.rstrip(b"\r\n") + f"; {result} header.d=example.org\r\n".encode() + signed()

    (found,) = look(content)

    assert found.level == "red"
    assert found.said.endswith(result)


def test_results_that_somebody_else_has_written_do_not_count() -> None:
    forged = b"Authentication-Results: elsewhere.example; dmarc=fail\r\n"

    assert [f.level.value for f in look(PASSED + forged + signed())] == ["green"]


def test_a_relay_s_signature_that_passes_does_not_hide_that_ours_failed() -> None:
    told = (
        b"Authentication-Results: mx.receiver.example; dkim=fail header.i=@mail.example.org;\r\n"
        b"\tdkim=pass header.d=relay.example; spf=pass smtp.mailfrom=relay.example\r\n"
    )
    found = only(judge_arrived(told + signed(), OURS))

    assert (found.level, found.said) == ("red", "the receiver of the mail says dkim=fail")


def test_results_in_several_headers_of_one_receiver_are_put_together() -> None:
    first = b"Authentication-Results: mx.receiver.example; dkim=pass header.d=example.org\r\n"
    second = b"Authentication-Results: mx.receiver.example; dmarc=fail header.from=example.org\r\n"

    assert [f.said for f in look(first + second + signed())] == [
        "the receiver of the mail says dmarc=fail"
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no From line"),
        (b"\0\xff" * 500, "has no From line"),
        (b"Subject: hello\r\n\r\nhello", "has no From line"),
        (b"From: =?x?q?=\r\n\r\n", "has no From line"),
        (b"From: Ann <ann@other.example>\r\n\r\nhello", "is from other.example"),
        (b"From: a@example.org.evil.example\r\n\r\n", "is from example.org.evil.example"),
    ],
)
def test_what_is_no_mail_of_ours_is_told(content: bytes, said: str) -> None:
    found = only(judge_arrived(content, OURS))

    assert found.level == "red"
    assert said in found.said


def test_a_mail_with_broken_signatures_is_read_to_its_end() -> None:
    broken = b"DKIM-Signature: \xff\0;;=;d=;h=::\r\nDKIM-Signature:\r\n" + compose(edition())

    assert [f.said for f in look(broken)] == ["the mail arrived without a DKIM signature"]


def test_a_guess_that_would_pass_is_no_fault() -> None:
    told = b"Authentication-Results: mx.receiver.example; dmarc=bestguesspass\r\n"

    assert only(judge_arrived(told + signed(), OURS)).level == "green"
