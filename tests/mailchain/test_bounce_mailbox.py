"""Our reader of mailboxes on a real IMAP server, in each of the ways it can move a letter."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from digest.errors import MailboxError
from digest.mailbox import MailboxOptions, open_mailbox
from digest.mailbox.imap import ImapFolder
from tests.bounce_samples import sample
from tests.mailchain.daemons import need_root, reachable_folder
from tests.mailchain.dovecot import PASSWORD, Dovecot
from tests.mailchain.identity import make_identity

pytestmark = pytest.mark.mailchain

#: an account for each test, so that none sees another's letters
USERS = tuple(f"bounce{number}@bounces.example.org" for number in range(8))
_next_user = count()


class Account:
    """One account on the server, looked at as a mail program does."""

    def __init__(self, dovecot: Dovecot, options: MailboxOptions) -> None:
        self.options = options
        self._dovecot = dovecot

    @contextmanager
    def opened(self) -> Iterator[imaplib.IMAP4]:
        context = ssl.create_default_context(cafile=self.options.ca_file)
        with imaplib.IMAP4("localhost", self._dovecot.port, timeout=20) as imap:
            imap.starttls(context)
            imap.login(self.options.username, PASSWORD)
            yield imap

    def put(self, content: bytes, flags: str = "") -> None:
        with self.opened() as imap:
            state, _ = imap.append("INBOX", flags, None, content.replace(b"\n", b"\r\n"))  # type: ignore[arg-type]
        assert state == "OK"

    def found(self, folder: str) -> dict[bytes, str]:
        """The letters in a folder, each with its flags."""
        with self.opened() as imap:
            state, _ = imap.select(folder, readonly=True)
            if state != "OK":
                return {}
            _, (numbers,) = imap.search(None, "ALL")
            letters = {}
            for number in numbers.split():
                _, answer = imap.fetch(number, "(FLAGS BODY.PEEK[])")
                head, content = answer[0]
                flags = b" ".join(imaplib.ParseFlags(head)).decode()
                letters[content.replace(b"\r\n", b"\n")] = flags.replace("\\Recent", "").strip()
            return letters


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Dovecot, MailboxOptions]]:
    need_root()
    with reachable_folder() as folder:
        identity = make_identity(folder)
        dovecot = Dovecot(folder / "dovecot", USERS, identity)
        try:
            yield (
                dovecot,
                MailboxOptions(
                    kind="imap",
                    host="localhost",
                    port=dovecot.port,
                    security="starttls",
                    password=PASSWORD,
                    timeout_s=20,
                    ca_file=identity.authority,
                ),
            )
        finally:
            dovecot.stop()


@pytest.fixture
def account(server: tuple[Dovecot, MailboxOptions]) -> Account:
    dovecot, options = server
    return Account(dovecot, replace(options, username=USERS[next(_next_user)]))


WAYS = {"MOVE": {"MOVE", "UIDPLUS"}, "COPY and EXPUNGE": {"UIDPLUS"}, "COPY alone": set[str]()}


@pytest.mark.parametrize("able", WAYS.values(), ids=WAYS)
def test_letters_are_put_where_they_belong(account: Account, able: set[str]) -> None:
    bounce, spam, theirs = sample("qmail"), sample("spam"), b"Subject: theirs\n\nx\n"
    account.put(bounce)
    account.put(spam)
    account.put(theirs, r"(\Deleted)")

    with open_mailbox(account.options) as mailbox:
        assert isinstance(mailbox, ImapFolder)
        assert mailbox._able > {"MOVE", "UIDPLUS"}, "as Dovecot says after the login"
        mailbox._able &= able
        for letter in mailbox.letters():
            mailbox.put_away(letter, understood=b"qmail" in letter.content)
        again = list(mailbox.letters())

    assert again == []
    assert account.found("digest-done") == {bounce: ""}
    assert account.found("digest-unknown") == {spam: ""}
    assert account.found("INBOX").pop(theirs) == r"\Deleted"
    left = {bounce: r"\Deleted", spam: r"\Deleted"} if not able else {}
    assert account.found("INBOX") == left | {theirs: r"\Deleted"}


def test_a_letter_that_is_only_looked_at_stays_new(account: Account) -> None:
    account.put(sample("spam"))

    with open_mailbox(account.options) as mailbox:
        (letter,) = mailbox.letters()

    assert letter.content.replace(b"\r\n", b"\n") == sample("spam")
    assert account.found("INBOX") == {sample("spam"): ""}


def test_a_wrong_password_is_told_without_it(account: Account) -> None:
    wrong = replace(account.options, password="of another")

    with pytest.raises(MailboxError, match=r"refuses: .*AUTHENTICATIONFAILED") as caught:
        with open_mailbox(wrong):
            pass

    assert "of another" not in str(caught.value)


def test_a_folder_that_is_not_there_is_told(account: Account) -> None:
    with pytest.raises(MailboxError, match="does not let us open the folder"):
        with open_mailbox(replace(account.options, folder="Nowhere")):
            pass
