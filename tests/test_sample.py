"""The bundled sample has the shape and the odd values of the real sources."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Announce
from digest.sample import SAMPLE_DAYS, sample_list
from tests.paths import LISTINGS, needs_shared
from tests.recordings import HUGGINGFACE, daily_items
from tests.sample_files import (
    ATOM,
    FOLDER,
    LATER,
    at,
    bare_id,
    feed_entries,
    feed_file,
    final_items,
)


def spelt(title: str) -> str:
    return " ".join(title.split())


def words(text: str) -> int:
    return len(text.split())


def keys_in(items: list[dict]) -> dict[str, set[tuple[str, str]]]:
    """For each kind of object in the answer: its keys with the types of their values."""
    found: dict[str, set[tuple[str, str]]] = {}

    def note(kind: str, value: dict) -> None:
        found.setdefault(kind, set()).update((k, type(v).__name__) for k, v in value.items())

    for item in items:
        paper = item["paper"]
        note("item", item)
        note("paper", paper)
        note("submitter", item["submittedBy"])
        note("daily submitter", paper["submittedOnDailyBy"])
        note("organization", item.get("organization", {}))
        for author in paper["authors"]:
            note("author", author)
            note("user", author.get("user", {}))
    return found


def required_keys(items: list[dict]) -> tuple[set[str], set[str]]:
    """The keys that every item, and every paper, has."""
    return (
        set.intersection(*(set(item) for item in items)),
        set.intersection(*(set(item["paper"]) for item in items)),
    )


def test_it_has_sixty_papers_over_three_days():
    listed = {item["paper"]["id"] for item in final_items()}
    announced = {bare_id(entry) for entry in feed_entries()}

    assert [day.strftime("%a") for day in SAMPLE_DAYS] == ["Tue", "Wed", "Thu"]
    assert len(listed | announced) == 60
    assert len(listed & announced) >= 7
    assert all(re.fullmatch(r"260[123]\.9\d{4}", one) for one in listed | announced)


def test_no_two_papers_share_a_title():
    titles = {item["paper"]["id"]: spelt(item["paper"]["title"]) for item in final_items()}
    for entry in feed_entries():
        titles.setdefault(bare_id(entry), spelt(entry.findtext("a:title", "", ATOM)))

    assert len(set(titles.values())) == len(titles) == 60


def test_abstracts_are_as_long_as_abstracts_are():
    texts = [item["summary"] for item in final_items()]
    texts += [e.findtext("a:summary", "", ATOM).partition("Abstract: ")[2] for e in feed_entries()]
    withdrawn = [text for text in texts if "has been withdrawn" in text]

    assert len(withdrawn) == 1
    assert all(90 <= words(text) <= 180 for text in texts if text not in withdrawn)


def test_one_paper_is_listed_on_two_days_and_no_day_lists_one_twice():
    days: dict[str, list[date]] = {}
    for day in SAMPLE_DAYS:
        for item in sample_list(day, LATER):
            days.setdefault(item["paper"]["id"], []).append(day)

    assert [on for on in days.values() if len(on) > 1] == [[SAMPLE_DAYS[0], SAMPLE_DAYS[2]]]


def test_a_list_repeats_in_the_item_what_the_paper_says():
    for item in final_items():
        paper = item["paper"]

        assert item["title"] == spelt(paper["title"])
        assert item["summary"] == paper["summary"]
        assert item.get("organization") == paper.get("organization")
        assert item["submittedBy"]["_id"] == paper["submittedOnDailyBy"]["_id"]
        assert item["thumbnail"].endswith(f"/{paper['id']}.png")


def test_the_odd_values_of_real_lists_are_in_it():
    papers = [item["paper"] for item in final_items()]
    titles = [paper["title"] for paper in papers]
    names = [author["name"] for paper in papers for author in paper["authors"]]
    avatars = [item["submittedBy"]["avatarUrl"] for item in final_items()]

    assert any("$k$" in title for title in titles)
    assert any("\\textsc{" in title for title in titles)
    assert any("\n  " in title for title in titles)
    assert any("10^{-3}" in paper["summary"] for paper in papers)
    assert any("<think>" in paper["summary"] for paper in papers)
    assert max(len(paper["authors"]) for paper in papers) > 40
    assert any("\n" in paper.get("githubRepo", "") for paper in papers)
    assert any(paper.get("projectPage", "").startswith(" ") for paper in papers)
    assert any(re.search(r"[\u4e00-\u9fff]", name) for name in names)
    assert any(re.search(r"[À-ž]", name) for name in names)
    assert any(avatar.startswith("/avatars/") for avatar in avatars)
    assert any("organization" not in paper for paper in papers)
    assert any("ai_summary" not in paper for paper in papers)
    assert any(author["hidden"] for paper in papers for author in paper["authors"])


def test_feeds_announce_everything_that_arxiv_announces():
    kinds = [entry.findtext("arxiv:announce_type", "", ATOM) for entry in feed_entries()]

    assert set(kinds) == {str(kind) for kind in Announce}
    assert all(8 <= len(feed_file(day).findall("a:entry", ATOM)) <= 12 for day in SAMPLE_DAYS)


def test_the_files_stay_small_enough_to_review():
    assert sum(path.stat().st_size for path in FOLDER.glob("*.json")) <= 150_000


@needs_shared
def test_lists_have_the_keys_and_types_of_recorded_ones():
    files = [HUGGINGFACE / "daily_papers" / f"{day}.json" for day in SAMPLE_DAYS]
    recorded = [item for path in files for item in daily_items(path)]

    ours, theirs = keys_in(final_items()), keys_in(recorded)

    assert {kind: ours[kind] - theirs[kind] for kind in ours} == {kind: set() for kind in ours}
    for ours_always, theirs_always in zip(
        required_keys(final_items()), required_keys(recorded), strict=True
    ):
        assert ours_always >= theirs_always - {"ai_summary", "ai_keywords"}


@needs_shared
def test_feeds_have_the_elements_of_a_recorded_one():
    (recorded,) = (LISTINGS / "arxiv" / "rss_atom").glob("*.xml")

    def shape(root: ElementTree.Element) -> tuple[list[str], list[str], list[str]]:
        first = root.findall("a:entry", ATOM)[0]
        distinct = list(dict.fromkeys(child.tag for child in first))
        head = [child.tag for child in root if not child.tag.endswith("entry")]
        return head, distinct, sorted(first.find("a:link", ATOM).attrib)

    theirs = shape(ElementTree.parse(recorded).getroot())
    assert all(shape(feed_file(day)) == theirs for day in SAMPLE_DAYS)


# Growth


def test_growth_covers_every_listing_and_ends_at_the_final_answer():
    growth = json.loads((FOLDER / "growth.json").read_text("utf-8"))
    for day in SAMPLE_DAYS:
        final = json.loads((FOLDER / f"hf-{day}.json").read_text("utf-8"))
        series = growth["lists"][str(day)]

        assert set(series) == {item["paper"]["id"] for item in final}
        for item in final:
            counts = series[item["paper"]["id"]]
            assert counts["votes"][-1] == item["paper"]["upvotes"]
            assert counts["comments"][-1] == item["numComments"]
            assert counts.get("stars", [None])[-1] == item["paper"].get("githubStars")
            assert all(len(values) == len(growth["hours"]) for values in counts.values())


def test_the_final_answers_are_the_files_themselves():
    for day in SAMPLE_DAYS:
        assert sample_list(day, LATER) == json.loads((FOLDER / f"hf-{day}.json").read_text("utf-8"))


@settings(deadline=None)
@given(st.integers(0, 5 * 24 * 60), st.integers(0, 24 * 60))
def test_counts_never_fall_and_nothing_leaves_a_list(start: int, wait: int):
    earlier = at(10, 0) + timedelta(minutes=start)
    later = earlier + timedelta(minutes=wait)
    for day in SAMPLE_DAYS:
        after = {item["paper"]["id"]: item for item in sample_list(day, later)}
        for item in sample_list(day, earlier):
            grown = after[item["paper"]["id"]]
            assert grown["paper"]["upvotes"] >= item["paper"]["upvotes"] >= 0
            assert grown["numComments"] >= item["numComments"] >= 0
            assert grown["paper"].get("githubStars", 0) >= item["paper"].get("githubStars", 0)


def test_a_late_addition_appears_at_its_hour():
    before = {item["paper"]["id"] for item in sample_list(SAMPLE_DAYS[0], at(10, 11, 42))}
    after = {item["paper"]["id"] for item in sample_list(SAMPLE_DAYS[0], at(10, 11, 43))}

    assert after - before == {"2603.90170"}


def test_order_changes_while_a_list_grows():
    def order(hour: int) -> list[str]:
        shown = sample_list(SAMPLE_DAYS[0], at(10, hour))
        return [item["paper"]["id"] for item in shown if item["paper"]["id"] in first]

    first = {item["paper"]["id"] for item in sample_list(SAMPLE_DAYS[0], at(10, 8))}

    assert order(8) != order(23)
