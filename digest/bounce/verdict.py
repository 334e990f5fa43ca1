"""What a refusal means for the person it is about: status code first, the server's words after it.

Enhanced status codes (RFC 3463) decide where they are exact. A bare 550, 5.0.0 and other codes
that only say "no" are judged by their words, and what the words do not settle is soft: live
accounts must not be lost to a generic code. Pure; used for bounces and for answers of a relay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from digest.model import BounceKind

#: x.1.x that speak of our own address, not of the reader's (RFC 3463 §3.2)
_OUR_ADDRESS = frozenset({"5.1.7", "5.1.8", "4.1.7", "4.1.8"})
#: the mailbox or its domain is gone for good, in codes outside 5.1.x
_GONE = frozenset({"5.2.1", "5.4.4", "5.4.310"})
#: X.Y.0 and these say that something is wrong, and not what
_VAGUE = frozenset({"5.4.1", "5.5.1"})

_TEXT_MAX = 8_192
# not within a dotted number or a name: addresses and program versions are no codes
_STATUS = re.compile(r"(?<![\w.])([45]\.[0-7]\.\d{1,3})(?![\w.]?\d|\.\w)")
_BASIC_CODE = re.compile(r"(?<![\w.:])([45])\d\d(?=[ -]|$)")
# names are not words: a host called spam-filter.example.org has not said "spam"
_NAMES = re.compile(r"\S{0,300}[@/]\S{0,300}|[\w-]{1,60}(?:\.[\w-]{1,60}){1,6}")

_FOR_NOW = re.compile(
    r"""quota | (?:mail(?:box|folder)|inbox|account)\ (?:is\ )?(?:\w+\ )?full | full\ mailbox
    | storage | \bdisk\b | too\ (?:big|large|long|many) | exceed | size\ limit
    | maximum\ (?:\w+\ ){0,3}size | \bbusy\b | temporar | try\ (?:again|later) | timed?[ -]?out
    | timeout | not\ respond | \bloop | hop\ count | at\ a\ rate | rate\ limit
    | space\ not\ enough | insufficient | within\ \d+\ (?:day|hour)
    """,
    re.I | re.X,
)
_AGAINST_US = re.compile(
    r"""spam | unsolicited | black[ -]?list | block[ -]?list | \bblock(?:ed|ing)?\b | reputation
    | \bpolic(?:y|ies)\b | dmarc | \bspf\b | dkim | dnsbl | \brbl\b | authenti | banned | virus
    | (?:access|permission)\ denied | denied\ by | not\ (?:authori[sz]ed|permitted|allowed)
    | not\ accepting\ mail\ from | relay(?:ing)?\ (?:access\ )?(?:denied|prohibited|not)
    | unable\ to\ relay | sender\ (?:\w+\ ){0,2}(?:rejected|denied|refused|invalid|verif\w+)
    | content\ (?:\w+\ )?reject | reverse\ dns | \bptr\b | gr[ea]ylist
    """,
    re.I | re.X,
)
_WHO = r"(?:user(?:\s?id)?|recipient|mailbox|account|address|alias|person|addressee|customer)"
_NOT_THERE = re.compile(
    rf"""\b{_WHO}s?\b[^.:;]{{0,40}}?\b(?:unknown|not\ (?:\w+\ )?(?:known|found|exist|listed|valid
        |recogni[sz]ed)|(?:doesn't|does\ not|don't|do\ not)\ exist|no\ longer)
    | \b{_WHO}\ (?:(?:is|was|has\ been)\ )?(?:invalid|disabled|inactive|suspended|closed
        |deactivated|terminated|expired|discontinued|wrong)\b
    | \b(?:unknown|invalid|bad|illegal|no\ such|no\ valid|non-?existent|not\ a\ valid
        |not\ our)\b[^.:;]{{0,30}}?\b(?:{_WHO}|host|domain|destination)s?\b
    | no\ {_WHO}\ (?:here\ )?by\ that\ name | there\ is\ no\ {_WHO}
    | (?:doesn't|does\ not)\ have\ an?\ (?:\S{{1,80}}\ )?account
    | unrout?eable\ address | (?:host|domain)\ (?:\w+\ )?(?:not\ found|unknown|does\ not\ exist)
    | name\ or\ service\ not\ known | nxdomain | no\ mailbox\ here
    """,
    re.I | re.X,
)


def find_status(text: str) -> str | None:
    """The enhanced status code in a text: the first exact one, else the first; None without any."""
    return best_status(_STATUS.findall(text[:_TEXT_MAX]))


def best_status(statuses: Iterable[str | None]) -> str | None:
    """The first of the codes that says what is wrong, else the first, else None."""
    found = [status for status in statuses if status]
    return next((s for s in found if not is_vague(s)), found[0] if found else None)


def is_vague(status: str) -> bool:
    """Whether a code only says that something is wrong: 5.0.0, 5.3.0."""
    return status.endswith((".0", ".00", ".000")) or status in _VAGUE


def is_telling(text: str) -> bool:
    """Whether the words say anything about why."""
    said = _words_of(text)
    return any(words.search(said) for words in (_FOR_NOW, _AGAINST_US, _NOT_THERE))


def names_no_address(status: str | None) -> bool:
    """Whether a code says that the reader's address does not exist (5.1.x, RFC 3463)."""
    return status is not None and status.startswith("5.1.") and status not in _OUR_ADDRESS


def judge(status: str | None, text: str, *, code: int | None = None) -> BounceKind:
    """What a final refusal means: HARD, SOFT or POLICY.

    `text` is what the server said, `code` its SMTP code where it stands apart. Doubt is never
    held against the person.
    """
    said = _words_of(text)
    status = status or ""
    if status in _OUR_ADDRESS or status.startswith(("5.7.", "4.7.")):
        return BounceKind.POLICY
    if status and not is_vague(status):
        return _by_status(status, said)
    is_settled = bool(_FOR_NOW.search(said) or _AGAINST_US.search(said))
    if status == "5.1.0" and not is_settled:
        return BounceKind.HARD
    if status == "5.4.1" and "recipient address rejected" in said.lower():
        return BounceKind.HARD  # how Microsoft 365 says that there is no such recipient
    kind = _by_words(said)
    is_for_now = status.startswith("4.") or _class_of(text, code) == "4"
    return BounceKind.SOFT if is_for_now and kind is BounceKind.HARD else kind


def _by_status(status: str, said: str) -> BounceKind:
    if status == "5.2.1" and _FOR_NOW.search(said):
        return BounceKind.SOFT  # disabled for a while: too much mail at once
    is_gone = names_no_address(status) or status in _GONE
    return BounceKind.HARD if is_gone else BounceKind.SOFT


def _words_of(text: str) -> str:
    return " ".join(_NAMES.sub(" ", text[:_TEXT_MAX]).split())


def _by_words(said: str) -> BounceKind:
    if _FOR_NOW.search(said):
        return BounceKind.SOFT
    if _AGAINST_US.search(said):
        return BounceKind.POLICY
    return BounceKind.HARD if _NOT_THERE.search(said) else BounceKind.SOFT


def _class_of(text: str, code: int | None) -> str | None:
    if code is not None:
        return str(code)[:1]
    found = _BASIC_CODE.search(text[:_TEXT_MAX])
    return found[1] if found else None
