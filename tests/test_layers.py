"""The shape of the program: imports go downwards, and some libraries have one place each."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import REPO

PACKAGE = REPO / "digest"

#: from the bottom up; a part imports from lower layers only. A new module is put in its layer here.
LAYERS: tuple[frozenset[str], ...] = (
    # words: what everything is said in
    frozenset({"__init__", "errors", "model"}),
    frozenset({"clock", "resources", "text", "columns", "cells"}),
    frozenset({"papers", "config", "tokens", "addresses", "merging", "filters", "accents"}),
    # seams: one foreign library or one outside thing each
    frozenset({"fetch", "mail", "mailbox", "templates", "sources", "store", "sample", "bounce"}),
    # meaning: a model's vectors, computed once and kept in the store
    frozenset({"embed"}),
    # pure: values in, values out
    frozenset({"rank", "compose"}),
    # what a refusal comes to, whichever stage hears it; what the edition stage decides, pure
    frozenset({"counting", "entries", "slots"}),
    # stages: they meet in the store and never import each other
    frozenset(
        {
            "collect",
            "edition",
            "deliver",
            "enrol",
            "report",
            "find",
            "vitals",
        }
    ),
    # what is built on one stage
    frozenset({"enrol_many", "signup", "account", "returns"}),
    frozenset({"app"}),
    # what the daemon does in one beat
    frozenset({"ticks"}),
    # the edge; the daemon and the demo serve the pages
    frozenset({"web", "check"}),
    frozenset({"schedule", "demo", "demo_pages"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)

#: library → the only places that may import it
ONE_PLACE = {
    "sqlalchemy": ("store",),
    "alembic": ("store",),
    "httpx": ("fetch",),
    "protego": ("fetch",),
    "smtplib": (),
    "imaplib": ("mailbox",),
    "jinja2": ("templates",),
    "css_inline": ("templates",),
    "bs4": ("sources",),
    "feedparser": ("sources",),
    "apscheduler": ("schedule",),
    "typer": ("cli",),
    "itsdangerous": ("tokens",),
    "cryptography": ("mail", "check"),
    # mail only looks through bytes with it
    "numpy": ("rank", "embed", "mail"),
    "onnxruntime": ("embed",),
    "tokenizers": ("embed",),
    "uvloop": ("mail",),
}


def imports_of(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "digest":
                yield from (f"digest.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


def named(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_every_module_has_a_layer(path: Path) -> None:
    assert part_of(path) in LEVEL


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_go_downwards(path: Path) -> None:
    own = part_of(path)
    others = {m.split(".")[1] for m in imports_of(path) if m.startswith("digest.")} - {own}

    upwards = sorted(other for other in others if LEVEL.get(other, 0) >= LEVEL[own])

    assert not upwards


@pytest.mark.parametrize("path", FILES, ids=named)
def test_each_library_has_its_place(path: Path) -> None:
    own = part_of(path)
    used = {module.split(".")[0] for module in imports_of(path)}

    strangers = sorted(u for u in used if u in ONE_PLACE and own not in ONE_PLACE[u])

    assert not strangers


def test_broad_excepts_are_few_and_say_why() -> None:
    lines = [
        line
        for path in FILES
        for line in path.read_text().splitlines()
        if re.search(r"except (Base)?Exception\b|except:", line)
    ]
    # closing what was opened and raising on is no catching
    catching = [line for line in lines if "BaseException" not in line]

    # the heartbeat, the web server's outermost frame, a check that must not hide the others, and a
    # message that must not hold up the others
    assert len(catching) == 4
    assert all("#" in line for line in catching)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_who_catches_everything_raises_it_again(path: Path) -> None:
    handlers = [
        n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ExceptHandler)
    ]

    broad = [h for h in handlers if isinstance(h.type, ast.Name) and h.type.id == "BaseException"]

    assert all(isinstance(handler.body[-1], ast.Raise) for handler in broad)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_stay_readable_in_one_go(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400
