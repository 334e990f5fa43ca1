from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import BadInput
from digest.model import PaperData
from digest.papers import find_arxiv, keys_of, normal_doi, normal_url, parse_key
from digest.text import http_url

NEW_IDS = st.builds(
    "{:02d}{:02d}.{:05d}".format, st.integers(7, 29), st.integers(1, 12), st.integers(1, 99999)
)
OLD_IDS = st.builds(
    "{}/{:07d}".format,
    st.sampled_from(
        ["astro-ph", "math", "cs", "hep-th", "cond-mat", "quant-ph", "math-ph", "q-bio"]
    ),
    st.integers(0, 9999999),
)
IDS = NEW_IDS | OLD_IDS
VERSIONS = st.none() | st.integers(1, 40)
SPELLINGS = [
    "{}",
    " {} ",
    "[{}]",
    "arXiv:{}",
    "arxiv:{}",
    "arXiv: {}",
    "oai:arXiv.org:{}",
    "http://arxiv.org/abs/{}",
    "https://arxiv.org/abs/{}",
    "https://www.arxiv.org/abs/{}?context=cs.CL",
    "https://export.arxiv.org/abs/{}",
    "https://arxiv.org/pdf/{}",
    "https://arxiv.org/pdf/{}.pdf",
    "https://arxiv.org/html/{}#S3",
    "https://alphaxiv.org/abs/{}",
    "https://www.alphaxiv.org/overview/{}",
    "https://huggingface.co/papers/{}",
    "https://hf.co/papers/{}#community",
    "https://ar5iv.labs.arxiv.org/html/{}",
    "https://ar5iv.org/abs/{}",
    "https://doi.org/10.48550/arXiv.{}",
    "doi:10.48550/arxiv.{}",
    "10.48550/ARXIV.{}",
    "arxiv.org/abs/{}",
    "HTTPS://ARXIV.ORG/abs/{}/",
]


def paper(**known: object) -> PaperData:
    return PaperData(**{"title": "T", "url": "https://example.org/x", "position": 1, **known})  # type: ignore[arg-type]


@given(IDS, VERSIONS, st.sampled_from(SPELLINGS))
@settings(deadline=None, max_examples=400)
def test_all_spellings_and_versions_of_a_paper_meet(
    arxiv_id: str, version: int | None, spelling: str
) -> None:
    written = spelling.format(arxiv_id + (f"v{version}" if version else ""))

    assert find_arxiv(written) == (arxiv_id, version)
    assert parse_key(written) == f"arxiv:{arxiv_id}"


@given(IDS, VERSIONS)
@settings(deadline=None)
def test_a_landing_page_on_arxiv_makes_no_second_identity(
    arxiv_id: str, version: int | None
) -> None:
    suffix = f"v{version}" if version else ""

    assert keys_of(paper(url=f"https://arxiv.org/abs/{arxiv_id}{suffix}")) == (f"arxiv:{arxiv_id}",)
    assert keys_of(
        paper(url=f"https://huggingface.co/papers/{arxiv_id}", arxiv_id=arxiv_id, version=version)
    ) == (f"arxiv:{arxiv_id}",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("astro-ph/0601001v1", ("astro-ph/0601001", 1)),
        ("math.GT/0309136", ("math/0309136", None)),
        ("https://arxiv.org/abs/math.GT/0309136v2", ("math/0309136", 2)),
        ("cond-mat.mes-hall/9901001", ("cond-mat/9901001", None)),
        ("https://arxiv.org/abs/astro-ph%2F0601001", ("astro-ph/0601001", None)),
        ("0704.0001", ("0704.0001", None)),
        ("see arXiv:2401.01234v3, section 2", ("2401.01234", 3)),
        ("new at https://arxiv.org/abs/2401.01234.", ("2401.01234", None)),
        ("(https://arxiv.org/pdf/2401.01234v2)", ("2401.01234", 2)),
        ("[R] A title, arxiv.org/abs/2401.01234v2 (new)", ("2401.01234", 2)),
        ("https://api.semanticscholar.org/arXiv:2401.01234", ("2401.01234", None)),
    ],
)
def test_odd_spellings_of_arxiv_are_understood(text: str, expected: tuple[str, int | None]) -> None:
    assert find_arxiv(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2401.123",
        "2401.012345",
        "12401.01234",
        "it costs 2401.01234 dollars",
        "owner/0601001",
        "https://github.com/math/0309136",
        "https://example.org/abs/2401.01234",
        "https://notarxiv.org/abs/2401.01234",
        "https://arxiv.org/list/cs.AI/new",
        "https://share.example/?url=https://arxiv.org/abs/2401.01234",
        "https://huggingface.co/papers/date/2026-03-11",
        "https://huggingface.co/2401.01234/model",
        "10.1000/arxiv.2401.01234",
    ],
)
def test_what_is_no_arxiv_paper_is_not_taken_for_one(text: str) -> None:
    assert find_arxiv(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "10.1145/3292500.3330701",
        "doi:10.1145/3292500.3330701",
        "DOI: 10.1145/3292500.3330701",
        "info:doi/10.1145/3292500.3330701",
        "https://doi.org/10.1145/3292500.3330701",
        "http://dx.doi.org/10.1145/3292500.3330701?x=1",
        "https://dl.acm.org/doi/10.1145/3292500.3330701",
        "https://dl.acm.org/doi/pdf/10.1145/3292500.3330701",
        "doi.org/10.1145/3292500.3330701.",
    ],
)
def test_all_spellings_of_a_doi_meet(text: str) -> None:
    assert normal_doi(text) == "10.1145/3292500.3330701"
    assert parse_key(text) == "doi:10.1145/3292500.3330701"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://doi.org/10.1002/(SICI)1097-4571", "10.1002/(sici)1097-4571"),
        ("10.1101/2024.01.15.575123v2", "10.1101/2024.01.15.575123"),
        (
            "https://www.biorxiv.org/content/10.1101/2024.01.15.575123v2.full.pdf",
            "10.1101/2024.01.15.575123",
        ),
        (
            "https://link.springer.com/article/10.1007/s10994-021-05946-3",
            "10.1007/s10994-021-05946-3",
        ),
        (
            "https://link.springer.com/content/pdf/10.1007/s10994-021-05946-3.pdf",
            "10.1007/s10994-021-05946-3",
        ),
        (
            "https://www.frontiersin.org/articles/10.3389/fnins.2020.00001/full",
            "10.3389/fnins.2020.00001",
        ),
        ("https://example.org/10.1145/1", None),
        ("10.1/x", None),
        ("10.1145", None),
        ("the DOI is 10.1145/1", None),
    ],
)
def test_dois_of_publishers(text: str, expected: str | None) -> None:
    assert normal_doi(text) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/Some/Path?a=1&b=2",
        "http://example.org/Some/Path?a=1&b=2",
        "HTTPS://WWW.Example.org:443/Some/Path?b=2&a=1",
        "https://example.org/Some/Path/?a=1&b=2#section",
        "https://example.org/Some/./x/../Path?utm_source=feed&a=1&b=2&fbclid=z&UTM_Medium=m",
        "https://example.org/%53ome/Path?a=%31&b=2&",
        "https://example.org./Some/Path?a=1&b=2",
    ],
)
def test_all_spellings_of_an_address_meet(url: str) -> None:
    assert normal_url(url) == "https://example.org/Some/Path?a=1&b=2"


@pytest.mark.parametrize(
    "other",
    [
        "https://example.org/some/path",
        "https://example.org/Some/Path?a=1",
        "https://example.org:8080/Some/Path",
        "https://sub.example.org/Some/Path",
        "https://example.org/Some%2FPath",
        "https://example.org/Some",
    ],
)
def test_different_addresses_stay_different(other: str) -> None:
    assert normal_url(other) != normal_url("https://example.org/Some/Path")


PATHS = st.text(st.sampled_from("aB1./%2e4fF~-ü @:"), max_size=15)
QUERIES = st.dictionaries(
    st.sampled_from(["a", "b", "utm_source", "q q", "ü"]), st.text(max_size=5), max_size=4
)


@given(st.sampled_from(["e.org", "www.e.org", "www.www.e.org", "E.org:80"]), PATHS, QUERIES)
@settings(deadline=None, max_examples=400)
def test_a_normal_address_is_settled_and_can_be_asked(
    host: str, path: str, query: dict[str, str]
) -> None:
    url = http_url(f"http://{host}/{path}?{urlencode(query, errors='replace')}")

    if url is not None:
        once = normal_url(url)
        assert normal_url(once) == once
        assert http_url(once) == once
        assert "utm_" not in once


@given(st.text(max_size=40))
@settings(deadline=None, max_examples=400)
def test_any_text_has_one_key_or_is_refused(text: str) -> None:
    try:
        key = parse_key(text)
    except BadInput:
        return

    assert re.match("arxiv:|doi:10|url:[0-9a-f]{16}$", key)
    assert parse_key(key) == key


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(BadInput, match="https://"):
        normal_url("javascript:alert(1)")


def test_keys_come_best_first_and_an_arxiv_doi_is_no_second_one() -> None:
    known = paper(
        arxiv_id="2401.01234", doi="10.48550/arXiv.2401.01234", url="https://lab.example/p"
    )
    published = paper(arxiv_id="2401.01234", doi="10.1145/1.2", url="https://doi.org/10.1145/1.2")

    assert keys_of(known)[:1] == ("arxiv:2401.01234",)
    assert len(keys_of(known)) == 2 and keys_of(known)[1].startswith("url:")
    assert keys_of(published) == ("arxiv:2401.01234", "doi:10.1145/1.2")
    assert keys_of(
        paper(doi="10.48550/arXiv.2401.01234", url="https://doi.org/10.48550/arXiv.2401.01234")
    ) == ("arxiv:2401.01234",)


def test_a_link_and_its_key_name_the_same_item() -> None:
    (key,) = keys_of(paper(url="https://www.example.org/post/?utm_source=x"))

    assert (
        key
        == parse_key("http://example.org/post")
        == parse_key("example.org/post")
        == parse_key(key)
    )


@pytest.mark.parametrize(
    "text", ["", "attention", "arxiv:", "doi:", "url:xyz", "javascript:alert(1)", "a b.c/d"]
)
def test_what_names_no_paper_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match="arXiv id like"):
        parse_key(text)


def test_a_repository_is_the_same_in_any_case() -> None:
    assert normal_url("https://GitHub.com/Lab/Code") == normal_url(
        "http://www.github.com/lab/code/"
    )
    assert normal_url("https://github.com/lab/code/Path") != normal_url(
        "https://github.com/lab/code/path"
    )
