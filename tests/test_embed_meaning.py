"""Which model is in use: found while everything runs, changed, broken; and catching up with it."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from digest.app import App
from digest.config import load_settings
from digest.embed import Meaning, Vectors
from digest.embed.known import KNOWN, KnownModel, ModelFile
from digest.embed.meaning import find_folder
from digest.store import Store, embeddings, facts
from digest.store.schema import embedding
from digest.text import text_key
from digest.ticks import model_tick
from tests.cli_pieces import CONFIG
from tests.model_files import WORDS, write_onnx
from tests.store_pieces import DAY, HOUR, NOW, count, merge, paper

pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")

OTHER = dict(WORDS) | {"robot": (1, 0, 4, 1)}


def meaning(store: Store, setting: Path | str, *, models: Path = Path("none")) -> Meaning:
    return Meaning(store, setting=str(setting), models=models, now=lambda: NOW)


def fill(store: Store, *titles: str) -> None:
    for n, title in enumerate(titles):
        merge(store, paper(f"2603.{n:05}", title=title, abstract=""), now=NOW + n * HOUR)


def made(store: Store, name: str, *titles: str) -> set[str]:
    with store.read() as tx:
        return {title for title in titles if embeddings.known_keys(tx, name, [text_key(title, "")])}


# -- which one


def known(name: str, size: int) -> KnownModel:
    file = ModelFile(name="model.onnx", remote="model.onnx", size=size, sha256="0" * 64)
    return KnownModel(name=name, about="", url="", files=(file,))


def put_known(models: Path, model: KnownModel) -> Path:
    for file in model.files:
        path = models / model.name / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as made:
            made.truncate(file.size)
    return models / model.name


def test_words_alone_need_no_folder(tmp_path: Path) -> None:
    put_known(tmp_path, KNOWN[0])

    assert find_folder("lexical", tmp_path) is None


def test_a_named_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert find_folder(str(tmp_path / "mine"), Path("none")) == tmp_path / "mine"


def test_auto_takes_the_first_known_model_that_is_whole(tmp_path: Path) -> None:
    assert find_folder("auto", tmp_path) is None

    second = put_known(tmp_path, KNOWN[1])
    assert find_folder("auto", tmp_path) == second

    first = put_known(tmp_path, KNOWN[0])
    assert find_folder("auto", tmp_path) == first

    os.truncate(first / "tokenizer.json", 5)
    assert find_folder("auto", tmp_path) == second


def test_the_models_that_can_be_fetched_are_told_in_full() -> None:
    assert len({model.name for model in KNOWN}) == len(KNOWN)
    for model in KNOWN:
        assert model.url.startswith("https://")
        assert model.url.endswith("/")
        for file in model.files:
            assert len(bytes.fromhex(file.sha256)) == 32


# -- as it comes and goes


def test_a_model_is_used_as_soon_as_it_is_there_and_no_longer(
    sqlite_store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    now = meaning(sqlite_store, folder)
    assert now.vectors() is None

    write_onnx(folder)
    first = now.vectors()
    assert first is not None
    assert now.vectors() is first, "loaded once"

    write_onnx(folder, OTHER)
    os.utime(folder / "model.onnx", (1, 1))
    second = now.vectors()
    assert second is not None
    assert second.name != first.name

    (folder / "tokenizer.json").unlink()
    assert now.vectors() is None


def test_what_is_wrong_with_a_model_is_said_once(
    sqlite_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_onnx(tmp_path)
    (folder / "model.onnx").write_bytes(b"half")
    broken = meaning(sqlite_store, folder)

    with caplog.at_level(logging.WARNING):
        assert [broken.vectors() for _ in range(3)] == [None] * 3

    assert [r.getMessage().split(":")[0] for r in caplog.records] == [
        "texts are compared by words alone"
    ]


def test_a_folder_that_must_not_be_looked_at_is_said_and_words_are_compared(
    sqlite_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # refused whoever asks; a folder of another user's is refused in the same way
    too_long = tmp_path / ("long" * 100)

    with caplog.at_level(logging.WARNING):
        assert meaning(sqlite_store, too_long).vectors() is None
        assert meaning(sqlite_store, "auto", models=too_long).vectors() is None

    assert ["cannot be read" in r.getMessage() for r in caplog.records] == [True, True]


# -- catching up


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_onnx(tmp_path / "model")


def test_the_archive_gets_its_vectors_in_bounded_portions_newest_first(
    store: Store, model: Path
) -> None:
    fill(store, "sparse attention", "robot arm", "video")
    catching = meaning(store, model)
    name = catching.vectors().name  # type: ignore[union-attr]  # it is there
    assert catching.count_lacking() == 3

    assert catching.catch_up(2) == 2
    assert made(store, name, "sparse attention", "robot arm", "video") == {"robot arm", "video"}

    assert catching.catch_up(2) == 1
    assert catching.catch_up(2) == 0
    assert catching.count_lacking() == 0


def test_what_comes_later_is_caught_up_with_too(store: Store, model: Path) -> None:
    catching = meaning(store, model)
    catching.catch_up(None)

    fill(store, "robot")

    assert catching.catch_up(None) == 1


def test_catching_up_stops_when_told_to(sqlite_store: Store, model: Path) -> None:
    fill(sqlite_store, *(f"robot {n}" for n in range(100)))
    told = iter([False, True])

    assert meaning(sqlite_store, model).catch_up(None, stop=lambda: next(told)) == 64


def test_of_several_processes_one_makes_the_vectors(postgres_store: Store, model: Path) -> None:
    fill(postgres_store, "robot")
    catching = meaning(postgres_store, model)

    with embeddings.making_alone(postgres_store) as is_mine:
        assert is_mine
        assert catching.catch_up(None) == 0

    assert catching.catch_up(None) == 1


def test_without_a_model_there_is_nothing_to_catch_up_with(sqlite_store: Store) -> None:
    fill(sqlite_store, "robot")
    lexical = meaning(sqlite_store, "lexical")

    assert (lexical.catch_up(None), lexical.count_lacking()) == (0, 0)
    assert count(sqlite_store, embedding) == 0


def say_last_used(store: Store, vectors: Vectors | None, ago: timedelta) -> None:
    assert vectors is not None
    with store.write() as tx:
        at = embeddings.note_use(tx, vectors.name, owner="gone") - ago
        facts.put_fact(tx, f"model.used.{vectors.name}", {"owner": "gone", "at": at.isoformat()})


def test_a_process_of_pages_loads_no_model_to_say_that_it_uses_one(tmp_path: Path) -> None:
    folder = write_onnx(tmp_path / "models" / "small")
    (tmp_path / "config.toml").write_text(f'{CONFIG}\n[rank]\nmodel = "{folder}"\n')
    app = App(load_settings(tmp_path / "config.toml", environ={}))

    def in_use() -> int:
        model_tick(app, lambda: False)
        with app.store.read() as tx:
            return len(embeddings.models_in_use(tx, within=DAY))

    assert in_use() == 0
    assert not app.meaning.is_loaded
    assert app.meaning.vectors() is not None
    assert in_use() == 1
    app.close()


def test_another_model_makes_its_own_before_the_old_ones_go(store: Store, tmp_path: Path) -> None:
    fill(store, "sparse attention", "robot arm")
    old = meaning(store, write_onnx(tmp_path / "old"))
    old.catch_up(None)
    say_last_used(store, old.vectors(), 2 * DAY)
    new = meaning(store, write_onnx(tmp_path / "new", OTHER))

    assert new.catch_up(1) == 1
    assert count(store, embedding) == 3, "the old ones are there until all is done"
    assert new.catch_up(1) == 1
    assert new.catch_up(1) == 0

    assert count(store, embedding) == 2
    assert new.count_lacking() == 0
    assert old.count_lacking() == 2


def test_what_was_used_within_a_day_stays_for_going_back(store: Store, tmp_path: Path) -> None:
    fill(store, "robot arm")
    old = meaning(store, write_onnx(tmp_path / "old"))
    old.catch_up(None)
    say_last_used(store, old.vectors(), DAY - HOUR)

    meaning(store, write_onnx(tmp_path / "new", OTHER)).catch_up(None)

    assert old.count_lacking() == 0


def test_two_processes_with_different_models_delete_nothing_of_each_others_and_say_so(
    postgres_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(postgres_store, "sparse attention", "robot arm")
    folders = write_onnx(tmp_path / "one"), write_onnx(tmp_path / "two", OTHER)
    one, two = (
        Meaning(postgres_store, setting=str(f), models=f, now=lambda: NOW, owner=f.name)
        for f in folders
    )

    for _ in range(3):
        one.catch_up(None)
        two.catch_up(None)

    assert (one.count_lacking(), two.count_lacking()) == (0, 0)
    assert count(postgres_store, embedding) == 4
    one._tell_again_at = dict.fromkeys(one._tell_again_at, 0.0)  # ten minutes later
    with caplog.at_level(logging.WARNING):
        one.catch_up(None)
        one.catch_up(None)
    (told,) = (r.getMessage() for r in caplog.records)
    assert told.startswith("two compares by another model")


def test_a_change_of_the_model_is_not_taken_for_two_processes(
    sqlite_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    old = meaning(sqlite_store, write_onnx(tmp_path / "old"))
    new = meaning(sqlite_store, write_onnx(tmp_path / "new", OTHER))

    with caplog.at_level(logging.WARNING):
        old.catch_up(None)
        new.catch_up(None)

    assert caplog.records == []


def test_going_back_to_a_model_whose_vectors_are_gone_makes_them_again(
    store: Store, tmp_path: Path
) -> None:
    fill(store, "sparse attention", "robot arm")
    tomorrow = Meaning(store, setting=str(tmp_path), models=tmp_path, now=lambda: NOW + DAY)
    for words in (WORDS, OTHER, WORDS):
        write_onnx(tmp_path, words)
        tomorrow.catch_up(None)
        tomorrow.catch_up(None)

        assert tomorrow.count_lacking() == 0


def test_words_of_nobody_are_forgotten_after_a_month(store: Store, model: Path) -> None:
    at = [NOW]
    clock: Callable[[], object] = lambda: at[0]  # noqa: E731 - a clock that can be set
    catching = Meaning(store, setting=str(model), models=Path("none"), now=clock)  # type: ignore[arg-type]  # gives moments
    fill(store, "robot")
    catching.catch_up(None)
    catching.vectors().embed([("my own words", "")])  # type: ignore[union-attr]  # it is there

    at[0] = NOW + 29 * DAY
    assert catching.forget_unused() == 0
    at[0] = NOW + 31 * DAY
    assert catching.forget_unused() == 1
    assert count(store, embedding) == 1


# -- what it costs those who do not need it


@pytest.mark.parametrize(
    ("command", "loads"),
    [("topics list", False), ("report", False), ("sources", False), ("search robot", True)],
)
def test_only_commands_that_compare_meanings_load_the_model(
    tmp_path: Path, command: str, loads: bool
) -> None:
    write_onnx(tmp_path / "model")
    (tmp_path / "config.toml").write_text(f'{CONFIG}\n[rank]\nmodel = "model"\n')
    program = (
        "import sys; from digest.cli import run; code = run(sys.argv[1:]);"
        " print(code, [n for n in ('onnxruntime', 'tokenizers') if n in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, *command.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == f"0 {['onnxruntime', 'tokenizers'] if loads else []}"
