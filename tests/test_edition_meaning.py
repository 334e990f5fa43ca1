"""Editions by meaning: when the model is ready, never half-way, and never an error in their way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from digest.edition import Editor
from digest.embed import Meaning, Vectors
from digest.enrol import Choices, Defaults, Enrolment
from digest.model import Cadence, InterestKind, PaperData, Profile, Subscriber
from digest.rank import RankSettings
from digest.store import Store, people
from digest.store.items import merge_listing
from digest.store.people import Wish
from digest.store.schema import embedding
from digest.text import text_key
from digest.tokens import Tokens
from digest.web.matching import match_sentence, preview
from tests.edition_pieces import RULES
from tests.model_files import write_onnx
from tests.paths import SHARED
from tests.store_pieces import HOUR, NOW, add_person, count, item_of, merge, paper

pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")

MINILM = SHARED / "models" / "all-MiniLM-L6-v2-int8"
needs_minilm = pytest.mark.skipif(not MINILM.is_dir(), reason=f"{MINILM} is not there")
PLAIN = RankSettings(min_score=0.0, trend_weight=0.0, diversity=0.0)


def meaning(store: Store, folder: Path) -> Meaning:
    return Meaning(store, setting=str(folder), models=Path("none"), now=lambda: NOW)


def editor(store: Store, vectors: Callable[[], Vectors | None], rank: RankSettings) -> Editor:
    return Editor(store, replace(RULES, rank=rank), vectors)


def somebody(store: Store, *wishes: Wish, email: str = "ann@example.org") -> Subscriber:
    number = add_person(store, email, wishes=wishes)
    with store.read() as tx:
        found = people.get_subscriber(tx, number)
    assert found is not None
    return found


def wants(text: str) -> Wish:
    return Wish(kind=InterestKind.TEXT, value=text)


def entries_of(number: int, *, start: int = 0) -> list[PaperData]:
    return [
        paper(f"2603.{n:05}", title=f"{word} of kind {n}", abstract=f"About {word} number {n}.")
        for n in range(start, start + number)
        for word in (("robot", "video", "sparse attention")[n % 3],)
    ]


def papers(store: Store, number: int, *, start: int = 0) -> None:
    entries = entries_of(number, start=start)
    with store.write() as tx:
        merge_listing(tx, entries, source="hf", kind="huggingface", now=NOW)


def picks(made: Editor, person: Subscriber) -> list[tuple[str, float]]:
    edition, _ = made.preview(person, NOW + HOUR)
    return [(entry.wording.title, entry.pick.score) for entry in edition.entries]


# -- what it is for

ARCHIVE = (
    ("Scaling laws for sparse mixtures", "Loss falls with the number of experts."),
    ("Protein folding from sequences", "Structure of proteins by deep networks."),
    ("Text-to-video diffusion", "Clips are generated from captions."),
    ("Retrieval for question answering", "Passages are found before the answer is written."),
    ("Formal theorem proving", "Proof search in a proof assistant."),
    ("Speech recognition for rare languages", "Transcripts from little audio."),
    ("Weather forecasting", "Ten days ahead with graph networks."),
    ("Household manipulation with mobile bases", "Arms on wheels pick up cups and wipe tables."),
)


@needs_minilm
def test_an_interest_is_met_in_other_words(sqlite_store: Store) -> None:
    for n, (title, abstract) in enumerate(ARCHIVE):
        merge(sqlite_store, paper(f"2603.{n:05}", title=title, abstract=abstract))
    person = somebody(sqlite_store, wants("robots tidying kitchens"))

    by_words = picks(editor(sqlite_store, lambda: None, PLAIN), person)
    by_meaning = picks(editor(sqlite_store, meaning(sqlite_store, MINILM).vectors, PLAIN), person)

    assert by_meaning[0][0] == ARCHIVE[-1][0]
    assert by_words[0][0] != ARCHIVE[-1][0]


# -- when it is used


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "model")


def test_a_few_missing_vectors_are_made_on_the_spot_and_kept(store: Store, model: Path) -> None:
    papers(store, 30)
    person = somebody(store, wants("gripper"))

    first = picks(editor(store, meaning(store, model).vectors, PLAIN), person)

    assert first
    assert count(store, embedding) == 31, "thirty papers and one interest"


def test_found_or_made_the_edition_is_the_same(store: Store, model: Path) -> None:
    papers(store, 30)
    person = somebody(store, wants("gripper"), wants("sparse"))

    made = picks(editor(store, meaning(store, model).vectors, PLAIN), person)
    found = picks(editor(store, meaning(store, model).vectors, PLAIN), person)

    assert made == found


def test_until_a_new_model_has_done_the_archive_words_alone_are_compared(
    sqlite_store: Store, model: Path
) -> None:
    papers(sqlite_store, 501)
    person = somebody(sqlite_store, wants("gripper robot"))
    catching = meaning(sqlite_store, model)
    made = editor(sqlite_store, catching.vectors, PLAIN)
    by_words = picks(editor(sqlite_store, lambda: None, PLAIN), person)

    assert picks(made, person) == by_words
    assert count(sqlite_store, embedding) == 0, "nobody waited for it"

    catching.catch_up(None)
    assert picks(made, person) != by_words
    assert count(sqlite_store, embedding) > 501

    papers(sqlite_store, 600, start=501)
    picks(made, person)
    assert catching.count_lacking() == 0, "once it was in use it stays in use"


def test_a_model_that_goes_or_breaks_is_done_without(sqlite_store: Store, model: Path) -> None:
    papers(sqlite_store, 30)
    person = somebody(sqlite_store, wants("robot gripper"))
    made = editor(sqlite_store, meaning(sqlite_store, model).vectors, PLAIN)
    by_words = picks(editor(sqlite_store, lambda: None, PLAIN), person)
    by_meaning = picks(made, person)

    (model / "model.onnx").write_bytes(b"broken")
    without = picks(made, person)
    write_onnx(model)
    again = picks(made, person)

    assert without == by_words != by_meaning
    assert again == by_meaning


def test_vectors_of_two_models_never_meet(sqlite_store: Store, tmp_path: Path) -> None:
    """The second has another dimension: any mix would fail, or give another list."""
    papers(sqlite_store, 30)
    person = somebody(sqlite_store, wants("robot gripper"))
    small = write_onnx(tmp_path / "small")
    wide = {"robot": (1, 0, 0, 0, 0, 1), "video": (0, 1, 0, 0, 1, 0), "a": (1, 1, 1, 0, 0, 0),
            "gripper": (2, 0, 0, 0, 0, 1), "attention": (0, 0, 1, 1, 0, 0)}  # fmt: skip
    picks(editor(sqlite_store, meaning(sqlite_store, small).vectors, PLAIN), person)
    changing = meaning(sqlite_store, small)
    made = editor(sqlite_store, changing.vectors, PLAIN)
    picks(made, person)

    write_onnx(small, wide)
    after = picks(made, person)

    alone = meaning(sqlite_store, write_onnx(tmp_path / "alone", wide))
    assert after == picks(editor(sqlite_store, alone.vectors, PLAIN), person)


@pytest.mark.parametrize(
    "texts",
    [
        ("", ""),
        ("broken", "broken"),
        ("稀疏", "注意力"),
        ("$\\alpha$", ""),
        ("robot " * 200_000, ""),
    ],
    ids=["empty", "not a number", "unknown script", "LaTeX", "huge"],
)
def test_odd_papers_and_odd_words_are_no_trouble(
    sqlite_store: Store, model: Path, texts: tuple[str, str]
) -> None:
    papers(sqlite_store, 9)
    merge(sqlite_store, paper("2603.99999", title=texts[0] or "0", abstract=texts[1]))
    person = somebody(sqlite_store, wants("broken"), wants("robot"), wants("稀疏"))

    found = picks(editor(sqlite_store, meaning(sqlite_store, model).vectors, PLAIN), person)

    assert found
    assert all(0 <= score <= 1 for _, score in found)


# -- whose words they are


def test_an_erased_person_leaves_no_vector_behind(store: Store, model: Path) -> None:
    papers(store, 12)
    made = editor(store, meaning(store, model).vectors, PLAIN)
    staying = somebody(store, wants("my robot"), email="bob@example.org")
    picks(made, staying)
    before = keys(store)
    leaving = somebody(
        store,
        wants("my rare robot arm"),
        wants("  odd   spacing "),
        Wish(kind=InterestKind.KEYWORD, value="gripper"),
        Wish(kind=InterestKind.KEYWORD, value="pixels"),
        Wish(kind=InterestKind.KEYWORD, value='"sparse tokens"'),
        Wish(kind=InterestKind.LIKE, value=item_of(store, "arxiv:2603.00001").key),
    )
    picks(made, leaving)
    assert keys(store) > before

    enrolment(store).erase(leaving.id, now=NOW)

    assert keys(store) == before


def test_who_changes_an_interest_leaves_no_vector_of_the_old_one(store: Store, model: Path) -> None:
    papers(store, 12)
    made = editor(store, meaning(store, model).vectors, PLAIN)
    person = somebody(store)
    before = keys(store)
    changes = enrolment(store)

    for words in ("my rare robot arm", "video"):
        wishes = {InterestKind.TEXT: (words,), InterestKind.KEYWORD: (words, "pixels")}
        changes.change(person.id, Choices(wishes=wishes), now=NOW)
        picks(made, person)

    told = {text_key("video", ""), text_key("video, pixels", "")}
    assert keys(store) - before == told | keys_of_papers(12)


def enrolment(store: Store) -> Enrolment:
    defaults = Defaults(zone="UTC", send_at=NOW.time(), cadence=Cadence.DAILY, max_items=5)
    return Enrolment(store, Tokens(("k" * 40,)), defaults, domain="example.org")


def keys_of_papers(number: int) -> set[str]:
    return {text_key(entry.title, entry.abstract) for entry in entries_of(number)}


def keys(store: Store) -> set[str]:
    with store.read() as tx:
        return set(tx.execute(select(embedding.c.text_key)).scalars())


def test_what_is_tried_out_on_the_pages_is_compared_and_not_kept(
    sqlite_store: Store, tmp_path: Path
) -> None:
    merge(sqlite_store, *entries_of(6))
    model = meaning(sqlite_store, write_onnx(tmp_path))
    model.catch_up(None)
    pool = editor(sqlite_store, model.vectors, PLAIN).pool(NOW)
    kept = count(sqlite_store, embedding)
    tried = Profile(texts=("a robot arm of mine",))

    assert preview(tried, pool, limit=3, days=1.0).papers
    assert "would match" in match_sentence(tried, pool, days=1.0)
    assert count(sqlite_store, embedding) == kept

    pool.pick(tried, limit=3, rising=0)
    assert count(sqlite_store, embedding) == kept + 1, "an edition's words are kept"
