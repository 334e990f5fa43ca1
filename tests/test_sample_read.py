"""The real sources read the bundled sample whole, and its readers can be subscribed as they are."""

from __future__ import annotations

import re
from datetime import date

import pytest

from digest.clock import find_zone, parse_send_at
from digest.model import Announce, Cadence, PaperData, Request
from digest.sample import SAMPLE_DAYS, SAMPLE_SUBSCRIBERS, SAMPLE_TOPICS, sample_list
from digest.sources.arxiv import Arxiv
from digest.sources.base import SourceOptions
from digest.sources.huggingface import HuggingFace
from tests.sample_files import FOLDER, LATER, bare_id, feed_entries


def read_list(day: date) -> tuple[PaperData, ...]:
    source = HuggingFace("sample", SourceOptions(url="http://127.0.0.1"))
    asked = Request(url="http://127.0.0.1", label=str(day), accept="application/json")
    body = (FOLDER / f"hf-{day}.json").read_bytes()
    listing = source.parse(asked, body, "application/json")
    assert listing.broken == ()
    return listing.entries


@pytest.mark.parametrize("day", SAMPLE_DAYS)
def test_the_hugging_face_source_reads_every_entry(day: date):
    papers = read_list(day)

    assert [paper.arxiv_id for paper in papers] == [
        item["paper"]["id"] for item in sample_list(day, LATER)
    ]
    assert all(paper.listed_at and paper.listed_at.date() == day for paper in papers)
    assert all("\n" not in paper.title + paper.abstract for paper in papers)


def read_feed(day: date) -> tuple[PaperData, ...]:
    source = Arxiv("sample", SourceOptions(url="http://127.0.0.1", categories=("cs.LG",)))
    asked = Request(url="http://127.0.0.1/atom/cs.LG", label="cs.LG")
    body = (FOLDER / f"atom-{day}.xml").read_bytes()
    listing = source.parse(asked, body, "application/atom+xml")
    assert listing.broken == ()
    return listing.entries


def test_the_arxiv_source_reads_every_entry():
    papers = [paper for day in SAMPLE_DAYS for paper in read_feed(day)]

    assert [paper.arxiv_id for paper in papers] == [bare_id(entry) for entry in feed_entries()]
    assert {paper.announce for paper in papers} == set(Announce)
    assert [paper.arxiv_id for paper in papers if paper.withdrawn] == ["2602.93127"]
    assert all(paper.abstract and paper.authors and paper.categories for paper in papers)
    assert not any("Abstract:" in paper.abstract for paper in papers)
    assert max(paper.version or 0 for paper in papers) == 3


def test_both_sources_agree_on_a_paper_that_both_have():
    listed = {paper.arxiv_id: paper for day in SAMPLE_DAYS for paper in read_list(day)}
    pairs = [
        (listed[paper.arxiv_id], paper)
        for day in SAMPLE_DAYS
        for paper in read_feed(day)
        if paper.arxiv_id in listed
    ]

    assert len(pairs) >= 7
    assert all(ours.abstract == theirs.abstract for ours, theirs in pairs)
    renamed = [theirs.arxiv_id for ours, theirs in pairs if ours.title != theirs.title]
    assert renamed == ["2603.90047"]


def test_accents_of_names_survive_their_spelling_in_tex():
    authors = [name for day in SAMPLE_DAYS for paper in read_feed(day) for name in paper.authors]

    assert {"André Lavallée", "Marguerite Delacroix-Ménard", "Søren Abildgaard"} <= set(authors)
    assert not any("\\" in name or "{" in name for name in authors)


# Its readers


def test_the_readers_differ_and_every_value_is_usable():
    slugs = {topic["slug"] for topic in SAMPLE_TOPICS}

    assert len(slugs) == len(SAMPLE_TOPICS)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in slugs)
    assert len({person["zone"] for person in SAMPLE_SUBSCRIBERS}) == len(SAMPLE_SUBSCRIBERS) == 4
    for person in SAMPLE_SUBSCRIBERS:
        assert person["email"].endswith("@example.org")
        assert set(person["topics"]) <= slugs
        assert find_zone(person["zone"]) and parse_send_at(person["send_at"])
        assert Cadence(person["cadence"]) is not Cadence.WEEKLY  # no Monday among the days


def test_authors_whom_readers_follow_have_papers():
    names = {author for day in SAMPLE_DAYS for paper in read_list(day) for author in paper.authors}
    followed = {author for person in SAMPLE_SUBSCRIBERS for author in person["authors"]}

    assert followed <= names
