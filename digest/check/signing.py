"""DKIM: whether DNS has the public half of the key that mails are signed with.

The record is read as RFC 6376 §3.6.1 has it; the keys are compared as numbers, since one key can
be written in two forms.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from digest.check.findings import Finding, green, red, yellow

if TYPE_CHECKING:
    from digest.check.resolver import Resolver
    from digest.mail.dkim import DkimSigner

DKIM = "dns.dkim"
#: RFC 8301 §3.2: signers should use at least that many bits
_RSA_BITS = 2048
_WAIT = "a change takes until the old record's time to live is over"


def judge_signing(resolver: Resolver, signer: DkimSigner | None) -> Iterator[Finding]:
    """The published key against the configured one; None when the relay is to sign."""
    if signer is None:
        yield yellow(
            DKIM,
            "no key is set, so the relay must sign",
            "send one mail to yourself, save it with all its headers, and see what the relay has"
            " signed: digest check --arrived FILE; or set dkim_domain, dkim_selector and"
            " dkim_key_file under [mail]",
        )
        return
    name, records = signer.dns_name, resolver.txt(signer.dns_name)
    if not records:
        yield red(DKIM, f"{name} has no record", f"publish this TXT record: {signer.dns_record}")
    elif len(records) > 1:
        yield red(
            DKIM,
            f"{name} has {len(records)} records, and receivers may take any of them",
            f"leave only this one: {signer.dns_record}",
        )
    else:
        yield from _judge_record(signer, read_tags(records[0]))


def read_tags(record: str) -> dict[str, str]:
    """The tags of a DKIM or DMARC record, names in lower case, the first of each."""
    tags: dict[str, str] = {}
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


def _judge_record(signer: DkimSigner, tags: dict[str, str]) -> Iterator[Finding]:
    name, ours = signer.dns_name, read_tags(signer.dns_record)
    published = _strip(tags.get("p", ""))
    if problem := _problem(name, tags, ours, published):
        yield red(DKIM, problem, f"publish this TXT record: {signer.dns_record} ({_WAIT})")
        return
    bits = _bits(ours)
    faults = []
    if bits is not None and bits < _RSA_BITS:
        faults.append(
            yellow(
                DKIM,
                f"the key at {name} has {bits} bits; some receivers count that as no signature",
                "make one of 2048 bits, publish it under a new selector, then change the settings",
            )
        )
    if "y" in _words(tags.get("t", "")):
        faults.append(
            yellow(
                DKIM,
                f"the record at {name} says t=y: receivers take the signature for a test",
                "take t=y out of the record",
            )
        )
    shown = f"RSA of {bits} bits" if bits is not None else "Ed25519"
    yield from faults or [green(DKIM, f"{name} has the key that mails are signed with, {shown}")]


def _problem(name: str, tags: dict[str, str], ours: dict[str, str], published: str) -> str | None:
    """What makes signatures fail; None when they verify."""
    kind = tags.get("k", "rsa").lower()
    services, hashes = _words(tags.get("s", "*")), _words(tags.get("h", "sha256"))
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return f"the record at {name} is no DKIM record"
    if not published:
        return f"the record at {name} says that its key is revoked (p= is empty)"
    if kind != ours["k"]:
        return f"the record at {name} is for a key of the kind {kind}, ours is {ours['k']}"
    if _key(kind, published) != _key(kind, ours["p"]):
        return f"the key at {name} is not the one that mails are signed with"
    if "sha256" not in hashes:
        return f"the record at {name} forbids signatures with SHA-256 (h=)"
    if not services & {"*", "email"}:
        return f"the record at {name} is not for mail (s=)"
    return None


def _words(value: str) -> set[str]:
    return {word.strip().lower() for word in value.split(":")}


def _strip(value: str) -> str:
    """Base64 without the blanks that a record may be written with."""
    return re.sub(r"\s", "", value)


def _key(kind: str, encoded: str) -> object:
    """The key as something to compare; None when it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        data = base64.b64decode(encoded, validate=True)
        if kind == "ed25519":
            return data
        key = load_der_public_key(data)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return None
    return key.public_numbers() if isinstance(key, RSAPublicKey) else None


def _bits(tags: dict[str, str]) -> int | None:
    """Length of an RSA key; None for other kinds."""
    numbers = _key(tags["k"], tags["p"])
    n = getattr(numbers, "n", None)
    return n.bit_length() if isinstance(n, int) else None
