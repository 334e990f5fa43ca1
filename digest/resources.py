"""Where the files that ship with the program lie: templates, migrations, the example settings.

An installed wheel carries them in digest/_data/; a source tree has them beside the package.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_path(name: str) -> Path:
    """The folder or file of that name, e.g. "templates".

    Raises FileNotFoundError when neither place has it: the installation is incomplete.
    """
    for base in (_PACKAGE / "_data", _PACKAGE.parent):
        path = base / name
        if path.exists():
            return path
    raise FileNotFoundError(f"{name} is missing from the installation; install digest again")
