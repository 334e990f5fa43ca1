"""Pulling a model: once, resumable, by hash, and with words that help when it cannot be had."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.app import App
from digest.cli.model import fetch_model
from digest.config import load_settings
from digest.embed.known import KnownModel, ModelFile
from digest.embed.pull import Pulled, pull
from digest.errors import ModelError
from digest.store.schema import embedding
from tests.cli_pieces import CONFIG, Operator
from tests.disks import small_disk
from tests.fetching import World, open_hasty_world
from tests.file_server import FileServer
from tests.model_files import write_onnx
from tests.store_pieces import count, merge, paper

NAMES = {"model.onnx": "onnx/small.onnx", "tokenizer.json": "tokenizer.json"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield from open_hasty_world(monkeypatch)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[FileServer]:
    made = write_onnx(tmp_path / "made")
    files = {f"/{remote}": (made / name).read_bytes() for name, remote in NAMES.items()}
    with FileServer(files) as server:
        yield server


@pytest.fixture
def small(host: FileServer) -> KnownModel:
    return KnownModel(
        name="small",
        about="for tests",
        url=f"{host.url}/",
        files=tuple(
            ModelFile(
                name=name,
                remote=remote,
                size=len(host.files[f"/{remote}"]),
                sha256=hashlib.sha256(host.files[f"/{remote}"]).hexdigest(),
            )
            for name, remote in NAMES.items()
        ),
    )


def refusal(model: KnownModel, models: Path, world: World, **how: str) -> str:
    with pytest.raises(ModelError) as caught:
        pull(model, models, world.fetcher, url=how.get("url"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_all_files_come_to_a_folder_of_the_models_name(
    small: KnownModel, world: World, host: FileServer, tmp_path: Path
) -> None:
    told: dict[str, int] = {}

    done = pull(
        small, tmp_path, world.fetcher, progress=lambda file, at: told.update({file.name: at})
    )

    assert done == Pulled(folder=tmp_path / "small", fetched=("model.onnx", "tokenizer.json"))
    assert small.is_whole(done.folder)
    assert told == {file.name: file.size for file in small.files}


def test_a_second_pull_asks_for_nothing(
    small: KnownModel, world: World, host: FileServer, tmp_path: Path
) -> None:
    pull(small, tmp_path, world.fetcher)
    host.asked.clear()

    assert pull(small, tmp_path, world.fetcher).fetched == ()
    assert host.asked == []


def test_a_file_that_was_spoilt_is_fetched_again(
    small: KnownModel, world: World, tmp_path: Path
) -> None:
    folder = pull(small, tmp_path, world.fetcher).folder
    right = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(b"!" + right[1:])

    assert pull(small, tmp_path, world.fetcher).fetched == ("model.onnx",)
    assert (folder / "model.onnx").read_bytes() == right


def test_a_mirror_may_serve_it_but_nothing_else(
    small: KnownModel, world: World, host: FileServer, tmp_path: Path
) -> None:
    moved = replace(small, url="http://127.0.0.1:9/")

    pull(moved, tmp_path, world.fetcher, url=host.url)
    (tmp_path / "small" / "tokenizer.json").unlink()
    host.files["/tokenizer.json"] = host.files["/tokenizer.json"][::-1]

    told = refusal(moved, tmp_path, world, url=host.url)
    assert "is not the file that was expected" in told
    assert "--url" in told
    assert not (tmp_path / "small" / "tokenizer.json").exists()


def test_a_pull_goes_on_where_it_was_cut(
    small: KnownModel, world: World, host: FileServer, tmp_path: Path
) -> None:
    host.cuts = [20, *[0] * 9]
    told = refusal(small, tmp_path, world)
    assert "run the command again, which goes on where it ended" in told

    host.cuts = []
    host.asked.clear()
    pull(small, tmp_path, world.fetcher)

    assert host.ranges[0] == "bytes=20-"
    assert small.is_whole(tmp_path / "small")


def test_offline_it_says_how_to_bring_the_files(
    small: KnownModel, world: World, tmp_path: Path
) -> None:
    away = replace(small, url="http://127.0.0.1:9/")

    told = refusal(away, tmp_path, world)

    assert told.startswith("127.0.0.1:9 refuses connections; run the command again")
    assert f"copy the files to {tmp_path / 'small'}" in told
    assert "source" not in told


def test_what_is_gone_from_its_host_is_said_so(
    small: KnownModel, world: World, host: FileServer, tmp_path: Path
) -> None:
    host.files.clear()

    told = refusal(small, tmp_path / "models", world)

    assert "404 Not Found" in told
    assert "name a mirror of small with --url" in told
    assert list((tmp_path / "models").iterdir()) == [], "a pull that got nothing leaves nothing"


def test_half_a_model_has_no_folder_and_a_file_that_came_is_kept(
    small: KnownModel, world: World, host: FileServer, tmp_path: Path
) -> None:
    large = max(small.files, key=lambda file: file.size)
    content = host.files.pop(f"/{large.remote}")

    refusal(small, tmp_path, world)

    assert not (tmp_path / "small").exists()
    host.files[f"/{large.remote}"] = content
    host.asked.clear()
    folder = pull(small, tmp_path, world.fetcher).folder
    assert {asked.path for asked in host.asked} == {f"/{large.remote}"}
    assert small.is_whole(folder)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_full_disk_is_said_before_anything_is_fetched(
    small: KnownModel, world: World, host: FileServer, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", kilobytes=64) as disk:
        (disk / "ballast").write_bytes(b"\0" * 60_000)
        told = refusal(replace(small, files=(replace(small.files[0], size=50_000),)), disk, world)

    assert "is full; make room and run the command again" in told
    assert host.asked == []


def test_a_disk_that_fills_up_meanwhile_keeps_what_came(world: World, tmp_path: Path) -> None:
    content = b"\1" * 200_000
    file = ModelFile(name="f", remote="f", size=200_000, sha256=hashlib.sha256(content).hexdigest())
    with FileServer({"/f": content}) as host, small_disk(tmp_path / "d", kilobytes=256) as disk:
        model = KnownModel(name="m", about="", url=host.url, files=(file,))

        def eat(file: ModelFile, there: int) -> None:
            if there == 0:
                (disk / "ballast").write_bytes(b"\0" * 120_000)

        with pytest.raises(ModelError, match="is full"):
            pull(model, disk, world.fetcher, progress=eat)
        (disk / "ballast").unlink()
        host.asked.clear()
        pull(model, disk, world.fetcher)

        assert host.ranges != [None], "what came before was kept"
        assert (disk / "m" / "f").read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(
    small: KnownModel, world: World, tmp_path: Path
) -> None:
    (tmp_path / "models").write_text("a file is in the way")

    assert f"{tmp_path / 'models'}" in refusal(small, tmp_path / "models", world)


# -- as a command


@pytest.fixture
def app(tmp_path: Path, no_proxies: None) -> Iterator[App]:
    (tmp_path / "config.toml").write_text(f'{CONFIG}\n[rank]\nmodel = "models/small"\n')
    (tmp_path / "models" / "small").mkdir(parents=True)
    app = App(load_settings(tmp_path / "config.toml", environ={}))
    yield app
    app.close()


def test_a_fetched_model_is_in_use_and_makes_its_vectors(
    app: App, small: KnownModel, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")
    merge(app.store, paper("2603.00001"), paper("2603.00002"))

    fetch_model(app, small, None)

    told = capsys.readouterr()
    assert "model.onnx, tokenizer.json" in told.out
    assert "2 papers have new vectors" in told.out
    assert told.err == "", "no bar where nobody looks"
    assert count(app.store, embedding) == 2


def test_a_fetched_model_beside_the_one_in_use_is_told_from_it(
    app: App, small: KnownModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")
    write_onnx(tmp_path / "models" / "small", {"robot": (1, 2, 3), "a": (1, 0, 0)})
    merge(app.store, paper("2603.00001"))

    fetch_model(app, replace(small, name="other"), None)

    told = capsys.readouterr().out
    assert "other is not in use" in told
    assert f'model = "{tmp_path / "models" / "other"}"' in told
    assert count(app.store, embedding) == 0


def test_an_unknown_name_is_refused_with_the_known_ones(site: Operator) -> None:
    told = site.is_refused("model", "pull", "gpt-7", code=2)

    assert "there are: all-MiniLM-L6-v2, all-MiniLM-L6-v2-fp32" in told


def test_the_command_refuses_what_is_not_the_model(
    site: Operator, host: FileServer, no_proxies: None
) -> None:
    told = site.is_refused("model", "pull", "--url", host.url)

    assert "of another size than the 466,247 bytes" in told
    assert not (site.folder / "models" / "all-MiniLM-L6-v2" / "tokenizer.json").exists()
