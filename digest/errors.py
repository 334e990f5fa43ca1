"""Every error this program raises on purpose, in one tree.

    DigestError                    something failed; its text is one line for the operator
    ├── UsageError                 the command or its arguments make no sense (exit 2)
    ├── ConfigError                the settings cannot be used (exit 2); carries all problems
    ├── BadInput                   a value from a person cannot be used (a zone, a number)
    │   └── BadAddress             it is no mail address
    ├── NotFound                   what was asked for is not there (a subscriber, an item)
    ├── FetchError                 a source could not be read; `permanent`: asking again is no use
    ├── ParseError                 an answer was read and is not what the source promises
    ├── StoreError                 the database refused
    │   ├── StoreBusy              another process holds what we need
    │   ├── StoreFull              disk full or read-only
    │   ├── StoreDamaged           what was stored cannot be read back
    │   └── StoreVersion           the schema is newer or older than this program
    ├── TemplateError              a template cannot be rendered; names file and line
    ├── ModelError                 the embedding model cannot be used, or not be fetched
    ├── MailboxError               the mailbox of bounces cannot be read
    ├── TransportError             mail cannot be handed over at all (relay dead, login refused)
    │   └── RelayBusy              the relay says that it takes none for now
    └── TokenError                 a signed link is wrong, expired or meant for something else

A seam (fetch, mail, store, templates) turns its library's errors into these and chains the cause.
Errors carry facts as attributes; the message says what to check next. Never a person's address.
"""

from __future__ import annotations

from collections.abc import Sequence


class DigestError(Exception):
    """Something failed that the operator should read about in one line."""


class UsageError(DigestError):
    """The command line makes no sense."""


class ConfigError(DigestError):
    """The settings cannot be used.

    `problems` has one line for each, beginning with the key's path: all of them, not the first.
    """

    def __init__(self, problems: Sequence[str], *, path: str | None = None) -> None:
        self.problems = tuple(problems)
        self.path = path
        where = f"{path}: " if path else ""
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        super().__init__(f"{where}{count} {noun}\n" + "\n".join(f"  {p}" for p in self.problems))


class BadInput(DigestError):
    """A value given by a person cannot be used; the text says what would be right."""


class BadAddress(BadInput):
    """Something is no mail address."""


class NotFound(DigestError):
    """What was asked for is not there."""


class FetchError(DigestError):
    """A source's answer could not be had.

    `status` is the HTTP status when there was one. `permanent` is True when asking the same again
    will not help (404, 410). `retry_after_s` is what the server asked us to wait, in seconds.
    """

    def __init__(
        self,
        reason: str,
        *,
        url: str,
        status: int | None = None,
        permanent: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.url = url
        self.status = status
        self.permanent = permanent
        self.retry_after_s = retry_after_s


class ParseError(DigestError):
    """An answer is not in the form that its source promises; nothing of it was taken."""


class StoreError(DigestError):
    """The database refused."""


class StoreBusy(StoreError):
    """Another process holds the database or a lock that we need."""


class StoreFull(StoreError):
    """The disk is full or read-only; nothing of the transaction was kept."""


class StoreDamaged(StoreError):
    """Something that was stored is not what was written; its cause tells what is wrong with it."""


class StoreVersion(StoreError):
    """The database's schema is not the one this program was written for."""


class TemplateError(DigestError):
    """A template cannot be rendered; the text names the file and line."""


class ModelError(DigestError):
    """The embedding model cannot be used or fetched; the text says what is wrong with which file.

    Ranking goes on by words alone, so whoever only wants a ranker takes this for "no model".
    """


class MailboxError(DigestError):
    """The mailbox of bounces cannot be read; nothing in it is lost."""


class TransportError(DigestError):
    """No mail can be handed over at all: the relay is dead, or it refuses us as a sender."""


class RelayBusy(TransportError):
    """The relay is there and says that it can take no mail for now; it is to be left alone."""


class TokenError(DigestError):
    """A signed link is wrong, expired, or meant for another purpose."""
