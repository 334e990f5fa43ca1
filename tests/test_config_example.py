"""config.example.toml is the manual, and what `digest init` makes the first config.toml of."""

from __future__ import annotations

import re
import stat
import tomllib
from datetime import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config import Answers, describe, load_settings, write_config
from digest.config.settings import LISTS, SECTIONS, keys_of
from digest.errors import BadInput
from digest.rank import RankSettings
from tests.config_folder import EXAMPLE, FILLED, MINIMAL, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# the manual

SETTING = re.compile(r"^#?([a-z_]+) = (.*)$", re.M)


def _sections_of_the_example() -> dict[str, dict[str, str]]:
    """Section → key → the text of its value, behind a # or not; lists of tables in one."""
    found: dict[str, dict[str, str]] = {}
    parts = re.split(r"^\[+([a-z]+)\]+$", EXAMPLE, flags=re.M)[1:]
    for section, text in zip(parts[::2], parts[1::2], strict=True):
        for key, value in SETTING.findall(text):
            found.setdefault(section, {}).setdefault(key, value)
    return found


def test_the_example_works_once_it_has_a_secret(folder: Folder) -> None:
    found = folder.load(FILLED)

    assert [s.kind for s in found.sources if s.enabled] == ["huggingface", "arxiv"]
    assert len(found.topics) >= 8
    assert all(t.name and t.description and t.text and t.keywords for t in found.topics)
    assert "language-models" in {t.slug for t in found.topics}


def test_the_example_without_a_secret_says_what_is_missing(folder: Folder) -> None:
    assert folder.problem(EXAMPLE).startswith("site.secret_key: must have at least 32 characters")


def test_every_key_is_in_the_example_and_no_other() -> None:
    found = _sections_of_the_example()

    assert {section: sorted(keys) for section, keys in found.items()} == {
        section: sorted(keys_of(section)) for section in SECTIONS
    }


def test_every_key_of_the_example_is_explained_above_it() -> None:
    explained: set[tuple[str, str]] = set()
    section, above = "", ""
    for line in EXAMPLE.splitlines():
        if match := re.match(r"\[+([a-z]+)\]", line):
            section = match[1]
        elif (match := SETTING.match(line)) and above.startswith("# "):
            explained.add((section, match[1]))
        above = line

    assert explained == {(s, key) for s in SECTIONS for key in keys_of(s)}


def test_the_example_shows_the_defaults(folder: Folder) -> None:
    usual = describe(folder.load(MINIMAL))
    shown = _sections_of_the_example()
    free = {"site.url", "site.secret_key", "mail.from", "database.url"}
    for section in SECTIONS.keys() - LISTS.keys():
        for key, text in shown[section].items():
            is_example = f"\n#{key} = " in EXAMPLE and usual[section][key] in (None, [])
            if f"{section}.{key}" not in free and not is_example:
                assert tomllib.loads(f"x = {text}")["x"] == usual[section][key], (section, key)


def test_the_optional_keys_of_the_example_are_toml() -> None:
    data = tomllib.loads(re.sub(r"^#(?=[a-z_]+ = )", "", EXAMPLE, flags=re.M))

    assert data["smtp"]["password_file"] == "smtp_password"


def test_the_defaults_of_ranking_are_the_ranker_s_own(folder: Folder) -> None:
    found, usual = folder.load(MINIMAL), RankSettings()

    assert found.rank.half_life_hours == usual.half_life_hours
    assert found.rank.diversity == usual.diversity
    assert found.rank.trend_weight == usual.trend_weight
    assert found.edition.min_score == usual.min_score


# the first config.toml

ANSWERS = Answers(site_url="https://d.example.org", mail_from="Papers <digest@example.org>")


def test_the_first_file_loads_and_is_private(folder: Folder) -> None:
    write_config(folder.file, ANSWERS)

    found = load_settings(folder.file, {})

    assert stat.S_IMODE(folder.file.stat().st_mode) == 0o600
    assert found.site.url == "https://d.example.org"
    assert found.mail.from_ == "Papers <digest@example.org>"
    assert len(found.site.secrets[0]) == 64
    assert len(found.topics) >= 8


def test_every_answer_reaches_its_key(folder: Folder) -> None:
    answers = Answers(
        site_url="https://d.example.org",
        mail_from='"Doe, Jane" <a@example.org>',
        site_name='The "Best" \\ Papers',
        operator_email="op@example.org",
        postal_address="1 Street\n2 Town",
        database_url="postgresql://u:p@h/d",
        transport="folder",
        mail_path="out",
        smtp_host="mail.example.org",
        smtp_port=2525,
        smtp_security="tls",
        smtp_username="me",
        smtp_password='p"\\\n\t€',
        zone="Europe/Berlin",
        send_at="06:00",
        admin_token="0123456789",
    )

    write_config(folder.file, answers)
    found = load_settings(folder.file, {})

    assert found.site.name == 'The "Best" \\ Papers'
    assert found.site.postal_address == "1 Street\n2 Town"
    assert found.mail.from_name == "Doe, Jane"
    assert found.database.url == "postgresql+psycopg://u:p@h/d"
    smtp = found.smtp
    assert (smtp.transport, smtp.path) == ("folder", folder.path / "out")
    assert (smtp.host, smtp.port, smtp.security) == ("mail.example.org", 2525, "tls")
    assert smtp.password is not None
    assert smtp.password.get_secret_value() == 'p"\\\n\t€'
    assert (found.defaults.zone, found.defaults.send_at) == ("Europe/Berlin", time(6))
    assert found.web.admin_token is not None


def test_two_first_files_have_two_secrets(tmp_path: Path) -> None:
    secrets = set()
    for name in ("a.toml", "b.toml"):
        write_config(tmp_path / name, ANSWERS)
        secrets |= set(load_settings(tmp_path / name, {}).site.secrets)

    assert len(secrets) == 2


def test_an_existing_file_is_never_overwritten(folder: Folder) -> None:
    folder.file.write_text("mine")
    (folder.path / "dangling.toml").symlink_to("nowhere")

    for name in ("config.toml", "dangling.toml"):
        with pytest.raises(BadInput, match="is there already"):
            write_config(folder.path / name, ANSWERS)

    assert folder.file.read_text() == "mine"


def test_a_folder_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file or directory"):
        write_config(tmp_path / "none" / "config.toml", ANSWERS)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=50))
@settings(deadline=None, max_examples=50)
def test_any_password_survives_being_written(password: str) -> None:
    from digest.config.first import _toml

    assert tomllib.loads(f"x = {_toml(password)}")["x"] == password
