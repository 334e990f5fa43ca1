"""Paces: how fast messages may leave, to one domain and from a new one, and in a fair order."""

from __future__ import annotations

import heapq
import io
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from digest.cli import daily
from digest.deliver import DeliveryReport, DeliveryRules, now_and_then
from digest.deliver.desk import Desk
from digest.deliver.pace import (
    BURST,
    PATIENCE,
    WARM_UP_DAYS,
    WARM_UP_FIRST,
    DomainPace,
    domain_of,
    next_midnight,
    warm_up_allowance,
)
from digest.errors import StoreBusy
from digest.model import Cadence, Envelope, Fate, MessageKind, OutboxState, Outcome, Status
from digest.report import day_report
from digest.store import facts, outbox
from digest.store.outbox import NewMessage
from digest.store.schema import outbox as outbox_rows
from digest.store.schema import pick
from tests.deliver_pieces import World, refusal
from tests.edition_pieces import editor
from tests.fakes import ScriptedTransport, accepted
from tests.store_pieces import DAY, HOUR, NOW, add_person

MINUTE = timedelta(minutes=1)


def outcome(fate: Fate, code: int | None = 250, status: str | None = None) -> Outcome:
    return Outcome(outbox_id=1, fate=fate, code=code, status=status)


BUSY = outcome(Fate.TEMPORARY, 451, "4.4.5")


# The pace, as a value


@given(
    per_minute=st.integers(1, 6_000),
    waits=st.lists(st.floats(0, 120), min_size=1, max_size=200),
)
def test_no_span_of_time_has_more_than_the_pace_and_one_burst(
    per_minute: int, waits: list[float]
) -> None:
    pace = DomainPace(per_minute)
    now, left = NOW, []
    for wait in waits:
        now += timedelta(seconds=wait)
        if pace.turn("example.org", now) is None:
            left.append(now)

    for first, begun in enumerate(left):
        for count, moment in enumerate(left[first:], 1):
            assert count <= (moment - begun + BURST) / MINUTE * per_minute + 1.001


@given(per_minute=st.integers(1, 6_000), count=st.integers(2, 300))
def test_each_gets_a_turn_of_its_own_at_the_pace(per_minute: int, count: int) -> None:
    pace = DomainPace(per_minute)
    turns = [turn for _ in range(count) if (turn := pace.turn("example.org", NOW)) is not None]

    assert turns == sorted(set(turns))
    assert all(turn > NOW for turn in turns)
    last = (count - 1) * MINUTE / per_minute
    assert not turns or turns[-1] <= NOW + last + MINUTE / per_minute


class Queue:
    """Messages to one domain, asked about when their time has come, as the outbox gives them."""

    def __init__(self, per_minute: int) -> None:
        self.paces = [DomainPace(per_minute)]
        self.seen_at: dict[int, datetime] = {}
        self.left_at: dict[int, datetime] = {}
        #: in the order in which they left
        self.left: list[int] = []
        self.delays: Counter[int] = Counter()
        #: not before, number, and whether that was promised
        self._waiting: list[tuple[datetime, int, bool]] = []

    def add(self, arrived_at: datetime) -> int:
        number = len(self._waiting) + len(self.left)
        heapq.heappush(self._waiting, (arrived_at, number, False))
        return number

    def look(self, now: datetime) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            turn, number, is_promised = heapq.heappop(self._waiting)
            self.seen_at.setdefault(number, now)
            pace = self.paces[number % len(self.paces)]
            again = pace.turn("example.org", now, promised=turn if is_promised else None)
            if again is None:
                self.left_at[number] = now
                self.left.append(number)
            else:
                self.delays[number] += 1
                heapq.heappush(self._waiting, (again, number, True))

    def empty(self, now: datetime, tick: timedelta) -> None:
        while self._waiting:
            now += tick
            self.look(now)


#: a look that is later than that has lost some of the pace
IN_TIME_S = BURST.total_seconds() * 0.9


def looks(longest_s: float) -> st.SearchStrategy[list[tuple[float, int]]]:
    """Seconds until the next look, and how many new messages it finds."""
    one = st.tuples(st.floats(0.1, longest_s), st.integers(0, 40))
    return st.lists(one, min_size=1, max_size=60)


@given(per_minute=st.integers(1, 600), looks=looks(IN_TIME_S))
def test_first_come_first_served_however_many_keep_coming(
    per_minute: int, looks: list[tuple[float, int]]
) -> None:
    queue, now = Queue(per_minute), NOW
    arrived: dict[int, datetime] = {}
    for wait, count in looks:
        for n in range(count):
            at = now + timedelta(seconds=wait * n / count)
            arrived[queue.add(at)] = at
        now += timedelta(seconds=wait)
        queue.look(now)
    queue.empty(now, timedelta(seconds=5))

    place = {number: at for at, number in enumerate(queue.left)}
    for one, seen_at in queue.seen_at.items():
        for other, at in arrived.items():
            assert at <= seen_at or place[one] < place[other], "who came later did not leave first"


@given(
    per_minute=st.integers(1, 600),
    ticks=st.lists(st.floats(0.1, IN_TIME_S), min_size=20, max_size=60),
    share=st.floats(0.1, 3),
)
def test_who_was_promised_a_turn_leaves_when_it_comes(
    per_minute: int, ticks: list[float], share: float
) -> None:
    """While new messages keep coming at that share of the pace."""
    queue, now, due = Queue(per_minute), NOW, 0.0
    for wait in ticks:
        due += wait / 60 * per_minute * share
        while due >= 1:
            queue.add(now)
            due -= 1
        now += timedelta(seconds=wait)
        queue.look(now)
    queue.empty(now, timedelta(seconds=5))

    assert set(queue.delays.values()) <= {1}


@given(per_minute=st.integers(1, 600), looks=looks(120))
def test_a_late_look_puts_nobody_off_for_good(
    per_minute: int, looks: list[tuple[float, int]]
) -> None:
    queue, now = Queue(per_minute), NOW
    for wait, count in looks:
        for _ in range(count):
            queue.add(now)
        now += timedelta(seconds=wait)
        queue.look(now)
    queue.empty(now, timedelta(seconds=5))

    late = sum(wait > IN_TIME_S for wait, _ in looks)
    assert max(queue.delays.values(), default=0) <= 1 + 2 * late
    whole = len(queue.left) * MINUTE / per_minute
    lost = timedelta(seconds=sum(wait for wait, _ in looks))
    assert max(queue.left_at.values(), default=NOW) <= NOW + whole + lost + MINUTE


@given(per_minute=st.integers(1, 600), count=st.integers(1, 200), down_s=st.floats(0, 7200))
def test_who_was_promised_a_turn_by_a_process_that_is_gone_waits_no_longer_than_its_place(
    per_minute: int, count: int, down_s: float
) -> None:
    queue = Queue(per_minute)
    numbers = [queue.add(NOW) for _ in range(count)]
    queue.look(NOW)
    queue.paces = [DomainPace(per_minute)]
    back_at = NOW + timedelta(seconds=down_s)
    newcomers = [queue.add(back_at) for _ in range(20)]
    queue.empty(back_at, timedelta(seconds=5))

    whole = (count + 20) * MINUTE / per_minute
    assert max(queue.left_at.values()) <= back_at + whole + timedelta(seconds=10)
    if down_s * per_minute > 60 * count:
        # everybody's turn has come by then
        assert queue.left == sorted(queue.left), (numbers, newcomers)


@given(per_minute=st.integers(1, 600), count=st.integers(2, 200))
def test_two_processes_leave_nobody_for_last(per_minute: int, count: int) -> None:
    queue, now = Queue(per_minute), NOW
    queue.paces.append(DomainPace(per_minute))
    first = [queue.add(NOW) for _ in range(count)]
    for _ in range(200):
        queue.add(now)
        queue.look(now)
        # whoever is there first takes it
        queue.paces.reverse()
        now += timedelta(seconds=5)
    queue.empty(now, timedelta(seconds=5))

    whole = count * MINUTE / per_minute
    assert max(queue.left_at[number] for number in first) <= NOW + whole + timedelta(seconds=70)


def test_a_domain_that_rests_does_not_hold_up_another() -> None:
    pace = DomainPace(1)

    assert pace.turn("a.example", NOW) is None
    assert pace.turn("a.example", NOW) is not None
    assert pace.turn("b.example", NOW) is None


def test_without_a_pace_nothing_waits() -> None:
    pace = DomainPace(0)

    assert [pace.turn("a.example", NOW) for _ in range(1000)] == [None] * 1000


def test_a_domain_that_refuses_is_left_alone_longer_each_time() -> None:
    pace, now, rests = DomainPace(0), NOW, []
    for _ in range(PATIENCE - 1):
        pace.hear("a.example", BUSY, now)
    assert pace.turn("a.example", now) is None
    for _ in range(8):
        pace.hear("a.example", BUSY, now)
        until = pace.turn("a.example", now)
        assert until is not None
        rests.append((until - now) // MINUTE)
        now = until
        assert pace.turn("a.example", now, promised=until) is None
    assert rests == [1, 2, 4, 8, 16, 30, 30, 30]

    pace.hear("a.example", outcome(Fate.ACCEPTED), now)
    pace.hear("a.example", BUSY, now)

    assert pace.turn("a.example", now) is None


@pytest.mark.parametrize("per_minute", [0, 1])
def test_a_clock_that_is_set_back_makes_no_domain_wait_for_it(per_minute: int) -> None:
    pace = DomainPace(per_minute)
    pace.turn("a.example", NOW + 99 * DAY)
    for _ in range(PATIENCE):
        pace.hear("a.example", BUSY, NOW + 99 * DAY)

    assert pace.turn("a.example", NOW) is None


@pytest.mark.parametrize(
    "answer",
    [
        outcome(Fate.TEMPORARY, None),  # a lost connection is nobody's refusal
        outcome(Fate.TEMPORARY, 451, "4.7.1"),  # greylisting: each has to be tried
        outcome(Fate.TEMPORARY, 450),
        outcome(Fate.TEMPORARY, 452, "4.2.2"),  # a full mailbox is one reader's
        outcome(Fate.PERMANENT, 550, "5.1.1"),
    ],
)
def test_what_does_not_say_that_it_is_busy_lets_the_others_go(answer: Outcome) -> None:
    pace = DomainPace(0)
    for _ in range(PATIENCE * 2):
        pace.hear("a.example", answer, NOW)

    assert pace.turn("a.example", NOW) is None


@given(st.dates(date(2000, 1, 1), date(2999, 1, 1)), st.integers(-400, 400))
def test_the_warm_up_doubles_daily_and_ends(began: date, days: int) -> None:
    today = warm_up_allowance(began, began + timedelta(days=days))
    tomorrow = warm_up_allowance(began, began + timedelta(days=days + 1))

    assert (today is None) == (days >= WARM_UP_DAYS)
    if days <= 0:
        assert today == WARM_UP_FIRST
    if today is not None and tomorrow is not None:
        assert tomorrow == (2 * today if days >= 0 else today)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1)))
def test_midnight_is_the_end_of_this_day(moment: datetime) -> None:
    now = moment.replace(tzinfo=NOW.tzinfo)

    assert timedelta() < next_midnight(now) - now <= DAY
    assert next_midnight(now).time() == datetime.min.time()


def test_a_domain_is_known_in_any_spelling() -> None:
    assert domain_of('"a@b"@Example.ORG') == "example.org"


# The stage


def test_a_domain_at_its_pace_holds_up_nobody_else(world: World) -> None:
    for n in range(20):
        world.queue_edition(f"reader{n}@slow.example")
    for n in range(5):
        world.queue_edition(f"reader{n}@other{n}.example")

    report, transport = world.deliver(domain_rate_per_minute=12)

    went = Counter(domain_of(address) for address in transport.recipients)
    assert went.pop("slow.example") == 3, "ten seconds' worth at once, and one"
    assert went == {f"other{n}.example": 1 for n in range(5)}
    assert report.states == {OutboxState.SENT: 8}
    assert world.states() == {"sent": 8, "deferred": 17}
    waiting = day_report(world.store, NOW.date(), ()).as_json()["reasons"]["deferred"]  # type: ignore[index]
    assert waiting == {"pace: waits its turn at slow.example": 17}


def test_what_waits_its_turn_leaves_at_the_pace_and_was_no_attempt(sqlite_world: World) -> None:
    world = sqlite_world
    for n in range(30):
        world.queue_edition(f"reader{n}@slow.example")
    deliverer = world.deliverer(domain_rate_per_minute=12)
    begun, minutes = world.clock.at, defaultdict(int)
    while world.states()["deferred"] or world.states()["queued"]:
        transport = ScriptedTransport()
        deliverer.deliver(transport)
        minutes[(world.clock.at - begun) // MINUTE] += len(transport.taken)
        # the daemon's tick
        world.clock.at += timedelta(seconds=5)
        assert world.clock.at < begun + 4 * MINUTE

    assert max(minutes.values()) <= 12 + 3
    assert sum(minutes.values()) == 30
    assert {world.row(n).attempts for n in range(1, 31)} == {1}
    world.check_account()


def test_who_waits_its_turn_is_not_overtaken_by_those_who_come_later(sqlite_world: World) -> None:
    world, first = sqlite_world, 30
    world.queue_editions(first)
    deliverer = world.deliverer(domain_rate_per_minute=12)
    for n in range(first):
        deliverer.deliver(ScriptedTransport())
        world.clock.at += timedelta(seconds=5)
        # as many as the pace allows
        world.queue_editions(1, name=f"later{n}-", now=world.clock.at)

    went = [world.row(n).state for n in range(1, first + 1)]
    assert went == ["sent"] * first
    world.check_account()


def test_a_domain_that_refuses_waits_and_the_others_go(sqlite_world: World) -> None:
    world = sqlite_world
    for n in range(40):
        world.queue_edition(f"reader{n}@busy.example")
    for n in range(40):
        world.queue_edition(f"reader{n}@other.example")
    no = refusal(451, "4.4.5", Fate.TEMPORARY)

    def answer(envelope: Envelope) -> Outcome:
        is_busy = envelope.envelope_to.endswith("@busy.example")
        return no(envelope) if is_busy else accepted(envelope)

    _, transport = world.deliver(answer)

    asked = Counter(domain_of(address) for address in transport.recipients)
    assert asked["other.example"] == 40
    assert asked["busy.example"] == PATIENCE
    assert world.states() == {"sent": 40, "deferred": 40}
    attempts = Counter(world.row(n).attempts for n in range(1, 41))
    assert attempts == {1: PATIENCE, 0: 40 - PATIENCE}


# A new domain of ours


def test_what_is_over_a_days_allowance_waits_for_the_next(world: World) -> None:
    world.clock.at = NOW.replace(hour=20)
    world.queue_editions(WARM_UP_FIRST + 50, now=world.clock.at)
    today = world.clock.at.date()

    _, transport = world.deliver(warm_up_from=today)

    assert len(transport.taken) == WARM_UP_FIRST
    assert world.states() == {"sent": WARM_UP_FIRST, "deferred": 50}
    told = day_report(world.store, today, ()).as_json()["reasons"]["deferred"]  # type: ignore[index]
    assert told == {f"warm-up: no more than {WARM_UP_FIRST} on this day": 50}
    world.clock.at += HOUR
    assert world.deliver(warm_up_from=today)[1].taken == []

    world.clock.at = next_midnight(world.clock.at)
    _, transport = world.deliver(warm_up_from=today)

    assert len(transport.taken) == 50
    assert world.states() == {"sent": WARM_UP_FIRST + 50}


@pytest.mark.parametrize("days_before", [0, WARM_UP_DAYS - 1])
def test_what_was_made_early_in_the_day_goes_on_the_next_too(
    sqlite_world: World, days_before: int
) -> None:
    """Also when the warm-up is over on the next."""
    world, began = sqlite_world, NOW.date() - timedelta(days=days_before)
    allowance = WARM_UP_FIRST * 2**days_before
    world.clock.at = NOW.replace(hour=0, minute=30)
    with world.store.write() as tx:
        facts.put_fact(tx, "sent_on", {"day": NOW.date().isoformat(), "count": allowance - 3})
    world.queue_editions(5, now=world.clock.at)

    assert len(world.deliver(warm_up_from=began)[1].taken) == 3
    world.clock.at = next_midnight(world.clock.at) + HOUR
    assert len(world.deliver(warm_up_from=began)[1].taken) == 2

    assert world.states() == {"sent": 5}


def test_what_a_second_day_has_no_room_for_is_given_up_in_plain_words(world: World) -> None:
    world.clock.at = NOW.replace(hour=0, minute=30)
    today = world.clock.at.date()
    left = 5
    world.queue_editions(3 * WARM_UP_FIRST + left, now=world.clock.at)
    world.deliver(warm_up_from=today)

    world.clock.at = next_midnight(world.clock.at)
    _, transport = world.deliver(warm_up_from=today)

    assert len(transport.taken) == 2 * WARM_UP_FIRST
    assert world.states() == {"sent": 3 * WARM_UP_FIRST, "failed": left}
    told = day_report(world.store, today, ()).as_json()["reasons"]["failed"]  # type: ignore[index]
    assert told == {
        f"warm-up: given up, the {2 * WARM_UP_FIRST} of a second day were gone too": left
    }
    with world.store.read() as tx:
        lost = select(outbox_rows.c.edition_id).where(outbox_rows.c.state == OutboxState.FAILED)
        held = tx.execute(select(pick.c.item_id).where(pick.c.edition_id.in_(lost))).scalars()
        assert set(held) == {None}, "their papers may be picked again"


def test_an_edition_of_late_last_night_that_has_not_waited_is_not_given_up(world: World) -> None:
    midnight = next_midnight(NOW)
    world.clock.at = midnight + MINUTE
    world.queue_editions(2 * WARM_UP_FIRST, now=midnight - 2 * MINUTE)
    world.queue_editions(5, name="late", now=midnight - MINUTE)

    world.deliver(warm_up_from=NOW.date())

    assert world.states() == {"sent": 2 * WARM_UP_FIRST, "deferred": 5}


def test_what_left_today_is_counted_once_and_then_added_to(world: World) -> None:
    world.queue_editions(50)
    world.deliver()
    counts: list[str] = []

    @event.listens_for(world.store.engine, "before_cursor_execute")
    def see(_c: object, _u: object, statement: str, *_: object) -> None:
        if "count(" in statement and "settled_at >=" in statement:
            counts.append(statement)

    world.queue_editions(2 * WARM_UP_FIRST, name="later")
    sent = sum(len(world.deliver(warm_up_from=NOW.date())[1].taken) for _ in range(3))

    assert sent == WARM_UP_FIRST - 50, "what left before the warm-up was turned on counts"
    assert len(counts) == 1


def test_several_senders_share_a_days_allowance(world: World) -> None:
    world.queue_editions(3 * WARM_UP_FIRST)
    rules = DeliveryRules(resend=True, warm_up_from=NOW.date())
    desks, claimed, count = [Desk(rules, name) for name in "abc"], 0, 1
    while count:
        count = 0
        for desk in desks:
            with world.store.write() as tx:
                count += len(desk.claim(tx, 32, NOW))
        claimed += count

    assert WARM_UP_FIRST <= claimed < WARM_UP_FIRST + len(desks)


def test_a_question_to_confirm_does_not_wait_for_the_warm_up(sqlite_world: World) -> None:
    world = sqlite_world
    world.queue_editions(WARM_UP_FIRST + 1)
    world.deliver(warm_up_from=NOW.date())
    person = add_person(world.store, "new@example.org", status=Status.PENDING, next_edition_at=None)
    question = NewMessage(
        kind=MessageKind.CONFIRMATION,
        subscriber_id=person,
        dedupe_key="confirm:1",
        message_id="<c1@example.org>",
        due_at=NOW,
    )
    with world.store.write() as tx:
        outbox.add_messages(tx, [question], now=NOW)

    _, transport = world.deliver(warm_up_from=NOW.date())

    assert transport.recipients == ["new@example.org"]


# Fairness


def test_no_reader_and_no_domain_is_always_last(sqlite_world: World) -> None:
    world = sqlite_world
    readers = [f"reader{n}@{n % 3}.example" for n in range(24)]
    for email in readers:
        add_person(world.store, email, next_edition_at=NOW, cadence=Cadence.DAILY)
    places: dict[str, list[int]] = defaultdict(list)
    last_domains = Counter[str]()

    for _ in range(14):
        editor(world.store, send_empty=True).make_due(world.clock.at)
        _, transport = world.deliver()
        assert sorted(transport.recipients) == sorted(readers)
        for place, email in enumerate(transport.recipients):
            places[email].append(place)
        last_domains[domain_of(transport.recipients[-1])] += 1
        world.clock.at += DAY

    for email, its in places.items():
        assert min(its) < 12 <= max(its), f"{email} is always in one half"
    assert len(last_domains) == 3


# Progress


def test_a_run_tells_how_far_it_is(sqlite_world: World) -> None:
    sqlite_world.queue_editions(40)
    told: list[int] = []

    sqlite_world.deliverer().deliver(
        ScriptedTransport(), progress=lambda report: told.append(report.handed_over)
    )

    assert told == sorted(told)
    assert len(set(told)) > 1
    assert told[-1] == 40


def test_what_cannot_be_told_leaves_nothing_behind_on_the_wire(world: World) -> None:
    def tell(report: DeliveryReport) -> None:
        raise StoreBusy("another process held the database")

    world.queue_editions(40)

    with pytest.raises(StoreBusy):
        world.deliverer(resend=False).deliver(ScriptedTransport(accepted), progress=tell)

    assert set(world.states()) <= {"sent", "queued"}


@pytest.mark.parametrize(("every_s", "count"), [(0, 3), (3600, 0)])
def test_it_is_told_now_and_then(every_s: float, count: int) -> None:
    told: list[DeliveryReport] = []
    hear = now_and_then(told.append, every_s)

    for _ in range(3):
        hear(DeliveryReport())

    assert len(told) == count


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal, True), (io.StringIO, False)])
def test_a_terminal_is_told_and_keeps_no_trace_of_it(
    monkeypatch: pytest.MonkeyPatch, stream: type[io.StringIO], shown: bool
) -> None:
    screen = stream()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(daily, "_PROGRESS_S", 0)

    with daily._progress() as progress:
        progress(DeliveryReport(states={OutboxState.SENT: 1200, OutboxState.DEFERRED: 3}))

    written = screen.getvalue()
    assert ("messages: 3 deferred, 1,200 sent" in written) == shown
    assert not written or written.endswith("\r\033[K")
