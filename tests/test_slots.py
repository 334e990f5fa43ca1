"""Which due moments have passed: each local date is served or missed once, however late we look."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.clock import local_date
from digest.model import Cadence, Status, Subscriber
from digest.slots import plan_slots
from tests.edition_pieces import RULES
from tests.store_pieces import DAY, HOUR, NOW
from tests.test_clock import moments, zones


def person(
    *,
    due: datetime = NOW,
    zone: str = "UTC",
    at: time = time(7, 0),
    cadence: Cadence = Cadence.DAILY,
) -> Subscriber:
    return Subscriber(
        id=1,
        email="ann@example.org",
        status=Status.CONFIRMED,
        zone=zone,
        send_at=at,
        cadence=cadence,
        max_items=12,
        created_at=NOW - DAY,
        next_edition_at=due,
    )


def test_a_slot_that_has_just_come_is_served() -> None:
    slots = plan_slots(person(), NOW, RULES.catch_up)

    assert (slots.missed, slots.due, slots.next_at) == ((), NOW, NOW + DAY)


def test_a_slot_is_served_late_within_the_time_to_catch_up() -> None:
    just_in_time = plan_slots(person(), NOW + timedelta(hours=20), RULES.catch_up)
    too_late = plan_slots(person(), NOW + timedelta(hours=20, microseconds=1), RULES.catch_up)

    assert just_in_time.due == NOW
    assert (too_late.due, too_late.missed) == (None, (NOW,))
    assert just_in_time.next_at == too_late.next_at == NOW + DAY


def test_a_daemon_off_for_three_days_serves_the_last_slot_and_notes_the_others() -> None:
    slots = plan_slots(person(), NOW + 3 * DAY + HOUR, RULES.catch_up)

    assert slots.missed == (NOW, NOW + DAY, NOW + 2 * DAY)
    assert (slots.due, slots.next_at) == (NOW + 3 * DAY, NOW + 4 * DAY)


def test_a_weekly_slot_missed_by_three_days_is_not_made_up_for() -> None:
    monday = datetime(2026, 3, 9, 7, tzinfo=UTC)
    slots = plan_slots(person(due=monday, cadence=Cadence.WEEKLY), monday + 3 * DAY, RULES.catch_up)

    assert (slots.missed, slots.due) == ((monday,), None)
    assert slots.next_at == monday + 7 * DAY


def test_a_daemon_off_for_years_does_not_list_every_day() -> None:
    slots = plan_slots(person(due=NOW - 1000 * DAY), NOW, RULES.catch_up)

    assert len(slots.missed) == 31
    assert slots.missed[-1] == NOW - DAY
    assert slots.due == NOW


def test_a_zone_that_changed_its_rules_overnight_makes_no_second_edition_of_a_date() -> None:
    """What was planned by the old rules falls an hour before the slot of the new ones."""
    slots = plan_slots(person(due=NOW - HOUR), NOW + HOUR, RULES.catch_up)

    assert (slots.missed, slots.due) == ((), NOW)


@settings(deadline=None)
@given(
    zones,
    moments,
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.sampled_from(Cadence),
    st.timedeltas(timedelta(), timedelta(days=45)),
    st.timedeltas(timedelta(), timedelta(hours=48)),
)
def test_however_late_we_look_each_local_date_is_served_or_missed_once(
    zone: str, due: datetime, at: time, cadence: Cadence, late: timedelta, catch_up: timedelta
) -> None:
    now = due + late

    slots = plan_slots(person(due=due, zone=zone, at=at, cadence=cadence), now, catch_up)

    every = [*slots.missed, *([slots.due] if slots.due else [])]
    assert all(slot <= now for slot in every)
    assert slots.next_at > now
    dates = [local_date(slot, zone) for slot in every]
    assert all(one < other for one, other in pairwise(dates))
    if slots.due is not None:
        assert now - slots.due <= catch_up
    if every and len(every) < 31:
        assert min(dates) == local_date(due, zone)
