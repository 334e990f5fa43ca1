"""The mailbox that bounces arrive in: a Maildir folder or an IMAP folder, read and never emptied.

The only package that speaks IMAP. It knows no settings file, no store and not what a message
means: digest/returns.py reads each letter and says where it is to be put.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from digest.errors import MailboxError
from digest.mailbox.base import DONE, LETTER_BYTES_MAX, UNKNOWN, Letter, Mailbox, MailboxOptions

__all__ = [
    "DONE",
    "LETTER_BYTES_MAX",
    "UNKNOWN",
    "Letter",
    "Mailbox",
    "MailboxOptions",
    "open_mailbox",
]


@contextmanager
def open_mailbox(options: MailboxOptions) -> Iterator[Mailbox]:
    """The mailbox that `options` describe, closed afterwards.

    Raises MailboxError when it cannot be reached, now or while it is read.
    """
    if options.kind == "maildir":
        from digest.mailbox.maildir import Maildir

        if options.path is None:
            raise MailboxError("bounces.path is missing: the Maildir to read")
        yield Maildir(options.path)
        return
    from digest.mailbox.imap import opened_imap

    with opened_imap(options) as mailbox:
        yield mailbox
