from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, ParseError
from digest.sources import Source, SourceOptions, build_source, source_kinds

NOW = datetime(2026, 3, 11, 12, tzinfo=UTC)
OPTIONS: dict[str, dict[str, Any]] = {
    "huggingface": {},
    "arxiv": {"categories": ("cs.CL",), "query": "ti:x"},
    "feed": {"url": "https://blog.example/feed"},
    "page": {"url": "https://blog.example/page"},
    "github-trending": {},
    "hackernews": {},
    "reddit": {"categories": ("MachineLearning",)},
    "semantic-scholar": {"query": "x"},
}
SOURCES = {
    kind: build_source(kind, f"my {kind}", SourceOptions(**known))
    for kind, known in OPTIONS.items()
}


def test_every_kind_can_be_built_and_asked() -> None:
    assert set(source_kinds()) >= set(OPTIONS)
    for kind, source in SOURCES.items():
        requests = source.requests({}, NOW)
        assert (source.kind, source.name) == (kind, f"my {kind}")
        assert source.pause_s > 0
        assert requests and all(
            request.url.startswith("https://") and request.label for request in requests
        )


def test_an_unknown_kind_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        ConfigError, match="there is no kind 'rss'; it can be huggingface, arxiv, feed"
    ):
        build_source("rss", "x", SourceOptions())


def test_a_pause_from_the_settings_counts() -> None:
    for kind, known in OPTIONS.items():
        assert build_source(kind, "x", SourceOptions(pause_s=0.0, **known)).pause_s == 0.0


def test_a_token_is_not_in_the_words_of_its_options() -> None:
    assert "s3cret" not in repr(SourceOptions(token="s3cret"))


HTML = st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "<div data-target='DailyPapers' data-props='",
            "{}'>",
            "<article class='Box-row'>",
            "<tr class='athing' id='1'>",
            "<a href='/a/b'>",
            "<h2>",
            "x",
            "\\\\\n",
            "arXiv:2403.01234\n",
            "Title: x\n",
            "<feed>",
            "<entry>",
            "<![",
            "<!--",
            "{",
            "[",
            "Subscribe\n",
            "\x00",
            "\ud800",
        ]
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
@given(
    body=st.binary(max_size=60) | HTML.map(lambda text: text.encode("utf-8", "surrogatepass")),
    content_type=st.sampled_from(
        ["", "text/html", "application/json; charset=latin-1", "text/xml; charset=bogus"]
    ),
)
@settings(deadline=None, max_examples=100)
def test_no_answer_raises_anything_but_a_parse_error(
    source: Source, body: bytes, content_type: str
) -> None:
    for request in source.requests({}, NOW)[-2:]:
        way = request
        while way is not None:
            try:
                source.parse(way, body, content_type)
            except ParseError as error:
                assert "\n" not in str(error)
            way = way.instead
