"""Letters of a Maildir are renamed to where they belong; nothing is lost, nothing is opened twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from digest.errors import MailboxError
from digest.mailbox import LETTER_BYTES_MAX, MailboxOptions, open_mailbox
from digest.mailbox.maildir import Maildir


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "box" / name).mkdir(parents=True)
    return tmp_path / "box"


def put(path: Path, name: str, content: bytes = b"x", *, age_s: int = 0) -> Path:
    file = path / name
    file.write_bytes(content)
    os.utime(file, (1_000_000_000 - age_s,) * 2)
    return file


def names(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_letters_come_oldest_first_from_both_folders(path: Path) -> None:
    put(path, "new/b", b"newest")
    put(path, "new/a", b"oldest", age_s=20)
    put(path, "cur/c:2,", b"between", age_s=10)

    assert [letter.content for letter in Maildir(path).letters()] == [
        b"oldest",
        b"between",
        b"newest",
    ]


def test_what_was_understood_stays_marked_as_seen(path: Path) -> None:
    put(path, "new/1.host")
    put(path, "cur/2.host:2,FR")
    mailbox = Maildir(path)

    for letter in mailbox.letters():
        mailbox.put_away(letter, understood=True)

    assert names(path) == ["cur/1.host:2,S", "cur/2.host:2,FRS"]
    assert list(mailbox.letters()) == []


def test_what_was_not_understood_is_new_in_a_folder_for_people(path: Path) -> None:
    put(path, "new/1.host", b"what?")
    put(path, "cur/2.host:2,F")
    mailbox = Maildir(path)

    for letter in mailbox.letters():
        mailbox.put_away(letter, understood=False)

    unknown = ".digest-unknown"
    assert names(path) == [
        f"{unknown}/maildirfolder",
        f"{unknown}/new/1.host",
        f"{unknown}/new/2.host",
    ]
    assert (path / unknown / "new" / "1.host").read_bytes() == b"what?"
    assert list(mailbox.letters()) == []


def test_what_a_person_has_seen_or_thrown_away_is_left_alone(path: Path) -> None:
    put(path, "cur/1:2,S")
    put(path, "cur/2:2,T")
    put(path, "tmp/3")

    assert list(Maildir(path).letters()) == []


def test_only_files_are_letters(path: Path) -> None:
    (path / "new" / "folder").mkdir()
    (path / "new" / "link").symlink_to(put(path, "tmp/secret"))
    os.mkfifo(path / "new" / "pipe")
    put(path, "new/.hidden")

    assert list(Maildir(path).letters()) == []


def test_a_letter_that_somebody_else_moved_is_passed_over(path: Path) -> None:
    put(path, "new/1", age_s=10)
    put(path, "new/2")
    mailbox = Maildir(path)

    letters = mailbox.letters()
    first = next(letters)
    (path / "new" / "1").rename(path / "cur" / "1:2,S")
    (path / "new" / "2").unlink()
    mailbox.put_away(first, understood=False)

    assert list(letters) == []
    assert "cur/1:2,S" in names(path)


def test_only_the_beginning_of_a_huge_letter_is_read(path: Path) -> None:
    file = put(path, "new/1", b"x" * (LETTER_BYTES_MAX + 1))

    (letter,) = Maildir(path).letters()

    assert len(letter.content) == LETTER_BYTES_MAX
    assert file.stat().st_size == LETTER_BYTES_MAX + 1


def test_a_folder_that_is_no_maildir_is_told(tmp_path: Path) -> None:
    with pytest.raises(MailboxError, match="there is no Maildir at"):
        with open_mailbox(MailboxOptions(kind="maildir", path=tmp_path / "none")) as mailbox:
            list(mailbox.letters())


def test_a_file_in_the_way_of_the_unknown_is_told_and_the_letter_stays(path: Path) -> None:
    put(path, "new/1")
    put(path, ".digest-unknown")
    mailbox = Maildir(path)

    (letter,) = mailbox.letters()
    with pytest.raises(MailboxError, match=r"cannot be used|there is no Maildir"):
        mailbox.put_away(letter, understood=False)

    assert "new/1" in names(path)
