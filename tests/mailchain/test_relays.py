"""Our SMTP client against mail servers that others wrote: Postfix, Exim, OpenSMTPD."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import pytest

from digest.model import Fate
from tests.mail_runs import make_envelope
from tests.mailchain.chain import READERS, UNKNOWN
from tests.mailchain.letters import odd_letters
from tests.mailchain.relays import HEAD, JOERG, Relay, mixed, unix, without_trace
from tests.test_mail_dkim import RSA

pytestmark = pytest.mark.mailchain


@pytest.mark.parametrize("connections", [1, 4])
def test_every_letter_arrives_once_and_byte_for_byte(relay: Relay, connections: int) -> None:
    letters = list(odd_letters(RSA, cycle(READERS), 100))

    run = relay.send(letters, connections=connections)

    assert run.error is None
    assert len(run.with_fate(Fate.ACCEPTED)) == 100
    relay.check_arrivals(letters, run)


@pytest.mark.parametrize("connections", [1, 3])
def test_refusals_in_between_cost_nobody_else_anything(relay: Relay, connections: int) -> None:
    letters = mixed(90, [*READERS[:3], UNKNOWN])

    run = relay.send(letters, connections=connections)

    assert run.error is None
    for letter in letters:
        is_unknown = letter.envelope_to == UNKNOWN
        outcome = run.outcome(letter.outbox_id)
        assert outcome.fate is (Fate.PERMANENT if is_unknown else Fate.ACCEPTED)
        assert not is_unknown or outcome.code == 550
    relay.check_arrivals(letters, run)


def test_a_server_without_pipelining_is_never_asked_two_things_at_once(opensmtpd: Relay) -> None:
    letters = mixed(60, [READERS[0], READERS[1], UNKNOWN])

    run = opensmtpd.send(letters, connections=1)

    assert "Pipelining not supported" not in opensmtpd.mailboxes.log
    assert run.with_fate(Fate.TEMPORARY) == []
    opensmtpd.check_arrivals(letters, run)


def test_a_server_that_takes_so_many_and_no_more_gets_the_rest_anew(opensmtpd: Relay) -> None:
    # OpenSMTPD: 100 by one connection, then 452 4.5.3 to every further MAIL
    letters = mixed(130, READERS)

    run = opensmtpd.send(letters, connections=1)

    assert run.error is None
    assert run.with_fate(Fate.TEMPORARY) == []
    opensmtpd.check_arrivals(letters, run)


def test_an_address_beyond_ascii_goes_where_it_is_understood(exim: Relay, opensmtpd: Relay) -> None:
    letter = make_envelope(1, JOERG, f"Subject: 1\r\n{HEAD}\r\nHallo\r\n".encode())
    letter = replace(letter, needs_smtputf8=True)

    taken, refused = exim.send([letter]), opensmtpd.send([letter])

    assert taken.fates == {1: Fate.ACCEPTED}
    (arrived,) = exim.mailboxes.take(JOERG, 1)
    assert without_trace(arrived) == unix(letter.content)
    assert (refused.outcome(1).fate, refused.outcome(1).status) == (Fate.PERMANENT, "5.6.7")
    assert JOERG not in opensmtpd.mailboxes.log
