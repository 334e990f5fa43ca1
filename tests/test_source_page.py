from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, ParseError
from digest.model import Listing
from digest.papers import keys_of
from digest.sources import SourceOptions, build_source
from digest.sources.page import Page
from tests import recordings
from tests.paths import SHARED, needs_shared

SEEDS = SHARED / "seeds"
NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
ABSTRACT = "We say at length what was found, how it was found, and why it matters to others. " * 2
SPACED = "new\n\nGet trending papers in your email inbox!\n\nSubscribe\n\nbyAK and the research community\n\nMar 11\n\n"
GLUED = "Get trending papers in your email inbox once a day!\nGet trending papers in your email inbox!\nSubscribe"


def read(
    body: str | bytes, content_type: str = "text/plain; charset=utf-8", **options: object
) -> Listing:
    page = Page("seed", SourceOptions(url="file:///seed.txt", **options))  # type: ignore[arg-type]
    (request,) = page.requests({}, NOW)
    return page.parse(request, body if isinstance(body, bytes) else body.encode(), content_type)


def seed_files() -> list[Path]:
    return sorted(SEEDS.glob("*.txt"))


def expected_rows() -> dict[int, list[tuple[int, str, str]]]:
    pages: dict[int, list[tuple[int, str, str]]] = {}
    for line in (SEEDS / "pages.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        pages.setdefault(row["page"], []).append((row["position"], row["title"], row["abstract"]))
    return pages


@needs_shared
def test_every_row_of_the_five_pages_is_read_in_order() -> None:
    expected = expected_rows()

    assert [len(expected[number]) for number in range(5)] == [85, 71, 251, 352, 96]
    for number, path in enumerate(seed_files()):
        listing = read(path.read_bytes())
        assert listing.broken == ()
        assert [(p.position, p.title, p.abstract) for p in listing.entries] == expected[number]


@needs_shared
def test_a_paper_on_several_pages_has_one_key_and_no_two_papers_share_one() -> None:
    papers = [paper for path in seed_files() for paper in read(path.read_bytes()).entries]

    by_key = {keys_of(paper): (paper.title, paper.abstract) for paper in papers}

    assert len(papers) == 855
    assert len(by_key) == len({(p.title, p.abstract) for p in papers}) == 766
    assert all(len(keys) == 1 and keys[0].startswith("url:") for keys in by_key)


@needs_shared
def test_the_same_page_without_its_line_ends_or_with_others_reads_the_same() -> None:
    for path in seed_files():
        text = path.read_text("utf-8")
        assert (
            read(text.replace("\n", "\r\n"))
            == read(text + "\n\n")
            == read("\ufeff" + text)
            == read(text)
        )


@pytest.mark.parametrize("head", [SPACED, GLUED])
def test_two_papers_of_one_title_stay_two(head: str) -> None:
    gap = "\n\n" if head == SPACED else "\n"
    text = head + gap.join(["Same title", ABSTRACT, "Same title", ABSTRACT + "Or not."])

    first, second = read(text).entries

    assert first.title == second.title == "Same title"
    assert keys_of(first) != keys_of(second)


def test_wrapping_and_case_make_no_other_paper() -> None:
    one = read(SPACED + "A Title\n\n" + ABSTRACT).entries[0]
    wrapped = read(SPACED + "A title\n\n" + ABSTRACT.replace("found, how", "found,\nhow")).entries[
        0
    ]

    assert wrapped.abstract == one.abstract
    assert one.url.partition("item=")[2] == wrapped.url.partition("item=")[2]


def test_the_link_is_a_search_for_the_title() -> None:
    (paper,) = read(GLUED + "Über Ångström & more\n" + ABSTRACT).entries

    assert paper.url.startswith(
        "https://huggingface.co/papers?q=%C3%9Cber+%C3%85ngstr%C3%B6m+%26+more&item="
    )


@pytest.mark.parametrize("head", [SPACED, GLUED])
def test_a_missing_title_or_abstract_costs_that_paper_only(head: str) -> None:
    gap = "\n\n" if head == SPACED else "\n"
    lines = [
        "First",
        ABSTRACT,
        "Only a title",
        "Third",
        ABSTRACT,
        ABSTRACT * 2,
        "Fifth",
        ABSTRACT,
        "Last",
    ]

    listing = read(head + gap.join(lines))

    assert [(p.position, p.title) for p in listing.entries] == [
        (1, "First"),
        (3, "Third"),
        (5, "Fifth"),
    ]
    assert [b.position for b in listing.broken] == [2, 4, 6]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Dear reader",
        "Subscribe\nA title\n" + ABSTRACT,
        "Get trending papers in your email inbox!\n",
        "{}",
    ],
)
def test_another_text_is_refused_with_what_was_seen(text: str) -> None:
    with pytest.raises(ParseError, match="expected a page of trending papers"):
        read(text)


@given(
    st.text(st.sampled_from("\nab \r\ufeff<S"), max_size=60), st.sampled_from([SPACED, GLUED, ""])
)
@settings(deadline=None, max_examples=300)
def test_no_text_breaks_the_reading(noise: str, head: str) -> None:
    try:
        listing = read(head + noise)
    except ParseError:
        return

    positions = [entry.position for entry in (*listing.entries, *listing.broken)]
    assert sorted(positions) == list(range(1, len(positions) + 1))


def test_a_page_in_another_encoding_is_read_as_declared() -> None:
    text = GLUED + "Über alles\n" + ABSTRACT

    assert (
        read(text.encode("cp1252"), "text/plain; charset=windows-1252").entries[0].title
        == "Über alles"
    )
    assert read(text.encode("utf-16"), "application/octet-stream").entries[0].title == "Über alles"


def test_at_most_as_many_as_asked_for_are_taken() -> None:
    text = GLUED + "\n".join(["One", ABSTRACT, "Two", ABSTRACT, "Three", ABSTRACT])

    assert [paper.title for paper in read(text, limit=2).entries] == ["One", "Two"]


@needs_shared
def test_the_saved_page_in_html_is_read_with_its_ids() -> None:
    (path,) = (recordings.HUGGINGFACE / "html").glob("*.html")

    listing = read(path.read_bytes(), "text/html")

    assert len(listing.entries) == 13
    assert listing.entries[0].arxiv_id == "2407.21783"
    assert listing.entries[0].votes == 94


def test_an_html_page_of_something_else_is_refused() -> None:
    with pytest.raises(ParseError, match="no daily papers in it"):
        read("<html><body>404</body></html>", "text/html")


def test_a_path_an_address_of_a_file_and_a_web_page_can_be_named(tmp_path: Path) -> None:
    def ask(url: str) -> tuple[str, str, bool]:
        (request,) = build_source("page", "p", SourceOptions(url=url)).requests({}, NOW)
        return request.url, request.label, request.robots

    path = tmp_path / "a page.txt"
    assert ask(str(path)) == (path.as_uri(), "a page.txt", False)
    assert ask("file:///data/x.txt") == ("file:///data/x.txt", "x.txt", False)
    assert ask("https://example.org/list") == ("https://example.org/list", "list", True)
    assert ask("https://example.org/") == ("https://example.org/", "example.org", True)


def test_a_source_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="must name a file or a page"):
        build_source("page", "p", SourceOptions())
