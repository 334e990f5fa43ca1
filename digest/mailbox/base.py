"""What every mailbox is, and the plain values it is opened with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

#: what is read of a letter; reports say what they have to say before that
LETTER_BYTES_MAX = 256 * 1024
#: letters that one pass looks at; the next pass goes on
LETTERS_MAX = 1_000
#: folder of what was understood (IMAP; a Maildir keeps it in cur/, marked as seen)
DONE = "digest-done"
#: folder of what was not, for a person to read
UNKNOWN = "digest-unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message in a mailbox."""

    #: the mailbox's own name for it
    name: str
    #: its first LETTER_BYTES_MAX bytes
    content: bytes = field(repr=False)


class Mailbox(Protocol):
    """A place where letters lie until somebody has read them. Nothing in it is ever deleted."""

    def letters(self) -> Iterator[Letter]:
        """Letters not looked at before, oldest first, one by one; put one away before the next.

        Raises MailboxError when the mailbox cannot be read any more.
        """
        ...

    def put_away(self, letter: Letter, *, understood: bool) -> None:
        """Take a letter out of the way: to what is done, or to what a person should read.

        A letter that somebody else has moved meanwhile is left alone.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxOptions:
    """Everything a mailbox needs to know, as plain values."""

    kind: Literal["maildir", "imap"]
    #: the Maildir; unused by imap
    path: Path | None = None
    #: the IMAP server; its certificate must carry that name
    host: str = "localhost"
    port: int = 993
    #: "tls": from the first byte; "starttls": refuse to go on without it
    security: Literal["tls", "starttls"] = "tls"
    username: str = ""
    password: str = field(default="", repr=False)
    folder: str = "INBOX"
    #: seconds for one answer of the server
    timeout_s: float = 60.0
    #: PEM file of certificates to trust instead of the system's; None: the system's
    ca_file: Path | None = None
