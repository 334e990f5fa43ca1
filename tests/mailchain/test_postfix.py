"""Our SMTP client against Postfix, which can be made to do anything that a relay does."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import cycle

import pytest

from digest.model import Fate
from tests.mailchain.chain import BOUNCES, READERS, UNKNOWN, Chain
from tests.mailchain.dovecot import PASSWORD
from tests.mailchain.letters import LONG_URL, odd_letters
from tests.mailchain.relays import Relay, mixed
from tests.test_mail_dkim import RSA

pytestmark = pytest.mark.mailchain


def test_postfix_finds_no_fault_in_how_we_pipeline(postfix: Relay, chain: Chain) -> None:
    before = len(chain.postfix.log)
    letters = mixed(60, [READERS[0], READERS[1], UNKNOWN])

    run = postfix.send(letters, connections=1)

    said = chain.postfix.log[before:]
    for fault in ("improper command pipelining", "lost connection after", "non-SMTP command"):
        assert fault not in said.replace("lost connection after CONNECT", "")
    assert " 503 5." not in said
    postfix.check_arrivals(letters, run)


@pytest.mark.parametrize("connections", [1, 2])
def test_a_server_that_hangs_up_after_errors_is_called_again(
    postfix: Relay, chain: Chain, connections: int
) -> None:
    # Postfix ends a connection at its 20th error in a row, with a message under way
    before = len(chain.postfix.log)
    letters = mixed(110, [READERS[0], UNKNOWN, UNKNOWN, UNKNOWN])
    letters[30:90] = [replace(one, envelope_to=UNKNOWN) for one in letters[30:90]]

    run = postfix.send(letters, connections=connections)

    assert chain.postfix.writes("too many errors after", since=before)
    assert run.error is None
    assert run.with_fate(Fate.TEMPORARY) == []
    postfix.check_arrivals(letters, run)


def test_each_refusal_is_understood(postfix: Relay) -> None:
    whom = {
        "greylisted": (Fate.TEMPORARY, "4.7.1"),
        "full": (Fate.TEMPORARY, "4.2.2"),
        "gone-for-good": (Fate.PERMANENT, "5.1.6"),
        "nobody": (Fate.PERMANENT, "5.1.1"),
    }
    letters = []
    for name in whom:
        letters += mixed(2, [f"{name}@example.net"])[:1] + mixed(2, [READERS[0]])[:1]
    letters = [replace(letter, outbox_id=n) for n, letter in enumerate(letters, 1)]

    run = postfix.send(letters, connections=1)

    for letter in letters:
        expected = whom.get(letter.envelope_to.partition("@")[0])
        outcome = run.outcome(letter.outbox_id)
        if expected is None:
            assert outcome.fate is Fate.ACCEPTED
        else:
            assert (outcome.fate, outcome.status) == expected
    postfix.check_arrivals(letters, run)


def test_a_refusal_of_ours_stops_the_sending_and_loses_nothing(postfix: Relay) -> None:
    letters = mixed(40, [READERS[0]])
    letters[9] = replace(letters[9], envelope_to="policy@example.net")

    run = postfix.send(letters, connections=1)

    assert "refuses us as a sender: 550 5.7.1" in str(run.error)
    assert run.outcome(10).fate is Fate.TEMPORARY
    assert {run.fates[n] for n in range(1, 10)} == {Fate.ACCEPTED}
    assert set(run.fates.values()) == {Fate.ACCEPTED, Fate.TEMPORARY}
    postfix.check_arrivals([one for one in letters if one.outbox_id in run.fates], run)


def test_a_server_that_says_goodbye_in_the_middle_gets_the_rest_later(postfix: Relay) -> None:
    letters = mixed(41, [READERS[0], READERS[1]])
    letters[20] = replace(letters[20], envelope_to="goodbye@example.net")

    run = postfix.send(letters, connections=2)

    assert run.error is None
    waiting = run.with_fate(Fate.TEMPORARY)
    # one that was announced behind it may have to wait with it
    assert 21 in waiting and len(waiting) <= 3
    assert run.outcome(21).code == 421
    assert len(run.with_fate(Fate.ACCEPTED)) == 41 - len(waiting)
    postfix.check_arrivals(letters, run)


def test_a_relay_that_allows_fewer_connections_gets_everything_by_those(
    postfix: Relay, chain: Chain
) -> None:
    before = len(chain.postfix.log)
    letters = list(odd_letters(RSA, cycle(READERS), 150))

    run = postfix.send(letters, port=chain.postfix.ports["narrow"], connections=8)

    assert chain.postfix.writes("Connection concurrency limit exceeded", since=before)
    assert run.error is None
    assert len(run.with_fate(Fate.ACCEPTED)) == 150
    postfix.check_arrivals(letters, run)


@pytest.mark.parametrize("door", ["login", "tls"])
def test_the_other_doors_of_a_relay_are_open_to_us(postfix: Relay, chain: Chain, door: str) -> None:
    changes: dict[str, object] = {"port": chain.postfix.ports[door]}
    if door == "login":
        changes |= {"username": BOUNCES, "password": PASSWORD}
    else:
        changes |= {"security": "tls"}
    letters = list(odd_letters(RSA, cycle(READERS), 20))

    run = postfix.send(letters, **changes)

    assert run.error is None
    postfix.check_arrivals(letters, run)
    assert len(run.with_fate(Fate.ACCEPTED)) == 20


@pytest.mark.parametrize("password", ["wrong", None])
def test_without_the_right_password_nothing_is_sent(
    postfix: Relay, chain: Chain, password: str | None
) -> None:
    username = None if password is None else BOUNCES
    letters = mixed(3, [READERS[0]])

    run = postfix.send(
        letters, port=chain.postfix.ports["login"], username=username, password=password
    )

    assert run.error is not None
    assert {run.fates[n] for n in run.taken} <= {Fate.TEMPORARY}
    assert chain.dovecot.letters(READERS[0]) == []


def test_a_relay_that_wants_encryption_gets_nothing_without_it(
    postfix: Relay, chain: Chain
) -> None:
    letters = mixed(3, [READERS[0]])

    run = postfix.send(letters, port=chain.postfix.ports["strict"], security="none")

    assert "refuses us as a sender: 530" in str(run.error)
    assert run.with_fate(Fate.TEMPORARY) == run.taken
    assert chain.dovecot.letters(READERS[0]) == []


def test_a_message_over_the_relay_s_limit_is_refused_and_the_next_one_goes(postfix: Relay) -> None:
    letters = mixed(3, [READERS[0]])
    letters[1] = replace(letters[1], content=letters[1].content + b"x" * 70 * 200_000)

    run = postfix.send(letters, connections=1)

    assert (run.outcome(2).fate, run.outcome(2).status) == (Fate.PERMANENT, "5.3.4")
    assert run.with_fate(Fate.ACCEPTED) == [1, 3]
    postfix.check_arrivals(letters, run)


def test_a_link_of_two_hundred_characters_stays_one_line(postfix: Relay, chain: Chain) -> None:
    assert len(LONG_URL) > 200
    letters = [
        one for one in odd_letters(RSA, cycle(READERS[:1]), 8) if LONG_URL.encode() in one.content
    ]

    run = postfix.send(letters)

    found = chain.dovecot.take(READERS[0], len(letters))
    assert run.error is None and found
    for letter in found:
        head = letter.partition(b"\r\n\r\n")[0]
        assert re.search(rb"^List-Unsubscribe: <https://\S{200,}>, <mailto:\S+>\r$", head, re.M)
