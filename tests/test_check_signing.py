"""DKIM: the record in DNS against the key that mails are signed with."""

from __future__ import annotations

import base64
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.check.findings import Finding
from digest.check.signing import judge_signing, read_tags
from digest.mail.dkim import DkimSigner
from tests.check_pieces import only, seen
from tests.dns_server import dns_zone

NAME = "digest._domainkey.example.org"


@cache
def rsa_key(bits: int, number: int = 1) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=bits)


@cache
def signer(bits: int = 2048) -> DkimSigner:
    return DkimSigner("example.org", "digest", _pem(rsa_key(bits)))


@cache
def ed25519_signer() -> DkimSigner:
    return DkimSigner("example.org", "digest", _pem(Ed25519PrivateKey.generate()))


def _pem(key: RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def judged(*records: str, by: DkimSigner | None = None) -> list[Finding]:
    with dns_zone({NAME: {"TXT": records}} if records else {}) as dns:
        return seen(judge_signing(dns.resolver(), by or signer()))


def test_the_record_that_the_signer_names_is_green() -> None:
    found = only(judged(signer().dns_record))

    assert found.level == "green"
    assert found.said == f"{NAME} has the key that mails are signed with, RSA of 2048 bits"


def test_an_ed25519_key_is_compared_too() -> None:
    right = only(judged(ed25519_signer().dns_record, by=ed25519_signer()))
    wrong = only(judged("v=DKIM1; k=ed25519; p=" + "A" * 43 + "=", by=ed25519_signer()))

    assert (right.level, right.said[-7:]) == ("green", "Ed25519")
    assert wrong.level == "red"


def test_the_same_key_in_another_form_is_the_same() -> None:
    der = rsa_key(2048).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    encoded = base64.b64encode(der).decode()
    spaced = " ".join(encoded[at : at + 60] for at in range(0, len(encoded), 60))

    assert only(judged(f"p={spaced}")).level == "green"


def test_no_record_is_red_and_the_advice_is_the_record() -> None:
    found = only(judged())

    assert found.level == "red"
    assert found.said == f"{NAME} has no record"
    assert signer().dns_record in found.advice


def test_two_records_are_red() -> None:
    found = only(judged(signer().dns_record, "v=DKIM1; p="))

    assert found.level == "red"
    assert "2 records" in found.said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("v=DKIM1", "v=DKIM2"), "is no DKIM record"),
        (("p=", "q="), "is no DKIM record"),
        (("k=rsa", "k=ed25519"), "for a key of the kind ed25519, ours is rsa"),
        (("v=DKIM1", "v=DKIM1; h=sha1"), "forbids signatures with SHA-256"),
        (("v=DKIM1", "v=DKIM1; s=tlsrpt"), "is not for mail"),
        (("p=M", "p=N"), "is not the one"),
        (("p=M", "p=*"), "is not the one"),
    ],
)
def test_a_record_that_signatures_fail_with_is_red(change: tuple[str, str], said: str) -> None:
    found = only(judged(signer().dns_record.replace(*change)))

    assert found.level == "red"
    assert said in found.said
    assert signer().dns_record in found.advice


def test_a_revoked_key_is_red() -> None:
    assert "revoked" in only(judged("v=DKIM1; k=rsa; p=")).said


def test_another_key_is_red() -> None:
    other = DkimSigner("example.org", "digest", _pem(rsa_key(2048, 2)))

    assert "is not the one that mails are signed with" in only(judged(other.dns_record)).said


def test_a_record_that_was_cut_off_is_red() -> None:
    assert "is not the one" in only(judged(signer().dns_record[:255])).said


def test_a_short_key_is_yellow() -> None:
    found = only(judged(signer(1024).dns_record, by=signer(1024)))

    assert found.level == "yellow"
    assert "1024 bits" in found.said


@pytest.mark.parametrize("flags", ["y", "s:y", "Y"])
def test_a_key_on_trial_is_yellow(flags: str) -> None:
    found = only(judged(signer().dns_record.replace("v=DKIM1", f"v=DKIM1; t={flags}")))

    assert found.level == "yellow"
    assert "t=y" in found.said


def test_flags_and_lists_that_do_no_harm_stay_green() -> None:
    tags = "v=DKIM1; t=s; h=sha1:sha256; s=email"

    assert only(judged(signer().dns_record.replace("v=DKIM1", tags))).level == "green"


def test_without_a_key_the_relay_must_sign() -> None:
    with dns_zone({}) as dns:
        found = only(judge_signing(dns.resolver(), None))

    assert found.level == "yellow"
    assert "digest check --arrived FILE" in found.advice
    assert dns.asked == []


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=80))
def test_tags_of_anything_are_read(text: str) -> None:
    tags = read_tags(text)

    assert all(name == name.strip().lower() and ";" not in value for name, value in tags.items())


def test_the_first_of_two_tags_counts() -> None:
    assert read_tags("v=DKIM1; p = abc ; P=def;;x") == {"v": "DKIM1", "p": "abc"}
