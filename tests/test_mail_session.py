"""The mail transactions of one connection, without a wire: every message is accounted for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ParseError
from digest.mail.capabilities import Capabilities
from digest.mail.replies import Reply
from digest.mail.session import END, Delivery, Session, Step
from digest.model import Fate
from tests.mail_runs import make_envelope

PIPELINED = Capabilities(pipelining=True)
PLAIN = Capabilities()


def delivery(number: int) -> Delivery:
    return Delivery(make_envelope(number, f"p{number}@example.org"))


def always(delivery: Delivery) -> bool:
    return True


def sent(session: Session) -> list[bytes]:
    """What the session wants to send, taken from it; the end of a message is then on its way."""
    pieces = session.out
    session.out = []
    if END in pieces:
        session.is_handed_over = True
    return pieces


def verbs(session: Session) -> list[bytes]:
    return [piece[:4].strip() for piece in sent(session)]


def hear(session: Session, *codes: int) -> None:
    for code in codes:
        session.receive(Reply(code, (b"x",)))


def fates(session: Session) -> dict[int, Fate]:
    return {item.envelope.outbox_id: outcome.fate for item, outcome in session.settled}


def test_with_pipelining_the_end_of_a_message_and_the_next_commands_are_one_group() -> None:
    session = Session(PIPELINED, always)
    session.offer(delivery(1))
    assert verbs(session) == [b"MAIL", b"RCPT", b"DATA"]

    session.offer(delivery(2))
    assert verbs(session) == []
    hear(session, 250, 250, 354)

    assert verbs(session) == [b"Subj", b".", b"MAIL", b"RCPT", b"DATA"]


def test_without_pipelining_each_command_waits_for_its_answer() -> None:
    session = Session(PLAIN, always)
    session.offer(delivery(1))
    session.offer(delivery(2))

    steps = []
    for code in (250, 250, 354, 250, 250, 250, 354):
        steps.append(verbs(session))
        hear(session, code)

    assert steps == [
        [b"MAIL"],
        [b"RCPT"],
        [b"DATA"],
        [b"Subj", b"."],
        [b"MAIL"],
        [b"RCPT"],
        [b"DATA"],
    ]


def test_a_transaction_that_was_opened_for_nothing_is_reset() -> None:
    session = Session(PIPELINED, always)
    session.offer(delivery(1))
    session.offer(delivery(2))
    sent(session)

    hear(session, 250, 550, 554)

    assert fates(session) == {1: Fate.PERMANENT}
    assert verbs(session) == [b"RSET", b"MAIL", b"RCPT", b"DATA"]


def test_a_refused_mail_opens_no_transaction_and_needs_no_reset() -> None:
    session = Session(PIPELINED, always)
    session.offer(delivery(1))
    session.offer(delivery(2))
    sent(session)

    hear(session, 451, 503, 503)

    assert fates(session) == {1: Fate.TEMPORARY}
    assert verbs(session) == [b"MAIL", b"RCPT", b"DATA"]


def test_content_waits_until_it_may_be_sent() -> None:
    may = [False]
    session = Session(PIPELINED, lambda delivery: may[0])
    session.offer(delivery(1))
    session.offer(delivery(2))
    sent(session)
    hear(session, 250, 250, 354)
    assert verbs(session) == []

    may[0] = True
    session.resume()

    assert verbs(session) == [b"Subj", b".", b"MAIL", b"RCPT", b"DATA"]


def test_a_message_is_in_doubt_only_while_its_end_has_left_and_no_answer_came() -> None:
    for leaves, fate in ((False, Fate.TEMPORARY), (True, Fate.UNKNOWN)):
        session = Session(PIPELINED, always)
        session.offer(delivery(1))
        session.offer(delivery(2))
        hear(session, 250, 250, 354)
        session.is_handed_over = leaves

        returned = session.lose("cut")

        assert fates(session) == {1: fate}
        assert [item.envelope.outbox_id for item in returned] == [2]


def test_a_refusal_that_was_heard_survives_the_connection() -> None:
    session = Session(PIPELINED, always)
    session.offer(delivery(1))
    hear(session, 250, 550)

    returned = session.lose("cut")

    assert fates(session) == {1: Fate.PERMANENT}
    assert returned == []


def test_a_421_when_nothing_was_asked_says_goodbye() -> None:
    session = Session(PIPELINED, always)

    session.receive(Reply(421, (b"4.4.2 idle",)))

    assert session.farewell is not None
    assert session.load == 0


def test_after_a_421_nothing_more_is_said() -> None:
    session = Session(PIPELINED, always)
    session.offer(delivery(1))
    sent(session)
    hear(session, 421)

    session.offer(delivery(2))

    assert sent(session) == []
    assert [item.envelope.outbox_id for item in session.lose("421")] == [1, 2]


@pytest.mark.parametrize("codes", [(354,), (250, 354), (250, 250, 250), (503,), (250, 503)])
def test_an_answer_that_fits_no_command_is_an_error(codes: tuple[int, ...]) -> None:
    session = Session(PIPELINED, always)
    session.offer(delivery(1))

    with pytest.raises(ParseError):
        hear(session, *codes)

    assert not session.settled
    assert [item.envelope.outbox_id for item in session.lose("nonsense")] == [1]


events = st.lists(
    st.one_of(
        st.sampled_from(["offer", "send", "gate", "open"]),
        st.sampled_from([250, 250, 250, 354, 354, 421, 450, 550, 503, 251, 334]),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=400)
@given(events, st.sampled_from([PIPELINED, PLAIN]))
def test_every_message_is_settled_or_returned_exactly_once(
    happenings: list[str | int], capabilities: Capabilities
) -> None:
    may, offered, acknowledged = [True], 0, set[int]()
    session = Session(capabilities, lambda delivery: may[0])

    try:
        for happening in happenings:
            if happening == "offer" and session.load < 2:
                offered += 1
                session.offer(delivery(offered))
            elif happening == "send":
                sent(session)
            elif happening in ("gate", "open"):
                may[0] = happening == "open"
                session.resume()
            elif isinstance(happening, int) and session.farewell is None:
                waiting = session.awaited
                before = len(session.settled)
                session.receive(Reply(happening, (b"x",)))
                if waiting is Step.CONTENT and happening in (250, 251):
                    acknowledged.add(session.settled[before][0].envelope.outbox_id)
    except ParseError:
        pass
    returned = session.lose("the end")

    seen = [item.envelope.outbox_id for item, _ in session.settled]
    seen += [item.envelope.outbox_id for item in returned]
    assert sorted(seen) == list(range(1, offered + 1))
    assert {n for n, fate in fates(session).items() if fate is Fate.ACCEPTED} == acknowledged


def test_only_what_was_announced_has_tried_when_the_connection_is_lost() -> None:
    session = Session(PIPELINED, always)
    announced, held = delivery(1), delivery(2)
    session.offer(announced)
    session.offer(held)
    sent(session)

    returned = session.lose("it went away")

    assert returned == [announced, held]
    assert (announced.tries, held.tries) == (1, 0)
