"""A relay that misbehaves: each message is reported once, with the fate that is true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import pytest

from digest.mail import TransportOptions, build_transport, run_to_end
from digest.model import Envelope, Fate, Outcome
from tests.mail_runs import MailRun, make_envelope, run_mail
from tests.smtp_servers import Act, Moment, Rule, ScriptedServer, closed_port

OPTIONS = TransportOptions(host="127.0.0.1", security="none", connections=1, timeout_s=5)
WITHOUT_PIPELINING = ("8BITMIME", "ENHANCEDSTATUSCODES")


def send(
    server: ScriptedServer, envelopes: Iterable[Envelope], options: TransportOptions = OPTIONS
) -> MailRun:
    transport = build_transport(replace(options, port=server.port))
    return run_to_end(run_mail(transport, envelopes))


def numbered(count: int) -> list[Envelope]:
    return [make_envelope(number, f"p{number}@example.org") for number in range(1, count + 1)]


def at(verb: str, said: str | bytes | Act, when: Callable[[Moment], bool] = lambda m: True) -> Rule:
    """A rule for one command."""
    return lambda moment: said if moment.verb == verb and when(moment) else None


@pytest.fixture(params=["pipelining", "one by one"])
def extensions(request: pytest.FixtureRequest) -> tuple[str, ...]:
    extra = ("PIPELINING",) if request.param == "pipelining" else ()
    return (*WITHOUT_PIPELINING, *extra)


# -- answers


@pytest.mark.parametrize(
    ("verb", "said", "fate", "status"),
    [
        ("MAIL", "451 4.3.0 try later", Fate.TEMPORARY, "4.3.0"),
        ("MAIL", "552 5.3.4 too large", Fate.PERMANENT, "5.3.4"),
        ("RCPT", "450 4.2.1 mailbox busy", Fate.TEMPORARY, "4.2.1"),
        ("RCPT", "451 4.7.1 greylisted", Fate.TEMPORARY, "4.7.1"),
        ("RCPT", "550 5.1.1 no such user", Fate.PERMANENT, "5.1.1"),
        ("RCPT", "550 no such user", Fate.PERMANENT, None),
        ("RCPT", "550-5.1.1 no such\r\n550 5.1.1 user", Fate.PERMANENT, "5.1.1"),
        ("DATA", "452 4.3.1 no space", Fate.TEMPORARY, "4.3.1"),
        ("DATA", "554 5.5.0 no", Fate.PERMANENT, "5.5.0"),
        ("END", "451 4.3.0 queue file", Fate.TEMPORARY, "4.3.0"),
        ("END", "552 5.2.2 over quota", Fate.PERMANENT, "5.2.2"),
        ("END", "554 4.2.2 contradicts itself", Fate.PERMANENT, None),
    ],
)
def test_a_refusal_is_for_its_own_message_only(
    verb: str, said: str, fate: Fate, status: str | None, extensions: tuple[str, ...]
) -> None:
    turn = iter(range(1, 100))

    def refuse_second(moment: Moment) -> str | None:
        return said if moment.verb == verb and next(turn) == 2 else None

    with ScriptedServer(refuse_second, extensions=extensions) as server:
        run = send(server, numbered(4))

    assert run.fates == {1: Fate.ACCEPTED, 2: fate, 3: Fate.ACCEPTED, 4: Fate.ACCEPTED}
    assert run.outcome(2).code == int(said[:3])
    assert run.outcome(2).status == status
    assert run.error is None
    assert server.recipients == ["p1@example.org", "p3@example.org", "p4@example.org"]
    assert server.connections == 1


def test_data_accepted_without_a_recipient_sends_nothing(extensions: tuple[str, ...]) -> None:
    def rule(moment: Moment) -> str | None:
        if moment.verb == "RCPT" and "p2@" in moment.argument:
            return "550 5.1.1 unknown"
        return "354 go on anyway" if moment.verb == "DATA" else None

    with ScriptedServer(rule, extensions=extensions) as server:
        run = send(server, numbered(3))

    assert run.fates == {1: Fate.ACCEPTED, 2: Fate.PERMANENT, 3: Fate.ACCEPTED}
    assert run.outcome(2).status == "5.1.1"
    assert b"Hello 2" not in b"".join(server.contents)


def test_an_empty_message_that_the_server_accepts_is_still_refused() -> None:
    def rule(moment: Moment) -> str | None:
        if moment.verb == "RCPT" and "p1@" in moment.argument:
            return "550 5.1.1 unknown"
        if moment.verb == "DATA":
            return "354 go on anyway"
        return "250 2.0.0 whatever" if moment.verb == "END" else None

    with ScriptedServer(rule) as server:
        run = send(server, numbered(2))

    assert run.fates == {1: Fate.PERMANENT, 2: Fate.ACCEPTED}


def test_greylisting_is_temporary_until_the_third_try() -> None:
    tries = iter(range(1, 10))

    def rule(moment: Moment) -> str | None:
        return "450 4.7.1 greylisted" if moment.verb == "RCPT" and next(tries) < 3 else None

    with ScriptedServer(rule) as server:
        fates = [send(server, numbered(1)).fates[1] for _ in range(3)]

    assert fates == [Fate.TEMPORARY, Fate.TEMPORARY, Fate.ACCEPTED]


@pytest.mark.parametrize(
    "said", ["550 5.7.1 relay access denied", "530 5.7.0 log in first", "530 log in first"]
)
def test_a_refusal_of_us_as_a_sender_stops_the_sending_and_fails_nobody(said: str) -> None:
    with ScriptedServer(at("RCPT", said, lambda m: "p3@" in m.argument)) as server:
        run = send(server, numbered(50))

    assert run.outcome(3).fate is Fate.TEMPORARY
    assert run.outcome(3).code == int(said[:3])
    assert "refuses us as a sender" in str(run.error)
    assert not run.with_fate(Fate.PERMANENT)
    assert len(run.taken) <= 6


# -- connections that end


def test_a_cut_before_the_message_is_temporary(extensions: tuple[str, ...]) -> None:
    with ScriptedServer(at("RCPT", Act.CUT), extensions=extensions) as server:
        run = send(server, numbered(1))

    assert run.fates == {1: Fate.TEMPORARY}
    assert not server.received


def test_a_cut_within_the_message_is_temporary() -> None:
    # far more than the buffers between the two ends can hold, so its end cannot have left
    long = b"Subject: long\r\n\r\n" + b"x" * 70 + b"\r\n"
    envelope = make_envelope(1, content=long + (b"y" * 98 + b"\r\n") * 400_000)

    with ScriptedServer(at("CONTENT", Act.CUT)) as server:
        run = send(server, [envelope])

    assert run.fates == {1: Fate.TEMPORARY}
    assert "while the message was being sent" in run.outcome(1).text


@pytest.mark.parametrize("act", [Act.CUT, Act.CLOSE, Act.SILENCE, Act.DRIBBLE, Act.FLOOD])
def test_a_lost_answer_leaves_the_message_in_doubt(act: Act, extensions: tuple[str, ...]) -> None:
    with ScriptedServer(at("END", act), extensions=extensions) as server:
        run = send(server, numbered(1), replace(OPTIONS, timeout_s=0.2))

    assert run.fates == {1: Fate.UNKNOWN}
    assert server.recipients == ["p1@example.org"]


def test_the_message_after_the_one_in_doubt_is_safe() -> None:
    cut = iter([True])
    rule = at("END", Act.CUT, lambda m: m.accepted == 1 and next(cut, False))

    with ScriptedServer(rule) as server:
        run = send(server, numbered(5))

    assert run.with_fate(Fate.UNKNOWN) == [2]
    assert run.with_fate(Fate.ACCEPTED) == [1, 3, 4, 5]
    assert server.recipients == [f"p{n}@example.org" for n in range(1, 6)]


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO"])
@pytest.mark.parametrize("act", [Act.CUT, Act.CLOSE, Act.SILENCE, Act.DRIBBLE, Act.FLOOD])
def test_a_relay_that_never_gets_ready_stops_the_sending(verb: str, act: Act) -> None:
    with ScriptedServer(at(verb, act)) as server:
        run = send(server, numbered(20), replace(OPTIONS, connections=4, timeout_s=0.2))

    assert run.error is not None
    assert len(run.taken) <= 2
    assert run.with_fate(Fate.TEMPORARY) == run.taken
    assert not server.received


@pytest.mark.parametrize("said", ["421 4.3.2 too busy", "554 5.3.2 no service here"])
def test_a_refused_greeting_stops_the_sending(said: str) -> None:
    with ScriptedServer(at("CONNECT", said)) as server:
        run = send(server, numbered(20), replace(OPTIONS, connections=4))

    assert said in str(run.error)
    assert run.with_fate(Fate.TEMPORARY) == run.taken


def test_a_relay_that_is_not_there_stops_the_sending() -> None:
    with closed_port() as port:
        transport = build_transport(replace(OPTIONS, port=port))
        run = run_to_end(run_mail(transport, numbered(20)))

    assert "check host and port under [smtp]" in str(run.error)
    assert run.taken == [1]
    assert run.fates == {1: Fate.TEMPORARY}


def test_a_host_without_an_address_stops_the_sending() -> None:
    options = TransportOptions(host="relay.invalid", security="none", timeout_s=5)

    run = run_to_end(run_mail(build_transport(options), numbered(3)))

    assert "relay.invalid" in str(run.error)
    assert run.fates == {1: Fate.TEMPORARY}


def test_a_relay_that_vanishes_for_good_is_given_up_after_a_few_tries() -> None:
    def rule(moment: Moment) -> Act | None:
        return Act.CUT if moment.accepted >= 10 else None

    with ScriptedServer(rule) as server:
        run = send(server, numbered(200), replace(OPTIONS, connections=4, timeout_s=0.5))

    assert run.error is not None
    assert len(run.with_fate(Fate.ACCEPTED)) + len(run.with_fate(Fate.UNKNOWN)) >= 10
    assert not run.with_fate(Fate.PERMANENT)
    assert len(run.taken) < 40


def test_a_relay_that_comes_back_loses_nobody() -> None:
    refused = iter([True, True])

    def rule(moment: Moment) -> Act | str | None:
        if moment.verb == "MAIL" and moment.accepted_here == 5:
            return Act.CLOSE
        return "421 restarting" if _is_second(moment) and next(refused, False) else None

    def _is_second(moment: Moment) -> bool:
        return moment.verb == "CONNECT" and moment.connection > 1

    with ScriptedServer(rule) as server:
        run = send(server, numbered(12), replace(OPTIONS, timeout_s=0.6))

    assert run.error is None
    assert run.with_fate(Fate.ACCEPTED) == list(range(1, 13))


@pytest.mark.parametrize("said", ["421 4.7.0 enough for now", Act.CLOSE, Act.CUT])
def test_five_messages_per_connection_fail_nobody(
    said: str | Act, extensions: tuple[str, ...]
) -> None:
    rule = at("MAIL", said, lambda m: m.accepted_here >= 5)

    with ScriptedServer(rule, extensions=extensions) as server:
        run = send(server, numbered(43), replace(OPTIONS, connections=3))

    assert run.error is None
    assert run.with_fate(Fate.ACCEPTED) == list(range(1, 44))
    assert len(server.received) == 43
    assert server.connections >= 9


def test_a_421_after_the_message_is_its_answer() -> None:
    rule = at("END", "421 4.3.0 shutting down", lambda m: m.accepted == 2)

    with ScriptedServer(rule) as server:
        run = send(server, numbered(4))

    assert run.outcome(3).fate is Fate.TEMPORARY
    assert run.outcome(3).code == 421
    assert run.outcome(1).fate is run.outcome(2).fate is Fate.ACCEPTED


def test_a_relay_that_hangs_up_on_every_message_is_left_alone() -> None:
    with ScriptedServer(at("RCPT", "421 4.3.0 not now")) as server:
        run = send(server, numbered(100))

    assert len(run.taken) <= 6
    assert run.with_fate(Fate.TEMPORARY) == run.taken
    assert "takes no mail" in str(run.error)


def test_a_relay_that_allows_two_connections_gets_two() -> None:
    def rule(moment: Moment) -> str | None:
        too_many = moment.verb == "CONNECT" and moment.open_connections > 2
        return "421 4.7.0 too many connections" if too_many else None

    with ScriptedServer(rule) as server:
        run = send(server, numbered(300), replace(OPTIONS, connections=16))

    assert run.error is None
    assert run.with_fate(Fate.ACCEPTED) == list(range(1, 301))


def test_three_messages_do_not_open_sixty_four_connections() -> None:
    with ScriptedServer() as server:
        run = send(server, numbered(3), replace(OPTIONS, connections=64))

    assert run.with_fate(Fate.ACCEPTED) == [1, 2, 3]
    assert server.connections <= 3


def test_a_goodbye_while_idle_is_no_fault_of_the_next_message() -> None:
    rule = at("END", b"250 2.0.0 taken\r\n421 4.4.2 idle too long\r\n", lambda m: m.connection == 1)
    envelopes = iter([make_envelope(1), make_envelope(2)])
    first_is_through = asyncio.Event()
    fates: dict[int, Fate] = {}

    async def take() -> Envelope | None:
        envelope = next(envelopes, None)
        if envelope is not None and envelope.outbox_id == 2:
            await asyncio.wait_for(first_is_through.wait(), 10)
        return envelope

    async def report(outcomes: Sequence[Outcome]) -> None:
        fates.update((outcome.outbox_id, outcome.fate) for outcome in outcomes)
        first_is_through.set()

    with ScriptedServer(rule) as server:
        transport = build_transport(replace(OPTIONS, port=server.port))
        run_to_end(transport.run(take, report))

    assert fates == {1: Fate.ACCEPTED, 2: Fate.ACCEPTED}
    assert server.connections == 2


# -- servers that do not speak SMTP


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x00\xff\x00\xff\r\n",
        b"250 \r\n250 two answers to one question\r\n250 three\r\n250 four\r\n",
        b"999 no such code\r\n",
        b"250-one code\r\n550 and another\r\n",
        b"2" * 5000,
    ],
)
@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "DATA"])
def test_nonsense_harms_nothing_but_its_connection(verb: str, said: bytes) -> None:
    with ScriptedServer(at(verb, said)) as server:
        run = send(server, numbered(2), replace(OPTIONS, timeout_s=0.5))

    assert set(run.fates.values()) == {Fate.TEMPORARY}
    assert not server.received


def test_nonsense_after_a_message_leaves_it_in_doubt() -> None:
    with ScriptedServer(at("END", b"garbage\r\n")) as server:
        run = send(server, numbered(1))

    assert run.fates == {1: Fate.UNKNOWN}


def test_an_acceptance_before_the_message_is_there_is_not_believed() -> None:
    long = make_envelope(1, content=b"Subject: x\r\n\r\n" + (b"y" * 98 + b"\r\n") * 400_000)

    with ScriptedServer(at("CONTENT", b"250 thanks already\r\n")) as server:
        run = send(server, [long])

    assert run.outcome(1).fate in (Fate.TEMPORARY, Fate.UNKNOWN)


def test_a_refusal_in_the_middle_of_a_message_counts() -> None:
    long = make_envelope(1, content=b"Subject: x\r\n\r\n" + (b"y" * 98 + b"\r\n") * 400_000)

    with ScriptedServer(at("CONTENT", b"552 5.3.4 too much\r\n")) as server:
        run = send(server, [long])

    assert run.fates == {1: Fate.PERMANENT}
