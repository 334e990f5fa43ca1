"""Secrets: from a file, from the environment, and never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from digest.config import describe
from tests.config_folder import KEY, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


SECRET_TEXT = """
[site]
url = "https://digest.example.org"
secret_key_file = "keys"
[database]
url_file = "database"
[mail]
from = "digest@example.org"
[smtp]
username = "me"
password_file = "password"
[web]
admin_token_file = "token"
[[source]]
name = "hf"
kind = "huggingface"
token_file = "hf"
"""
SECRET_FILES = {
    "keys": f"{'n' * 40}\n{KEY}\n",
    "database": "postgresql://u:pw-db@h/d\n",
    "password": "pw-smtp\r\n",
    "token": "pw-admin",
    "hf": "pw-hf\n",
}


def test_every_secret_can_come_from_a_file(folder: Folder) -> None:
    for name, content in SECRET_FILES.items():
        (folder.path / name).write_bytes(content.encode())

    found = folder.load(SECRET_TEXT)

    assert found.site.secrets == ("n" * 40, KEY)
    assert found.database.url == "postgresql+psycopg://u:pw-db@h/d"
    assert found.smtp.password is not None
    assert found.smtp.password.get_secret_value() == "pw-smtp"
    assert found.web.admin_token is not None
    assert found.web.admin_token.get_secret_value() == "pw-admin"
    assert found.sources[0].token is not None
    assert found.sources[0].token.get_secret_value() == "pw-hf"


def test_a_secret_file_that_cannot_be_read_is_one_problem_each(folder: Folder) -> None:
    problems = folder.problems(SECRET_TEXT)

    assert len(problems) == 5
    assert problems[0] == 'site.secret_key_file: "keys" cannot be read: No such file or directory (found "keys", line 4)'  # fmt: skip
    assert [p.split(":")[0] for p in problems[1:]] == [
        "database.url_file",
        "smtp.password_file",
        "web.admin_token_file",
        'source[1] "hf".token_file',
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb\n", b"\xff\xfe", bytes(100_000)])
def test_a_secret_file_holds_the_secret_and_nothing_else(folder: Folder, content: bytes) -> None:
    (folder.path / "password").write_bytes(content)

    problem = folder.problem(
        folder.with_keys("smtp", 'username = "me"\npassword_file = "password"')
    )

    assert problem.startswith('smtp.password_file: "password" ')


def test_a_secret_given_twice_is_refused(folder: Folder) -> None:
    (folder.path / "p").write_text("x")
    keys = 'username = "me"\npassword = "x"\npassword_file = "p"'

    assert "is given beside password" in folder.problem(folder.with_keys("smtp", keys))


def test_a_secret_of_the_environment_goes_before_the_file(folder: Folder) -> None:
    text = folder.with_keys("smtp", 'username = "me"\npassword_file = "is-not-there"')

    found = folder.load(text, DIGEST_SMTP__PASSWORD="pw")

    assert found.smtp.password is not None
    assert found.smtp.password.get_secret_value() == "pw"


def test_no_secret_is_ever_shown(folder: Folder) -> None:
    for name, content in SECRET_FILES.items():
        (folder.path / name).write_bytes(content.encode())
    found = folder.load(SECRET_TEXT)

    shown = json.dumps(describe(found)) + repr(found)

    for secret in ("pw-smtp", "pw-admin", "pw-hf", KEY, "n" * 40):
        assert secret not in shown
    assert "pw-db" not in json.dumps(describe(found))
    assert describe(found)["database"]["url"] == "postgresql+psycopg://u:•••@h/d"
    assert describe(found)["smtp"]["password"] == "•••"


def test_a_wrong_secret_is_not_repeated(folder: Folder) -> None:
    text = """
[site]
url = "https://d.example.org"
secret_key = "hunter2"
secret_kye = "hunter2"
[database]
url = "mysql://u:hunter2@h/d"
[mail]
from = "d@example.org"
[smtp]
password = "hunter2"
pasword = "hunter2"
[web]
admin_token = "hunter2"
[[source]]
name = "hf"
kind = "huggingface"
token = ["hunter2"]
"""

    problems = folder.problems(text, DIGEST_SMTP__PASWORD="hunter2")

    assert len(problems) == 8
    assert "hunter2" not in "".join(problems)
