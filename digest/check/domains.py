"""What a domain's name tells: who it belongs to, and whether it is a mail provider's.

The organisational domain (RFC 7489 §3.2) is found by a rule of thumb, not by the public suffix
list: the last two labels, or three below a suffix like co.uk. It is wrong for suffixes that are
not of that form; docs/check.md says so.
"""

from __future__ import annotations

#: second-level labels under which countries register domains, as in co.uk, com.au, or.jp, ac.at
_SHARED_LABELS = frozenset(
    "ac asn asso co com ed edu gen gob gouv gov govt go gub id kiwi ltd mil ne net nhs nom or org"
    " plc police sch school".split()
)

#: providers whose addresses cannot be used for list mail: their DMARC policy forbids it
_FREEMAIL = frozenset(
    "gmail.com googlemail.com yahoo.com ymail.com rocketmail.com aol.com aim.com outlook.com"
    " hotmail.com live.com msn.com passport.com icloud.com me.com mac.com gmx.com gmx.net gmx.de"
    " gmx.at gmx.ch web.de freenet.de t-online.de mail.com mail.ru bk.ru inbox.ru list.ru yandex.ru"
    " yandex.com proton.me protonmail.com pm.me fastmail.com zoho.com tutanota.com tuta.com qq.com"
    " foxmail.com 163.com 126.com sina.com sina.cn naver.com daum.net hanmail.net orange.fr"
    " wanadoo.fr laposte.net free.fr libero.it virgilio.it wp.pl o2.pl onet.pl seznam.cz"
    " comcast.net verizon.net att.net sbcglobal.net btinternet.com bigpond.com rediffmail.com"
    " uol.com.br bol.com.br terra.com.br".split()
)
#: names that a provider uses under the suffixes of many countries: yahoo.co.jp, hotmail.fr
_FREEMAIL_NAMES = frozenset({"yahoo", "hotmail", "outlook", "live", "ymail", "gmx", "yandex"})


def organisation_of(domain: str) -> str:
    """The registered domain that a name is under, by a rule of thumb: digest.example.org's is
    example.org.
    """
    labels = domain.lower().rstrip(".").split(".")
    is_shared = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SHARED_LABELS
    return ".".join(labels[-3:] if is_shared else labels[-2:])


def is_aligned(domain: str, with_domain: str, *, strict: bool = False) -> bool:
    """Whether two domains count as the same sender for DMARC (RFC 7489 §3.1)."""
    first, second = domain.lower().rstrip("."), with_domain.lower().rstrip(".")
    if strict:
        return first == second
    return organisation_of(first) == organisation_of(second)


def is_freemail(domain: str) -> bool:
    """Whether anybody can have an address there."""
    organisation = organisation_of(domain)
    name, _, suffix = organisation.partition(".")
    is_national = len(suffix.rpartition(".")[2]) == 2
    return organisation in _FREEMAIL or (is_national and name in _FREEMAIL_NAMES)
