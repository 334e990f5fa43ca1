"""The way out: hands messages to a relay by SMTP, or writes them to disk; signs them (DKIM).

The only package that speaks SMTP. It knows no settings file, no store and no clock; digest/app.py
builds a transport from plain values and digest/deliver.py drives it.
"""

from __future__ import annotations

import re

from digest.errors import ConfigError
from digest.mail.addresses import refuse_recipient
from digest.mail.base import Report, Security, Take, Transport, TransportOptions
from digest.mail.event_loop import run_to_end
from digest.mail.files import FileTransport, write_eml, write_maildir
from digest.mail.smtp import SmtpTransport

__all__ = [
    "Report",
    "Security",
    "Take",
    "Transport",
    "TransportOptions",
    "build_transport",
    "refuse_recipient",
    "run_to_end",
]

_HOSTNAME = re.compile(r"[A-Za-z0-9.-]+|\[[A-Za-z0-9.:]+\]")


def build_transport(options: TransportOptions) -> Transport:
    """The transport that `options` describe; opens nothing yet.

    Raises ConfigError when they cannot work together.
    """
    if problems := _find_problems(options):
        raise ConfigError(problems)
    if options.kind == "smtp":
        return SmtpTransport(options)
    assert options.path is not None, "checked above"
    return FileTransport(options.path, write_maildir if options.kind == "maildir" else write_eml)


def _find_problems(options: TransportOptions) -> list[str]:
    """What makes the options useless, one line each, beginning with the setting's name."""
    if options.kind != "smtp":
        missing = f"smtp.path: needed for transport = {options.kind!r}: the folder to write to"
        return [missing] if options.path is None else []
    problems = []
    if options.username is not None and options.security == "none":
        problems.append(
            'smtp.security: "none" would send the password unencrypted;'
            ' use "starttls" or "tls", or take username away'
        )
    if (options.username is None) != (options.password is None):
        problems.append("smtp.password: username and password go together; give both or neither")
    if not _HOSTNAME.fullmatch(options.hostname):
        problems.append(f"smtp.hostname: {options.hostname!r} cannot be said in EHLO")
    if options.connections < 1:
        problems.append("smtp.connections: at least 1")
    if options.messages_per_connection < 0:
        problems.append("smtp.messages_per_connection: 0 for no limit, or more")
    if options.timeout_s <= 0:
        problems.append("smtp.timeout_s: more than 0 seconds")
    return problems
