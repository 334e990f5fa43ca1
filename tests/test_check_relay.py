"""The relay is tried without sending: real SMTP servers with real certificates, good and bad."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import trustme

from digest.app import App
from digest.check.findings import Finding, Level
from digest.check.relay import judge_relay, public_addresses
from digest.mail import TransportOptions
from digest.mail.probe import Probe, probe_relay
from tests.check_pieces import seen
from tests.config_folder import MINIMAL, Folder
from tests.smtp_servers import Act, Moment, ScriptedServer, closed_port, server_context

LOGIN = ("digest", "secret word")
#: no name server need be asked to know that it has no address
NO_NAME = f"{'x' * 64}.example.org"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def options(server: ScriptedServer, **changes: Any) -> TransportOptions:
    usual: dict[str, Any] = {"security": "none", "hostname": "digest.example.org"}
    return TransportOptions(host="127.0.0.1", port=server.port, **(usual | changes))


def probe(server: ScriptedServer, timeout_s: float = 5.0, **changes: Any) -> Probe:
    return probe_relay(options(server, **changes), timeout_s=timeout_s)


def judged(
    found: Probe, how: TransportOptions, *, mail_bytes: int = 80_000, now: datetime | None = None
) -> dict[str, Finding]:
    """The findings by the part of the name behind relay."""
    moment = now or datetime.now(UTC)
    findings = seen(judge_relay(found, how, mail_bytes=mail_bytes, now=moment))
    return {finding.name.removeprefix("relay."): finding for finding in findings}


def look(server: ScriptedServer, **changes: Any) -> dict[str, Finding]:
    how = options(server, **changes)
    return judged(probe_relay(how, timeout_s=5.0), how)


def ends_of(findings: dict[str, Finding]) -> dict[str, str]:
    return {name: finding.level.value for name, finding in findings.items()}


# -- a relay that is well


def test_a_plain_relay_here_is_green(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer() as server:
        found = look(server)

    assert ends_of(found) == dict.fromkeys(("connection", "tls", "login", "extensions"), "green")
    assert "none is needed on one machine" in found["tls"].said


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_tls_and_login_are_tried(authority: trustme.CA, ca_file: Path, security: str) -> None:
    with ScriptedServer(
        tls=server_context(authority), implicit_tls=security == "tls", login=LOGIN
    ) as server:
        found = look(
            server, security=security, username=LOGIN[0], password=LOGIN[1], ca_file=ca_file
        )

    assert ends_of(found) == dict.fromkeys(("connection", "tls", "login", "extensions"), "green")
    assert found["tls"].said.startswith("TLSv1.3, the certificate of 127.0.0.1 is good for ")
    assert "logged in as digest" in found["login"].said
    assert LOGIN[1] not in str(found)


def test_no_mail_is_begun_and_the_end_is_polite() -> None:
    with ScriptedServer() as server:
        probe(server)

    assert [line.partition(" ")[0] for _, line in server.commands] == ["EHLO", "QUIT"]
    assert server.received == []


# -- a connection that fails


def test_a_relay_that_does_not_listen_is_red() -> None:
    with closed_port() as port:
        how = TransportOptions(host="127.0.0.1", port=port)
        found = judged(probe_relay(how, timeout_s=5.0), how)

    assert ends_of(found) == {"connection": "red"}
    assert found["connection"].said.endswith("Connection refused")
    assert "[smtp]" in found["connection"].advice


def test_a_relay_without_an_address_is_red() -> None:
    how = TransportOptions(host=NO_NAME, port=25)
    found = judged(probe_relay(how, timeout_s=5.0), how)

    assert ends_of(found) == {"connection": "red"}


@pytest.mark.parametrize(
    ("verb", "answer", "said"),
    [
        ("CONNECT", "554 5.7.1 no service", "does not want us now: 554 5.7.1 no service"),
        ("CONNECT", b"HTTP/1.1 400 Bad Request\r\n\r\n", "what is no SMTP reply"),
        ("CONNECT", Act.CLOSE, "was lost"),
        ("CONNECT", Act.CUT, "was lost"),
        ("EHLO", "550 5.7.1 who are you", "refuses our introduction as digest.example.org"),
        ("EHLO", Act.CLOSE, "the relay closed it"),
        ("EHLO", Act.FLOOD, "the server sends a reply of more than"),
    ],
)
def test_a_relay_that_does_not_come_to_mail_is_red(verb: str, answer: Any, said: str) -> None:
    with ScriptedServer(lambda m: answer if m.verb == verb else None) as server:
        found = look(server)

    assert ends_of(found) == {"connection": "red"}
    assert said in found["connection"].said


@pytest.mark.parametrize("act", [Act.SILENCE, Act.DRIBBLE])
@pytest.mark.parametrize("verb", ["CONNECT", "EHLO"])
def test_a_relay_that_never_ends_its_answer_is_left_in_time(verb: str, act: Act) -> None:
    begun = time.monotonic()
    with ScriptedServer(lambda m: act if m.verb == verb else None) as server:
        found = probe(server, timeout_s=0.4)

    assert (found.failed, time.monotonic() - begun < 5) == ("connection", True)
    assert "did not answer in time" in found.reason


def test_an_old_relay_that_only_knows_helo_will_do() -> None:
    with ScriptedServer(lambda m: "502 no" if m.verb == "EHLO" else None) as server:
        found = look(server)

    assert ends_of(found) == {
        "connection": "green",
        "tls": "green",
        "login": "green",
        "extensions": "yellow",
    }


# -- TLS that fails


def test_no_starttls_is_red() -> None:
    with ScriptedServer() as server:
        found = look(server, security="starttls")

    assert ends_of(found) == {"connection": "green", "tls": "red"}
    assert "does not offer STARTTLS" in found["tls"].said


def test_starttls_refused_is_red(authority: trustme.CA) -> None:
    def rule(moment: Moment) -> str | None:
        return "454 4.7.0 not now" if moment.verb == "STARTTLS" else None

    with ScriptedServer(rule, tls=server_context(authority)) as server:
        found = look(server, security="starttls")

    assert ends_of(found) == {"connection": "green", "tls": "red"}
    assert "refuses STARTTLS: 454 4.7.0 not now" in found["tls"].said


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_of_nobody_we_trust_is_red(authority: trustme.CA, security: str) -> None:
    with ScriptedServer(tls=server_context(authority), implicit_tls=security == "tls") as server:
        found = look(server, security=security)

    assert found["tls"].level is Level.RED
    assert "is not trusted" in found["tls"].said


def test_a_certificate_for_another_name_is_red(authority: trustme.CA, ca_file: Path) -> None:
    context = server_context(authority, "other.example.org")
    with ScriptedServer(tls=context) as server:
        found = look(server, security="starttls", ca_file=ca_file)

    assert found["tls"].level is Level.RED
    assert "127.0.0.1" in found["tls"].said


def test_an_expired_certificate_is_red(authority: trustme.CA, ca_file: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    past = datetime.now(UTC) - timedelta(days=1)
    authority.issue_cert("127.0.0.1", not_after=past).configure_cert(context)
    with ScriptedServer(tls=context) as server:
        found = look(server, security="starttls", ca_file=ca_file)

    assert found["tls"].level is Level.RED
    assert "expired" in found["tls"].said


def test_a_certificate_near_its_end_is_yellow(authority: trustme.CA, ca_file: Path) -> None:
    now = datetime.now(UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    end = now + timedelta(days=20)
    authority.issue_cert("127.0.0.1", not_after=end).configure_cert(context)
    with ScriptedServer(tls=context) as server:
        how = options(server, security="starttls", ca_file=ca_file)
        found = probe_relay(how, timeout_s=5.0)

    assert found.certificate_until is not None
    assert abs(found.certificate_until - end) < timedelta(seconds=2)
    assert judged(found, how, now=now)["tls"].level is Level.GREEN
    soon = judged(found, how, now=now + timedelta(days=10))["tls"]
    assert (soon.level, "ends in 9 days" in soon.said) == ("yellow", True)


def test_a_file_of_certificates_that_cannot_be_read_is_red(tmp_path: Path) -> None:
    with ScriptedServer(extensions=("STARTTLS",)) as server:
        found = probe(server, security="starttls", ca_file=tmp_path / "none.pem")

    assert found.failed == "tls"
    assert "cannot read certificates" in found.reason


def test_words_before_tls_are_not_trusted() -> None:
    def rule(moment: Moment) -> bytes | None:
        return b"220 go\r\n250 injected\r\n" if moment.verb == "STARTTLS" else None

    with ScriptedServer(rule, extensions=("STARTTLS",)) as server:
        found = look(server, security="starttls")

    assert found["tls"].level is Level.RED
    assert "before TLS has begun" in found["tls"].said


def test_a_port_that_speaks_no_tls_is_red() -> None:
    with ScriptedServer() as server:
        found = look(server, security="tls")

    assert ends_of(found) == {"connection": "green", "tls": "red"}


def test_a_tls_port_spoken_to_in_clear_is_red() -> None:
    with _silent_port() as port:
        how = TransportOptions(host="127.0.0.1", port=port, security="none")
        found = judged(probe_relay(how, timeout_s=0.3), how)

    assert ends_of(found) == {"connection": "red"}


def test_mail_in_clear_to_another_machine_is_yellow() -> None:
    how = TransportOptions(host="relay.example.org", security="none")
    found = judged(Probe(), how)

    assert found["tls"].level is Level.YELLOW
    assert "unencrypted" in found["tls"].said


# -- a login that fails


def test_a_wrong_password_is_red(authority: trustme.CA, ca_file: Path) -> None:
    with ScriptedServer(tls=server_context(authority), login=LOGIN) as server:
        found = look(
            server, security="starttls", username="digest", password="wrong", ca_file=ca_file
        )

    assert ends_of(found) == {"connection": "green", "tls": "green", "login": "red"}
    assert "535 5.7.8" in found["login"].said
    assert "username and password" in found["login"].advice


def test_a_relay_without_a_login_that_we_know_is_red(authority: trustme.CA, ca_file: Path) -> None:
    with ScriptedServer(tls=server_context(authority), extensions=("AUTH GSSAPI",)) as server:
        found = look(server, security="starttls", username="digest", password="x", ca_file=ca_file)

    assert found["login"].level is Level.RED
    assert "offers no login that we know" in found["login"].said


def test_a_relay_that_is_lost_while_we_log_in_is_a_lost_login(
    authority: trustme.CA, ca_file: Path
) -> None:
    with ScriptedServer(
        lambda m: Act.CUT if m.verb == "AUTH" else None,
        tls=server_context(authority),
        login=LOGIN,
    ) as server:
        found = probe(server, security="starttls", username="digest", password="x", ca_file=ca_file)

    assert found.failed == "login"


# -- what it offers


@pytest.mark.parametrize("missing", ["PIPELINING", "8BITMIME", "SMTPUTF8"])
def test_an_extension_that_is_missing_is_yellow(missing: str) -> None:
    offered = {"PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 10000000"} - {missing}
    with ScriptedServer(extensions=tuple(offered)) as server:
        found = look(server)["extensions"]

    assert found.level is Level.YELLOW
    assert missing in found.said


@pytest.mark.parametrize(("limit", "level"), [(79_999, "red"), (80_000, "green"), (0, "green")])
def test_mails_must_fit_into_the_largest_that_it_takes(limit: int, level: str) -> None:
    names = ("PIPELINING", "8BITMIME", "SMTPUTF8", f"SIZE {limit}")
    with ScriptedServer(extensions=names) as server:
        found = look(server)["extensions"]

    assert found.level == level


def test_a_relay_that_is_small_and_poor_is_told_both() -> None:
    with ScriptedServer(extensions=("SIZE 1000",)) as server:
        how = options(server)
        found = seen(
            judge_relay(
                probe_relay(how, timeout_s=5.0), how, mail_bytes=80_000, now=datetime.now(UTC)
            )
        )

    assert [f.level.value for f in found if f.name == "relay.extensions"] == ["red", "yellow"]


# -- what is asked


def test_the_settings_say_how_the_relay_is_spoken_to(tmp_path: Path) -> None:
    text = MINIMAL + '[smtp]\nhost = "mx.example"\nusername = "u"\npassword = "p"\ntimeout_s = 7\n'

    how = App(Folder(tmp_path).load(text)).transport_options

    assert (how.host, how.port, how.security) == ("mx.example", 587, "starttls")
    assert (how.username, how.password, how.timeout_s) == ("u", "p", 7)
    assert how.hostname == "example.org"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.1.2.3", "::1", NO_NAME])
def test_a_relay_near_by_has_no_public_address(host: str) -> None:
    assert public_addresses(host) == ()


def test_a_relay_out_there_has_one() -> None:
    assert public_addresses("1.1.1.1") == (ip_address("1.1.1.1"),)


@contextlib.contextmanager
def _silent_port() -> Iterator[int]:
    """A port that takes connections and waits for the other side, as TLS ports do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held: list[socket.socket] = []

        def accept() -> None:
            with contextlib.suppress(OSError):
                held.append(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(5)
        for connection in held:
            connection.close()
