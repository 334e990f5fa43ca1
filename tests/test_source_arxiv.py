from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, ParseError
from digest.model import Announce, Listing, PaperData, Request
from digest.papers import keys_of
from digest.sources import SourceOptions, build_source
from digest.sources.arxiv import PAGES_MAX, Arxiv
from digest.sources.arxiv_mail import parse_announcement
from digest.sources.arxiv_words import is_withdrawn, split_authors
from tests.paths import LISTINGS, needs_shared

ARXIV = LISTINGS / "arxiv"
SOURCE = Arxiv("ai", SourceOptions(categories=("cs.AI", "cs.CL")))
NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
FEED, LOOK_BACK = SOURCE.requests({}, NOW)

ATOM = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"
      xmlns="http://www.w3.org/2005/Atom"><id>http://rss.arxiv.org/atom/cs.AI</id>
<updated>{updated}</updated>{entries}</feed>"""
RSS = """<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"
     xmlns:atom="http://www.w3.org/2005/Atom" version="2.0"><channel>
<title>cs.AI updates on arXiv.org</title><link>http://rss.arxiv.org/rss/cs.AI</link>
<pubDate>{pubDate}</pubDate><skipDays><day>Sunday</day><day>Saturday</day></skipDays>
{items}</channel></rss>"""
API = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns="http://www.w3.org/2005/Atom"
      xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/">
<opensearch:totalResults>{total}</opensearch:totalResults>{entries}</feed>"""


def entry(**known: str) -> str:
    about = {
        "id": "oai:arXiv.org:2603.01234v1",
        "title": "A paper",
        "summary": "arXiv:2603.01234v1 Announce Type: new \nAbstract: What it says.",
        "published": "2026-03-11T00:00:00-04:00",
        "arxiv:announce_type": "new",
        "dc:creator": "Ada One, Bo Two",
    } | known
    return (
        "<entry>"
        + "".join(f"<{tag}>{escape(text)}</{tag}>" for tag, text in about.items())
        + "</entry>"
    )


def parse(body: str | bytes, request: Request = FEED) -> Listing:
    return SOURCE.parse(
        request, body if isinstance(body, bytes) else body.encode(), "application/xml"
    )


def atom(*entries: str, updated: str = "2026-03-11T04:00:19+00:00") -> Listing:
    return parse(ATOM.format(updated=updated, entries="".join(entries)))


def one(**known: str) -> PaperData:
    (paper,) = atom(entry(**known)).entries
    return paper


@needs_shared
def test_the_recorded_feed_is_read_whole() -> None:
    (path,) = (ARXIV / "rss_atom").iterdir()

    listing = parse(path.read_bytes())

    assert (len(listing.entries), listing.broken, listing.rest) == (7, (), None)
    assert [paper.announce for paper in listing.entries] == [Announce.CROSS] * 5 + [
        Announce.NEW
    ] * 2
    third = listing.entries[2]
    assert third.authors == ("Paulo André Lima de Castro",)
    assert third.abstract.startswith("Autonomous trading strategies have been")
    assert (third.arxiv_id, third.version) == ("2508.13429", 1)
    assert third.categories == ("q-fin.CP", "cs.AI")
    assert third.listed_at == datetime(2025, 8, 20, 4, tzinfo=UTC)
    assert third.published_at is None and listing.entries[5].published_at == third.listed_at
    assert keys_of(third) == ("arxiv:2508.13429",)


def test_rss_says_the_same_as_atom() -> None:
    item = """<item><title>A paper</title><link>https://arxiv.org/abs/2603.01234</link>
        <description>arXiv:2603.01234v1 Announce Type: new \nAbstract: What it says.</description>
        <guid isPermaLink="false">oai:arXiv.org:2603.01234v1</guid>
        <pubDate>Wed, 11 Mar 2026 00:00:00 -0400</pubDate>
        <arxiv:announce_type>new</arxiv:announce_type><dc:creator>Ada One, Bo Two</dc:creator></item>"""

    by_rss = parse(RSS.format(pubDate="Wed, 11 Mar 2026 00:00:00 -0400", items=item))

    assert by_rss.entries == atom(entry()).entries


@pytest.mark.parametrize("stated", ["new", "cross", "replace", "replace-cross"])
def test_the_announce_type_is_kept(stated: str) -> None:
    by_element = one(**{"arxiv:announce_type": stated})
    by_summary = one(
        **{
            "arxiv:announce_type": "",
            "summary": f"arXiv:2603.01234v2 Announce Type: {stated}\nAbstract: A",
        }
    )

    assert by_element.announce == by_summary.announce == Announce(stated)
    assert by_summary.abstract == "A"


def test_an_unknown_announce_type_counts_as_new() -> None:
    assert one(**{"arxiv:announce_type": "odd"}).announce is Announce.NEW


def test_the_version_is_kept_beside_the_id() -> None:
    assert (
        one(id="oai:arXiv.org:2603.01234v12").arxiv_id,
        one(id="oai:arXiv.org:2603.01234v12").version,
    ) == (
        "2603.01234",
        12,
    )
    unversioned = one(
        id="http://arxiv.org/abs/2603.01234",
        summary="arXiv:2603.01234v3 Announce Type: replace\nAbstract: A",
    )
    assert unversioned.version == 3


def test_a_title_may_be_zero_but_not_empty() -> None:
    assert one(title="0").title == "0"
    (broken,) = atom(entry(title=" \n ")).broken
    assert broken.reason == "2603.01234 has no title"


def test_a_broken_entry_costs_itself_only() -> None:
    listing = atom(entry(), "<entry/>", entry(id="oai:arXiv.org:2603.00002v1"))

    assert [paper.position for paper in listing.entries] == [1, 3]
    assert [(broken.position, "no arXiv id" in broken.reason) for broken in listing.broken] == [
        (2, True)
    ]


@pytest.mark.parametrize(
    ("updated", "rest"),
    [
        ("2026-03-14T04:00:19+00:00", "arXiv announces nothing on a Saturday"),
        ("2026-03-15T04:00:19+00:00", "arXiv announces nothing on a Sunday"),
        ("2026-03-16T03:00:19+00:00", "arXiv announces nothing on a Sunday"),  # 23:00 in New York
        ("2026-03-16T04:30:00+00:00", None),
        ("garbage", None),
        ("2026-03-10T04:00:19+00:00", None),  # yesterday's: today's was not made
    ],
)
def test_an_empty_feed_is_a_rest_on_weekends_of_new_york(updated: str, rest: str | None) -> None:
    assert atom(updated=updated) == Listing(entries=(), rest=rest)


def test_an_empty_rss_feed_names_its_days_of_rest() -> None:
    saturday = parse(RSS.format(pubDate="Sat, 14 Mar 2026 00:00:00 -0400", items=""))
    tuesday = parse(RSS.format(pubDate="Tue, 10 Mar 2026 00:00:00 -0400", items=""))

    assert saturday.rest == "arXiv announces nothing on a Saturday"
    assert tuesday.rest is None


@pytest.mark.parametrize(
    "body",
    [
        ATOM.format(updated="2026-03-11T04:00:19+00:00", entries=""),
        ATOM.format(updated="2026-03-12T03:59:00+00:00", entries=""),  # 23:59 in New York
        RSS.format(pubDate="Wed, 11 Mar 2026 00:00:00 -0400", items=""),
    ],
)
def test_an_empty_feed_that_was_made_today_is_a_holiday(body: str) -> None:
    assert parse(body).rest == "arXiv announced nothing on Wednesday, 2026-03-11"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Service unavailable",
        b"<html><body>busy</body></html>",
        b"<html><br></html>",
        b"<feed",
        b"<?xml version='1.0' encoding='klingon'?><feed/>",
        b"\xff\xfe\x00",
        b"{}",
    ],
)
def test_what_is_no_feed_is_refused_with_what_was_seen(body: bytes) -> None:
    with pytest.raises(ParseError, match="expected a feed of arXiv, got"):
        parse(body)


def test_a_document_with_entities_of_its_own_is_refused() -> None:
    bomb = (
        b'<!DOCTYPE feed [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><feed><title>&b;</title></feed>'
    )

    with pytest.raises(ParseError, match="document type"):
        parse(bomb)
    with pytest.raises(ParseError, match="document type"):
        parse(bomb.decode().encode("utf-16"))


@needs_shared
def test_the_recorded_api_answers_are_read_whole() -> None:
    counts = {}
    for path in sorted((ARXIV / "api").glob("*.xml")):
        if "id_abc" not in path.name:
            listing = parse(path.read_bytes())
            counts[path.name.rpartition("_")[0]] = len(listing.entries)
            assert listing.broken == ()

    assert counts["id_0000.0000_s0_m100"] == counts["id_0808.05394_s0_m100"] == 0
    assert counts["id_0808.05394_1707.08567_s0_m100"] == 1
    assert counts["q_testing_s0_m100"] == 100
    assert counts["q_testing_s5_m10"] == counts["q_testing_s40_m10"] == 10


def api_entries(name: str) -> tuple[PaperData, ...]:
    (path,) = (ARXIV / "api").glob(f"{name}*.xml")
    return parse(path.read_bytes()).entries


@needs_shared
def test_an_api_entry_has_its_version_date_and_all_authors() -> None:
    (paper,) = api_entries("id_1707.08567")
    (old,) = api_entries("id_astro-ph_0601001")
    (zero,) = api_entries("id_2104.12255v1")

    assert (paper.arxiv_id, paper.version, len(paper.authors)) == ("1707.08567", 1, 34)
    assert paper.published_at == datetime(2017, 7, 27, 8, 18, 33, tzinfo=UTC)
    assert (paper.listed_at, paper.categories) == (None, ("cs.IT",))
    assert old.arxiv_id == "astro-ph/0601001"
    assert zero.title == "0"


@needs_shared
def test_an_unknown_id_is_silently_missing_and_no_alarm() -> None:
    (path,) = (ARXIV / "api").glob("id_0000*.xml")

    assert parse(path.read_bytes()) == Listing(entries=(), rest="nothing matches the question")


@needs_shared
def test_an_error_of_the_api_is_an_error_with_its_words() -> None:
    (path,) = (ARXIV / "api").glob("id_abc*.xml")

    with pytest.raises(ParseError, match="incorrect id format for abc"):
        parse(path.read_bytes())


def test_an_api_that_gives_none_of_many_is_an_error() -> None:
    with pytest.raises(ParseError, match="has 700 papers for this but gave none"):
        parse(API.format(total=700, entries=""), LOOK_BACK)


def test_the_look_back_is_followed_to_its_end() -> None:
    page = API.format(total=1200, entries=entry() * 500)
    last_page = API.format(total=1200, entries=entry() * 200)

    (second,) = parse(page, LOOK_BACK).more
    (third,) = parse(page, second).more
    end = parse(last_page, third)

    assert [parse_qs(urlsplit(r.url).query)["start"] for r in (LOOK_BACK, second, third)] == [
        ["0"],
        ["500"],
        ["1000"],
    ]
    assert [r.page for r in (LOOK_BACK, second, third)] == [1, 2, 3]
    assert second.label == LOOK_BACK.label
    assert end.entries[0].position == 1001 and end.more == ()


def test_an_api_that_never_ends_is_not_followed_for_ever() -> None:
    page = API.format(total=10**9 - 1, entries=entry())
    request, asked = LOOK_BACK, 1

    while more := parse(page, request).more:
        (request,) = more
        asked += 1

    assert asked == PAGES_MAX


def test_the_first_pass_asks_for_the_announcement_and_for_the_week() -> None:
    question = parse_qs(urlsplit(LOOK_BACK.url).query)

    assert FEED.url == "https://rss.arxiv.org/atom/cs.AI+cs.CL"
    assert FEED.label == "cs.AI+cs.CL 2026-03-11"
    assert LOOK_BACK.url.startswith("https://export.arxiv.org/api/query?")
    assert question["search_query"] == [
        "(cat:cs.AI OR cat:cs.CL) AND submittedDate:[202603041200 TO 202603111200]"
    ]
    assert FEED.instead is not None
    assert FEED.instead.url == "https://rss.arxiv.org/rss/cs.AI+cs.CL"
    assert SOURCE.pause_s == 3.0


@given(
    st.timedeltas(timedelta(0), timedelta(days=3)), st.timedeltas(timedelta(0), timedelta(days=3))
)
@settings(deadline=None)
def test_the_announcement_is_asked_at_every_pass_the_week_once_a_day(
    feed: timedelta, week: timedelta
) -> None:
    memory = {FEED.label: NOW - feed, LOOK_BACK.label: NOW - week}

    labels = [request.label for request in SOURCE.requests(memory, NOW)]

    assert labels == [FEED.label] + ([LOOK_BACK.label] if week >= timedelta(days=1) else [])


def test_a_mirror_is_asked_for_its_announcement_only() -> None:
    mirror = Arxiv("m", SourceOptions(url="http://127.0.0.1:9/", categories=("hep-th",), pause_s=0))

    (request,) = mirror.requests({}, NOW)

    assert request.url == "http://127.0.0.1:9/atom/hep-th"


@pytest.mark.parametrize(
    ("now", "settled"),
    [
        (datetime(2026, 3, 13, 12, tzinfo=UTC), True),
        (datetime(2026, 3, 14, 2, tzinfo=UTC), True),  # still Friday in New York
        (datetime(2026, 3, 14, 12, tzinfo=UTC), False),
        (datetime(2026, 3, 16, 2, tzinfo=UTC), False),
    ],
)
def test_an_announcement_is_complete_on_weekdays_of_new_york(now: datetime, settled: bool) -> None:
    feed = SOURCE.requests({}, now)[0]

    assert feed.settled is settled
    assert feed.label.endswith(f"{now - timedelta(hours=5):%Y-%m-%d}")


def test_a_query_asks_the_api_for_its_newest() -> None:
    source = Arxiv("q", SourceOptions(query="all:electron AND ti:spin", limit=30))

    (request,) = source.requests({}, NOW)

    question = parse_qs(urlsplit(request.url).query)
    assert question["search_query"] == ["all:electron AND ti:spin"]
    assert (question["max_results"], question["sortBy"], question["sortOrder"]) == (
        ["30"],
        ["submittedDate"],
        ["descending"],
    )
    assert source.parse(request, API.format(total=90, entries=entry() * 30).encode(), "").more == ()


def test_a_source_without_anything_to_ask_is_refused() -> None:
    with pytest.raises(ConfigError, match="name categories"):
        build_source("arxiv", "empty", SourceOptions())
    with pytest.raises(ConfigError, match=r"'cs.AI\+x' is no arXiv category"):
        build_source("arxiv", "odd", SourceOptions(categories=("cs.AI+x",)))


@pytest.mark.parametrize(
    "comment",
    [
        "This paper has been withdrawn by the author(s) due to some mistakes",
        "paper withdrawn by author",
        "withdrawn by arXiv administrators due to plagiarism",
        "Withdrawn by the author because this early version does not reflect the current scope",
        "arXiv admin note: This submission has been withdrawn due to violation of policies",
        "We request withdrawal due to critical inconsistencies",
        "This has been withdrawn by arXiv administrators",
    ],
)
def test_a_comment_tells_of_withdrawal(comment: str) -> None:
    assert is_withdrawn("A title", "An intact abstract.", comment)


@pytest.mark.parametrize(
    "abstract",
    [
        "This paper has been withdrawn due to copyright reasons.",
        "paper withdrawn due to the possible error in numerical eigenfunction calculation",
        "This article has been withdrawn because it has been merged",
        "This paper (gr-qc/0601001) has been temporarily withdrawn.",
        "Withdrawn.",
        "We have withdrawn this paper.",
    ],
)
def test_an_abstract_tells_of_withdrawal(abstract: str) -> None:
    assert is_withdrawn("A title", abstract, "")
    assert one(summary=f"arXiv:2603.01234v2 Announce Type: replace\nAbstract: {abstract}").withdrawn


@pytest.mark.parametrize(
    ("abstract", "comment"),
    [
        ("Drugs that were withdrawn from the market are studied.", ""),
        ("In this paper withdrawn drugs are studied.", ""),
        ("We study spherical retraction and withdrawal symptoms.", "12 pages"),
        ("This paper studies money that was withdrawn.", ""),
        ("A new proof.", "Replaces the withdrawn arXiv:1234.56789"),
        ("A new proof.", "supersedes an earlier, withdrawn version"),
        ("A new proof.", ""),
    ],
)
def test_other_withdrawals_are_none_of_the_paper(abstract: str, comment: str) -> None:
    assert not is_withdrawn("A title", abstract, comment)


@needs_shared
def test_the_withdrawn_papers_of_a_fortnight_are_found() -> None:
    found, count = set(), 0
    for path in sorted((ARXIV / "feed_mirror_derived").glob("*.json")):
        for known in json.loads(path.read_text("utf-8"))["papers"]:
            count += 1
            if is_withdrawn(known["title"], known["abstract"], known.get("comment") or ""):
                found.add(known["arxiv_id"])

    assert count > 2000
    assert found == {
        "2603.02263", "2603.20806", "2412.07584", "2412.10441", "2511.22958", "2604.22274",
        "2604.13127", "2505.22701", "2508.11696",
    }  # fmt: skip


@needs_shared
def test_a_mirrored_fortnight_comes_through_the_feed_unchanged() -> None:
    for path in sorted((ARXIV / "feed_mirror_derived").glob("*.json")):
        papers = json.loads(path.read_text("utf-8"))["papers"]
        entries = [
            entry(
                **{
                    "id": f"oai:arXiv.org:{known['arxiv_id']}v1",
                    "title": known["title"],
                    "summary": f"arXiv:{known['arxiv_id']}v1 Announce Type: {known['announce_type']} \nAbstract: {known['abstract']}",
                    "arxiv:announce_type": known["announce_type"],
                    "dc:creator": ", ".join(known["authors"]),
                }
            )
            for known in papers
        ]

        listing = atom(*entries)

        assert [paper.arxiv_id for paper in listing.entries] == [
            known["arxiv_id"] for known in papers
        ]
        assert [paper.announce for paper in listing.entries] == [
            known["announce_type"] for known in papers
        ]
        for paper, known in zip(listing.entries, papers, strict=True):
            # the mirror split the line at commas only: " Linus", "and Weijie Liu", " :"
            names = [re.sub("^and |^:$", "", name.strip()) for name in known["authors"]]
            assert paper.authors == tuple(name for name in names if name)
            assert paper.abstract == " ".join(known["abstract"].split())


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Ada One, Bo Two", ("Ada One", "Bo Two")),
        ("Ada One and Bo Two", ("Ada One", "Bo Two")),
        ("Ada One, Bo Two, and Cy Three", ("Ada One", "Bo Two", "Cy Three")),
        (
            "Gilles Pag\\`es (PMA, LSProba), Fabien Panloup (PMA)",
            ("Gilles Pagès", "Fabien Panloup"),
        ),
        ("Ada One ((1) and (2)), Bo Two ((2)) ((1) Univ, X (2) Y)", ("Ada One", "Bo Two")),
        ("John Smith, Jr., Ada One", ("John Smith Jr.", "Ada One")),
        ("Anders Sandberg & Bo Two", ("Anders Sandberg", "Bo Two")),
        ("", ()),
        (" , and ", ()),
    ],
)
def test_a_line_of_authors_is_split_into_names(line: str, names: tuple[str, ...]) -> None:
    assert split_authors(line) == names


MAIL = ARXIV / "daily_email"


@needs_shared
def test_a_recorded_mail_is_read_in_its_three_sections() -> None:
    listing = parse((MAIL / "astro-ph_new.txt").read_bytes())

    kinds = Counter(paper.announce for paper in listing.entries)
    assert listing.broken == ()
    assert sum(kinds.values()) == 97
    assert (kinds[Announce.NEW], kinds[Announce.CROSS]) == (53, 4)
    first, last = listing.entries[0], listing.entries[-1]
    assert first.title == "Census of Gaseous Satellites around Local Spiral Galaxies"
    assert first.authors == ("Jingyao Zhu", "Mary E Putman")
    assert first.abstract.startswith("We present a search") and first.abstract.endswith(
        "likely at play."
    )
    assert first.published_at == datetime(2023, 3, 1, 19, 0, 2, tzinfo=UTC)
    assert first.listed_at == datetime(2023, 3, 3, 1, 29, 12, tzinfo=UTC)
    assert last.abstract == "" and last.announce.is_replacement and last.published_at is None


@needs_shared
def test_a_mail_with_blank_counts_and_doi_is_read() -> None:
    listing = parse((MAIL / "q-fin_new_2023-03-17.txt").read_bytes())

    assert Counter(paper.announce for paper in listing.entries) == {
        Announce.NEW: 13,
        Announce.REPLACE: 3,
    }
    by_id = {paper.arxiv_id: paper for paper in listing.entries}
    assert by_id["2303.09405"].doi == "10.56497/etj2367601"
    assert by_id["2303.08867"].categories == ("q-fin.TR", "cond-mat.stat-mech")
    assert by_id["2011.00552"].title.endswith("Value--at--Risk and Expected Shortfall")


@needs_shared
def test_a_list_of_past_days_without_abstracts_is_read() -> None:
    listing = parse((MAIL / "astro-ph_pastweek.txt").read_bytes())

    assert (len(listing.entries), listing.broken) == (320, ())
    assert listing.entries[0].authors[-1] == "Måns Holmberg"
    assert all(paper.abstract == "" and paper.listed_at is None for paper in listing.entries)


@needs_shared
def test_every_paper_of_the_mails_is_there_once_and_in_order() -> None:
    for path in sorted(MAIL.iterdir()):
        text = path.read_text("utf-8", "replace")

        entries = parse_announcement(text).entries

        assert [paper.arxiv_id for paper in entries] == re.findall(
            r"^arXiv:(\d{4}\.\d{5})", text, re.M
        )


def test_a_broken_block_of_a_mail_costs_itself_only() -> None:
    rule = "-" * 78
    good = "\\\\\narXiv:2303.00763\nDate: odd\n\nTitle: T\nAuthors: A\n\\\\\n  Text.\n\\\\ ( https://arxiv.org/abs/2303.00763 ,  3kb)\n"
    untitled = good.replace("Title: T\n", "")

    listing = parse_announcement(f"{rule}\n{good}{rule}\r\n{untitled}{rule}\n{good}")

    assert [paper.position for paper in listing.entries] == [1, 3]
    assert [broken.reason for broken in listing.broken] == ["2303.00763 has no title"]


def test_an_emptied_paper_of_a_mail_is_withdrawn() -> None:
    block = "\\\\\narXiv:2303.00763\nreplaced with revised version Thu, 2 Mar 2023 11:00:13 GMT   (0kb,I)\n\nTitle: T\n\\\\ (x)\n"

    (paper,) = parse_announcement(block).entries

    assert paper.withdrawn


def test_a_text_that_is_no_announcement_is_refused() -> None:
    with pytest.raises(ParseError, match="no block of a paper"):
        parse_announcement("Dear reader,\n\nnothing today.")


@given(st.text(st.sampled_from("\\\n:- arXiv240.13TitleD%*()"), max_size=200), st.integers(0, 400))
@settings(deadline=None, max_examples=300)
def test_no_cut_or_garbled_mail_breaks_the_reading(noise: str, cut: int) -> None:
    good = "\\\\\narXiv:2303.00763\nDate: Wed, 1 Mar 2023 19:00:02 GMT   (3kb)\n\nTitle: T\n\\\\\n  Text.\n\\\\ (x)\n"
    text = (good + "-" * 78 + "\n" + good)[:cut] + noise

    try:
        listing = parse_announcement(text)
    except ParseError:
        return

    assert all(paper.title and paper.arxiv_id for paper in listing.entries)


@given(
    st.dictionaries(
        st.sampled_from(["id", "title", "summary", "published", "dc:creator", "arxiv:doi", "link"]),
        st.text(
            st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc", "Cn")), max_size=30
        ),
    )
)
@settings(deadline=None, max_examples=300)
def test_no_value_of_any_element_breaks_the_reading(known: dict[str, Any]) -> None:
    listing = atom(entry(**known), entry(id="oai:arXiv.org:2603.00002v1"))

    assert len(listing.entries) + len(listing.broken) == 2
    assert listing.entries[-1].arxiv_id == "2603.00002"
