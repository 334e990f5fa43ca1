"""What comes back suppresses who is gone, counts what may pass, and touches nobody else."""

from __future__ import annotations

import pytest

from digest.model import BounceKind, Status
from digest.store import Store, bounces, people
from digest.store.people import consents_of
from digest.tokens import Purpose
from tests.bounce_samples import NAMES, sample
from tests.returning import DAY, NOW, TOKENS, MemoryMailbox, World


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def shown(world: World) -> list[bounces.Bounce]:
    with world.store.read() as tx:
        return bounces.latest_bounces(tx)


# at once


@pytest.mark.parametrize(
    "name", ["postfix_unknown_user", "exchange_online_gone", "qmail", "words_only"]
)
def test_an_address_that_does_not_exist_is_suppressed_at_once(world: World, name: str) -> None:
    reader = world.add()

    verdict = world.come_back(name, reader)

    assert (verdict.understood, verdict.suppressed) == (True, 1)
    assert world.status(reader) is Status.SUPPRESSED
    (bounce,) = shown(world)
    assert (bounce.effect, bounce.is_proven) == ("hard bounce", True)


def test_a_suppressed_person_gets_no_more_editions(world: World) -> None:
    reader = world.add()

    world.come_back("postfix_unknown_user", reader)

    with world.store.read() as tx:
        person = people.get_subscriber(tx, reader)
    assert person is not None and person.next_edition_at is None


def test_a_complaint_suppresses_at_once_and_is_noted(world: World) -> None:
    reader = world.add()

    world.come_back("complaint", reader)

    assert world.status(reader) is Status.SUPPRESSED
    with world.store.read() as tx:
        assert [c["action"] for c in consents_of(tx, reader)][-1] == "complained"


def test_a_question_to_an_address_that_does_not_exist_suppresses_it(world: World) -> None:
    pending = world.add(confirmed=False)

    world.come_back("postfix_unknown_user", pending)

    assert world.status(pending) is Status.SUPPRESSED


# by and by


def test_hard_bounces_without_a_clear_code_suppress_on_the_fifth_day(world: World) -> None:
    reader = world.add()

    statuses = []
    for day in range(5):
        world.come_back("generic_550_unknown_user", reader, days=day)
        statuses.append(world.status(reader))

    assert statuses == [Status.CONFIRMED] * 4 + [Status.SUPPRESSED]
    assert [b.effect for b in shown(world)] == ["bounces", None, None, None, None]


def test_a_full_mailbox_suppresses_on_the_tenth_day(world: World) -> None:
    reader = world.add()

    for day in range(9):
        world.come_back("postfix_full", reader, days=day)
    before = world.status(reader)
    world.come_back("postfix_full", reader, days=9)

    assert before is Status.CONFIRMED
    assert world.status(reader) is Status.SUPPRESSED


def test_many_bounces_of_one_day_count_once(world: World) -> None:
    reader = world.add()

    for hour in range(12):
        world.come_back("generic_550_unknown_user", reader, days=hour / 24)

    assert world.status(reader) is Status.CONFIRMED


def test_an_address_that_this_one_forwards_to_only_counts(world: World) -> None:
    reader = world.add()

    world.come_back("forwarded_elsewhere", reader)

    assert world.status(reader) is Status.CONFIRMED
    assert [b.kind for b in shown(world)] == [BounceKind.HARD]


def test_of_several_recipients_the_reader_s_own_line_counts(world: World) -> None:
    reader = world.add()

    world.come_back("two_recipients", reader)

    assert [b.kind for b in shown(world)] == [BounceKind.SOFT]


@pytest.mark.parametrize("name", ["policy_blocked", "auth_failure"])
def test_what_is_held_against_us_is_shown_and_counts_for_nobody(world: World, name: str) -> None:
    reader = world.add()

    for day in range(20):
        world.come_back(name, reader, days=day)

    assert world.status(reader) is Status.CONFIRMED
    assert {b.kind for b in shown(world)} == {BounceKind.POLICY}


@pytest.mark.parametrize(
    "name", ["postfix_delayed", "vacation", "vacation_exchange", "receipt", "success", "not_spam"]
)
def test_what_is_no_bounce_is_put_away_and_leaves_no_trace(world: World, name: str) -> None:
    reader = world.add()

    for day in range(20):
        assert world.come_back(name, reader, days=day).understood

    assert world.status(reader) is Status.CONFIRMED
    assert shown(world) == []


# whom it is about


@pytest.mark.parametrize("lost", ["bounce", "message_id"])
def test_the_signed_address_or_the_message_id_is_enough(world: World, lost: str) -> None:
    reader = world.add()

    verdict = world.come_back("postfix_unknown_user", reader, **{lost: "nobodys-token"})

    assert verdict.suppressed == 1


def test_an_address_alone_never_suppresses_at_once(world: World) -> None:
    reader = world.add()
    forged = sample("postfix_unknown_user", bounce="forged-token", message_id="<forged@x>")

    verdict = world.returns.take_in(forged, NOW)

    assert (verdict.understood, verdict.suppressed) == (True, 0)
    assert world.status(reader) is Status.CONFIRMED
    (bounce,) = shown(world)
    assert not bounce.is_proven and bounce.outbox_id is None


def test_a_complaint_that_names_only_an_address_only_counts(world: World) -> None:
    reader = world.add()

    world.come_back("complaint_redacted", reader)

    assert world.status(reader) is Status.CONFIRMED
    assert [b.kind for b in shown(world)] == [BounceKind.COMPLAINT]


def test_a_token_beats_the_address_in_the_report(world: World) -> None:
    reader, other = world.add(), world.add("other@example.net")

    world.come_back("postfix_unknown_user", other)

    # the report names the reader; the message was to the other: it is about a forward
    assert world.status(reader) is Status.CONFIRMED
    assert world.status(other) is Status.CONFIRMED
    assert [b.subscriber_id for b in shown(world)] == [other]


def test_a_token_of_another_secret_is_nobody_s(world: World) -> None:
    world.add()
    raw = sample("postfix_unknown_user", reader="stranger@example.com")

    assert not world.returns.take_in(raw, NOW).understood


def test_a_bounce_about_somebody_erased_is_put_away(world: World) -> None:
    reader = world.add()
    raw = world.letter("postfix_unknown_user", reader)
    world.enrolment.erase(reader, now=NOW)

    verdict = world.returns.take_in(raw, NOW)

    assert (verdict.understood, verdict.suppressed) == (True, 0)
    assert shown(world) == []


@pytest.mark.parametrize("name", ["words_only", "postfix_unknown_user", "complaint"])
def test_what_the_old_address_sends_back_is_not_held_against_the_new_one(
    world: World, name: str
) -> None:
    reader = world.add()
    outbox_id, message_id = world.send(reader)
    world.settle(outbox_id, NOW)
    world.move(reader, "new@example.net", NOW + DAY)
    token = TOKENS.sign(Purpose.BOUNCE, outbox_id)

    late = sample(name, bounce=token, message_id=message_id)
    verdict = world.returns.take_in(late, NOW + 2 * DAY)

    assert (verdict.understood, verdict.suppressed) == (True, 0)
    assert (world.status(reader), shown(world)) == (Status.CONFIRMED, [])


def test_what_the_new_address_sends_back_counts(world: World) -> None:
    reader = world.add()
    outbox_id, message_id = world.send(reader)
    world.move(reader, "new@example.net", NOW)
    world.settle(outbox_id, NOW + DAY)

    token = TOKENS.sign(Purpose.BOUNCE, outbox_id)
    letter = sample("words_only", bounce=token, message_id=message_id, reader="new@example.net")
    world.returns.take_in(letter, NOW + DAY)

    assert world.status(reader) is Status.SUPPRESSED


def test_a_bounce_about_nobody_of_ours_is_kept_for_a_person(world: World) -> None:
    raw = sample("qmail", reader="stranger@example.com")

    assert not world.returns.take_in(raw, NOW).understood


# requests


@pytest.mark.parametrize("name", ["unsubscribe", "unsubscribe_by_machine"])
def test_a_mailed_request_ends_the_subscription(world: World, name: str) -> None:
    reader = world.add()

    verdict = world.come_back(name, reader)

    assert (verdict.kind, verdict.understood) == (BounceKind.UNSUBSCRIBE, True)
    assert world.status(reader) is Status.UNSUBSCRIBED


def test_a_request_that_nobody_signed_ends_nothing_and_is_kept(world: World) -> None:
    reader = world.add()

    verdict = world.come_back("unsubscribe", reader, unsubscribe="WzFd.forged-signature")

    assert not verdict.understood
    assert world.status(reader) is Status.CONFIRMED


def test_a_token_for_bounces_is_no_request(world: World) -> None:
    reader = world.add()
    token = TOKENS.sign(Purpose.BOUNCE, reader)

    assert not world.come_back("unsubscribe", reader, unsubscribe=token).understood


# a pass over the mailbox


def test_a_pass_puts_everything_where_it_belongs(world: World) -> None:
    reader = world.add()
    raws = {name: world.letter(name, reader) for name in NAMES}
    mailbox = MemoryMailbox(list(raws.values()))

    report = world.returns.read(mailbox, NOW)

    kept = {"reply_of_a_person", "spam"}
    assert mailbox.waiting == []
    assert set(mailbox.unknown) == {raws[name] for name in kept}
    assert len(mailbox.done) == len(NAMES) - len(kept)
    assert (report.letters, report.kept) == (len(NAMES), len(kept))
    assert (report.suppressed, report.unsubscribed) == (1, 2)


def test_a_letter_read_twice_is_one_bounce(world: World) -> None:
    reader = world.add()
    raw = world.letter("generic_550_unknown_user", reader)

    for day in range(10):
        world.returns.take_in(raw, NOW + day * DAY)

    assert len(shown(world)) == 1
    assert world.status(reader) is Status.CONFIRMED


def test_a_pass_stops_between_two_letters_when_it_is_told(world: World) -> None:
    reader = world.add()
    mailbox = MemoryMailbox([world.letter("postfix_full", reader) for _ in range(3)])

    report = world.returns.read(mailbox, NOW, stop=lambda: True)

    assert report.letters == 1
    assert len(mailbox.waiting) == 2


def test_old_evidence_is_forgotten_but_not_why_somebody_is_suppressed(world: World) -> None:
    reader, other = world.add(), world.add("other@example.net")
    world.come_back("postfix_full", reader)
    world.come_back("postfix_unknown_user", other, reader="other@example.net")

    world.returns.read(MemoryMailbox([]), NOW + 181 * DAY)

    assert [b.subscriber_id for b in shown(world)] == [other]


def test_evidence_goes_with_the_person(world: World) -> None:
    reader = world.add()
    world.come_back("postfix_full", reader)

    world.enrolment.erase(reader, now=NOW)

    assert shown(world) == []


def test_evidence_is_the_message_as_it_came_up_to_a_limit(world: World) -> None:
    reader = world.add()
    raw = world.letter("postfix_full", reader) + b"x" * 100_000

    world.returns.take_in(raw, NOW)

    _, evidence = world.returns.bounce(shown(world)[0].id)
    assert evidence == raw[: 64 * 1024]
