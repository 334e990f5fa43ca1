"""Wiring: from settings to the parts that do the work, each made, and imported, when first used.

The commands, the scheduler and the pages get everything from here; nothing below imports it. A
command that only reads the ledger does not load the ranker, the templates or HTTP.
"""

from __future__ import annotations

import os
import socket
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from digest.clock import Clock, FixedClock, SystemClock
from digest.config import Settings, SourceSettings
from digest.errors import UsageError
from digest.store import Store
from digest.store.collecting import StoreGate, sync_sources
from digest.store.migrate import open_store
from digest.store.topics import seed_topics
from digest.tokens import Tokens

if TYPE_CHECKING:
    from digest.collect import Collector, Planned
    from digest.compose.composer import Composer
    from digest.deliver import Deliverer
    from digest.edition import Editor
    from digest.embed import Meaning
    from digest.enrol import Enrolment
    from digest.fetch import Fetcher
    from digest.mail import Transport, TransportOptions
    from digest.mail.dkim import DkimSigner
    from digest.mailbox import Mailbox
    from digest.returns import Returns
    from digest.sources.base import SourceOptions


class App:
    """One process's parts, by one set of settings. Close it when done."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        #: names this process in leases
        self.owner = f"{socket.gethostname()}:{os.getpid()}"

    def close(self) -> None:
        """Give back connections; nothing is lost without it."""
        for name in ("fetcher", "store"):
            if name in self.__dict__:
                self.__dict__[name].close()

    def now(self) -> datetime:
        return self.clock.now()

    @cached_property
    def store(self) -> Store:
        store = open_store(self.settings.database.url)
        kinds = {s.name: s.kind for s in self._enabled}
        sync_sources(store, kinds)
        seed_topics(store, self.settings.topics)
        return store

    @property
    def _enabled(self) -> tuple[SourceSettings, ...]:
        return tuple(source for source in self.settings.sources if source.enabled)

    @property
    def source_names(self) -> tuple[str, ...]:
        """Names of the enabled sources, sorted."""
        return tuple(sorted(source.name for source in self._enabled))

    @cached_property
    def planned(self) -> dict[str, Planned]:
        """The enabled sources by name."""
        from digest.collect import Planned
        from digest.sources import build_source

        return {
            s.name: Planned(source=build_source(s.kind, s.name, _options(s)), every=s.every)
            for s in self._enabled
        }

    @cached_property
    def fetcher(self) -> Fetcher:
        from digest.fetch import Fetcher, user_agent

        site = self.settings.site
        return Fetcher(
            agent=user_agent(site.url, site.operator_email),
            # pauses are real, even when the pass is told another time (--at)
            clock=SystemClock() if isinstance(self.clock, FixedClock) else self.clock,
            gate=StoreGate(self.store),
        )

    @cached_property
    def collector(self) -> Collector:
        from digest.collect import Collector

        return Collector(self.store, self.fetcher, self.planned, owner=self.owner)

    @cached_property
    def meaning(self) -> Meaning:
        """The embedding model that [rank] model names, and the archive's vectors by it."""
        from digest.embed import Meaning

        return Meaning(
            self.store,
            setting=self.settings.rank.model,
            models=self.settings.models_folder,
            now=self.now,
            owner=self.owner,
        )

    @cached_property
    def editor(self) -> Editor:
        from digest.edition import EditionRules, Editor
        from digest.rank import RankSettings

        edition, rank = self.settings.edition, self.settings.rank
        rules = EditionRules(
            lookback=timedelta(days=edition.lookback_days),
            catch_up=timedelta(hours=edition.catch_up_hours),
            send_empty=edition.send_empty,
            domain=self._domain,
            rank=RankSettings(
                half_life_hours=rank.half_life_hours,
                diversity=rank.diversity,
                trend_weight=rank.trend_weight,
                min_score=edition.min_score,
            ),
        )
        return Editor(self.store, rules, self.meaning.vectors)

    @cached_property
    def tokens(self) -> Tokens:
        return Tokens(self.settings.site.secrets)

    @cached_property
    def composer(self) -> Composer:
        from digest.compose.composer import Composer
        from digest.compose.links import Links
        from digest.templates import Templates

        site = self.settings.site_record()
        return Composer(
            site,
            Links(site.url, self.tokens),
            Templates(self.settings.mail.templates),
            bounce_domain=self.settings.mail.bounce_domain,
        )

    @cached_property
    def deliverer(self) -> Deliverer:
        from digest.deliver import Deliverer, DeliveryRules

        smtp = self.settings.smtp
        rules = DeliveryRules(
            resend=smtp.uncertain == "resend",
            rate_per_minute=smtp.rate_per_minute,
            domain_rate_per_minute=smtp.domain_rate_per_minute,
            warm_up_from=smtp.warm_up_from,
        )
        return Deliverer(
            self.store,
            self.composer,
            rules,
            clock=self.clock,
            owner=self.owner,
            signer=self.signer,
        )

    @cached_property
    def signer(self) -> DkimSigner | None:
        """Signs what we send, when a key is configured; otherwise the relay has to.

        Raises ConfigError when the key cannot be used.
        """
        from digest.mail.dkim import load_signer

        mail = self.settings.mail
        if mail.dkim_key_file is None or mail.dkim_domain is None or mail.dkim_selector is None:
            return None
        return load_signer(mail.dkim_domain, mail.dkim_selector, mail.dkim_key_file)

    def transport(self) -> Transport:
        """The way out, as [smtp] says."""
        from digest.mail import build_transport

        return build_transport(self.transport_options)

    @cached_property
    def transport_options(self) -> TransportOptions:
        """How [smtp] says that mail leaves."""
        from digest.mail import TransportOptions

        smtp = self.settings.smtp
        return TransportOptions(
            kind=smtp.transport,
            host=smtp.host,
            port=smtp.port,
            security=smtp.security,
            username=smtp.username,
            password=smtp.password.get_secret_value() if smtp.password else None,
            connections=smtp.connections,
            messages_per_connection=smtp.messages_per_connection,
            timeout_s=smtp.timeout_s,
            hostname=self._domain,
            path=smtp.path,
        )

    @cached_property
    def enrolment(self) -> Enrolment:
        from digest.enrol import Defaults, Enrolment

        defaults = self.settings.defaults
        return Enrolment(
            self.store,
            self.tokens,
            Defaults(
                zone=defaults.zone,
                send_at=defaults.send_at,
                cadence=defaults.cadence,
                max_items=self.settings.edition.max_items,
            ),
            domain=self._domain,
        )

    @cached_property
    def returns(self) -> Returns:
        from digest.returns import Returns

        def unsubscribe(subscriber_id: int, now: datetime) -> None:
            self.enrolment.unsubscribe(subscriber_id, now=now, source="mail")

        return Returns(self.store, self.tokens, unsubscribe=unsubscribe)

    def mailbox(self) -> AbstractContextManager[Mailbox]:
        """The mailbox of bounces, as [bounces] says. Raises UsageError when it names none."""
        from digest.mailbox import MailboxOptions, open_mailbox

        bounces = self.settings.bounces
        if bounces.kind == "none":
            raise UsageError("no mailbox of bounces is set; give kind and more under [bounces]")
        return open_mailbox(
            MailboxOptions(
                kind=bounces.kind,
                path=bounces.path,
                host=bounces.host or "",
                port=bounces.port,
                security=bounces.security,
                username=bounces.username or "",
                password=bounces.password.get_secret_value() if bounces.password else "",
                folder=bounces.folder,
            )
        )

    @property
    def _domain(self) -> str:
        return self.settings.mail.from_address.rpartition("@")[2]


def _options(source: SourceSettings) -> SourceOptions:
    from digest.sources.base import SourceOptions

    return SourceOptions(
        url=source.url,
        categories=source.categories,
        query=source.query,
        limit=source.limit,
        pause_s=source.pause.total_seconds() if source.pause is not None else None,
        token=source.token.get_secret_value() if source.token else None,
    )
