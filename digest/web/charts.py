"""Charts as numbers for SVG: the templates draw them, no picture is ever stored or fetched.

Pure functions from series to coordinates and labels. Coordinates are whole or half pixels of the
chart's own size; y grows downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from digest.filters import short_day, short_number
from digest.model import Count

SPARK_WIDTH = 64
SPARK_HEIGHT = 18
#: the line's own width needs room at the edges
_EDGE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    """A line without axes, as long as a word."""

    #: "2,16 30.5,9 62,2"
    points: str
    #: where it ends
    x: str
    y: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis."""

    at: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with axes; either a line (points) or bars."""

    width: int
    height: int
    #: the field inside the axes: left, top, right, bottom
    left: int
    top: int
    right: int
    bottom: int
    #: what it shows, for people who do not see it
    label: str
    points: str = ""
    #: the last point of a line
    end: tuple[str, str] = ("", "")
    bars: tuple[Bar, ...] = ()
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, or one part of a stacked one."""

    x: str
    y: str
    width: str
    height: str
    #: names its colour: "sent", "failed"
    kind: str
    #: shown when pointed at
    title: str


def sparkline(counts: Sequence[Count], start: datetime) -> Spark | None:
    """How votes grew since `start`; None when there is no growth to show."""
    series = [(c.at, _number(c)) for c in counts]
    known = [(at, number) for at, number in series if number is not None]
    if len(known) < 2 or known[-1][1] <= 0:
        return None
    begin = min(start, known[0][0])
    span = (known[-1][0] - begin).total_seconds()
    if span <= 0:
        return None
    top = max(number for _, number in known)
    places = [(begin, 0), *known] if begin < known[0][0] else known
    points = [
        (
            _EDGE + (SPARK_WIDTH - 2 * _EDGE) * (at - begin).total_seconds() / span,
            SPARK_HEIGHT - _EDGE - (SPARK_HEIGHT - 2 * _EDGE) * number / top,
        )
        for at, number in places
    ]
    x, y = points[-1]
    return Spark(points=_join(points), x=_short(x), y=_short(y))


def _number(count: Count) -> int | None:
    return count.votes if count.votes is not None else count.stars


def growth_chart(
    series: Sequence[tuple[datetime, int]], *, label: str, width: int = 640, height: int = 200
) -> Chart | None:
    """A number over time as a line; None when there are fewer than two moments."""
    if len(series) < 2 or series[-1][0] <= series[0][0]:
        return None
    left, top, right, bottom = 44, 12, width - 12, height - 26
    begin = series[0][0]
    span = (series[-1][0] - begin).total_seconds()
    highest, y_ticks = _scale(max(number for _, number in series), top, bottom)
    points = [
        (
            left + (right - left) * (at - begin).total_seconds() / span,
            bottom - (bottom - top) * number / highest,
        )
        for at, number in series
    ]
    days = _spread([at for at, _ in series])
    x_ticks = tuple(
        Tick(
            at=_short(left + (right - left) * (at - begin).total_seconds() / span),
            label=_moment_label(at, span),
        )
        for at in days
    )
    return Chart(
        width=width,
        height=height,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        label=label,
        points=_join(points),
        end=(_short(points[-1][0]), _short(points[-1][1])),
        x_ticks=x_ticks,
        y_ticks=y_ticks,
    )


def _moment_label(at: datetime, span_s: float) -> str:
    return f"{at:%H:%M}" if span_s < 36 * 3600 else short_day(at.date())


def _spread(moments: Sequence[datetime]) -> list[datetime]:
    """The first and the last moment, and the middle."""
    begin, end = moments[0], moments[-1]
    return [begin, begin + (end - begin) / 2, end]


def day_bars(
    days: Sequence[date],
    stacks: Sequence[Sequence[tuple[str, int]]],
    *,
    label: str,
    width: int = 640,
    height: int = 160,
) -> Chart:
    """One stacked bar for each day; a stack is (kind, number) from the bottom up."""
    left, top, right, bottom = 44, 12, width - 8, height - 24
    totals = [sum(number for _, number in stack) for stack in stacks]
    highest, y_ticks = _scale(max(totals, default=0), top, bottom)
    slot = (right - left) / max(len(days), 1)
    bars = [
        bar
        for at, (day, stack) in enumerate(zip(days, stacks, strict=True))
        for bar in _stack(day, stack, left + at * slot, slot * 0.76, (top, bottom, highest))
    ]
    return Chart(
        width=width,
        height=height,
        left=left,
        top=top,
        right=right,
        bottom=bottom,
        label=label,
        bars=tuple(bars),
        x_ticks=tuple(
            Tick(at=_short(left + (at + 0.38) * slot), label=short_day(days[at]))
            for at in _three(len(days))
        ),
        y_ticks=y_ticks,
    )


def _stack(
    day: date,
    stack: Sequence[tuple[str, int]],
    x: float,
    width: float,
    field: tuple[int, int, float],
) -> list[Bar]:
    top, bottom, highest = field
    bars, base = [], float(bottom)
    for kind, number in stack:
        size = (bottom - top) * number / highest
        base -= size
        if number > 0:
            bars.append(
                Bar(
                    x=_short(x),
                    y=_short(base),
                    width=_short(width),
                    height=_short(size),
                    kind=kind,
                    title=f"{short_day(day)}: {number:,} {kind}",
                )
            )
    return bars


def _three(count: int) -> list[int]:
    return sorted({0, count // 2, count - 1}) if count else []


def _scale(most: float, top: int, bottom: int) -> tuple[float, tuple[Tick, ...]]:
    """A round number at least `most`, and the marks for 0, its half and itself."""
    highest = round_up(most)
    middle = highest / 2
    marks = [0.0, middle, highest] if middle == int(middle) else [0.0, highest]
    return highest, tuple(
        Tick(at=_short(bottom - (bottom - top) * m / highest), label=short_number(int(m)))
        for m in marks
    )


def round_up(number: float) -> float:
    """The next 1, 2 or 5 followed by zeros; at least 1."""
    if number <= 1:
        return 1.0
    size = 10.0 ** math.floor(math.log10(number))
    return next(size * step for step in (1, 2, 5, 10) if size * step >= number)


def _join(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_short(x)},{_short(y)}" for x, y in points)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
