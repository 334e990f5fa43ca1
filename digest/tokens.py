"""Signed links: who may do one thing, without a login. Ids inside, never an address.

A token is bound to one purpose (its salt) and carries integers; an old secret stays valid for
checking, so links in mails survive a change of key. Signed by itsdangerous.
"""

from __future__ import annotations

import hashlib
from binascii import b2a_base64
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from itsdangerous import BadData, URLSafeSerializer

from digest.errors import TokenError


class Purpose(StrEnum):
    """What a token is good for; a token for one is refused for every other."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    FEEDBACK = "feedback"
    EDITION = "edition"
    FEED = "feed"
    BOUNCE = "bounce"
    ADDRESS = "address"
    FORM = "form"
    ADMIN = "admin"


# five links stand in each mail, and the library's way to them took a tenth of the time of sending
# it: the key derived anew for each, a try to compress ten digits, layers. Same tokens here, a
# tenth of that; reading them stays the library's.


class _QuickSigner:
    """Signs numbers as URLSafeSerializer would, with a key that is at hand."""

    def __init__(self, key: bytes) -> None:
        padded = key.ljust(hashlib.sha1().block_size, b"\0")
        # HMAC (RFC 2104) begins with these two, whatever it signs
        self._inner = hashlib.sha1(bytes(octet ^ 0x36 for octet in padded))
        self._outer = hashlib.sha1(bytes(octet ^ 0x5C for octet in padded))

    def sign(self, numbers: Sequence[int]) -> str:
        payload = b2a_base64(b"[%s]" % ",".join(map(str, numbers)).encode(), newline=False)
        payload = payload.translate(_URL_SAFE, b"=")
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload)
        outer.update(inner.digest())
        signature = b2a_base64(outer.digest(), newline=False).translate(_URL_SAFE, b"=")
        return (payload + b"." + signature).decode()


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class Tokens:
    """Signs and checks tokens. `secrets` has the key in use first, then retired ones."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # itsdangerous signs with the last key of the list and checks with all
        keys = list(reversed(secrets))
        self._readers = {p: URLSafeSerializer(keys, salt=f"digest.{p}") for p in Purpose}
        self._signers = {
            p: _QuickSigner(reader.make_signer(reader.salt).derive_key())
            for p, reader in self._readers.items()
        }

    def sign(self, purpose: Purpose, *numbers: int) -> str:
        """A URL-safe token for that purpose; the same numbers always give the same token."""
        return self._signers[purpose].sign(numbers)

    def read(self, purpose: Purpose, token: str, *, count: int) -> tuple[int, ...]:
        """The `count` numbers in it. Raises TokenError when it was not signed for this."""
        try:
            numbers = self._readers[purpose].loads(token)
        except BadData as error:
            raise TokenError("this link is not valid; it may have been cut in the mail") from error
        if not isinstance(numbers, list) or len(numbers) != count:
            raise TokenError("this link is not valid any more")
        if not all(isinstance(n, int) for n in numbers):
            raise TokenError("this link is not valid any more")
        return tuple(numbers)

    def sign_until(self, purpose: Purpose, until: datetime, *numbers: int) -> str:
        """Like sign, but good only until that moment."""
        return self.sign(purpose, *numbers, int(until.timestamp()))

    def read_until(
        self, purpose: Purpose, token: str, *, now: datetime, count: int
    ) -> tuple[int, ...]:
        """The numbers of a token made by sign_until. Raises TokenError when it has expired."""
        *numbers, until = self.read(purpose, token, count=count + 1)
        if now.timestamp() > until:
            raise TokenError("this link has expired; ask for a new one")
        return tuple(numbers)
