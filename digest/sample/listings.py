"""What the sample's sources show at a given moment: pure functions over the bundled files.

hf-DAY.json is the final answer of the daily papers API, field for field; growth.json has the
counts on the way there; atom-DAY.xml is that day's arXiv announcement. Called by server.py.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

#: the days that have lists and announcements: Tuesday to Thursday
SAMPLE_DAYS = (date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 12))
#: arXiv announces at midnight Eastern time, here UTC-4
ANNOUNCED_AT = time(4, 0, tzinfo=UTC)

PAGE_DEFAULT = 50
PAGE_MAX = 100

_FOLDER = Path(__file__).parent
_ENTRY = re.compile(r"  <entry>.*?</entry>\n", re.DOTALL)
_TERM = re.compile(r'<category term="([^"]+)"/>')

#: one item of the daily papers API; Any because it is JSON
Item = dict[str, Any]


def sample_list(day: date, now: datetime) -> list[Item]:
    """The list of that day as the API shows it at `now`, most votes first; empty when none.

    Papers come onto the list when they are submitted, and their votes, comments and stars grow.
    """
    shown = [_as_of(item, day, now) for item in _items(day) if _submitted_at(item) <= now]
    return sorted(shown, key=lambda item: -int(item["paper"]["upvotes"]))


def latest_day(now: datetime) -> date | None:
    """The newest day that has a list at `now`; None before the first."""
    return max((day for day in SAMPLE_DAYS if sample_list(day, now)), default=None)


def page_of(items: Sequence[Item], query: Mapping[str, str]) -> Sequence[Item]:
    """The page that `limit` (50 unless asked, 100 at most) and `p` (from 0) ask for.

    Raises ValueError when one of them is not a number or makes no sense.
    """
    limit = min(int(query.get("limit", PAGE_DEFAULT)), PAGE_MAX)
    page = int(query.get("p", 0))
    if limit < 1 or page < 0:
        raise ValueError(f"limit={limit}, p={page}")
    return items[page * limit : (page + 1) * limit]


def sample_feed(categories: str, now: datetime) -> str:
    """The announcement in force at `now` for categories such as "cs.LG+stat" (Atom).

    An archive ("cs") stands for all its categories. Without entries, as at weekends, when nothing
    was announced that day.
    """
    day = (now - timedelta(hours=ANNOUNCED_AT.hour)).date()
    template = _feed(day if day in SAMPLE_DAYS else SAMPLE_DAYS[0])
    wanted = categories.split("+")
    head = template[: template.index("  <entry>")].replace("cs+eess+q-bio+stat", escape(categories))
    if day not in SAMPLE_DAYS:
        return head.replace(str(SAMPLE_DAYS[0]), str(day)) + "</feed>\n"
    entries = (entry for entry in _ENTRY.findall(template) if _is_in(entry, wanted))
    return head + "".join(entries) + "</feed>\n"


def _is_in(entry: str, wanted: Sequence[str]) -> bool:
    terms = _TERM.findall(entry)
    return any(term == name or term.startswith(f"{name}.") for term in terms for name in wanted)


@cache
def _items(day: date) -> tuple[Item, ...]:
    if day not in SAMPLE_DAYS:
        return ()
    return tuple(json.loads((_FOLDER / f"hf-{day}.json").read_text("utf-8")))


@cache
def _growth() -> dict[str, Any]:  # Any: JSON, its shape is checked by the tests
    growth: dict[str, Any] = json.loads((_FOLDER / "growth.json").read_text("utf-8"))
    return growth


@cache
def _feed(day: date) -> str:
    return (_FOLDER / f"atom-{day}.xml").read_text("utf-8")


def _submitted_at(item: Item) -> datetime:
    return datetime.fromisoformat(item["paper"]["submittedOnDailyAt"])


def _as_of(item: Item, day: date, now: datetime) -> Item:
    """A copy of the item with its counts at `now`; keys keep their order."""
    hours = (now - datetime.combine(day, time(), UTC)) / timedelta(hours=1)
    series = _growth()["lists"][str(day)][item["paper"]["id"]]
    paper = item["paper"] | {"upvotes": _count_at(series["votes"], hours)}
    if "stars" in series:
        paper["githubStars"] = _count_at(series["stars"], hours)
    return item | {"paper": paper, "numComments": _count_at(series["comments"], hours)}


def _count_at(counts: Sequence[int], hours: float) -> int:
    """The count so many hours into the day: straight lines between the recorded hours."""
    marks: Sequence[int] = _growth()["hours"]
    after = bisect_right(marks, hours)
    if after == 0 or after == len(marks):
        return counts[max(after - 1, 0)]
    share = (hours - marks[after - 1]) / (marks[after] - marks[after - 1])
    return counts[after - 1] + int(share * (counts[after] - counts[after - 1]))
