"""Cleaning of texts and links that strangers wrote, before anything else sees them.

Standard library only. Knows nothing of HTML or TeX: a `<think>` in an abstract is a word like any
other, and markup is turned into text by the source that received markup. Called by sources and by
whatever takes words from a person.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

#: longer links are no use: some browsers and mail programs cut them
URL_LENGTH_MAX = 2_000

# Invisible or deceiving: controls (whitespace is treated before), soft hyphen, zero-width space,
# word joiner and invisible operators, bidi embeddings, overrides and isolates, deprecated format
# characters, byte order mark, interlinear annotation, noncharacters.
_JUNK = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u180e\u200b\u202a-\u202e\u2060-\u2064"
    "\u2066-\u206f\ufdd0-\ufdef\ufeff\ufff9-\ufffb\ufffe\uffff"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
    )
)
# Tag characters spell hidden text; only the flags of England, Scotland and Wales need them.
_STRIPPED = re.compile(
    f"(\U0001f3f4[\U000e0061-\U000e007a]{{1,6}}\U000e007f)|[{_JUNK}\U000e0001-\U000e007f]"
)
# Joiners shape Persian and Indic words and glue emoji; between ASCII letters they only hide.
_JOINERS = re.compile("([^\u200c\u200d]?)([\u200c\u200d]+)(?=(.?))", re.DOTALL)
_JOINABLE_FROM = "\u0600"


def clean(text: str) -> str:
    """One line of Unicode NFC without control, bidi-override or zero-width characters.

    All whitespace, line breaks included, becomes single blanks; a lone surrogate becomes U+FFFD.
    Cleaning twice changes nothing more.
    """
    text = " ".join(text.split())
    if text.isascii() and text.isprintable():
        return text
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = _STRIPPED.sub(lambda found: found[1] or "", text)
    text = unicodedata.normalize("NFC", text)
    if "\u200c" in text or "\u200d" in text:
        text = unicodedata.normalize("NFC", _JOINERS.sub(_keep_joiner, text))
    return " ".join(text.split())


def _keep_joiner(found: re.Match[str]) -> str:
    before, joiners, after = found[1], found[2], found[3]
    needed = before >= _JOINABLE_FROM and after >= _JOINABLE_FROM
    return before + joiners[0] if needed else before


def http_url(text: str, base: str | None = None) -> str | None:
    """The absolute http(s) link that `text` means, in ASCII; None when it is none to be shown.

    Whitespace within is dropped, as browsers do with line breaks; a relative link needs `base`.
    Refused: other schemes, credentials, control characters, hosts and ports that cannot be, and
    links longer than URL_LENGTH_MAX.
    """
    text = "".join(text.split())
    if not text or not text.isprintable() or "\\" in text:
        return None
    try:
        parts = urlsplit(urljoin(base, text) if base else text)
        port = parts.port
    except ValueError:
        return None
    host = _ascii_host(parts.hostname or "")
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    url = urlunsplit(_in_ascii(parts, host if port is None else f"{host}:{port}"))
    return url if len(url) <= URL_LENGTH_MAX else None


@lru_cache(maxsize=4_096)
def _ascii_host(host: str) -> str | None:
    """The host name as DNS knows it; None when it cannot be one."""
    if ":" in host:  # urlsplit has already checked the brackets of an IPv6 address
        return f"[{host}]" if re.fullmatch("[0-9a-f:.]+", host) else None
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    return host if re.fullmatch(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?", host) else None


def _in_ascii(parts: SplitResult, netloc: str) -> SplitResult:
    """The link with everything escaped that a header, an attribute or a feed could trip over."""
    path, query, fragment = (
        part and quote(re.sub("%(?![0-9A-Fa-f]{2})", "%25", part), safe="/%:@!$&'()*+,;=~?")
        for part in (parts.path, parts.query, parts.fragment)
    )
    return SplitResult(parts.scheme, netloc, path.replace("?", "%3F"), query, fragment)


def text_key(title: str, abstract: str) -> str:
    """What a text is known by wherever something made of its words is kept: 32 hex digits.

    Equal words have equal keys, whoever wrote them; an item, a liked paper and a person's own
    line (which is a title without an abstract) are one case.
    """
    words = f"{title}\n{abstract}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(words).hexdigest()[:32]
