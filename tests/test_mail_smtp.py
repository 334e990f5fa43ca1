"""The SMTP transport as the deliver stage uses it: what arrives, and what it promises."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as Arrived

from digest.errors import ConfigError
from digest.mail import TransportOptions, build_transport, run_to_end
from digest.model import Envelope, Fate, Outcome
from tests.mail_runs import make_envelope, run_mail
from tests.smtp_servers import Act, Moment, ScriptedServer, closed_port

OPTIONS = TransportOptions(host="127.0.0.1", security="none", connections=4, timeout_s=5)

ODD_CONTENTS = [
    b"Subject: dots\r\n\r\n.\r\n..\r\n.a\r\n...\r\n",
    b".first line is a dot\r\n",
    b"Subject: no end of line\r\n\r\nx",
    b"Subject: long\r\n\r\n" + b"x" * 900 + b"\r\n",
    "Subject: 8 bit\r\n\r\nΣüß 🙂\r\n".encode(),
    b"Subject: empty\r\n\r\n",
    b"Subject: blank lines\r\n\r\n\r\n\r\n\r\n",
]


class Keeper:
    """An aiosmtpd handler that keeps what arrives."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Arrived) -> str:
        self.arrived.append(envelope)
        return "250 2.0.0 ok"


def test_every_byte_arrives_at_a_server_that_is_not_ours() -> None:
    keeper = Keeper()
    with closed_port() as port:
        pass
    controller = Controller(keeper, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True)
    controller.start()
    try:
        envelopes = [make_envelope(n, content=body) for n, body in enumerate(ODD_CONTENTS, 1)]
        envelopes.append(make_envelope(100, "jörg@example.org", needs_smtputf8=True))
        run = run_to_end(run_mail(build_transport(replace(OPTIONS, port=port)), envelopes))
    finally:
        controller.stop()

    assert run.with_fate(Fate.ACCEPTED) == [1, 2, 3, 4, 5, 6, 7, 100]
    by_sender = {arrived.mail_from: arrived for arrived in keeper.arrived}
    for envelope in envelopes:
        arrived = by_sender[envelope.envelope_from]
        expected = envelope.content
        assert arrived.content in (expected, expected + b"\r\n")
        assert arrived.rcpt_tos == [envelope.envelope_to]


def test_a_message_too_large_for_the_relay_is_refused_before_it_is_sent() -> None:
    with ScriptedServer(extensions=("PIPELINING", "SIZE 1000")) as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        big = make_envelope(1, content=b"x" * 1001)
        run = run_to_end(run_mail(transport, [big, make_envelope(2)]))

    assert run.fates == {1: Fate.PERMANENT, 2: Fate.ACCEPTED}
    assert run.outcome(1).status == "5.3.4"
    assert not any("bounce+1@" in line for _, line in server.commands)


def test_only_messages_that_nobody_can_carry_end_well() -> None:
    # all are refused before a byte is sent; the connection has nothing to do and is closed
    bad = [make_envelope(n, "a b@example.org") for n in range(1, 600)]
    with ScriptedServer() as server:
        run = run_to_end(run_mail(build_transport(replace(OPTIONS, port=server.port)), bad))

    assert run.error is None
    assert len(run.with_fate(Fate.PERMANENT)) == 599


@pytest.mark.parametrize(("connections", "report_rounds"), [(1, 0), (8, 0), (8, 200)])
def test_with_pipelining_a_message_and_the_next_ones_commands_leave_together(
    connections: int, report_rounds: int
) -> None:
    with ScriptedServer() as server:
        transport = build_transport(replace(OPTIONS, port=server.port, connections=connections))
        envelopes = [make_envelope(n) for n in range(1, 401)]
        run_to_end(run_mail(transport, envelopes, report_rounds=report_rounds))

    assert len(server.received) == 400
    assert server.joined >= 350


def test_without_pipelining_nothing_is_said_before_the_answer() -> None:
    with ScriptedServer(extensions=("8BITMIME",)) as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        run = run_to_end(run_mail(transport, [make_envelope(n) for n in range(1, 101)]))

    assert len(run.with_fate(Fate.ACCEPTED)) == 100
    assert server.early == []


def test_no_messages_open_no_connection() -> None:
    with ScriptedServer() as server:
        run = run_to_end(run_mail(build_transport(replace(OPTIONS, port=server.port)), []))

    assert run.error is None
    assert server.connections == 0


def test_every_connection_ends_with_quit() -> None:
    with ScriptedServer() as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        run_to_end(run_mail(transport, [make_envelope(n) for n in range(1, 41)]))

    assert sum(line == "QUIT" for _, line in server.commands) == server.connections


def test_a_server_that_never_says_goodbye_does_not_hold_us_up() -> None:
    def rule(moment: Moment) -> Act | None:
        return Act.SILENCE if moment.verb == "QUIT" else None

    with ScriptedServer(rule) as server:
        transport = build_transport(replace(OPTIONS, port=server.port, timeout_s=0.2))
        run = run_to_end(run_mail(transport, [make_envelope(1)]))

    assert run.fates == {1: Fate.ACCEPTED}


def test_one_transport_serves_many_runs() -> None:
    with ScriptedServer() as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        for number in (1, 2, 3):
            run_to_end(run_mail(transport, [make_envelope(number)]))

    assert len(server.received) == 3


# -- the promises to the deliver stage


def test_a_take_that_waits_holds_up_neither_messages_nor_reports() -> None:
    reported = asyncio.Event()
    envelopes = iter([make_envelope(1), make_envelope(2)])

    async def take() -> Envelope | None:
        envelope = next(envelopes, None)
        if envelope is not None and envelope.outbox_id == 2:
            # the second comes only when the first is through
            await asyncio.wait_for(reported.wait(), 10)
        return envelope

    async def report(outcomes: Sequence[Outcome]) -> None:
        reported.set()

    with ScriptedServer() as server:
        transport = build_transport(replace(OPTIONS, port=server.port, connections=1))
        run_to_end(transport.run(take, report))

    assert len(server.received) == 2


def test_messages_in_doubt_are_never_more_than_connections() -> None:
    envelopes = iter([make_envelope(n) for n in range(1, 31)])
    most: list[int] = []
    done = 0

    async def take() -> Envelope | None:
        return next(envelopes, None)

    async def report(outcomes: Sequence[Outcome]) -> None:
        nonlocal done
        # a slow commit: everything that can go out in the meantime goes out
        await asyncio.sleep(0.02)
        most.append(len(server.received) - done)
        done += len(outcomes)

    with ScriptedServer() as server:
        transport = build_transport(replace(OPTIONS, port=server.port, connections=3))
        run_to_end(transport.run(take, report))

    assert len(server.received) == 30
    assert max(most) <= 3


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
@pytest.mark.parametrize(("most", "connections"), [(1, 12), (5, 3), (100, 1)])
def test_a_connection_carries_so_many_messages_and_another_takes_its_place(
    extensions: tuple[str, ...], most: int, connections: int
) -> None:
    envelopes = [make_envelope(n) for n in range(1, 13)]

    with ScriptedServer(extensions=extensions) as server:
        options = replace(OPTIONS, port=server.port, connections=1, messages_per_connection=most)
        run = run_to_end(run_mail(build_transport(options), envelopes))

    assert run.with_fate(Fate.ACCEPTED) == list(range(1, 13))
    assert server.connections == connections
    ended = Counter(number for number, line in server.commands if line.startswith("QUIT"))
    assert len(ended) == connections, "each says goodbye"


def test_take_and_report_are_never_called_by_two_at_once() -> None:
    inside = Counter[str]()
    envelopes = iter([make_envelope(n) for n in range(1, 101)])

    async def take() -> Envelope | None:
        inside["take"] += 1
        assert inside["take"] == 1
        await asyncio.sleep(0)
        inside["take"] -= 1
        return next(envelopes, None)

    async def report(outcomes: Sequence[Outcome]) -> None:
        inside["report"] += 1
        assert inside["report"] == 1
        await asyncio.sleep(0)
        inside["report"] -= 1

    with ScriptedServer() as server:
        run_to_end(build_transport(replace(OPTIONS, port=server.port)).run(take, report))

    assert len(server.received) == 100


def test_an_error_of_take_climbs_after_all_is_reported() -> None:
    envelopes = iter([make_envelope(n) for n in range(1, 11)])
    reported: list[Outcome] = []

    async def take() -> Envelope | None:
        envelope = next(envelopes, None)
        if envelope is None:
            raise LookupError("the store is gone")
        return envelope

    async def report(outcomes: Sequence[Outcome]) -> None:
        reported.extend(outcomes)

    with ScriptedServer() as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        with pytest.raises(LookupError, match="the store is gone"):
            run_to_end(transport.run(take, report))

    assert sorted(outcome.outbox_id for outcome in reported) == list(range(1, 11))


def test_an_error_of_report_climbs_and_cuts_all_connections() -> None:
    envelopes = iter([make_envelope(n) for n in range(1, 1000)])

    async def take() -> Envelope | None:
        return next(envelopes, None)

    async def report(outcomes: Sequence[Outcome]) -> None:
        raise LookupError("the store is gone")

    with ScriptedServer() as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        with pytest.raises(LookupError, match="the store is gone"):
            run_to_end(transport.run(take, report))

    assert len(server.received) <= 5


@pytest.mark.parametrize("verb", ["CONNECT", "MAIL", "END"])
def test_a_cancelled_run_reports_what_it_took(verb: str) -> None:
    reported: list[Outcome] = []
    taken: list[int] = []

    async def take() -> Envelope | None:
        if len(taken) == 3:
            await asyncio.Event().wait()
        taken.append(len(taken) + 1)
        return make_envelope(taken[-1])

    async def report(outcomes: Sequence[Outcome]) -> None:
        reported.extend(outcomes)

    def has_come_so_far() -> bool:
        if verb == "END":
            return bool(server.received)
        return verb == "CONNECT" or any(line.startswith(verb) for _, line in server.commands)

    async def interrupt() -> None:
        run = asyncio.create_task(transport.run(take, report))
        while not (server.connections and has_come_so_far()):
            await asyncio.sleep(0.001)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    def rule(moment: Moment) -> Act | None:
        return Act.SILENCE if moment.verb == verb else None

    with ScriptedServer(rule) as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        run_to_end(interrupt())

    assert sorted(outcome.outbox_id for outcome in reported) == taken
    fates = {outcome.outbox_id: outcome.fate for outcome in reported}
    in_doubt = {1} if verb == "END" else set()
    assert {number for number, fate in fates.items() if fate is Fate.UNKNOWN} <= {1, 2, 3}
    assert in_doubt <= {number for number, fate in fates.items() if fate is Fate.UNKNOWN}
    assert Fate.ACCEPTED not in fates.values()


_SEEDS = [*range(9), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(9, 100))]


@pytest.mark.parametrize("seed", _SEEDS)
def test_whatever_a_relay_does_the_fates_agree_with_what_it_got(seed: int) -> None:
    chance = random.Random(seed)
    faults: dict[str, list[str | bytes | Act]] = {
        "CONNECT": ["421 busy", Act.CUT, Act.CLOSE],
        "EHLO": ["421 busy", Act.CUT],
        "MAIL": ["421 enough", "451 4.3.0 later", "550 5.1.7 no", Act.CUT, Act.CLOSE],
        "RCPT": ["421 enough", "450 4.2.1 busy", "550 5.1.1 no", Act.CUT, b"what\r\n"],
        "DATA": ["421 enough", "452 4.3.1 full", "554 5.5.0 no", Act.CUT, b"250 ok\r\n"],
        "CONTENT": [Act.CUT, Act.CLOSE],
        "END": ["421 enough", "451 4.3.0 later", "554 5.6.0 no", Act.CUT, Act.CLOSE, Act.SILENCE],
    }

    def rule(moment: Moment) -> str | bytes | Act | None:
        if moment.verb not in faults or chance.random() > 0.04:
            return None
        return chance.choice(faults[moment.verb])

    with ScriptedServer(rule, extensions=("PIPELINING",) if seed % 3 else ()) as server:
        options = replace(OPTIONS, port=server.port, connections=1 + seed % 7, timeout_s=0.15)
        envelopes = [make_envelope(n, f"p{n}@example.org") for n in range(1, 121)]
        run = run_to_end(run_mail(build_transport(options), envelopes))

    arrived = Counter(server.recipients)
    for number, fate in run.fates.items():
        count = arrived[f"p{number}@example.org"]
        if fate is Fate.ACCEPTED:
            assert count == 1
        elif fate is Fate.UNKNOWN:
            assert count <= 1
        else:
            assert count == 0
    assert run.error is not None or len(run.taken) == 120


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"hostname": "a b"}, "smtp.hostname"),
        ({"hostname": "a\r\nRSET"}, "smtp.hostname"),
        ({"connections": 0}, "smtp.connections"),
        ({"timeout_s": 0.0}, "smtp.timeout_s"),
        ({"username": "ada", "security": "tls"}, "smtp.password"),
        ({"password": "secret", "security": "tls"}, "smtp.password"),
    ],
)
def test_options_that_cannot_work_are_refused_by_name(
    change: dict[str, object], setting: str
) -> None:
    with pytest.raises(ConfigError) as error:
        build_transport(replace(OPTIONS, **change))  # type: ignore[arg-type]

    assert [problem.partition(":")[0] for problem in error.value.problems] == [setting]
