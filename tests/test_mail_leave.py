"""A message that has become another process's does not leave any more, however far it had come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from digest.mail import TransportOptions, build_transport, run_to_end
from digest.model import Envelope, Fate
from tests.mail_runs import MailRun, make_envelope, run_mail
from tests.smtp_servers import Moment, ScriptedServer


def send(
    server: ScriptedServer, envelopes: list[Envelope], may_leave: Callable[[Envelope], bool]
) -> MailRun:
    options = TransportOptions(
        host="127.0.0.1", port=server.port, security="none", connections=2, timeout_s=20
    )
    return run_to_end(run_mail(build_transport(options), envelopes, may_leave=may_leave))


def test_what_is_not_ours_when_its_turn_comes_is_not_even_announced() -> None:
    with ScriptedServer() as server:
        run = send(server, [make_envelope(n) for n in (1, 2, 3)], lambda e: e.outbox_id != 2)

    assert run.fates == {1: Fate.ACCEPTED, 2: Fate.TEMPORARY, 3: Fate.ACCEPTED}
    assert run.outcome(2).text == "another process sends it by now"
    assert len([line for _, line in server.commands if line.startswith("MAIL")]) == 2


def test_what_is_lost_after_data_was_taken_does_not_arrive() -> None:
    lost: list[int] = []

    def rule(moment: Moment) -> None:
        if moment.verb == "DATA" and not lost:
            lost.append(1)

    with ScriptedServer(rule) as server:
        run = send(server, [make_envelope(n) for n in (1, 2)], lambda e: e.outbox_id not in lost)

    assert run.fates == {1: Fate.TEMPORARY, 2: Fate.ACCEPTED}
    assert [m.envelope_from for m in server.received] == ["bounce+2@example.net"]


def test_what_is_lost_while_half_of_it_has_left_does_not_arrive() -> None:
    lost: list[int] = []
    longer_than_any_buffer = b"Subject: long\r\n\r\n" + b"x" * 70 + b"\r\n"
    longer_than_any_buffer += (b"y" * 70 + b"\r\n") * 600_000

    def rule(moment: Moment) -> None:
        if moment.verb == "CONTENT":
            lost.append(1)

    with ScriptedServer(rule) as server:
        run = send(
            server,
            [make_envelope(1, content=longer_than_any_buffer)],
            lambda e: e.outbox_id not in lost,
        )

    assert run.fates == {1: Fate.TEMPORARY}
    assert server.received == []


def test_files_are_not_written_for_another_process(tmp_path: Path) -> None:
    transport = build_transport(TransportOptions(kind="folder", path=tmp_path))

    run = run_to_end(
        run_mail(
            transport, [make_envelope(n) for n in (1, 2)], may_leave=lambda e: e.outbox_id == 2
        )
    )

    assert run.fates == {1: Fate.TEMPORARY, 2: Fate.ACCEPTED}
    assert len(list(tmp_path.iterdir())) == 1
