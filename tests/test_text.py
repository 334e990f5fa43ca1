from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.text import URL_LENGTH_MAX, clean, http_url

ANY_TEXT = st.text(st.characters(), max_size=60)
NASTY = st.text(
    st.sampled_from(
        "aé\u0301ạ\u0323क\u200c\u200d\u202e\u2066\u2069\u200b\ufeff\u00ad \n\t\x00\x1b\ud83d\ude00\udc00👩️🏴\U000e0067\U000e007fÅ"
    ),
    max_size=12,
)


@given(ANY_TEXT | NASTY)
@settings(deadline=None, max_examples=500)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)

    assert clean(once) == once


@given(ANY_TEXT | NASTY)
@settings(deadline=None, max_examples=500)
def test_a_clean_text_is_one_printable_line_that_can_be_stored_and_sent(text: str) -> None:
    cleaned = clean(text)

    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in cleaned)
    assert not set(cleaned) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\ufeff"
    )
    assert unicodedata.is_normalized("NFC", cleaned)
    cleaned.encode("utf-8")


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=40))
@settings(deadline=None)
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert clean(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("dirty", "expected"),
    [
        ("Large Multimodal\n  Models", "Large Multimodal Models"),
        ("non\u00a0breaking\u2003wide\u2028line", "non breaking wide line"),
        ("e\u0301tude", "étude"),
        ("\u202eevil\u202c \u2066x\u2069", "evil x"),
        ("soft\u00adhyphen zero\u200bwidth \ufeffmark", "softhyphen zerowidth mark"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("split \ud83d\ude00 pair", "split 😀 pair"),
        ("nul\x00 bell\x07", "nul bell"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष", "क्\u200dष"),
        ("👩\u200d🔬 ❤\ufe0f\u200d🔥", "👩\u200d🔬 ❤\ufe0f\u200d🔥"),
        ("pay\u200dpal\u200c", "paypal"),
        ("hidden\U000e0068\U000e0069 words", "hidden words"),
        (
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        ),
        ("a <think> is a word & stays", "a <think> is a word & stays"),
        ("   ", ""),
    ],
)
def test_what_strangers_write_is_made_readable(dirty: str, expected: str) -> None:
    assert clean(dirty) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://github.com/a/b", "https://github.com/a/b"),
        ("  https://example.org/x ", "https://example.org/x"),
        ("https://github.com/a/\nb", "https://github.com/a/b"),
        ("HTTPS://Example.ORG/Path", "https://example.org/Path"),
        ("https://example.org:8443/x?a=1&b=2#f", "https://example.org:8443/x?a=1&b=2#f"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://example.org/a%20b%zz", "https://example.org/a%20b%25zz"),
        ('https://example.org/"><b>', "https://example.org/%22%3E%3Cb%3E"),
        ("http://[2001:db8::1]:80/", "http://[2001:db8::1]:80/"),
    ],
)
def test_a_link_is_made_absolute_and_ascii(text: str, expected: str) -> None:
    assert http_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "mailto:a@example.org",
        "ftp://example.org/",
        "//example.org/x",
        "/relative",
        "https://",
        "https:///path",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://good.example\\@evil.example/",
        "https://example.org:99999/",
        "https://example.org:port/",
        "https://[::1/",
        "https://exa mple..org/",
        "https://example.org/\x00",
        "https://example.org/\u202egnp.exe",
        "https://example.org/" + "x" * URL_LENGTH_MAX,
    ],
)
def test_what_is_no_link_for_a_reader_is_refused(text: str) -> None:
    assert http_url(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/papers/1", "https://example.org/papers/1"),
        ("//cdn.example/x", "https://cdn.example/x"),
        ("?page=2", "https://example.org/list?page=2"),
        ("https://other.example/", "https://other.example/"),
        ("javascript:alert(1)", None),
    ],
)
def test_a_relative_link_is_resolved_against_its_page(text: str, expected: str | None) -> None:
    assert http_url(text, "https://example.org/list") == expected


@given(
    ANY_TEXT | st.builds("https://{}".format, ANY_TEXT) | st.builds("http://e.org/{}".format, NASTY)
)
@settings(deadline=None, max_examples=500)
def test_every_accepted_link_is_safe_and_settled(text: str) -> None:
    url = http_url(text)

    if url is not None:
        assert url.startswith(("http://", "https://"))
        assert url.isascii() and url.isprintable()
        assert not set(url) & set(' <>"\\^`{|}')
        assert http_url(url) == url
