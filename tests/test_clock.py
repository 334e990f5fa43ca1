"""Wall-clock time: one slot for each local date that exists, whatever the zone does."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.clock import (
    FixedClock,
    SystemClock,
    day_bounds,
    find_zone,
    is_send_day,
    local_date,
    moment_text,
    next_slot,
    parse_date,
    parse_moment,
    parse_send_at,
    slot_on,
    slots_after,
)
from digest.errors import BadInput
from digest.model import Cadence

BERLIN = ZoneInfo("Europe/Berlin")
#: zones that change at odd hours, by odd amounts, or skipped a day
ODD_ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # midnight itself is skipped
    "America/Nuuk",  # 23:00 is skipped, since 2024
    "Africa/Cairo",  # midnight again, since 2023
    "Asia/Kathmandu",  # +05:45
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Apia",  # no 2011-12-30
    "Pacific/Kiritimati",  # +14:00
    "Pacific/Pago_Pago",  # -11:00
    "Africa/Casablanca",  # back for Ramadan
    "Asia/Beirut",
    "Antarctica/Troll",  # two hours
)
zones = st.sampled_from(ODD_ZONES) | st.sampled_from(sorted(available_timezones()))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
hours = st.times().map(lambda t: t.replace(second=0, microsecond=0))


def wall(moment: datetime, zone: str) -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def first_slots(after: str, count: int, zone: str, at: str, cadence: Cadence) -> list[str]:
    slots = slots_after(parse_moment(after), zone=zone, send_at=parse_send_at(at), cadence=cadence)
    return [wall(slot, zone) for slot in islice(slots, count)]


# Daylight saving


def test_the_hour_stays_on_the_wall_when_summer_time_begins():
    slots = list(
        islice(
            slots_after(
                datetime(2026, 3, 27, 12, tzinfo=UTC),
                zone="Europe/Berlin",
                send_at=time(7, 30),
                cadence=Cadence.DAILY,
            ),
            3,
        )
    )

    assert [wall(s, "Europe/Berlin")[-5:] for s in slots] == ["07:30"] * 3
    assert [s.strftime("%d %H:%M") for s in slots] == ["28 06:30", "29 05:30", "30 05:30"]


def test_an_hour_that_spring_skips_falls_as_much_later():
    slot = slot_on(date(2026, 3, 29), time(2, 30), BERLIN)

    assert slot == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert wall(slot, "Europe/Berlin") == "2026-03-29 03:30"


def test_an_hour_that_autumn_repeats_means_its_first_passing():
    slot = slot_on(date(2026, 10, 25), time(2, 30), BERLIN)

    assert slot == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    following = next_slot(slot, zone="Europe/Berlin", send_at=time(2, 30), cadence=Cadence.DAILY)
    assert wall(following, "Europe/Berlin") == "2026-10-26 02:30"


def test_a_midnight_that_spring_skips_falls_into_the_same_date():
    slot = slot_on(date(2018, 11, 4), time(0, 0), ZoneInfo("America/Sao_Paulo"))

    assert slot is not None
    assert wall(slot, "America/Sao_Paulo") == "2018-11-04 01:00"


def test_a_late_evening_that_spring_skips_does_not_move_into_the_next_date():
    slot = slot_on(date(2026, 3, 28), time(23, 30), ZoneInfo("America/Nuuk"))

    assert slot is not None
    assert wall(slot, "America/Nuuk") == "2026-03-28 22:30"


def test_a_day_that_a_zone_skipped_has_no_slot():
    zone = ZoneInfo("Pacific/Apia")

    assert slot_on(date(2011, 12, 30), time(7, 0), zone) is None
    assert first_slots("2011-12-29T00:00:00Z", 3, "Pacific/Apia", "07:00", Cadence.DAILY) == [
        "2011-12-29 07:00",
        "2011-12-31 07:00",
        "2012-01-01 07:00",
    ]


def test_a_leap_day_is_a_day():
    slots = first_slots("2028-02-28T00:00:00Z", 3, "UTC", "07:30", Cadence.DAILY)

    assert slots == ["2028-02-28 07:30", "2028-02-29 07:30", "2028-03-01 07:30"]


# Cadences


def test_weekdays_are_monday_to_friday():
    slots = first_slots("2026-03-12T00:00:00Z", 3, "UTC", "07:30", Cadence.WEEKDAYS)

    assert slots == ["2026-03-12 07:30", "2026-03-13 07:30", "2026-03-16 07:30"]


def test_weekly_is_monday_on_the_wall_not_in_utc():
    assert first_slots("2026-03-11T00:00:00Z", 2, "Asia/Tokyo", "06:00", Cadence.WEEKLY) == [
        "2026-03-16 06:00",
        "2026-03-23 06:00",
    ]
    monday = next_slot(
        datetime(2026, 3, 11, tzinfo=UTC),
        zone="Asia/Tokyo",
        send_at=time(6, 0),
        cadence=Cadence.WEEKLY,
    )
    assert monday.weekday() == 6, "on Tokyo's Monday at six it is still Sunday in UTC"


def test_the_next_slot_is_strictly_later():
    now = datetime(2026, 3, 11, 7, 30, tzinfo=UTC)

    assert next_slot(now, zone="UTC", send_at=time(7, 30), cadence=Cadence.DAILY) == (
        now + timedelta(days=1)
    )
    just_before = now - timedelta(microseconds=1)
    assert next_slot(just_before, zone="UTC", send_at=time(7, 30), cadence=Cadence.DAILY) == now


@pytest.mark.parametrize("cadence", Cadence)
def test_every_cadence_has_send_days(cadence: Cadence):
    week = [date(2026, 3, 9) + timedelta(days=n) for n in range(7)]

    assert sum(is_send_day(day, cadence) for day in week) == {"daily": 7, "weekdays": 5}.get(
        cadence, 1
    )


# All zones


@settings(deadline=None)
@given(zones, moments, hours, st.sampled_from(Cadence))
def test_each_local_date_that_exists_has_exactly_one_slot_on_that_date(
    zone: str, after: datetime, send_at: time, cadence: Cadence
):
    slots = list(islice(slots_after(after, zone=zone, send_at=send_at, cadence=cadence), 12))

    dates = [local_date(slot, zone) for slot in slots]
    assert all(slot > after for slot in slots)
    assert slots == sorted(set(slots))
    assert dates == sorted(set(dates)), "no date twice"
    expected, day = [], dates[0]
    while day <= dates[-1]:
        if is_send_day(day, cadence) and _exists(day, zone):
            expected.append(day)
        day += timedelta(days=1)
    assert dates == expected, "no date left out"


def _exists(day: date, zone: str) -> bool:
    """Whether any minute of that date was ever on the zone's walls."""
    noon = datetime.combine(day, time(12), UTC)
    every = (noon + timedelta(minutes=30 * n) for n in range(-80, 80))
    return any(local_date(moment, zone) == day for moment in every)


@settings(deadline=None)
@given(zones, st.dates(date(2000, 1, 1), date(2037, 12, 31)), hours)
def test_a_slot_shows_the_hour_asked_for_unless_that_hour_was_skipped(
    zone: str, day: date, send_at: time
):
    slot = slot_on(day, send_at, ZoneInfo(zone))

    if slot is not None:
        shown = slot.astimezone(ZoneInfo(zone))
        asked = datetime.combine(day, send_at, ZoneInfo(zone))
        was_skipped = asked.astimezone(UTC).astimezone(ZoneInfo(zone)).time() != send_at
        assert shown.time() == send_at or was_skipped
        assert shown.fold == 0 or was_skipped


# Reading times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-11T07:00:00Z", "2026-03-11T07:00:00Z"),
        (" 2026-03-11T09:00+02:00 ", "2026-03-11T07:00:00Z"),
        ("2026-03-11 07:00:00Z", "2026-03-11T07:00:00Z"),
        ("20260311T070000Z", "2026-03-11T07:00:00Z"),
        ("2026-03-11", "2026-03-11T00:00:00Z"),
    ],
)
def test_a_time_with_a_zone_or_a_date_alone_can_be_read(text: str, expected: str):
    assert moment_text(parse_moment(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2026-03-11T07:00:00",
        "2026-03-11T07",
        "20260311T0700",
        "2026-03-11T25:00Z",
        "2026-02-30",
        "11.3.2026",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31",
    ],
)
def test_a_time_that_is_none_or_has_no_zone_is_refused(text: str):
    with pytest.raises(BadInput):
        parse_moment(text)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_whatever_is_typed_as_a_time_is_read_or_refused(text: str):
    for read in (parse_moment, parse_date, parse_send_at, find_zone):
        try:
            read(text)
        except BadInput as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "hour"), [("07:30", 7), ("7:30", 7), (" 23:59 ", 23), ("0:00", 0)]
)
def test_an_hour_of_the_day_can_be_read(text: str, hour: int):
    assert parse_send_at(text).hour == hour


@pytest.mark.parametrize("text", ["", "7", "7:3", "24:00", "7:60", "-1:00", "7:30 pm", "07:30:00"])
def test_an_hour_that_is_none_is_refused(text: str):
    with pytest.raises(BadInput, match=r"07:30|23:59"):
        parse_send_at(text)


@pytest.mark.parametrize("text", ["2026-3-1", "yesterday", "", "9999-12-31"])
def test_a_date_that_is_none_is_refused(text: str):
    with pytest.raises(BadInput):
        parse_date(text)


@pytest.mark.parametrize(
    "name",
    ["Berlin", "", "Europe", "../../etc/passwd", "/etc/localtime", "a\0b", "x" * 5000, "\ud800"],
)
def test_a_zone_that_is_none_is_refused_with_examples(name: str):
    with pytest.raises(BadInput, match="Europe/Berlin"):
        find_zone(name)


# Small things


def test_a_utc_day_is_half_open():
    start, end = day_bounds(date(2026, 3, 11))

    assert (moment_text(start), moment_text(end)) == (
        "2026-03-11T00:00:00Z",
        "2026-03-12T00:00:00Z",
    )


def test_a_fixed_clock_stands_still():
    clock = FixedClock(datetime(2026, 3, 11, tzinfo=UTC))

    assert clock.now() == clock.now() == datetime(2026, 3, 11, tzinfo=UTC)


def test_the_machines_clock_is_aware_and_does_not_sleep_backwards():
    clock = SystemClock()

    before = clock.now()
    clock.sleep(-1)
    clock.sleep(0)

    assert before.tzinfo is UTC
    assert clock.now() >= before
