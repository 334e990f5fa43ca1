"""Faults of the relay, through the real deliver stage, store and sockets: nobody is lost or doubled.

A fault is met, then the server is well again and time goes on until nothing waits. After every run
the account of `digest report` adds up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from digest.model import BounceKind, OutboxState, Status
from digest.store import Store, bounces
from tests.aiosmtpd_server import AiosmtpdServer
from tests.fault_pieces import OPTIONS, SEVERAL, Sending, at, once, usual
from tests.smtp_servers import Act, Moment, ScriptedServer, closed_port
from tests.store_pieces import HOUR, NOW

COUNT = 12


@pytest.fixture(params=[AiosmtpdServer, ScriptedServer], ids=["aiosmtpd", "pipelining"])
def server(request: pytest.FixtureRequest) -> Iterator[ScriptedServer]:
    """One that answers each command before the next, and one that takes many at once."""
    with request.param() as started:
        yield started


@pytest.fixture
def sending(store: Store, server: ScriptedServer) -> Sending:
    return Sending(store, server, COUNT)


# Refusals of one message


@pytest.mark.parametrize(
    ("verb", "said", "reason"),
    [
        ("MAIL", "451 4.3.0 try again", "temporary: 4.3.0"),
        ("RCPT", "450 4.2.1 mailbox busy", "temporary: 4.2.1"),
        ("RCPT", "451 try again", "temporary: 451"),
        ("DATA", "452 4.3.1 no space", "temporary: 4.3.1"),
        ("END", "452 4.3.1 no space", "temporary: 4.3.1"),
        ("END", "421 4.3.2 going down", "temporary: 4.3.2"),
    ],
)
def test_what_is_put_off_is_sent_later(sending: Sending, verb: str, said: str, reason: str) -> None:
    sending.server.rule = once(verb, said)

    report = sending.deliver()

    assert sending.world.states() == {"sent": COUNT - 1, "deferred": 1}
    assert sending.rows_in(OutboxState.DEFERRED) == [reason]
    assert (report.stopped, sending.why_paused) == (None, None)
    sending.go_on()
    assert sending.world.clock.at == NOW + timedelta(minutes=5)
    sending.check_arrivals()


@pytest.mark.parametrize(
    ("verb", "said", "status", "person", "noted"),
    [
        ("RCPT", "550 5.1.1 no such user", "5.1.1", Status.SUPPRESSED, BounceKind.HARD),
        ("END", "550 5.1.1 no such user", "5.1.1", Status.SUPPRESSED, BounceKind.HARD),
        ("RCPT", "550 no such user", "550", Status.CONFIRMED, BounceKind.HARD),
        ("RCPT", "550 5.2.1 disabled", "5.2.1", Status.CONFIRMED, BounceKind.HARD),
        ("RCPT", "552 5.2.2 over quota", "5.2.2", Status.CONFIRMED, BounceKind.SOFT),
        ("END", "552 5.2.2 over quota", "5.2.2", Status.CONFIRMED, BounceKind.SOFT),
        ("END", "552 5.3.4 too big", "5.3.4", Status.CONFIRMED, None),
        ("DATA", "554 5.5.0 no", "5.5.0", Status.CONFIRMED, None),
        ("END", "554 looks like spam", "554", Status.CONFIRMED, BounceKind.POLICY),
    ],
)
def test_what_is_refused_fails_alone_and_says_what_it_says_of_the_reader(
    sending: Sending,
    verb: str,
    said: str,
    status: str,
    person: Status,
    noted: BounceKind | None,
) -> None:
    sending.server.rule = once(verb, said)

    report = sending.deliver()

    assert sending.world.states() == {"sent": COUNT - 1, "failed": 1}
    assert sending.rows_in(OutboxState.FAILED) == [f"refused: {status}"]
    assert (report.stopped, sending.why_paused) == (None, None)
    sending.check_arrivals(missing=1)
    (refused,) = set(sending.readers) - {m.envelope_to for m in sending.server.received}
    standing = {p.email: p.status for p in map(sending.world.person, range(1, COUNT + 1))}
    assert standing == dict.fromkeys(sending.readers, Status.CONFIRMED) | {refused: person}
    with sending.world.store.read() as tx:
        found = [(bounce.email, bounce.kind) for bounce in bounces.latest_bounces(tx)]
    assert found == ([(refused, noted)] if noted else [])


def test_greylisting_lets_everybody_in_at_the_third_try(sending: Sending) -> None:
    tries: dict[str, int] = {}

    def greylist(moment: Moment) -> str | None:
        if moment.verb != "RCPT":
            return None
        tries[moment.argument] = tries.get(moment.argument, 0) + 1
        return "450 4.7.1 greylisted, come back later" if tries[moment.argument] < 3 else None

    sending.server.rule = greylist

    for minutes in (0, 5, 15):
        assert not sending.server.received
        sending.world.clock.at = NOW + timedelta(minutes=minutes)
        sending.deliver()
        assert sending.why_paused is None

    assert set(tries.values()) == {3}
    sending.check_arrivals()


# The operator's trouble: nothing is held against a reader, and sending waits


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("MAIL", "550 5.7.1 who are you"),
        ("RCPT", "550 5.7.1 relay access denied"),
        ("RCPT", "530 log in first"),
        ("END", "550 5.7.26 unauthenticated mail"),
    ],
)
def test_a_refusal_of_us_pauses_sending_and_loses_nobody(
    sending: Sending, verb: str, said: str
) -> None:
    sending.server.rule = at(verb, said, lambda moment: moment.accepted >= 3)

    report = sending.deliver()

    assert said in str(report.stopped)
    assert sending.why_paused == report.stopped
    assert sending.paused_until == NOW + timedelta(minutes=1)
    assert set(sending.world.states()) <= {"sent", "deferred", "queued"}
    assert not sending.rows_in(OutboxState.FAILED)
    sending.server.rule = usual
    sending.go_on()
    assert sending.why_paused is None
    sending.check_arrivals()
    people = [sending.world.person(n).status for n in range(1, COUNT + 1)]
    assert set(people) == {Status.CONFIRMED}


def test_who_is_refused_for_us_for_ever_keeps_nobody_else_waiting(sending: Sending) -> None:
    refused = sending.readers[:4]
    sending.server.rule = at(
        "RCPT", "550 5.7.1 we do not like you", lambda m: any(r in m.argument for r in refused)
    )

    sending.deliver()
    sending.go_on(until=lambda: sending.world.states()["sent"] == COUNT - len(refused))

    # a pause of a minute for each of them, and not one that grows to half an hour
    assert sending.world.clock.at - NOW <= timedelta(minutes=len(refused))
    sending.go_on()
    assert sending.rows_in(OutboxState.FAILED) == ["gave up: no success within 20 h"] * 4
    sending.check_arrivals(missing=len(refused))


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO"])
@pytest.mark.parametrize("said", ["421 4.3.2 too busy", "554 5.3.2 no service", Act.CUT, Act.CLOSE])
def test_a_relay_that_lets_nobody_in_pauses_sending(
    sending: Sending, verb: str, said: str | Act
) -> None:
    sending.server.rule = at(verb, said)

    report = sending.deliver()

    assert report.stopped is not None
    assert sending.paused_until == NOW + timedelta(minutes=1)
    assert set(sending.world.states()) == {"queued", "deferred"}
    assert not sending.server.received
    sending.server.rule = usual
    sending.go_on()
    assert sending.why_paused is None
    sending.check_arrivals()


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "END"])
def test_a_relay_that_is_busy_for_an_hour_is_left_alone_and_no_domain_is_blamed(
    store: Store, server: ScriptedServer, verb: str
) -> None:
    sending = Sending(store, server, 40)
    well_at = NOW + HOUR
    server.rule = at(verb, "451 4.3.0 out of memory", lambda _: sending.world.clock.at < well_at)

    report = sending.deliver()

    assert report.stopped == "the relay takes no mail for now: 451 4.3.0 out of memory"
    assert (sending.why_paused, sending.paused_until) == (
        report.stopped,
        NOW + timedelta(seconds=15),
    )
    tried = sending.world.states()["deferred"]
    assert tried < 20, "the run ends long before everybody was tried"
    assert sending.world.states() == {"deferred": tried, "queued": 40 - tried}

    def is_well() -> bool:
        # a domain that is held to account would have its readers wait for a turn
        assert set(sending.rows_in(OutboxState.DEFERRED)) <= {"temporary: 4.3.0"}
        return sending.world.clock.at >= well_at

    sending.go_on(until=is_well)
    assert sending.why_paused is None
    assert sending.world.states()["sent"] >= 1
    sending.go_on()
    sending.check_arrivals()


def test_a_relay_that_is_not_there_pauses_sending(store: Store) -> None:
    with closed_port() as port:
        nobody = ScriptedServer(port=port)
        sending = Sending(store, nobody, COUNT)
        report = sending.deliver()

    assert "cannot be reached" in str(report.stopped)
    assert sending.world.states() == {"queued": COUNT - 1, "deferred": 1}
    with ScriptedServer(port=port) as sending.server:
        sending.go_on()
        sending.check_arrivals()


def test_a_relay_that_vanishes_for_an_hour_is_waited_for(
    store: Store, server: ScriptedServer
) -> None:
    sending = Sending(store, server, COUNT, options=SEVERAL)
    back_at = NOW + HOUR

    def vanish(moment: Moment) -> Act | None:
        is_gone = moment.accepted >= 5 and sending.world.clock.at < back_at
        return Act.CUT if is_gone else None

    sending.server.rule = vanish

    report = sending.deliver()

    assert report.stopped is not None
    assert len(sending.server.received) < COUNT
    tries = sending.server.connections
    sending.go_on()
    # pauses of 1, 2, 4, 8, 16 and 30 minutes: it is not knocked at all the time
    assert back_at <= sending.world.clock.at < back_at + HOUR / 2
    assert sending.server.connections - tries < 20
    sending.check_arrivals(doubled=SEVERAL.connections)


# Connections that end


@pytest.mark.parametrize("act", [Act.CUT, Act.CLOSE])
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "CONTENT"])
def test_a_connection_that_ends_before_the_message_is_over_doubles_nobody(
    sending: Sending, verb: str, act: Act
) -> None:
    sending.server.rule = once(verb, act)

    report = sending.deliver()

    assert (report.stopped, sending.why_paused) == (None, None)
    assert set(sending.world.states()) <= {"sent", "deferred", "uncertain"}
    sending.go_on()
    # a short message has left in full when its first bytes are answered by an end: that one is
    # in doubt, and the server has not taken it
    sending.check_arrivals()


@pytest.mark.parametrize("act", [Act.CUT, Act.CLOSE])
def test_an_answer_that_is_lost_is_sent_again_the_same(sending: Sending, act: Act) -> None:
    sending.server.rule = once("END", act)

    sending.deliver()

    assert sending.world.states() == {"sent": COUNT - 1, "deferred": 1}
    assert sending.rows_in(OutboxState.DEFERRED) == ["the relay's answer was lost"]
    assert len(sending.server.received) == COUNT
    sending.go_on()
    assert len(sending.server.received) == COUNT + 1
    sending.check_arrivals(doubled=1)


def test_an_answer_that_is_lost_waits_for_the_operator_who_wants_that(
    store: Store, server: ScriptedServer
) -> None:
    sending = Sending(store, server, COUNT, resend=False)
    server.rule = once("END", Act.CUT)

    sending.deliver()
    sending.go_on()

    assert sending.world.states() == {"sent": COUNT - 1, "uncertain": 1}
    assert sending.rows_in(OutboxState.UNCERTAIN) == ["the relay's answer was lost"]
    assert len(server.received) == COUNT
    # the operator finds it in no mailbox, and has it sent after all
    sending.resend = True
    sending.deliver()
    sending.check_arrivals(doubled=1)


@pytest.mark.parametrize("said", ["421 4.7.0 enough for now", Act.CLOSE, Act.CUT])
def test_five_messages_per_connection_fail_nobody(
    store: Store, server: ScriptedServer, said: str | Act
) -> None:
    sending = Sending(store, server, 23, options=SEVERAL)
    server.rule = at("MAIL", said, lambda moment: moment.accepted_here >= 5)

    report = sending.deliver()

    assert report.stopped is None
    assert sending.world.states() == {"sent": 23}
    sending.check_arrivals()
    assert server.connections >= 5


# Slow servers


def test_a_server_that_says_one_byte_at_a_time_is_heard_out(store: Store) -> None:
    # one byte a second against a time-out of 60 s, a thousand times as fast
    with ScriptedServer(pause_s=0.001) as server:
        sending = Sending(store, server, COUNT)
        report = sending.deliver()

    assert report.stopped is None
    assert sending.world.states() == {"sent": COUNT}
    sending.check_arrivals()


@pytest.mark.parametrize("act", [Act.DRIBBLE, Act.SILENCE])
@pytest.mark.parametrize("verb", ["CONNECT", "RCPT", "END"])
def test_an_answer_without_end_is_not_waited_for_for_ever(
    store: Store, verb: str, act: Act
) -> None:
    impatient = replace(OPTIONS, timeout_s=0.7)
    with ScriptedServer(once(verb, act, turn=1)) as server:
        sending = Sending(store, server, 3, options=impatient)
        sending.deliver()
        sending.options = OPTIONS
        sending.go_on()

        # what was taken by a server that never said so comes a second time
        sending.check_arrivals(doubled=OPTIONS.connections if verb == "END" else 0)
