"""What the tests of the sample share: moments, its files, and the entries in them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from xml.etree import ElementTree

from digest.sample import SAMPLE_DAYS, sample_list
from tests.paths import REPO

FOLDER = REPO / "digest" / "sample"
ATOM = {"a": "http://www.w3.org/2005/Atom", "arxiv": "http://arxiv.org/schemas/atom"}
LATER = datetime(2026, 3, 20, tzinfo=UTC)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def final_items() -> list[dict]:
    return [item for day in SAMPLE_DAYS for item in sample_list(day, LATER)]


def feed_file(day: date) -> ElementTree.Element:
    return ElementTree.parse(FOLDER / f"atom-{day}.xml").getroot()


def feed_entries() -> list[ElementTree.Element]:
    return [entry for day in SAMPLE_DAYS for entry in feed_file(day).findall("a:entry", ATOM)]


def bare_id(entry: ElementTree.Element) -> str:
    found = re.fullmatch(r"oai:arXiv\.org:(\d{4}\.\d{5})v\d+", entry.findtext("a:id", "", ATOM))
    assert found
    return found[1]
