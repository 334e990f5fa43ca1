"""docs/configure.md says what is true: its examples load, its error lines are the program's own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from digest.config import load_settings
from digest.config.load import SECRETS
from digest.config.settings import LISTS
from tests.config_folder import MINIMAL, Folder
from tests.paths import REPO

PAGE = (REPO / "docs" / "configure.md").read_text("utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.S)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.startswith("[") and "[site]" not in b])
def test_the_examples_load(tmp_path: Path, block: str) -> None:
    folder = Folder(tmp_path)
    for name in re.findall(r'_file = "([^/"]+)"', block):
        (tmp_path / name).write_text("secret\n")
    block = block.replace("/run/credentials/digest.service/", "")
    (tmp_path / "smtp_password").write_text("secret\n")

    folder.load(MINIMAL + block)


def test_the_three_keys_are_enough(tmp_path: Path) -> None:
    (block,) = [b for b in BLOCKS if "[site]" in b]

    assert Folder(tmp_path).load(block).site.url == "https://digest.example.org"


def test_the_lines_about_mistakes_are_the_program_s_own(tmp_path: Path) -> None:
    text = MINIMAL + (
        '[smtp]\nprot = 25\n[defaults]\nzone = "Europe/Berln"\n'
        '[[source]]\nname = "hf"\nkind = "huggingface"\n'
        '[[source]]\nname = "arxiv"\nkind = "arxiv"\ncategories = ["cs.CL"]\nevery = "3 hours"\n'
    )
    shown = re.findall(r"^  (\S.*) \((?:found .*, )?line \d+\)$", PAGE, flags=re.M)

    told = [re.sub(r" \([^()]*\)$", "", line) for line in Folder(tmp_path).problems(text)]

    assert len(shown) == 3
    assert shown == told


def test_every_secret_is_named() -> None:
    section = PAGE.partition("## Secrets")[2].partition("\n## ")[0]

    for name, keys in SECRETS.items():
        assert (f"[[{name}]]" if name in LISTS else f"[{name}]") in section
        assert all(f"`{key}`" in section for key in keys)


def test_everything_can_be_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").touch()
    environ = {
        "DIGEST_SITE__URL": "https://digest.example.org",
        "DIGEST_SITE__SECRET_KEY": "k" * 32,
        "DIGEST_MAIL__FROM": "digest@example.org",
        "DIGEST_SOURCE__HUGGINGFACE__EVERY": "2h",
    }

    found = load_settings(tmp_path / "empty.toml", environ)

    assert found.sources[0].every.total_seconds() == 7200
