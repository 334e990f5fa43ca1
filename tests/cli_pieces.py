"""The program as an operator meets it: a command line in, an exit code and two streams out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from digest.cli import run

CONFIG = """
[site]
name = "Trending Papers"
url = "https://digest.example.org"
secret_key = "a key for tests only, never for a real site"
[mail]
from = "Trending Papers <digest@example.org>"
[smtp]
transport = "folder"
path = "mail"
[[topic]]
slug = "vision"
name = "Vision"
text = "Images and video."
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one command line came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Operator:
    """Types command lines in a folder that has a config.toml."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "config.toml"
        self._capsys = capsys

    def types(self, *words: str, config: bool = True) -> Told:
        """Run one command, by this folder's settings unless told otherwise."""
        named = ("--config", str(self.config)) if config else ()
        self._capsys.readouterr()
        code = run([*words, *named])
        out, err = self._capsys.readouterr()
        assert "Traceback" not in err
        return Told(code=code, out=out, err=err)

    def gets(self, *words: str) -> str:
        """Run a command that must succeed without a word on stderr; returns what it prints."""
        told = self.types(*words)
        assert (told.code, told.err) == (0, ""), told
        return told.out

    def is_refused(self, *words: str, code: int = 1, config: bool = True) -> str:
        """Run a command that must fail with one line; returns that line."""
        told = self.types(*words, config=config)
        assert told.code == code, told
        line = told.err.strip()
        assert line.startswith("digest: "), told
        assert "\n" not in line, told
        return line.removeprefix("digest: ")
