"""The way out: hands messages to a relay by SMTP, or writes them to disk; signs them (DKIM).

The only package that speaks SMTP. It knows no settings file, no store and no clock; digest/app.py
builds a transport from plain values and digest/deliver.py drives it.
"""

from __future__ import annotations

from digest.errors import ConfigError
from digest.mail.base import Report, Security, Take, Transport, TransportOptions
from digest.mail.files import FileTransport, write_eml, write_maildir

__all__ = ["Report", "Security", "Take", "Transport", "TransportOptions", "build_transport"]


def build_transport(options: TransportOptions) -> Transport:
    """The transport that `options` describe; opens nothing yet.

    Raises ConfigError when they cannot work together.
    """
    if options.path is None:
        raise ConfigError([f"smtp.path: needed for transport = {options.kind!r}: where to write"])
    return FileTransport(options.path, write_maildir if options.kind == "maildir" else write_eml)
