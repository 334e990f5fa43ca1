"""Which checks there are, and what each is given: from the program's parts to a report.

run_checks opens the database first, since the alarms and the pause of each host are in it; then
all other checks run side by side. What is not looked at is in the report too, with its reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from digest.app import App
from digest.check import alarms, arrived, bounces, database, message, relay, site, sources
from digest.check.findings import (
    NAMES,
    CheckReport,
    Finding,
    Level,
    Skipped,
    green,
    in_order,
    red,
    yellow,
)
from digest.check.model import MODEL, judge_model
from digest.check.runner import LIMIT_S, Check, run_side_by_side
from digest.check.sample import SampleMail
from digest.clock import SystemClock
from digest.errors import ConfigError
from digest.fetch import Fetcher, user_agent
from digest.fetch.probe import Form, Page, ask_page
from digest.mail.probe import probe_relay
from digest.store import Store
from digest.store.collecting import StoreGate

if TYPE_CHECKING:
    from digest.check.resolver import NameServer
    from digest.config import SourceSettings
    from digest.sources.base import Source

#: seconds for one answer of the world, less than a check's own limit so that it can say what hung
_ANSWER_S = 12.0
#: a host may ask for a pause of a minute before it is our turn
_SOURCE_LIMIT_S = 4 * LIMIT_S
_DATABASE_LIMIT_S = 2 * LIMIT_S
_RELAY = tuple(name for name in NAMES if name.startswith("relay."))
_DNS = tuple(name for name in NAMES if name.startswith("dns."))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What the operator says about how to look."""

    #: ask nobody outside this machine
    offline: bool = False
    #: asked instead of the machine's name servers
    name_server: NameServer | None = None
    #: a mail of ours as it arrived somewhere; None: there is none to look at
    arrived: bytes | None = None


def report_broken_settings(error: ConfigError) -> CheckReport:
    """What there is to say when the settings cannot be used: all that is wrong with them."""
    where = error.path or "the settings"
    return CheckReport(
        findings=tuple(
            red("settings.load", problem, f"correct it in {where}; config.example.toml explains it")
            for problem in error.problems
        ),
        skipped=tuple(Skipped(name=n, reason="the settings cannot be used") for n in NAMES[1:]),
    )


def run_checks(app: App, options: CheckOptions) -> CheckReport:
    """Look at everything; changes nothing."""
    found = [green("settings.load", "every setting is known and possible")]
    plan = _Plan(app, options)
    try:
        found += run_side_by_side([plan.opening()])
        found += run_side_by_side(list(plan.checks()))
    finally:
        plan.close()
    return CheckReport(findings=in_order(found), skipped=tuple(plan.skipped))


class _Plan:
    """The checks for one set of settings."""

    def __init__(self, app: App, options: CheckOptions) -> None:
        self._app = app
        self._settings = app.settings
        self._options = options
        self._now: datetime = app.now()
        self._sends_mail = app.settings.smtp.transport == "smtp"
        self._mail = SampleMail(app)
        #: the database, once it is known to be usable
        self._store: Store | None = None
        self._opened: list[Store] = []
        self._fetcher: Fetcher | None = None
        self.skipped: list[Skipped] = []

    def close(self) -> None:
        for store in self._opened:
            store.close()
        if self._fetcher is not None:
            self._fetcher.close()

    # -- what there is

    def opening(self) -> Check:
        """The check that opens the database."""
        return Check(name=database.VERSION, look=self._open, limit_s=_DATABASE_LIMIT_S)

    def checks(self) -> Iterator[Check]:
        """All others."""
        site_settings = self._settings.site
        yield from self._database()
        yield from self._sources()
        yield from self._outgoing()
        yield from message.checks(self._mail)
        yield from self._arrived()
        yield Check(
            name=site.URL,
            look=lambda: [site.judge_url(site_settings.url, sends_mail=self._sends_mail)],
        )
        yield Check(
            name=site.IDENTITY,
            look=partial(
                site.judge_identity, site_settings.operator_email, site_settings.postal_address
            ),
        )
        yield from self._unless_offline(Check(name=site.ONE_CLICK, look=self._one_click))
        yield Check(
            name=MODEL,
            look=partial(
                judge_model, self._settings.rank.model, self._settings.models_folder, self._store
            ),
        )

    def _unless_offline(self, *checks: Check, names: Sequence[str] = ()) -> Iterator[Check]:
        """The checks, or none of them; `names` are what they look at, beside their own names."""
        if self._options.offline:
            self._skip(dict.fromkeys([*(check.name for check in checks), *names]), "--offline")
        else:
            yield from checks

    def _skip(self, names: Iterable[str], reason: str) -> None:
        self.skipped += [Skipped(name=name, reason=reason) for name in names]

    # -- the database and what is noted in it

    def _open(self) -> Iterator[Finding]:
        store = Store(self._settings.database.url)
        self._opened.append(store)
        for finding in database.judge_version(store):
            if finding.level is Level.GREEN:
                self._store = store
            yield finding

    def _database(self) -> Iterator[Check]:
        store = self._store
        names = (database.WRITABLE, *(name for name in NAMES if name.startswith("alarms.")))
        if store is None:
            self._skip(names, "the database cannot be used")
        else:
            every = {s.name: s.every for s in self._settings.sources if s.enabled}
            holds = self._settings.smtp.uncertain == "hold"
            looks = (
                partial(database.judge_writable, store),
                partial(alarms.judge_sources, store, every, self._now),
                partial(alarms.judge_sending, store),
                partial(alarms.judge_heartbeat, store, self._silent_after(), self._now),
                partial(alarms.judge_uncertain, store, holds=holds),
            )
            for name, look in zip(names, looks, strict=True):
                yield Check(name=name, look=look, limit_s=_DATABASE_LIMIT_S)
        path = self._opened[0].path if self._opened else None
        if path is None or not path.parent.is_dir():
            self._skip([database.SPACE], "the database is no file on this machine")
        else:
            yield Check(
                name=database.SPACE,
                look=lambda: [database.judge_space(*database.measure_space(path), path)],
            )

    def _silent_after(self) -> dict[str, timedelta]:
        """How old the signs of life of each job may be."""
        mailbox = self._settings.bounces
        if mailbox.kind == "none":
            return alarms.SILENT_AFTER
        return alarms.SILENT_AFTER | {"bounces": max(timedelta(hours=1), 3 * mailbox.every)}

    # -- the sources

    def _sources(self) -> Iterator[Check]:
        enabled = [source for source in self._settings.sources if source.enabled]
        if not enabled:
            yield Check(name=sources.REACHABLE, look=lambda: [_no_source()])
            return
        site_settings = self._settings.site
        fetcher = self._fetcher = Fetcher(
            agent=user_agent(site_settings.url, site_settings.operator_email),
            clock=SystemClock(),
            gate=StoreGate(self._store) if self._store is not None else sources.MemoryGate(),
            timeout_s=_ANSWER_S,
        )
        checks = [
            Check(
                name=sources.REACHABLE,
                look=partial(
                    sources.judge_source, s.name, partial(self._build, s), fetcher, self._now
                ),
                limit_s=_SOURCE_LIMIT_S,
            )
            for s in enabled
        ]
        is_near = [(s.url or "").startswith("file:") for s in enabled]
        yield from (check for check, near in zip(checks, is_near, strict=True) if near)
        yield from self._unless_offline(
            *(check for check, near in zip(checks, is_near, strict=True) if not near)
        )

    def _build(self, source: SourceSettings) -> Source:
        """One source as the collector would have it; a broken one must not hide the others."""
        alone = App(self._settings.model_copy(update={"sources": (source,)}), self._app.clock)
        return alone.planned[source.name].source

    # -- what leaves and what comes back: relay, DNS, bounces

    def _outgoing(self) -> Iterator[Check]:
        if not self._sends_mail:
            yield Check(name=relay.CONNECTION, look=lambda: [self._no_relay()])
            self._skip([*_RELAY[1:], bounces.MAILBOX, *_DNS], "no mail is sent")
            return
        from digest.check.dns import checks as dns_checks

        probe = Check(name=relay.CONNECTION, look=self._probe)
        yield from self._unless_offline(probe, names=_RELAY)
        asked = dns_checks(self._settings, self._options.name_server)
        yield from self._unless_offline(*asked, names=_DNS)
        yield from self._returning()

    def _returning(self) -> Iterator[Check]:
        """The mailbox of bounces; a Maildir is near."""
        kind = self._settings.bounces.kind
        if kind == "none":
            yield Check(name=bounces.MAILBOX, look=lambda: [bounces.judge_no_mailbox()])
            return
        look = Check(name=bounces.MAILBOX, look=lambda: bounces.judge_mailbox(self._app.mailbox()))
        yield from [look] if kind == "maildir" else self._unless_offline(look)

    def _no_relay(self) -> Finding:
        smtp = self._settings.smtp
        return yellow(
            relay.CONNECTION,
            f"no mail is sent: transport is {smtp.transport!r}, mails are written to {smtp.path}",
            'set transport = "smtp" under [smtp] when you have tried it out',
        )

    def _probe(self) -> Iterator[Finding]:
        options = self._app.transport_options
        probe = probe_relay(options, timeout_s=min(options.timeout_s, _ANSWER_S))
        size = self._mail.size_bytes
        yield from relay.judge_relay(probe, options, mail_bytes=size, now=self._now)

    def _arrived(self) -> Iterator[Check]:
        """What has become of a mail on its way; only the operator can fetch one."""
        if (content := self._options.arrived) is None:
            reason = "--arrived names no mail" if self._sends_mail else "no mail is sent"
            self._skip([arrived.ARRIVED], reason)
            return
        from digest.check.dns import senders_of

        senders = senders_of(self._settings.mail)
        yield Check(name=arrived.ARRIVED, look=partial(arrived.judge_arrived, content, senders))

    # -- the site

    def _one_click(self) -> Iterator[Finding]:
        agent = user_agent(self._settings.site.url, self._settings.site.operator_email)

        def ask(url: str, form: Form | None) -> Page:
            return ask_page(url, agent=agent, form=form, timeout_s=_ANSWER_S / 3)

        yield from site.judge_one_click(self._mail.unsubscribe_link, ask)


def _no_source() -> Finding:
    return yellow(
        sources.REACHABLE,
        "no source is enabled, so nothing is collected",
        "add a [[source]] to the settings, or set enabled = true",
    )
