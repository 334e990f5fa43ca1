"""Signed links: who may do one thing, without a login. Ids inside, never an address.

A token is bound to one purpose (its salt) and carries integers; an old secret stays valid for
checking, so links in mails survive a change of key. Signed by itsdangerous.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from itsdangerous import BadData, Signer, URLSafeSerializer
from itsdangerous.signer import SigningAlgorithm

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
# it: the key derived anew for each, a try to compress ten digits. Same tokens, a quarter of that.


class _Hmac(SigningAlgorithm):
    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha1")


class _QuickSigner(Signer):
    """Derives each key once."""

    def __init__(self, keys: Sequence[str], salt: str) -> None:
        super().__init__(list(keys), salt, algorithm=_Hmac())
        self._derived = {key: super(_QuickSigner, self).derive_key(key) for key in self.secret_keys}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        return self._derived[self.secret_keys[-1] if secret_key is None else secret_key]  # type: ignore[index]  # as bytes


class _QuickSerializer(URLSafeSerializer):
    """Keeps its signer, and does not compress."""

    def __init__(self, keys: Sequence[str], salt: str) -> None:
        super().__init__(list(keys), salt=salt)
        self._signer = _QuickSigner(keys, salt)

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        return self._signer

    def dump_payload(self, obj: Sequence[int]) -> bytes:
        return urlsafe_b64encode(b"[%s]" % b",".join([b"%d" % n for n in obj])).rstrip(b"=")


class Tokens:
    """Signs and checks tokens. `secrets` has the key in use first, then retired ones."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # itsdangerous signs with the last key of the list and checks with all
        keys = list(reversed(secrets))
        self._signers = {p: _QuickSerializer(keys, f"digest.{p}") for p in Purpose}

    def sign(self, purpose: Purpose, *numbers: int) -> str:
        """A URL-safe token for that purpose; the same numbers always give the same token."""
        return str(self._signers[purpose].dumps(list(numbers)))

    def read(self, purpose: Purpose, token: str, *, count: int) -> tuple[int, ...]:
        """The `count` numbers in it. Raises TokenError when it was not signed for this."""
        try:
            numbers = self._signers[purpose].loads(token)
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
