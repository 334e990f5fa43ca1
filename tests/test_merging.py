"""Which account of a paper is believed: the rules, without a database."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from digest.merging import absorb, best_key, first_account, unite
from digest.model import Announce, Item
from tests.store_pieces import paper

KEY = "arxiv:2603.00001"


def told_by(kind: str, **told: object) -> Item:
    return first_account(paper(**told), kind=kind, key=KEY)


def test_an_arxiv_id_is_a_better_key_than_a_doi_than_an_address():
    assert best_key(["url:ab", "doi:10.1/x", KEY]) == KEY
    assert best_key(["url:ab", "doi:10.1/x"]) == "doi:10.1/x"


def test_of_several_keys_alike_the_first_stays():
    assert best_key(["arxiv:2603.2", "arxiv:2603.1"]) == "arxiv:2603.2"


def test_a_new_title_of_the_same_source_is_followed():
    item = told_by("huggingface", title="VideoRepair", abstract="Old.")

    after = absorb(item, paper(title="Self-Correcting", abstract="New."), kind="huggingface")

    assert (after.title, after.abstract) == ("Self-Correcting", "New.")


def test_hugging_face_does_not_overrule_arxiv():
    item = told_by("arxiv", title="The title on arXiv", version=2)

    after = absorb(item, paper(title="A stale title"), kind="huggingface")

    assert after.title == "The title on arXiv"


def test_arxiv_overrules_hugging_face():
    item = told_by("huggingface", title="A stale title")

    after = absorb(item, paper(title="The title on arXiv", version=1), kind="arxiv")

    assert (after.title, after.told_by) == ("The title on arXiv", "arxiv")


def test_a_feed_fills_in_what_nobody_knew_and_overrules_nobody():
    item = told_by("huggingface", abstract="The abstract.")
    entry = paper(title="Cut ti…", abstract="Cut…", code_url="https://github.com/a/b")

    after = absorb(item, entry, kind="feed")

    assert (after.title, after.abstract) == (item.title, "The abstract.")
    assert after.code_url == "https://github.com/a/b"


def test_what_a_source_does_not_know_is_not_unsaid():
    item = told_by(
        "huggingface",
        abstract="The abstract.",
        code_url="https://github.com/a/b",
        organization="Example Lab",
        doi="10.1/x",
    )

    after = absorb(item, paper(abstract="", authors=()), kind="huggingface")

    assert (after.abstract, after.authors) == ("The abstract.", ("Ann Example",))
    assert (after.code_url, after.organization, after.doi) == (
        "https://github.com/a/b",
        "Example Lab",
        "10.1/x",
    )


def test_nothing_new_gives_the_very_same_object():
    item = told_by("huggingface", categories=("cs.CL",))

    assert absorb(item, paper(categories=("cs.CL",)), kind="huggingface") is item


def test_the_highest_version_is_kept():
    item = told_by("arxiv", version=2)

    assert absorb(item, paper(version=3), kind="arxiv").version == 3
    assert absorb(item, paper(version=1), kind="arxiv").version == 2
    assert absorb(item, paper(version=None), kind="arxiv").version == 2


def test_an_old_version_that_arrives_late_changes_nothing_it_says():
    item = told_by("arxiv", version=3, title="Third", pdf_url="https://arxiv.org/pdf/x")
    late = paper(version=1, title="First", pdf_url="https://arxiv.org/pdf/y", withdrawn=True)

    assert absorb(item, late, kind="arxiv") == item


def test_categories_of_all_sources_are_joined_in_the_order_told():
    item = told_by("arxiv", categories=("cs.CL", "cs.AI"))

    after = absorb(item, paper(categories=("cs.AI", "stat.ML")), kind="feed")

    assert after.categories == ("cs.CL", "cs.AI", "stat.ML")


def test_a_withdrawn_paper_stays_withdrawn_until_arxiv_takes_it_back():
    item = told_by("arxiv", version=2, withdrawn=True)

    assert absorb(item, paper(), kind="huggingface").withdrawn
    assert absorb(item, paper(version=1), kind="arxiv").withdrawn
    assert not absorb(item, paper(version=3), kind="arxiv").withdrawn


def test_what_was_only_ever_replaced_is_not_offered():
    item = told_by("arxiv", version=4, announce=Announce.REPLACE)

    assert not item.offered
    assert not absorb(item, paper(announce=Announce.REPLACE_CROSS), kind="arxiv").offered
    assert absorb(item, paper(announce=Announce.CROSS), kind="arxiv").offered


def test_a_replacement_does_not_take_back_an_offer():
    item = told_by("arxiv", version=1)

    assert absorb(item, paper(version=2, announce=Announce.REPLACE), kind="arxiv").offered


def test_of_two_that_are_one_the_better_source_tells_and_the_first_keeps_its_id():
    feed = Item(id=7, key="doi:10.1/x", title="Cut…", abstract="", url="u:f", told_by="feed")
    arxiv = Item(
        id=9,
        key=KEY,
        title="Whole",
        abstract="All of it.",
        url="u:a",
        told_by="arxiv",
        arxiv_id="2603.00001",
        version=2,
    )

    for one, other in ((feed, arxiv), (arxiv, feed)):
        united = unite(one, other)
        assert united.id == one.id
        assert (united.title, united.abstract, united.url) == ("Whole", "All of it.", "u:a")
        assert (united.arxiv_id, united.version, united.told_by) == ("2603.00001", 2, "arxiv")


def test_of_two_that_are_one_nothing_known_is_lost():
    at = datetime(2026, 3, 1, tzinfo=UTC)
    one = told_by("huggingface", organization="Lab", code_url="https://github.com/a/b")
    other = told_by("arxiv", abstract="", authors=(), published_at=at, doi="10.1/x", withdrawn=True)

    united = unite(one, other)

    assert united.abstract and united.authors
    assert (united.organization, united.code_url) == ("Lab", "https://github.com/a/b")
    assert (united.published_at, united.doi) == (at, "10.1/x")
    assert united.withdrawn


KINDS = st.sampled_from(["arxiv", "huggingface", "feed", "page"])
ENTRIES = st.builds(
    paper,
    version=st.none() | st.integers(1, 4),
    title=st.sampled_from(["A", "B", "C"]),
    abstract=st.sampled_from(["", "x", "y"]),
    code_url=st.sampled_from([None, "https://github.com/a/b"]),
    categories=st.lists(st.sampled_from(["cs.CL", "cs.AI"]), unique=True).map(tuple),
    announce=st.sampled_from(Announce),
    withdrawn=st.booleans(),
)


@given(st.lists(st.tuples(KINDS, ENTRIES), min_size=1, max_size=8))
def test_whatever_is_told_nothing_gets_lost_and_telling_it_again_changes_nothing(
    told: list[tuple[str, object]],
):
    kind, entry = told[0]
    item = first_account(entry, kind=kind, key=KEY)  # type: ignore[arg-type]
    for kind, entry in told:
        after = absorb(item, entry, kind=kind)  # type: ignore[arg-type]
        assert (after.version or 0) >= (item.version or 0)
        assert after.offered >= item.offered
        assert bool(after.abstract) >= bool(item.abstract)
        assert bool(after.code_url) >= bool(item.code_url)
        assert set(after.categories) >= set(item.categories)
        assert absorb(after, entry, kind=kind) is after  # type: ignore[arg-type]
        item = after
