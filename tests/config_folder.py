"""A folder with a config.toml in it, for tests of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.config import Settings, load_settings
from digest.errors import ConfigError
from digest.resources import data_path

KEY = "k" * 32
MINIMAL = f"""
[site]
url = "https://digest.example.org"
secret_key = "{KEY}"
[mail]
from = "Trending Papers <digest@example.org>"
"""
EXAMPLE = data_path("config.example.toml").read_text("utf-8")
#: the example, fit to be used
FILLED = EXAMPLE.replace('secret_key = ""', f'secret_key = "{KEY}"', 1)


class Folder:
    """A folder with a config.toml in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "config.toml"

    def load(self, text: str, **environ: str) -> Settings:
        self.file.write_text(text, "utf-8")
        return load_settings(self.file, environ)

    def problems(self, text: str, **environ: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(text, **environ)
        return list(caught.value.problems)

    def problem(self, text: str, **environ: str) -> str:
        (problem,) = self.problems(text, **environ)
        return problem

    def with_keys(self, section: str, keys: str) -> str:
        """The minimal settings and these keys in one section."""
        head = f"[{section}]\n"
        if head in MINIMAL:
            return MINIMAL.replace(head, f"{head}{keys}\n")
        return f"{MINIMAL}[{section}]\n{keys}\n"
