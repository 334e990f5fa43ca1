"""Encryption and login: a password and a message travel only where they should."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from digest.errors import ConfigError
from digest.mail import TransportOptions, build_transport, run_to_end
from digest.mail.base import Security
from digest.mail.capabilities import Capabilities
from digest.mail.handshake import NoConnection, log_in
from digest.mail.replies import Reply
from digest.model import Fate
from tests.mail_runs import MailRun, make_envelope, run_mail
from tests.smtp_servers import Act, Moment, ScriptedServer, server_context

LOGIN = ("ada", "pass word ü")
EXTENSIONS = ("PIPELINING", "8BITMIME")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA) -> Iterator[Path]:
    with authority.cert_pem.tempfile() as path:
        yield Path(path)


@pytest.fixture(scope="module")
def context(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority)


@pytest.fixture
def options(ca_file: Path) -> TransportOptions:
    return TransportOptions(
        host="127.0.0.1",
        security="starttls",
        username=LOGIN[0],
        password=LOGIN[1],
        connections=2,
        timeout_s=5,
        ca_file=ca_file,
    )


def send(server: ScriptedServer, options: TransportOptions, count: int = 5) -> MailRun:
    transport = build_transport(replace(options, port=server.port))
    envelopes = [make_envelope(n, f"p{n}@example.org") for n in range(1, count + 1)]
    return run_to_end(run_mail(transport, envelopes))


def refused(run: MailRun) -> str:
    """What the operator reads, when nothing was handed over."""
    assert run.error is not None
    assert run.with_fate(Fate.TEMPORARY) == run.taken
    return str(run.error)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_messages_go_through_tls_with_a_login(
    security: Security, options: TransportOptions, context: ssl.SSLContext
) -> None:
    tls = {"tls": context, "implicit_tls": security == "tls"}
    with ScriptedServer(login=LOGIN, **tls) as server:  # type: ignore[arg-type]
        run = send(server, replace(options, security=security), 20)

    assert run.error is None
    assert run.with_fate(Fate.ACCEPTED) == list(range(1, 21))
    assert len(server.received) == 20


def test_nothing_but_starttls_is_said_before_it(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    with ScriptedServer(tls=context, login=LOGIN) as server:
        send(server, options, 1)

    said = [line.split(" ")[0] for _, line in server.commands]
    assert said == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]


def test_a_long_message_goes_through_tls_unchanged(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    content = b"Subject: x\r\n\r\n" + b"".join(
        b"%08d .\r\n.%d\r\n" % (n, n) for n in range(200_000)
    )
    with ScriptedServer(tls=context, login=LOGIN) as server:
        transport = build_transport(replace(options, port=server.port))
        run = run_to_end(run_mail(transport, [make_envelope(1, content=content)]))

    assert run.fates == {1: Fate.ACCEPTED}
    assert server.contents == [content]


def test_the_login_mechanism_is_the_one_that_is_offered(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    def only_login(moment: Moment) -> str | None:
        return "250-relay\r\n250-STARTTLS\r\n250 AUTH LOGIN" if moment.verb == "EHLO" else None

    with ScriptedServer(only_login, tls=context, login=LOGIN) as server:
        run = send(server, options)

    assert run.error is None
    assert any(line == "AUTH LOGIN" for _, line in server.commands)


def test_no_login_that_we_know_stops_the_sending(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    def exotic(moment: Moment) -> str | None:
        return "250-relay\r\n250-STARTTLS\r\n250 AUTH GSSAPI" if moment.verb == "EHLO" else None

    with ScriptedServer(exotic, tls=context, login=LOGIN) as server:
        text = refused(send(server, options))

    assert "it offers GSSAPI" in text


def test_a_wrong_password_is_tried_once_and_never_shown(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    wrong = replace(options, password="not this one", connections=8)
    with ScriptedServer(tls=context, login=LOGIN) as server:
        text = refused(send(server, wrong, 50))

    assert "check username and password under [smtp]" in text
    assert "not this one" not in text + repr(wrong)
    assert sum(line.startswith("AUTH") for _, line in server.commands) == 1


def test_without_starttls_nothing_is_sent(options: TransportOptions) -> None:
    with ScriptedServer() as server:
        text = refused(send(server, options))

    assert "does not offer STARTTLS" in text
    assert [line for _, line in server.commands] == ["EHLO localhost"]


@pytest.mark.parametrize("said", ["454 4.7.0 TLS not available", "502 5.5.1 not here"])
def test_starttls_refused_stops_the_sending(
    said: str, options: TransportOptions, context: ssl.SSLContext
) -> None:
    def rule(moment: Moment) -> str | None:
        return said if moment.verb == "STARTTLS" else None

    with ScriptedServer(rule, tls=context, login=LOGIN) as server:
        text = refused(send(server, options))

    assert said in text
    assert not any(line.startswith("AUTH") for _, line in server.commands)


def test_words_slipped_in_before_encryption_are_refused(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    def rule(moment: Moment) -> bytes | None:
        return b"220 go ahead\r\n250 slipped in\r\n" if moment.verb == "STARTTLS" else None

    with ScriptedServer(rule, tls=context, login=LOGIN) as server:
        text = refused(send(server, options))

    assert "before TLS has begun" in text


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_name_is_refused(
    security: Security, options: TransportOptions, authority: trustme.CA
) -> None:
    other = server_context(authority, "elsewhere.test")
    with ScriptedServer(tls=other, implicit_tls=security == "tls", login=LOGIN) as server:
        text = refused(send(server, replace(options, security=security)))

    assert "the certificate of 127.0.0.1 is not trusted" in text
    assert not any(line.startswith("AUTH") for _, line in server.commands)


def test_a_certificate_of_an_unknown_authority_is_refused(options: TransportOptions) -> None:
    with ScriptedServer(tls=server_context(trustme.CA()), login=LOGIN) as server:
        text = refused(send(server, options))

    assert "is not trusted" in text
    assert not any(line.startswith("AUTH") for _, line in server.commands)


def test_an_operator_can_do_without_the_check(options: TransportOptions) -> None:
    with ScriptedServer(tls=server_context(trustme.CA()), login=LOGIN) as server:
        run = send(server, replace(options, verify_certificate=False))

    assert run.error is None


def test_a_missing_file_of_certificates_is_named(options: TransportOptions) -> None:
    with ScriptedServer() as server:
        run = send(server, replace(options, ca_file=Path("/nowhere/ca.pem")))

    assert "/nowhere/ca.pem" in str(run.error)
    assert not run.taken


def test_tls_on_a_port_that_speaks_plainly_is_explained(options: TransportOptions) -> None:
    with ScriptedServer() as server:
        text = refused(send(server, replace(options, security="tls", timeout_s=1)))

    assert "check port and security under [smtp]" in text


def test_plain_text_on_a_port_that_speaks_tls_ends_in_time(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    with ScriptedServer(tls=context, implicit_tls=True) as server:
        text = refused(send(server, replace(options, timeout_s=0.3)))

    assert "did not answer within 0.3 s" in text


def test_a_password_without_encryption_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"smtp\.security"):
        build_transport(TransportOptions(security="none", username="a", password="b"))


def test_a_password_is_not_said_on_a_connection_that_is_not_encrypted() -> None:
    options = TransportOptions(security="none", username="a", password="b")
    talk = log_in(options, is_encrypted=False)
    next(talk)

    with pytest.raises(NoConnection, match="never travels unencrypted"):
        talk.send(Reply(250, (b"relay", b"AUTH PLAIN")))


def test_an_old_server_is_greeted_the_old_way() -> None:
    talk = log_in(TransportOptions(security="none"), is_encrypted=False)

    assert next(talk) == b"EHLO localhost\r\n"
    assert talk.send(Reply(502, (b"what?",))) == b"HELO localhost\r\n"
    with pytest.raises(StopIteration) as done:
        talk.send(Reply(250, (b"hello",)))
    assert done.value.value == Capabilities()


def test_a_lost_answer_within_tls_leaves_the_message_in_doubt(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    def rule(moment: Moment) -> Act | None:
        return Act.CUT if moment.verb == "END" else None

    with ScriptedServer(rule, tls=context, login=LOGIN) as server:
        run = send(server, options, 1)

    assert run.fates == {1: Fate.UNKNOWN}


def test_a_cut_within_a_long_message_within_tls_is_temporary(
    options: TransportOptions, context: ssl.SSLContext
) -> None:
    def rule(moment: Moment) -> Act | None:
        return Act.CUT if moment.verb == "CONTENT" else None

    content = b"Subject: x\r\n\r\n" + (b"y" * 98 + b"\r\n") * 400_000
    with ScriptedServer(rule, tls=context, login=LOGIN) as server:
        transport = build_transport(replace(options, port=server.port))
        run = run_to_end(run_mail(transport, [make_envelope(1, content=content)]))

    assert run.fates == {1: Fate.TEMPORARY}
