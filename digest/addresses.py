"""Mail addresses: what may be one, and when two spellings are the same person's.

Our own rules are stricter than RFC 5321 where strictness keeps lists clean, and wider where people
really differ: non-ASCII local parts and domains are allowed.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from digest.errors import BadAddress

LOCAL_BYTES_MAX = 64  # RFC 5321, 4.5.3.1.1
ADDRESS_BYTES_MAX = 254  # RFC 5321, 4.5.3.1.3, less the angle brackets
_ATOM = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,\".]+"
_LOCAL = re.compile(
    rf"(?:{_ATOM}(?:\.{_ATOM})*|\"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*\")"
)
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
# Python's IDNA is that of 2003, which writes faß.de as fass.de: somebody else's domain today
_DEVIATING = frozenset("ßςẞ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A mail address that can be written to."""

    #: as typed, trimmed
    text: str
    #: before the @, as typed
    local: str
    #: lower-case, in ASCII (IDNA)
    domain: str

    @property
    def key(self) -> str:
        """The same for all spellings of an address, and tells nothing about it: SHA-256."""
        local = unicodedata.normalize("NFKC", self.local).casefold()
        return hashlib.sha256(f"{local}@{self.domain}".encode()).hexdigest()


def parse_address(text: str) -> Address:
    """Read one address, without a name. Raises BadAddress, which never repeats it.

    Letter case of the local part is kept for sending and ignored for telling people apart: no
    provider of note gives `Ann@` and `ann@` to two people.
    """
    text = text.strip()
    local, at, domain = text.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or any(map(_is_deceiving, text)):
        raise BadAddress("that is not a mail address; it looks like name@example.org")
    if len(local.encode()) > LOCAL_BYTES_MAX or len(text.encode()) > ADDRESS_BYTES_MAX:
        raise BadAddress("that address is too long for any mail server")
    return Address(text=text, local=local, domain=_ascii_domain(domain))


def _is_deceiving(char: str) -> bool:
    """Whether a reader cannot see what it is: invisible, turning the text around, or broken."""
    return not char.isascii() and (unicodedata.category(char)[0] in "CZ" or char == "\ufffd")


def _ascii_domain(domain: str) -> str:
    if _DEVIATING.intersection(domain):
        raise BadAddress("write that domain in ASCII (xn--…): programs differ on its letters")
    try:
        name = domain.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise BadAddress("the part after the @ is not a domain name") from error
    labels = name.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise BadAddress("the part after the @ is not a domain name, like example.org")
    if labels[-1].isdecimal():
        raise BadAddress("mail is not sent to a bare network address; use a domain name")
    return name
