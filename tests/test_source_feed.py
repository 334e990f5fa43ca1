from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, ParseError
from digest.model import Listing, PaperData
from digest.papers import keys_of
from digest.sources import SourceOptions, build_source
from digest.sources import feed as feed_module
from digest.sources.feed import Feed
from digest.sources.feed_entry import ABSTRACT_LENGTH_MAX
from digest.sources.html import LENGTH_MAX, text_of_html

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
RSS = '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:slash="http://purl.org/rss/1.0/modules/slash/" xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/"><channel><title>Blog</title>{}</channel></rss>'
ATOM = '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Blog</title>{}</feed>'


def read(body: str | bytes, content_type: str = "application/xml", **options: Any) -> Listing:
    source = Feed("blog", SourceOptions(url="https://blog.example/feed/", **options))
    (request,) = source.requests({}, NOW)
    return source.parse(request, body if isinstance(body, bytes) else body.encode(), content_type)


def rss(*items: str) -> Listing:
    return read(RSS.format("".join(f"<item>{item}</item>" for item in items)))


def one(item: str) -> PaperData:
    (paper,) = rss(item).entries
    return paper


LINK = "<link>https://blog.example/post</link>"


def test_an_rss_item_is_read_with_all_that_it_says() -> None:
    found = one(
        """<title>Attention &amp; more</title><link>https://blog.example/post</link>
        <description>&lt;p&gt;A &lt;b&gt;bold&lt;/b&gt; claim.&lt;/p&gt;&lt;p&gt;Then more.&lt;/p&gt;</description>
        <dc:creator>Ada One</dc:creator><category>ml</category><category>nlp</category>
        <pubDate>Wed, 11 Mar 2026 09:30:00 +0100</pubDate><slash:comments>7</slash:comments>
        <comments>https://blog.example/post#comments</comments><guid>https://blog.example/?p=1</guid>"""
    )

    at = datetime(2026, 3, 11, 8, 30, tzinfo=UTC)
    assert found == PaperData(
        title="Attention & more",
        url="https://blog.example/post",
        abstract="A bold claim. Then more.",
        authors=("Ada One",),
        categories=("ml", "nlp"),
        published_at=at,
        listed_at=at,
        position=1,
        comments=7,
        discussion_url="https://blog.example/post#comments",
    )


def test_an_atom_entry_is_read_with_all_that_it_says() -> None:
    (found,) = read(
        ATOM.format(
            """<entry><title type="html">H&lt;sub&gt;2&lt;/sub&gt;O</title><id>tag:blog.example,1</id>
            <link rel="alternate" href="/post"/><link rel="related" type="application/pdf" href="a.pdf"/>
            <author><name>Ada One</name></author><author><name>Bo Two</name></author>
            <published>2026-03-11T00:00:00Z</published><category term="ml"/>
            <summary>Plain &lt;think&gt; text</summary></entry>"""
        )
    ).entries

    assert (found.title, found.abstract) == ("H2O", "Plain <think> text")
    assert (found.url, found.pdf_url) == (
        "https://blog.example/post",
        "https://blog.example/feed/a.pdf",
    )
    assert found.authors == ("Ada One", "Bo Two")
    assert found.published_at == datetime(2026, 3, 11, tzinfo=UTC)
    assert found.listed_at is None  # a day is no hour


def test_a_json_feed_is_read_with_all_that_it_says() -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "authors": [{"name": "The Blog"}],
        "items": [
            {
                "id": "1",
                "url": "/1",
                "title": "One",
                "content_html": "<p>It<script>x</script> is.</p>",
                "tags": ["ml", 7],
                "date_published": "2026-03-11T09:30:00+01:00",
            },
            {
                "id": "https://blog.example/2",
                "content_text": "No title, but a text",
                "authors": [{"name": "Ada"}],
            },
            "odd",
            {"id": "4", "title": "no link"},
        ],
    }

    listing = read(json.dumps(feed), "application/feed+json")

    first, second = listing.entries
    assert (first.title, first.url, first.abstract, first.authors) == (
        "One",
        "https://blog.example/1",
        "It is.",
        ("The Blog",),
    )
    assert (first.categories, first.published_at) == (
        ("ml",),
        datetime(2026, 3, 11, 8, 30, tzinfo=UTC),
    )
    assert (second.title, second.url, second.authors) == (
        "No title, but a text",
        "https://blog.example/2",
        ("Ada",),
    )
    assert [broken.position for broken in listing.broken] == [3, 4]


def test_an_old_rdf_feed_is_read() -> None:
    body = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
        <channel rdf:about="https://blog.example/"><title>Blog</title></channel>
        <item rdf:about="https://blog.example/1"><title>One</title><link>https://blog.example/1</link></item></rdf:RDF>"""

    assert [(paper.title, paper.url) for paper in read(body).entries] == [
        ("One", "https://blog.example/1")
    ]


@pytest.mark.parametrize(
    ("item", "keys"),
    [
        ("<link>https://arxiv.org/abs/2403.01234v2</link>", ("arxiv:2403.01234",)),
        ("<link>https://huggingface.co/papers/2403.01234</link>", ("arxiv:2403.01234",)),
        ("<guid isPermaLink='false'>oai:arXiv.org:2403.01234v2</guid>", ("arxiv:2403.01234",)),
        ("<link>https://doi.org/10.1145/12.34</link>", ("doi:10.1145/12.34",)),
        ("<guid isPermaLink='false'>doi:10.1145/12.34</guid>", ("doi:10.1145/12.34",)),
        (
            "<link>https://www.biorxiv.org/content/10.1101/2024.01.15.575123v1?rss=1</link>",
            ("doi:10.1101/2024.01.15.575123",),
        ),
    ],
)
def test_a_paper_is_known_by_its_address_or_id(item: str, keys: tuple[str, ...]) -> None:
    assert keys_of(one(f"<title>T</title>{item}")) == keys


def test_a_stated_doi_stands_beside_the_address() -> None:
    found = one(f"<title>T</title>{LINK}<prism:doi>10.1145/12.34</prism:doi>")

    assert found.doi == "10.1145/12.34"
    assert keys_of(found)[0] == "doi:10.1145/12.34"


@pytest.mark.parametrize(
    "item",
    [
        f"{LINK}<description>About https://arxiv.org/abs/2403.01234</description>",
        f"{LINK}<guid isPermaLink='false'>2403.01234</guid>",
    ],
)
def test_a_post_about_a_paper_is_not_that_paper(item: str) -> None:
    found = one(f"<title>T</title>{item}")

    assert found.arxiv_id is None
    assert keys_of(found)[0].startswith("url:")


@pytest.mark.parametrize(
    ("item", "title"),
    [
        (f"{LINK}<description>Short text</description>", "Short text"),
        (
            f"{LINK}<description>one two three four five six seven eight nine ten eleven twelve thirteen</description>",
            "one two three four five six seven eight nine ten eleven twelve…",
        ),
        (LINK, "blog.example/post"),
        (f"<title> \n </title>{LINK}", "blog.example/post"),
        (f"<title>0</title>{LINK}", "0"),
    ],
)
def test_an_entry_without_a_title_gets_one(item: str, title: str) -> None:
    assert one(item).title == title


@pytest.mark.parametrize(
    "link",
    [
        "",
        "<link>javascript:alert(1)</link>",
        "<link>https://user:pw@blog.example/</link>",
        "<guid isPermaLink='false'>7</guid>",
    ],
)
def test_an_entry_without_a_link_to_open_costs_itself_only(link: str) -> None:
    listing = rss(
        f"<title>One</title>{LINK}", f"<title>Two</title>{link}", f"<title>Three</title>{LINK}"
    )

    assert [(paper.title, paper.position) for paper in listing.entries] == [
        ("One", 1),
        ("Three", 3),
    ]
    assert [(broken.position, broken.reason) for broken in listing.broken] == [
        (2, "no link to open: 'Two'")
    ]


def test_relative_links_are_resolved_against_the_feed() -> None:
    assert (
        one("<title>T</title><link>../post?a=1&amp;b=2</link>").url
        == "https://blog.example/post?a=1&b=2"
    )


@pytest.mark.parametrize(
    ("charset", "content_type"),
    [
        ("windows-1252", "application/xml; charset=windows-1252"),
        ("utf-16", "application/xml"),
        ("koi8-r", "application/rss+xml; charset=koi8-r"),
    ],
)
def test_the_declared_encoding_is_used(charset: str, content_type: str) -> None:
    title = "Über" if charset != "koi8-r" else "Внимание"
    body = f'<rss version="2.0"><channel><item><title>{title}</title>{LINK}</item></channel></rss>'

    (found,) = read(body.encode(charset), content_type).entries

    assert found.title == title


def test_a_broken_feed_that_still_has_entries_is_read() -> None:
    body = (
        f"<rss version='2.0'><channel><item><title>A & B <b>&nbsp;</title>{LINK}<description>cut of"
    )

    (found,) = read(body).entries

    assert found.title.startswith("A & B")


def test_a_long_post_is_cut_between_words() -> None:
    found = one(f"<title>T</title>{LINK}<description>{'words ' * 3000}</description>")

    assert len(found.abstract) <= ABSTRACT_LENGTH_MAX
    assert found.abstract.endswith("words…")


def test_at_most_as_many_as_asked_for_are_taken() -> None:
    items = "".join(f"<item><title>{n}</title>{LINK}</item>" for n in range(9))

    assert len(read(RSS.format(items), limit=3).entries) == 3


def test_an_empty_feed_is_an_empty_listing() -> None:
    assert rss() == Listing(entries=())


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("", "expected a feed, got application/xml, an empty body"),
        ("Not found", "expected a feed, got application/xml, 9 bytes, beginning 'Not found'"),
        ("<a><b/></a>", "expected a feed"),
        (
            "<!DOCTYPE html><html><body>Blog</body></html>",
            "this is an HTML page, not a feed; look for the address",
        ),
        (
            '<html><head><link rel="alternate" type="application/atom+xml" href="/atom.xml"></head></html>',
            "this is an HTML page, not a feed; its feed is https://blog.example/atom.xml",
        ),
        ('{"error": "busy"}', "expected a feed, got JSON without items"),
        ("[1, 2]", "expected a feed, got JSON without items"),
        ('{"items": [', "expected JSON, got"),
    ],
)
def test_what_is_no_feed_is_named(body: str, complaint: str) -> None:
    with pytest.raises(ParseError, match=complaint):
        read(body)


def test_a_feed_that_is_too_large_is_refused() -> None:
    with pytest.raises(ParseError, match="at most 8,000,000 are read"):
        read(b" " * 8_000_001)


def test_a_feed_is_asked_under_its_own_name_and_its_length_is_judged() -> None:
    (request,) = build_source(
        "feed", "blog", SourceOptions(url="https://blog.example/feed")
    ).requests({}, NOW)

    assert (request.url, request.label, request.settled) == (
        "https://blog.example/feed",
        "blog",
        True,
    )


def test_a_source_without_an_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be the address of a feed"):
        build_source("feed", "blog", SourceOptions())


def test_a_name_is_cut_before_feedparser_searches_it_for_an_address() -> None:
    found = one(f"<title>T</title>{LINK}<author>{'a.' * 200_000}</author>")

    assert all(len(name) <= feed_module._AUTHOR_LENGTH_MAX for name in found.authors)


def test_entities_of_a_document_are_not_blown_up() -> None:
    levels = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 10))
    bomb = (
        f'<!DOCTYPE rss [<!ENTITY x0 "ha">{levels}]>'
        + RSS.format(f"<item><title>&x9;</title>{LINK}</item>")[21:]
    )

    (found,) = read(bomb).entries

    assert len(found.title) < 1000


def test_no_file_is_read_when_the_answer_looks_like_a_path() -> None:
    with pytest.raises(ParseError, match="expected a feed"):
        read("/etc/hostname")


@given(
    st.binary(max_size=200),
    st.sampled_from([b"", RSS.format("<item>").encode()[:-16], b"<feed><entry>", b'{"items": [{']),
)
@settings(deadline=None, max_examples=300)
def test_no_bytes_break_the_reading(noise: bytes, start: bytes) -> None:
    try:
        listing = read(start + noise)
    except ParseError:
        return

    assert all(paper.title and paper.url for paper in listing.entries)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain", "plain"),
        ("a &lt;think&gt; &amp; b&nbsp;c", "a <think> & b c"),
        ("<p>One.</p><p>Two.</p>", "One. Two."),
        ("H<sub>2</sub>O and x<sup>2</sup>", "H2O and x2"),
        ("line<br>break<hr/>rule", "line break rule"),
        ("<ul><li>a<li>b</ul>", "a b"),
        ("<script>alert(1)</script>kept<style>p{}</style>", "kept"),
        ("a<!-- hidden --> b <!-- cut", "a b"),
        ("text <a href='x", "text"),
        ("<![CDATA[inside]]> after <![if !mso]>seen<![endif]>", "inside after seen"),
        ("1 < 2 & 3", "1 < 2 & 3"),
        ("<svg><text>no</text></svg><math><mi>x</mi></math>", "x"),
        ("<?xml version='1.0'?><b>bold</b>", "bold"),
        ("http://example.org/path", "http://example.org/path"),
    ],
)
def test_markup_becomes_what_a_reader_would_see(html: str, text: str) -> None:
    assert text_of_html(html) == text


TOKENS = st.sampled_from(
    [
        "<",
        ">",
        "<a ",
        '"',
        "'",
        "=",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<![x",
        "<script>",
        "</",
        "</script>",
        "&",
        "&#",
        "&#x",
        ";",
        "x ",
        "<?",
        "<!",
        "/",
        "<div>",
        "<p",
        "<textarea>",
        "<title>",
        "<plaintext>",
    ]
)


@given(st.lists(TOKENS, max_size=5), st.integers(1, 30))
@settings(deadline=None, max_examples=300)
def test_no_markup_breaks_it_or_lets_a_script_through(tokens: list[str], times: int) -> None:
    text = text_of_html("<script>evil</script>" + "".join(tokens) * times)

    assert "evil" not in text


@pytest.mark.parametrize(
    "token", ["<a ", "<b>", "<div>", "<p>x", "</", "<!--", "<?", "&#x41", "<![", "<a b='"]
)
def test_hostile_nesting_ends(token: str) -> None:
    text_of_html(token * LENGTH_MAX)
