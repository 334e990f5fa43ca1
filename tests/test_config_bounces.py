"""[bounces]: what may be set, and what is refused with a sentence that helps."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from digest.bounce import tally
from digest.config import describe
from tests.config_folder import MINIMAL, Folder
from tests.paths import REPO

PAGE = (REPO / "docs" / "bounces.md").read_text("utf-8")
EXAMPLES = [
    re.sub(r"^   ", "", e, flags=re.M) for e in re.findall(r"```toml\n(.*?)```", PAGE, re.S)
]
IMAP = 'kind = "imap"\nhost = "imap.example.org"\nusername = "bounce"\npassword = "secret"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_without_the_section_nothing_is_read(folder: Folder) -> None:
    found = folder.load(MINIMAL).bounces

    assert found.kind == "none"
    assert found.every == timedelta(minutes=5)


@pytest.mark.parametrize(("security", "port"), [("tls", 993), ("starttls", 143)])
def test_the_port_follows_the_security(folder: Folder, security: str, port: int) -> None:
    text = folder.with_keys("bounces", f'{IMAP}security = "{security}"')

    assert folder.load(text).bounces.port == port


def test_a_maildir_is_found_from_the_folder_of_the_file(folder: Folder) -> None:
    text = folder.with_keys("bounces", 'kind = "maildir"\npath = "Maildir"')

    assert folder.load(text).bounces.path == folder.path / "Maildir"


def test_the_password_may_be_in_a_file_and_is_never_shown(folder: Folder) -> None:
    (folder.path / "pw").write_text("of the file\n")
    keys = IMAP.replace('password = "secret"', 'password_file = "pw"')

    found = folder.load(folder.with_keys("bounces", keys))

    assert found.bounces.password is not None
    assert found.bounces.password.get_secret_value() == "of the file"
    assert "of the file" not in str(describe(found))


def test_it_can_all_be_in_the_environment(folder: Folder) -> None:
    found = folder.load(
        MINIMAL,
        DIGEST_BOUNCES__KIND="imap",
        DIGEST_BOUNCES__HOST="imap.example.org",
        DIGEST_BOUNCES__USERNAME="bounce",
        DIGEST_BOUNCES__PASSWORD="secret",
        DIGEST_BOUNCES__EVERY="1m",
    )

    assert found.bounces.host == "imap.example.org"
    assert found.bounces.every == timedelta(minutes=1)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('kind = "pop3"', 'bounces.kind: must be one of "none", "maildir", "imap"'),
        ('kind = "maildir"', 'bounces.path: must name the Maildir when kind = "maildir"'),
        (IMAP.replace("host", "#host"), 'bounces.host: must be given when kind = "imap"'),
        (IMAP.replace("username", "#u"), 'bounces.username: must be given when kind = "imap"'),
        (IMAP.replace("password", "#p"), 'bounces.password: is missing for kind = "imap"'),
        (IMAP.replace('"secret"', '""'), 'bounces.password: is missing for kind = "imap"'),
        (IMAP + 'security = "none"', 'bounces.security: must be one of "tls", "starttls"'),
        (IMAP + "port = 143", "bounces.port: 143 begins unencrypted"),
        (IMAP + 'security = "starttls"\nport = 993', "bounces.port: 993 speaks TLS from the start"),
        (IMAP + 'folder = "Rückläufer"', "bounces.folder: must be in ASCII"),
        (IMAP + 'folder = "IN\\nBOX"', "bounces.folder: must be one line"),
        ('every = "5s"', 'bounces.every: must be at least "10s"'),
    ],
)
def test_what_cannot_be_is_refused(folder: Folder, keys: str, problem: str) -> None:
    assert folder.problem(folder.with_keys("bounces", keys)).startswith(problem)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_of_the_page_load(folder: Folder, example: str) -> None:
    (folder.path / "bounces_password").write_text("secret\n")

    assert folder.load(MINIMAL + example).bounces.kind in ("maildir", "imap")


def test_the_page_tells_how_bounces_are_counted() -> None:
    assert len(EXAMPLES) == 2
    assert f"At {tally.THRESHOLD:g} the address is suppressed" in PAGE
    assert f"{tally.QUIET_DAYS} days without a bounce" in PAGE
    assert f"older than {tally.WINDOW_DAYS} days" in PAGE
