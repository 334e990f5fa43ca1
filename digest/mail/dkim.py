"""Signs messages (DKIM, RFC 6376), relaxed/relaxed, with RSA-2048 or Ed25519 (RFC 8463).

Ours because the signature is the dearest step of a message's making, and dkimpy's is 25 times as
dear; the cryptography itself is done by `cryptography`. Bytes in, bytes out; called when a message
is composed. What it makes is verified by dkimpy and others in the tests.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from digest.errors import ConfigError
from digest.mail.bytescan import holds_pair, without_runs

#: signed where they occur; MAIL_RULES: RFC 8058 §4 wants both List-Unsubscribe lines among them
SIGNED_HEADERS = frozenset(
    b"from to cc subject date message-id reply-to sender in-reply-to references mime-version"
    b" content-type content-transfer-encoding content-language auto-submitted precedence"
    b" feedback-id list-id list-unsubscribe list-unsubscribe-post list-archive list-help"
    b" list-owner list-post list-subscribe".split()
)
#: named once more than they occur, so that nobody can add another (RFC 6376 §8.15)
OVERSIGNED_HEADERS = (b"from", b"subject")

#: RFC 8301 §3.2: verifiers must not accept less
_RSA_BITS_MIN = 1024
_LINE_MAX = 76
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_-]+)*")
_NEW_LINE = b"\r\n\t"
_SPACE, _CR = b" \r"
_SPACES = re.compile(rb"[ \t]+")
_SPACES_AT_END = re.compile(rb"[ \t]+\r\n")


class DkimSigner:
    """Signs for one domain with one key.

    Raises ConfigError when the key cannot be used. RSA with PKCS#1 v1.5 and Ed25519 are
    deterministic: the same message and time always give the same bytes.
    """

    def __init__(self, domain: str, selector: str, key_pem: bytes) -> None:
        problems = [
            f"{setting}: {value!r} is no name that DNS can hold"
            for setting, value in (("mail.dkim_domain", domain), ("mail.dkim_selector", selector))
            if not _NAME.fullmatch(value)
        ]
        if problems:
            raise ConfigError(problems)
        self.domain = domain
        self.selector = selector
        self._key = _load_key(key_pem)
        self.algorithm = "rsa-sha256" if isinstance(self._key, RSAPrivateKey) else "ed25519-sha256"
        self._start = _fold_tags(
            [
                b"v=1;",
                b"a=%s;" % self.algorithm.encode(),
                b"c=relaxed/relaxed;",
                b"d=%s;" % domain.encode(),
                b"s=%s;" % selector.encode(),
            ]
        )

    def sign(self, message: bytes, at: datetime | None = None) -> bytes:
        """The message with a DKIM-Signature before it. `message` has CRLF line ends.

        `at` is the time of signing (t=); without it the signature tells none.
        """
        head, _, body = message.partition(b"\r\n\r\n")
        headers = _parse_headers(head)
        names = tuple(name for name, _ in headers if name in SIGNED_HEADERS)
        time = b"\r\n\tt=%d;" % at.timestamp() if at is not None else b""
        body_hash = base64.b64encode(_hash_body(body))
        unsigned = b"%s%s%s\r\n\tbh=%s;\r\n\tb=" % (
            self._start,
            time,
            _fold_names(names),
            body_hash,
        )
        signed = b"%sdkim-signature:%s" % (
            _select(headers, names),
            unsigned.replace(_NEW_LINE, b" "),
        )
        lines = _split(base64.b64encode(self._sign_bytes(signed)))
        return b"DKIM-Signature: %s%s\r\n%s" % (unsigned, lines, message)

    @property
    def dns_name(self) -> str:
        """Where the public key is to be published."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def dns_record(self) -> str:
        """The TXT record to publish there."""
        public = self._key.public_key()
        if isinstance(self._key, RSAPrivateKey):
            kind = "rsa"
            der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            kind = "ed25519"
            der = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={kind}; p={base64.b64encode(der).decode()}"

    def _sign_bytes(self, data: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(data, PKCS1v15(), hashes.SHA256())
        # RFC 8463 §3: the hash is what is signed
        return self._key.sign(hashlib.sha256(data).digest())


def load_signer(domain: str, selector: str, key_file: Path) -> DkimSigner:
    """A signer with the key in that file. Raises ConfigError when it cannot be used."""
    try:
        pem = key_file.read_bytes()
    except OSError as error:
        reason = f"mail.dkim_key_file: cannot read {key_file}: {error.strerror or error}"
        raise ConfigError([reason]) from error
    return DkimSigner(domain, selector, pem)


def _load_key(pem: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError as error:
        reason = "mail.dkim_key_file: the key is encrypted; store it without a pass phrase"
        raise ConfigError([reason]) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        reason = (
            "mail.dkim_key_file: this is no private key in PEM form;"
            " make one with: openssl genrsa -out dkim.pem 2048"
        )
        raise ConfigError([reason]) from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        raise ConfigError(["mail.dkim_key_file: DKIM knows RSA and Ed25519 keys, not this kind"])
    if key.key_size < _RSA_BITS_MIN:
        reason = f"mail.dkim_key_file: {key.key_size} bits are refused by receivers; use 2048"
        raise ConfigError([reason])
    return key


def _hash_body(body: bytes) -> bytes:
    """SHA-256 of the body in relaxed form (RFC 6376 §3.4.4)."""
    if b"\t" in body or body.endswith(b" ") or holds_pair(body, _SPACE, _CR):
        body = _relax_body(body)
    end = len(body)
    # a lone CR or LF is not a line's end, so it stays
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    text = memoryview(body)[:end]
    hashed = hashlib.sha256()
    # text parts are indented: the regular expression would take as long as five signatures
    for piece in without_runs(text, _SPACE):
        hashed.update(piece)
    if text:
        hashed.update(b"\r\n")
    return hashed.digest()


def _relax_body(body: bytes) -> bytes:
    """Spaces as one space, none at the end of a line; the last line counts as ended."""
    if not body.endswith(b"\r\n"):
        body += b"\r\n"
    return _SPACES.sub(b" ", _SPACES_AT_END.sub(b"\r\n", body))


def _parse_headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """Names in lower case and values in relaxed form, in order."""
    head = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b" ")
    if b"  " in head or b"\t" in head:
        head = _SPACES.sub(b" ", head)
    headers = []
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            headers.append((name.rstrip(b" ").lower(), value.strip(b" ")))
    return headers


def _select(headers: list[tuple[bytes, bytes]], names: Iterable[bytes]) -> bytes:
    """The signed headers as they are hashed; of several with one name, the last first."""
    waiting: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        waiting.setdefault(name, []).append(value)
    return b"".join(b"%s:%s\r\n" % (name, waiting[name].pop()) for name in names)


@functools.lru_cache(maxsize=64)
def _fold_names(names: tuple[bytes, ...]) -> bytes:
    """The h= tag, folded."""
    listed = [*names, *OVERSIGNED_HEADERS]
    pieces = [b"h=" + listed[0], *listed[1:]]
    return _fold([piece + b":" for piece in pieces[:-1]] + [pieces[-1] + b";"], gap=b"", used=99)


def _fold_tags(tags: list[bytes]) -> bytes:
    return _fold(tags, gap=b" ", used=len("DKIM-Signature: ")).lstrip()


def _fold(pieces: list[bytes], *, gap: bytes, used: int) -> bytes:
    """The pieces in lines; a new line begins with CRLF and a tab."""
    folded = b""
    for piece in pieces:
        if used + len(gap) + len(piece) > _LINE_MAX:
            folded += _NEW_LINE + piece
            used = 8 + len(piece)
        else:
            folded += gap + piece
            used += len(gap) + len(piece)
    return folded


def _split(text: bytes) -> bytes:
    """Base64 in lines of its own."""
    width = _LINE_MAX - 8
    return _NEW_LINE.join(text[at : at + width] for at in range(0, len(text), width))
