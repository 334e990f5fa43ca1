"""Letters of an IMAP folder are read without marking and moved, whatever the server can or does."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
import trustme

from digest.errors import MailboxError
from digest.mailbox import LETTER_BYTES_MAX, Mailbox, MailboxOptions, open_mailbox
from tests.imap_server import ImapServer, serving
from tests.smtp_servers import closed_port, server_context


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority)


@pytest.fixture(scope="module")
def options(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> MailboxOptions:
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    return MailboxOptions(
        kind="imap",
        host="127.0.0.1",
        username="bounce@example.org",
        password="secret",
        timeout_s=5,
        ca_file=ca_file,
    )


class Opener:
    """Serves a server and opens its mailbox."""

    def __init__(self, options: MailboxOptions, context: ssl.SSLContext) -> None:
        self.options = options
        self.context = context

    @contextmanager
    def __call__(self, server: ImapServer, **changes: object) -> Iterator[Mailbox]:
        options = replace(self.options, **changes)  # type: ignore[arg-type]
        with ExitStack() as stack:
            tls = None if options.security == "starttls" else self.context
            if tls is None and "STARTTLS" in server.able:
                server.starttls = self.context
            stack.enter_context(serving(server, tls))
            yield stack.enter_context(open_mailbox(replace(options, port=server.port)))


@pytest.fixture
def opened(options: MailboxOptions, context: ssl.SSLContext) -> Opener:
    return Opener(options, context)


def filled(**settings: object) -> ImapServer:
    server = ImapServer(**settings)  # type: ignore[arg-type]
    server.put(b"Subject: one\r\n\r\nfirst\r\n")
    server.put(b"Subject: two\r\n\r\nsecond\r\n")
    return server


def put_all_away(mailbox: Mailbox) -> list[bytes]:
    """Read all letters; the first was understood, the others were not."""
    found = []
    for letter in mailbox.letters():
        mailbox.put_away(letter, understood=not found)
        found.append(letter.content)
    return found


CAPABILITIES = {
    "with MOVE": "IMAP4rev1 UIDPLUS MOVE AUTH=PLAIN",
    "with UIDPLUS": "IMAP4rev1 UIDPLUS AUTH=PLAIN",
    "with nothing": "IMAP4rev1",
}


@pytest.mark.parametrize("able", CAPABILITIES.values(), ids=CAPABILITIES)
def test_letters_are_read_oldest_first_and_put_where_they_belong(opened: Opener, able: str) -> None:
    server = filled(able=able)
    first, second = server.contents("INBOX")

    with opened(server) as mailbox:
        found = put_all_away(mailbox)

    assert found == [first, second]
    assert server.contents("digest-done") == [first]
    assert server.contents("digest-unknown") == [second]
    left = [kept.flags for kept in server.letters["INBOX"]]
    assert left == ([] if "UIDPLUS" in able else [{r"\Deleted"}] * 2)


@pytest.mark.parametrize("able", CAPABILITIES.values(), ids=CAPABILITIES)
def test_what_others_marked_as_deleted_is_neither_read_nor_expunged(
    opened: Opener, able: str
) -> None:
    server = filled(able=able)
    server.put(b"theirs", "INBOX", r"\Deleted")

    with opened(server) as mailbox:
        found = put_all_away(mailbox)

    assert b"theirs" not in found
    assert b"theirs" in server.contents("INBOX")


def test_a_second_pass_finds_nothing_more(opened: Opener) -> None:
    server = filled(able="IMAP4rev1")
    with opened(server) as mailbox:
        put_all_away(mailbox)

    with opened(server) as mailbox:
        assert list(mailbox.letters()) == []


def test_a_letter_that_is_not_put_away_stays_as_it_was(opened: Opener) -> None:
    server = filled()

    with opened(server) as mailbox:
        assert len(list(mailbox.letters())) == 2

    assert [kept.flags for kept in server.letters["INBOX"]] == [set(), set()]


def test_only_the_beginning_of_a_huge_letter_is_fetched(opened: Opener) -> None:
    server = ImapServer()
    server.put(b"x" * (LETTER_BYTES_MAX + 1000))

    with opened(server) as mailbox:
        (letter,) = mailbox.letters()

    assert len(letter.content) == LETTER_BYTES_MAX


def test_what_a_server_can_only_do_after_the_login_is_used(opened: Opener) -> None:
    server = filled(able="IMAP4rev1 AUTH=PLAIN", able_later="IMAP4rev1 MOVE UIDPLUS")

    with opened(server) as mailbox:
        put_all_away(mailbox)

    assert "UID MOVE" in server.heard and "UID COPY" not in server.heard


def test_folders_are_named_as_the_server_wants_them(opened: Opener) -> None:
    server = filled(able="IMAP4rev1 MOVE NAMESPACE", prefix="INBOX.")

    with opened(server) as mailbox:
        put_all_away(mailbox)

    assert len(server.contents("INBOX.digest-done")) == 1
    assert len(server.contents("INBOX.digest-unknown")) == 1


@pytest.mark.parametrize("able", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1"])
def test_any_character_may_be_in_a_name_and_a_password(opened: Opener, able: str) -> None:
    server = filled(able=able, user='a "b" \\c', password='p "w" \\ (x) %s')

    with opened(server, username=server.user, password=server.password) as mailbox:
        assert len(list(mailbox.letters())) == 2


def test_another_folder_is_read_when_it_is_named(opened: Opener) -> None:
    server = filled()
    server.put(b"elsewhere", 'Returned "mail"')

    with opened(server, folder='Returned "mail"') as mailbox:
        assert [letter.content for letter in mailbox.letters()] == [b"elsewhere"]


def test_a_letter_that_somebody_else_moved_is_passed_over(opened: Opener) -> None:
    server = filled()

    with opened(server) as mailbox:
        letters = mailbox.letters()
        first = next(letters)
        server.letters["INBOX"].clear()
        mailbox.put_away(first, understood=True)

        assert list(letters) == []
        assert server.contents("digest-done") == []


def test_starttls_comes_before_the_password(opened: Opener) -> None:
    server = filled(able="IMAP4rev1 STARTTLS AUTH=PLAIN")

    with opened(server, security="starttls") as mailbox:
        assert len(list(mailbox.letters())) == 2

    assert server.heard.index("STARTTLS") < server.heard.index("AUTHENTICATE")


# what goes wrong


def problem(opened: Opener, server: ImapServer, **changes: object) -> str:
    with pytest.raises(MailboxError) as caught, opened(server, **changes) as mailbox:
        put_all_away(mailbox)
    return str(caught.value)


def test_without_starttls_no_password_is_said(opened: Opener) -> None:
    server = filled(able="IMAP4rev1 AUTH=PLAIN")

    assert "TLS not supported" in problem(opened, server, security="starttls")
    assert not {"LOGIN", "AUTHENTICATE"} & {*server.heard}


@pytest.mark.parametrize("able", ["IMAP4rev1 AUTH=PLAIN", "IMAP4rev1"])
def test_a_refused_login_is_told_without_the_password(opened: Opener, able: str) -> None:
    said = problem(opened, filled(able=able), password="of another")

    assert said.endswith("refuses: [AUTHENTICATIONFAILED] wrong")
    assert "of another" not in said


def test_a_certificate_of_nobody_we_trust_is_refused(
    options: MailboxOptions, context: ssl.SSLContext
) -> None:
    with serving(filled(), context) as server:
        strange = replace(options, port=server.port, ca_file=None)
        with pytest.raises(MailboxError, match="is not trusted"), open_mailbox(strange):
            pass

    assert server.heard == []


def test_a_certificate_for_another_name_is_refused(
    authority: trustme.CA, options: MailboxOptions
) -> None:
    with serving(filled(), server_context(authority, "imap.example.org")) as server:
        strange = replace(options, port=server.port)
        with pytest.raises(MailboxError, match="is not trusted"):
            with open_mailbox(strange):
                pass


def test_nobody_listening_is_told(options: MailboxOptions) -> None:
    with closed_port() as port, pytest.raises(MailboxError, match="cannot be reached"):
        with open_mailbox(replace(options, port=port)):
            pass


def test_a_folder_that_is_not_there_is_told(opened: Opener) -> None:
    said = problem(opened, filled(), folder="Nowhere")

    assert "does not let us open the folder (there is no such folder)" in said


def test_silence_ends_in_time(opened: Opener) -> None:
    server = filled(faults={"UID SEARCH": None})

    assert "did not answer within 1 s" in problem(opened, server, timeout_s=1)


FAULTS: dict[str, tuple[str, bytes]] = {
    "it hangs up at the search": ("UID SEARCH", b""),
    "it hangs up at a letter": ("UID FETCH", b""),
    "it hangs up at the move": ("UID MOVE", b""),
    "it refuses the move": ("UID MOVE", b"TAG NO [OVERQUOTA] full\r\n"),
    "it does not know the move": ("UID MOVE", b"TAG BAD what?\r\n"),
    "it says goodbye": ("UID FETCH", b"* BYE maintenance\r\nTAG BAD bye\r\n"),
    "it answers another": ("UID SEARCH", b"other OK done\r\n"),
    "it speaks nonsense": ("UID SEARCH", b"\xff\xfe what\r\n"),
    "it lies about a size": ("UID FETCH", b"* 1 FETCH (BODY[] {10}\r\nabc"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_server_that_fails_is_told_and_loses_no_letter(opened: Opener, name: str) -> None:
    command, fault = FAULTS[name]
    server = filled(faults={command: fault})
    before = server.contents("INBOX")

    said = problem(opened, server, timeout_s=1)

    assert said.startswith("127.0.0.1")
    assert server.contents("INBOX") == before


@pytest.mark.parametrize(
    "greeting", [b"* BYE not today\r\n", b"220 mail.example.org ESMTP\r\n", b"\xff\r\n"]
)
def test_what_is_no_imap_server_is_told(opened: Opener, greeting: bytes) -> None:
    assert problem(opened, filled(greeting=greeting), timeout_s=1).startswith("127.0.0.1")


@pytest.mark.parametrize(
    "answer",
    [
        b"* SEARCH\r\nTAG OK done\r\n",
        b"TAG OK done\r\n",
        b"* SEARCH x 1e9 -3 99999999999999999999\r\nTAG OK done\r\n",
    ],
)
def test_a_search_that_finds_nothing_readable_finds_nothing(opened: Opener, answer: bytes) -> None:
    with opened(filled(faults={"UID SEARCH": answer})) as mailbox:
        assert list(mailbox.letters()) == []
