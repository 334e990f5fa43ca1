"""Signatures that others verify: dkimpy always, Mail::DKIM and mailauth where they are installed."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.mail.dkim import DkimSigner, load_signer

AT = datetime(2026, 3, 11, 7, 30, tzinfo=UTC)


def pem_of(key: PrivateKeyTypes, passphrase: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


RSA = DkimSigner("example.org", "mail2026", pem_of(rsa.generate_private_key(65537, 2048)))
ED25519 = DkimSigner("example.org", "ed", pem_of(ed25519.Ed25519PrivateKey.generate()))

HEAD = (
    b"From: Trending Papers <digest@example.org>\r\n"
    b"To: ada@example.net\r\n"
    b"Subject: Papers of the day\r\n"
    b"Date: Wed, 11 Mar 2026 07:30:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\n"
    b"List-Unsubscribe: <https://example.org/unsubscribe/abc>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"X-Auto-Response-Suppress: OOF\r\n"
)
MESSAGE = HEAD + b"\r\nHello\r\n"


def accepts(message: bytes, signer: DkimSigner = RSA) -> bool:
    """Whether dkimpy accepts the signature."""
    return bool(dkim.verify(message, dnsfunc=lambda *_, **__: signer.dns_record.encode()))


def as_received(message: bytes) -> bytes:
    """A message as it comes out of SMTP, where the last line always ends."""
    return message if message.endswith(b"\r\n") else message + b"\r\n"


def signed_names(message: bytes) -> list[bytes]:
    """The h= tag of a message's first signature."""
    head = message.partition(b"\r\n\r\n")[0].replace(b"\r\n\t", b"")
    tags = head.partition(b"h=")[2].partition(b";")[0]
    return tags.replace(b" ", b"").split(b":")


# -- messages of every odd kind

spaces = st.sampled_from([b" ", b"  ", b"\t", b" \t ", b"\r\n ", b"\r\n\t", b"   \r\n  "])
words = st.one_of(
    st.sampled_from([b"word", b"=?utf-8?q?=E2=9C=93?=", b"x" * 300, b".", b":", b"", b"a=b;"]),
    st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8).map(
        str.encode
    ),
)
values = st.lists(st.tuples(words, spaces), max_size=6).map(
    lambda pairs: b"".join(word + space for word, space in pairs) + b"end"
)
names = st.sampled_from(
    [
        b"To",
        b"Subject",
        b"SUBJECT",
        b"Date",
        b"List-Id",
        b"list-unsubscribe",
        b"X-Other",
        b"Reply-To",
    ]
)
headers = st.lists(st.tuples(names, st.sampled_from([b":", b": ", b":  "]), values), max_size=8)
heads = headers.map(
    lambda lines: (
        b"From: digest@example.org\r\n"
        + b"".join(name + colon + value + b"\r\n" for name, colon, value in lines)
    )
)
lines = st.one_of(
    st.sampled_from([b"", b".", b"..", b" ", b"\t", b"a  b", b"trailing  ", b" \t x", b"=20="]),
    st.sampled_from([b"long " * 500, b"y" * 3000, "Σüß 🙂 ".encode() * 300]),
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"")),
)
bodies = st.one_of(
    st.just(b""),
    st.lists(lines, max_size=12).map(b"\r\n".join),
    st.lists(lines, max_size=12).map(lambda many: b"\r\n".join(many) + b"\r\n\r\n\r\n"),
)


@settings(deadline=None, max_examples=150)
@given(heads, bodies, st.sampled_from([RSA, ED25519]))
def test_dkimpy_accepts_any_message(head: bytes, body: bytes, signer: DkimSigner) -> None:
    message = head + b"\r\n" + body

    signed = signer.sign(message, AT)

    assert signed.endswith(message)
    assert accepts(as_received(signed), signer)


@pytest.mark.slow
@settings(deadline=None, max_examples=1000)
@given(heads, bodies)
def test_dkimpy_accepts_a_thousand_messages(head: bytes, body: bytes) -> None:
    assert accepts(as_received(RSA.sign(head + b"\r\n" + body)))


def odd_messages(count: int) -> list[bytes]:
    """Messages for verifiers that are other programs; the same ones every time."""
    chance = random.Random(6376)
    subjects = [
        b"=?utf-8?q?=F0=9F=99=82_papers?=",
        b"  spaced \t out ",
        b"folded\r\n  twice\r\n\tover",
    ]
    pieces = [b".", b"..dot", b"a  b\t c ", b"x" * 2000, "Σüß 🙂".encode(), b"", b"", b"=20=", b" "]
    messages = []
    for number in range(count):
        subject = chance.choice(subjects) + b" %d" % number
        url = b"https://example.org/unsubscribe/" + b"t" * chance.randrange(20, 400)
        head = HEAD.replace(b"Papers of the day", subject).replace(
            b"https://example.org/unsubscribe/abc", url
        )
        body = b"\r\n".join(chance.choices(pieces, k=chance.randrange(0, 30)))
        messages.append(head + b"\r\n" + body + b"\r\n")
    return messages


PERL = r"""
use strict; use warnings; use Mail::DKIM::Verifier;
{ package Record; sub new { bless {text => $_[1]}, $_[0] } sub type { 'TXT' }
  sub txtdata { return ($_[0]{text}) } }
my ($record, @files) = @ARGV;
{ no warnings; *Mail::DKIM::DNS::query = sub { return Record->new($record) }; }
for my $file (@files) {
    my $verifier = Mail::DKIM::Verifier->new;
    open my $in, '<:raw', $file or die; local $/; my $text = <$in>;
    $verifier->PRINT($text); $verifier->CLOSE;
    print $verifier->result, "\n";
}
"""


@pytest.mark.slow
def test_mail_dkim_accepts_a_thousand_messages(tmp_path: Path) -> None:
    found = shutil.which("perl")
    if (
        found is None
        or subprocess.run([found, "-MMail::DKIM", "-e1"], capture_output=True).returncode
    ):
        pytest.skip("Mail::DKIM (libmail-dkim-perl) is not on this machine")
    files = []
    for number, message in enumerate(odd_messages(1000)):
        files.append(tmp_path / f"{number}.eml")
        files[-1].write_bytes(RSA.sign(message, AT))
    files[7].write_bytes(files[7].read_bytes() + b"changed\r\n")

    run = subprocess.run(
        [found, "-e", PERL, RSA.dns_record, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    results = run.stdout.split()
    assert results.pop(7) == "fail"
    assert results == ["pass"] * 999


@pytest.mark.slow
@pytest.mark.parametrize("signer", [RSA, ED25519], ids=["rsa", "ed25519"])
def test_mailauth_accepts_messages(signer: DkimSigner, tmp_path: Path) -> None:
    found = shutil.which("mailauth")
    if found is None:
        pytest.skip("mailauth (npm) is not on this machine")
    zone = tmp_path / "zone.json"
    zone.write_text(json.dumps({signer.dns_name: {"TXT": [[signer.dns_record]]}}))
    for number, message in enumerate(odd_messages(12)):
        path = tmp_path / f"{number}.eml"
        path.write_bytes(signer.sign(message, AT))

        run = subprocess.run(
            [found, "report", str(path), "--dns-cache", str(zone)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

        (result,) = json.loads(run.stdout)["dkim"]["results"]
        assert result["status"]["result"] == "pass", result


# -- what is signed, and what that prevents


def test_the_headers_of_the_mail_rules_are_signed_and_two_of_them_once_more() -> None:
    names = signed_names(RSA.sign(MESSAGE))

    assert names == [
        b"from",
        b"to",
        b"subject",
        b"date",
        b"message-id",
        b"list-unsubscribe",
        b"list-unsubscribe-post",
        b"from",
        b"subject",
    ]


def test_the_signature_has_no_length_and_no_line_is_long() -> None:
    signature = RSA.sign(MESSAGE, AT).removesuffix(MESSAGE)

    assert b"l=" not in signature.partition(b"b=")[0].replace(b"rel", b"")
    assert b"c=relaxed/relaxed" in signature
    assert b"t=1773214200;" in signature
    assert max(map(len, signature.split(b"\r\n"))) <= 78


def test_the_same_message_gives_the_same_bytes() -> None:
    assert RSA.sign(MESSAGE, AT) == RSA.sign(MESSAGE, AT)
    assert ED25519.sign(MESSAGE) == ED25519.sign(MESSAGE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Hello", b"Hallo"),
        (b"Hello\r\n", b"Hello\r\nmore\r\n"),
        (b"Subject: Papers", b"Subject: Money"),
        (b"unsubscribe/abc", b"unsubscribe/abd"),
        (b"From: Trending", b"From: someone <x@evil.test>\r\nFrom: Trending"),
        (b"Subject: Papers", b"Subject: Money\r\nSubject: Papers"),
    ],
)
def test_a_change_on_the_way_is_noticed(old: bytes, new: bytes) -> None:
    signed = RSA.sign(MESSAGE)

    # the signature's own h= has names too, so only the message behind it is changed
    changed = signed.removesuffix(MESSAGE) + MESSAGE.replace(old, new)

    assert changed != signed
    try:
        assert not accepts(changed)
    except dkim.DKIMException:
        pass  # two From headers: dkimpy will not even look


def test_a_relay_that_reflows_spaces_breaks_nothing() -> None:
    signed = RSA.sign(MESSAGE.replace(b"Hello", b"Hello there"))

    changed = signed.replace(b"Hello there", b"Hello  there ").replace(
        b"Subject: Papers of", b"Subject:   Papers\r\n of"
    )

    assert accepts(changed + b"\r\n\r\n")


def test_two_keys_may_sign_one_message() -> None:
    signed = RSA.sign(ED25519.sign(MESSAGE))

    assert dkim.DKIM(signed).verify(idx=0, dnsfunc=lambda *_, **__: RSA.dns_record.encode())
    assert dkim.DKIM(signed).verify(idx=1, dnsfunc=lambda *_, **__: ED25519.dns_record.encode())


def test_the_key_is_published_where_receivers_look() -> None:
    assert RSA.dns_name == "mail2026._domainkey.example.org"
    assert RSA.dns_record.startswith("v=DKIM1; k=rsa; p=MII")
    assert ED25519.dns_record.startswith("v=DKIM1; k=ed25519; p=")


# -- keys that are none


@pytest.mark.parametrize(
    ("pem", "words"),
    [
        (b"", "no private key in PEM form"),
        (b"not a key at all", "no private key in PEM form"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (pem_of(rsa.generate_private_key(65537, 1024), b"secret"), "without a pass phrase"),
        (pem_of(ec.generate_private_key(ec.SECP256R1())), "RSA and Ed25519"),
    ],
)
def test_a_key_that_is_none_is_explained(pem: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=r"mail\.dkim_key_file") as error:
        DkimSigner("example.org", "mail", pem)

    assert words in str(error.value)


@pytest.mark.parametrize(
    ("domain", "selector", "setting"),
    [
        ("exa mple.org", "mail", "mail.dkim_domain"),
        ("example.org;", "mail", "mail.dkim_domain"),
        ("example.org", "a\r\nX: y", "mail.dkim_selector"),
        ("example.org", "", "mail.dkim_selector"),
    ],
)
def test_names_that_dns_cannot_hold_are_refused(domain: str, selector: str, setting: str) -> None:
    with pytest.raises(ConfigError, match=setting):
        DkimSigner(domain, selector, pem_of(ed25519.Ed25519PrivateKey.generate()))


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"mail\.dkim_key_file: cannot read .*none\.pem"):
        load_signer("example.org", "mail", tmp_path / "none.pem")


def test_a_key_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_bytes(pem_of(ed25519.Ed25519PrivateKey.generate()))

    signer = load_signer("example.org", "mail", tmp_path / "dkim.pem")

    assert accepts(signer.sign(MESSAGE), signer)
