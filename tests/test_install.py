"""What docs/install.md tells people to type exists, and the unit files are good ones."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from digest.cli import app
from digest.config.settings import LISTS, keys_of
from tests.paths import REPO

GUIDE = (REPO / "docs" / "install.md").read_text("utf-8")
UNITS = sorted((REPO / "packaging").glob("*.service"))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


def typed_commands() -> list[list[str]]:
    """Every `digest …` of the guide, in its shell blocks and in its prose, split into words."""
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    in_blocks = [re.split(r"\s+#|[|&>;)]", line)[0] for line in lines if line.startswith("digest ")]
    in_prose = re.findall(
        r"`(digest(?: [a-z][^`]*)?)`", re.sub(r"```.*?```", "", GUIDE, flags=re.S)
    )
    return [command.split() for command in (*in_blocks, *in_prose)]


def settings_of(unit: Path) -> list[tuple[str, str]]:
    """Its settings in order; systemd allows the same key several times."""
    lines = unit.read_text("utf-8").splitlines()
    return [tuple(line.split("=", 1)) for line in lines if re.match(r"[A-Z]\w+=", line)]


def unknown_words(words: list[str]) -> list[str]:
    """What the program would not understand of a command line: commands and option names."""
    node = typer.main.get_command(app)
    while hasattr(node, "commands") and words and words[0] in node.commands:
        node, words = node.commands[words[0]], words[1:]
    known = {name for option in node.params for name in option.opts} | {"--help"}
    unknown = [word for word in words if word.startswith("--") and word not in known]
    if hasattr(node, "commands"):
        unknown += [word for word in words[:1] if not word.startswith("-")]
    return unknown


def test_every_command_of_the_guide_exists_with_its_options():
    commands = typed_commands()

    assert len(commands) > 20
    assert [command for command in commands if unknown_words(command[1:])] == []


@pytest.mark.parametrize("typed", ["daemon", "run --roles all", "subscribers grow", "--verbose"])
def test_what_does_not_exist_would_be_noticed(typed: str):
    assert unknown_words(typed.split())


def test_every_setting_of_the_guide_exists():
    for block in blocks("toml"):
        for section, keys in tomllib.loads(block).items():
            assert section not in LISTS
            assert set(keys) <= set(keys_of(section)), section

    assert len(blocks("toml")) >= 5


def test_every_link_within_the_guide_leads_somewhere():
    headings = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([^)]+)\)", GUIDE))

    assert links and links <= anchors


def test_every_file_of_the_source_that_the_guide_names_exists():
    named = set(re.findall(r"/opt/digest/src/([\w/@.-]+\w)", GUIDE))

    assert named and all((REPO / name).is_file() for name in named)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not on this machine")
def test_systemd_finds_no_fault_in_a_unit(unit: Path, tmp_path: Path):
    text = unit.read_text("utf-8").replace("/opt/digest/venv/bin/digest", shutil.which("true"))
    copy = tmp_path / unit.name.replace("@", "@deliver")
    copy.write_text(text, "utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_both_units_run_the_same_program_under_the_same_limits():
    whole, role = (
        settings_of(REPO / "packaging" / name) for name in ("digest.service", "digest@.service")
    )
    differing = {"Description", "Conflicts", "ExecStart"}

    assert [s for s in whole if s[0] not in differing] == [s for s in role if s[0] not in differing]
    assert dict(role)["ExecStart"] == dict(whole)["ExecStart"] + " --only %i"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_waits_longer_than_the_daemon_needs_to_finish(unit: Path):
    settings = dict(settings_of(unit))

    assert int(settings["TimeoutStopSec"].removesuffix("s")) > 30
    assert settings["RestartPreventExitStatus"] == "2"
