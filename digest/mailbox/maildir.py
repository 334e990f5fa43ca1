"""A Maildir as a mailbox of bounces: letters are renamed, never opened for writing.

What is done stays in cur/, marked as seen; what was not understood goes to the subfolder
.digest-unknown, where a mail program shows it as new. Built by digest.mailbox.open_mailbox.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from digest.errors import MailboxError
from digest.mailbox.base import LETTER_BYTES_MAX, LETTERS_MAX, UNKNOWN, Letter

_SEEN = "S"
_TRASHED = "T"
_ADVICE = {
    errno.EACCES: "no permission; let the user that runs digest read and write there",
    errno.EPERM: "no permission; let the user that runs digest read and write there",
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "the disk is full",
}


class Maildir:
    """One Maildir. Letters are those in new/, and those in cur/ that nobody has seen."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def letters(self) -> Iterator[Letter]:
        """See Mailbox.letters."""
        for file in self._unseen()[:LETTERS_MAX]:
            content = _read(file)
            if content is not None:
                yield Letter(name=str(file.relative_to(self._path)), content=content)

    def put_away(self, letter: Letter, *, understood: bool) -> None:
        """See Mailbox.put_away."""
        file = self._path / letter.name
        base, flags = _split(file.name)
        with _our_errors(self._path):
            if understood:
                seen = "".join(sorted({*flags, _SEEN}))
                target = self._path / "cur" / f"{base}:2,{seen}"
            else:
                target = self._unknown() / "new" / base
            try:
                file.rename(target)
            except FileNotFoundError:
                return  # somebody else has moved it

    def _unseen(self) -> list[Path]:
        """Files of letters, oldest first."""
        found: list[tuple[float, Path]] = []
        with _our_errors(self._path):
            for folder in ("new", "cur"):
                for entry in os.scandir(self._path / folder):
                    is_put_away = folder == "cur" and {_SEEN, _TRASHED} & {*_split(entry.name)[1]}
                    if entry.name.startswith(".") or is_put_away:
                        continue
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    if stat.S_ISREG(status.st_mode):
                        found.append((status.st_mtime, Path(entry.path)))
        return [file for _, file in sorted(found)]

    def _unknown(self) -> Path:
        """The Maildir++ subfolder for what was not understood, made when it is first needed."""
        folder = self._path / f".{UNKNOWN}"
        for name in ("tmp", "new", "cur"):
            (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "maildirfolder").touch(mode=0o600)
        return folder


def _split(name: str) -> tuple[str, str]:
    """A file's unique name and its flags."""
    base, _, info = name.partition(":2,")
    return base, info


def _read(file: Path) -> bytes | None:
    """The beginning of a letter; None when it has been moved."""
    with _our_errors(file.parent.parent):
        try:
            with os.fdopen(os.open(file, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
                return stream.read(LETTER_BYTES_MAX)
        except FileNotFoundError:
            return None


@contextmanager
def _our_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MailboxError(
            f"there is no Maildir at {path}; check path under [bounces]: the folder that has new"
            " and cur in it"
        ) from error
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        raise MailboxError(f"the Maildir {path} cannot be used: {advice}") from error
