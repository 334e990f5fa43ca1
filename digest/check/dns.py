"""The checks of DNS: which domains are looked up, and for what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from digest.check.alignment import DMARC, Senders, judge_dmarc
from digest.check.findings import Finding
from digest.check.relay import public_addresses
from digest.check.runner import Check
from digest.check.senders import (
    MX,
    SPF,
    judge_exchangers,
    judge_other_policy,
    judge_sender_policy,
)
from digest.check.signing import DKIM, judge_signing
from digest.mail.dkim import load_signer

if TYPE_CHECKING:
    from digest.check.resolver import NameServer, Resolver
    from digest.config import MailSettings, Settings


def checks(settings: Settings, name_server: NameServer | None) -> Iterable[Check]:
    """Where mail for us goes, who may send for us, whether our signature can be verified."""
    senders = senders_of(settings.mail)

    def resolver() -> Resolver:
        from digest.check.resolver import Resolver

        return Resolver(name_server)

    def spf() -> Iterator[Finding]:
        ask = resolver()
        relay = public_addresses(settings.smtp.host)
        yield from judge_sender_policy(ask, senders.bounce_domain, relay)
        if senders.from_domain != senders.bounce_domain:
            yield from judge_other_policy(ask, senders.from_domain, senders.bounce_domain)

    return [
        *(
            Check(name=MX, look=partial(_exchangers, resolver, domain, purpose))
            for domain, purpose in receiving_domains(settings.mail).items()
        ),
        Check(name=SPF, look=spf),
        Check(name=DKIM, look=lambda: _signing(resolver(), settings.mail)),
        Check(name=DMARC, look=lambda: judge_dmarc(resolver(), senders)),
    ]


def senders_of(mail: MailSettings) -> Senders:
    """The domains that a mail with these settings names."""
    from_domain = mail.from_address.rpartition("@")[2].lower()
    return Senders(
        from_domain=from_domain,
        bounce_domain=mail.bounce_domain or from_domain,
        dkim_domain=mail.dkim_domain,
    )


def receiving_domains(mail: MailSettings) -> dict[str, str]:
    """The domains that must take mail, each with what goes there."""
    senders = senders_of(mail)
    domains = {senders.bounce_domain: "bounces go there"}
    domains.setdefault(senders.from_domain, "the From line names it")
    if mail.reply_to:
        domains.setdefault(mail.reply_to.rpartition("@")[2].lower(), "answers go there")
    return domains


def _exchangers(resolver: Callable[[], Resolver], domain: str, purpose: str) -> Iterator[Finding]:
    yield from judge_exchangers(resolver(), domain, purpose)


def _signing(resolver: Resolver, mail: MailSettings) -> Iterator[Finding]:
    """Raises ConfigError when the key cannot be used."""
    signer = None
    if mail.dkim_domain and mail.dkim_selector and mail.dkim_key_file:
        signer = load_signer(mail.dkim_domain, mail.dkim_selector, mail.dkim_key_file)
    yield from judge_signing(resolver, signer)
