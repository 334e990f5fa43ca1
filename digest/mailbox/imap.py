"""An IMAP folder as a mailbox of bounces (RFC 3501): letters are read without marking, then moved.

MOVE (RFC 6851) where the server has it. Otherwise a copy is made first, and only then is the
original marked as deleted; it is expunged alone (UIDPLUS, RFC 4315) or left for the server to do.
Passwords travel under TLS only. Built by digest.mailbox.open_mailbox.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from digest.errors import MailboxError
from digest.mailbox.base import (
    DONE,
    LETTER_BYTES_MAX,
    LETTERS_MAX,
    UNKNOWN,
    Letter,
    MailboxOptions,
)
from digest.text import clean

#: `(("INBOX." ".")) …`: the prefix of our own folders (RFC 2342); their separator is in the prefix
_PERSONAL = re.compile(rb'\(\("([^"\\]*)" ')
_UID = re.compile(rb"[0-9]{1,10}")
#: what imaplib is known to raise when a server says what it must not say
_BROKEN_ANSWER = (ValueError, IndexError, TypeError, AttributeError, AssertionError)


@contextmanager
def opened_imap(options: MailboxOptions) -> Iterator[ImapFolder]:
    """The folder, after TLS and login. Raises MailboxError."""
    with _our_errors(options):
        connection = _connect(options)
    try:
        with _our_errors(options):
            if options.security == "starttls":
                connection.starttls(_context(options))
            _log_in(connection, options)
            folder = ImapFolder(connection, options)
        yield folder
    finally:
        # leaving expunges nothing; whatever the server answers, there is nothing left to say
        with contextlib.suppress(imaplib.IMAP4.error, OSError, *_BROKEN_ANSWER):
            connection.logout()
        with contextlib.suppress(OSError):
            connection.shutdown()


class ImapFolder:
    """One selected folder of an account."""

    def __init__(self, connection: imaplib.IMAP4, options: MailboxOptions) -> None:
        self._connection = connection
        self._options = options
        # asked anew: servers tell all they can only after the login
        (able, *_) = self._call(connection.capability, "ask what it can")
        self._able = frozenset(clean((able or b"").decode("ascii", "replace")).upper().split())
        self._call(lambda: connection.select(_quoted(options.folder)), "open the folder")
        self._prefix = self._find_prefix()
        self._made: set[str] = set()

    def letters(self) -> Iterator[Letter]:
        """See Mailbox.letters."""
        found = self._uid("look for letters", "SEARCH", None, "UNDELETED")
        numbers = sorted(
            int(n) for n in b" ".join(filter(None, found)).split() if _UID.fullmatch(n)
        )
        for number in numbers[:LETTERS_MAX]:
            content = self._fetch(number)
            if content is not None:
                yield Letter(name=str(number), content=content)

    def put_away(self, letter: Letter, *, understood: bool) -> None:
        """See Mailbox.put_away."""
        folder = self._prefix + (DONE if understood else UNKNOWN)
        self._make(folder)
        if "MOVE" in self._able:
            self._uid("move a letter", "MOVE", letter.name, _quoted(folder))
            return
        self._uid("copy a letter", "COPY", letter.name, _quoted(folder))
        self._uid("mark a letter", "STORE", letter.name, "+FLAGS.SILENT", r"(\Deleted)")
        if "UIDPLUS" in self._able:
            self._uid("remove a letter that was copied", "EXPUNGE", letter.name)

    def _fetch(self, number: int) -> bytes | None:
        """The beginning of a letter, not marked as read; None when it is gone."""
        part = f"(BODY.PEEK[]<0.{LETTER_BYTES_MAX}>)"
        for answer in self._uid("read a letter", "FETCH", str(number), part):
            if isinstance(answer, tuple) and len(answer) == 2 and b"BODY[" in answer[0].upper():
                return bytes(answer[1])[:LETTER_BYTES_MAX]
        return None

    def _find_prefix(self) -> str:
        """What the names of our folders must begin with, "INBOX." on some servers."""
        if "NAMESPACE" not in self._able:
            return ""
        (answer, *_) = self._call(self._connection.namespace, "ask for the names of folders")
        match = _PERSONAL.match(answer or b"")
        return match[1].decode("ascii", "replace") if match else ""

    def _make(self, folder: str) -> None:
        """See to it that a folder is there; one that was there before is no error."""
        if folder in self._made:
            return
        with _our_errors(self._options):
            self._connection.create(_quoted(folder))
            self._connection.subscribe(_quoted(folder))
        self._made.add(folder)

    def _uid(self, purpose: str, command: str, *arguments: str | None) -> list[Any]:
        # Any: imaplib mixes bytes and pairs
        return self._call(lambda: self._connection.uid(command, *arguments), purpose)  # type: ignore[arg-type]  # None is SEARCH's "no charset"

    def _call(self, ask: Callable[[], tuple[str, list[Any]]], purpose: str) -> list[Any]:
        with _our_errors(self._options):
            state, answer = ask()
        if state != "OK":
            said = clean(
                b" ".join(a for a in answer if isinstance(a, bytes)).decode("utf-8", "replace")
            )
            raise MailboxError(
                f"{self._options.host} does not let us {purpose} ({said[:200]});"
                " check folder under [bounces] and the rights of the account"
            )
        return answer


def _connect(options: MailboxOptions) -> imaplib.IMAP4:
    if options.security == "tls":
        return imaplib.IMAP4_SSL(
            options.host,
            options.port,
            ssl_context=_context(options),
            timeout=options.timeout_s,
        )
    return imaplib.IMAP4(options.host, options.port, timeout=options.timeout_s)


def _context(options: MailboxOptions) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=options.ca_file)


def _log_in(connection: imaplib.IMAP4, options: MailboxOptions) -> None:
    user, password = options.username, options.password
    if "AUTH=PLAIN" in connection.capabilities:
        # any character may be in it, and nothing needs quoting
        connection.authenticate("PLAIN", lambda _: f"\0{user}\0{password}".encode())
    else:
        connection.login(_quoted(user), password)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'


@contextmanager
def _our_errors(options: MailboxOptions) -> Iterator[None]:
    where = f"{options.host}:{options.port}"
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise MailboxError(
            f"the certificate of {where} is not trusted: {error.verify_message};"
            " check that host under [bounces] is the name in the certificate"
        ) from error
    except TimeoutError as error:
        raise MailboxError(f"{where} did not answer within {options.timeout_s:g} s") from error
    except imaplib.IMAP4.error as error:
        said = error.args[0] if error.args else ""
        told = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise MailboxError(f"{where} refuses: {clean(told)[:200]}") from error
    except OSError as error:
        raise MailboxError(
            f"{where} cannot be reached: {error.strerror or error};"
            " check host, port and security under [bounces]"
        ) from error
    except _BROKEN_ANSWER as error:
        raise MailboxError(f"{where} does not speak IMAP as it should: {error}") from error
