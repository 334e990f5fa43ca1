"""The documents keep in step with the program: every command, option and document is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from digest.cli import app
from tests.paths import REPO

COMMANDS = (REPO / "docs" / "commands.md").read_text()
#: told once, at the top
EVERYWHERE = {"--config", "--at", "--json", "--help"}
DOCUMENTS = sorted([REPO / "README.md", REPO / "CHANGELOG.md", *(REPO / "docs").glob("*.md")])


def all_commands(command: Any, name: str = "digest") -> Iterator[tuple[str, set[str]]]:
    if hasattr(command, "commands"):
        for word, below in command.commands.items():
            yield from all_commands(below, f"{name} {word}")
    else:
        options = {o for p in command.params for o in getattr(p, "opts", ()) if o.startswith("--")}
        yield name, options - EVERYWHERE


KNOWN = dict(all_commands(typer.main.get_command(app)))


def section(name: str) -> str:
    found = re.search(rf"^### {re.escape(name)}\n(.*?)(?=^##|\Z)", COMMANDS, re.M | re.S)
    assert found, f"docs/commands.md has no section {name!r}"
    return found[1]


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_command_and_option_is_documented(name: str) -> None:
    told = section(name)
    if name == "digest subscribers set":
        told += section("digest subscribers add")
    if name == "digest topics set":
        told += section("digest topics add")

    missing = [option for option in KNOWN[name] if option not in told]

    assert told.strip()
    assert not missing


def test_no_command_is_documented_that_does_not_exist() -> None:
    told = re.findall(r"^### (digest .*)$", COMMANDS, re.M)

    assert sorted(told) == sorted(KNOWN)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())

    missing = [link for link in links if not (document.parent / link).exists()]

    assert not missing


def test_the_readme_shows_commands_that_exist() -> None:
    shown = re.findall(
        r"(?:\./run\.sh digest|^ {4}digest) ([a-z]+(?: [a-z]+)?)",
        (REPO / "README.md").read_text(),
        re.M,
    )

    unknown = [
        words
        for words in shown
        if f"digest {words}" not in KNOWN and f"digest {words.split()[0]}" not in KNOWN
    ]

    assert len(shown) >= 4
    assert not unknown
