"""Settings: what is taken, and where it is read from."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config import describe, load_settings
from digest.config.settings import LISTS, SECTIONS, keys_of
from digest.config.values import parse_duration, write_duration
from digest.errors import ConfigError
from digest.model import Cadence, Site, Topic
from tests.config_folder import FILLED, KEY, MINIMAL, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# what is taken


def test_three_keys_are_enough(folder: Folder) -> None:
    found = folder.load(MINIMAL)

    assert found.database.url == f"sqlite:///{folder.path}/digest.db"
    assert (found.smtp.host, found.smtp.port, found.smtp.security) == ("localhost", 587, "starttls")
    assert (found.edition.max_items, found.edition.send_empty) == (12, False)
    assert (found.web.host, found.web.port) == ("127.0.0.1", 8080)
    assert (found.defaults.zone, found.defaults.cadence) == ("UTC", Cadence.DAILY)
    assert [(s.name, s.kind, s.enabled) for s in found.sources] == [
        ("huggingface", "huggingface", True)
    ]
    assert found.topics == ()
    assert found.folder == folder.path


def test_an_explicit_empty_list_of_sources_collects_nothing(folder: Folder) -> None:
    assert folder.load("source = []\n" + MINIMAL).sources == ()


def test_the_site_record_has_what_mails_and_pages_say(folder: Folder) -> None:
    text = MINIMAL.replace(
        "[mail]", 'name = "Our Papers"\noperator_email = "op@example.org"\n[mail]'
    ).replace("example.org>", 'example.org>"\nreply_to = "us@example.org')

    assert folder.load(text).site_record() == Site(
        name="Our Papers",
        url="https://digest.example.org",
        from_name="Trending Papers",
        from_address="digest@example.org",
        reply_to="us@example.org",
        operator_email="op@example.org",
    )


def test_an_address_alone_is_from_the_site(folder: Folder) -> None:
    site = folder.load(MINIMAL.replace("Trending Papers <digest@example.org>", "d@e.org"))

    assert site.site_record().from_name == "Trending Papers"
    assert site.site_record().from_address == "d@e.org"


def test_topics_become_records(folder: Folder) -> None:
    text = (
        '[[topic]]\nslug = "agents"\nname = "Agents"\ntext = "They act."\nkeywords = ["tool use"]\n'
    )

    assert folder.load(MINIMAL + text).topics == (
        Topic(slug="agents", name="Agents", text="They act.", keywords=("tool use",)),
    )


def test_a_topic_without_words_is_matched_by_its_name(folder: Folder) -> None:
    (topic,) = folder.load(MINIMAL + '[[topic]]\nslug = "speech-audio"\n').topics

    assert (topic.name, topic.text) == ("Speech audio", "Speech audio.")


def test_a_slash_at_the_end_of_the_url_is_dropped(folder: Folder) -> None:
    text = MINIMAL.replace('digest.example.org"', 'digest.example.org/papers/"')

    assert folder.load(text).site.url == "https://digest.example.org/papers"


def test_old_secrets_stay_valid_beside_the_new_one(folder: Folder) -> None:
    text = MINIMAL.replace(f'"{KEY}"', f'["{"n" * 40}", "{KEY}"]')

    assert folder.load(text).site.secrets == ("n" * 40, KEY)


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("tls", 465), ("none", 25)])
def test_the_port_follows_the_security(folder: Folder, security: str, port: int) -> None:
    assert folder.load(folder.with_keys("smtp", f'security = "{security}"')).smtp.port == port


def test_paths_are_relative_to_the_file_not_to_the_caller(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    (folder.path / "mine").mkdir()
    (folder.path / "model").mkdir()
    text = f"""{MINIMAL}
templates = "mine"
[smtp]
transport = "folder"
path = "out"
[rank]
model = "model"
[database]
url = "sqlite:///data/d.db?timeout=5"
[[source]]
name = "saved"
kind = "page"
url = "saved pages/a.html"
"""

    found = folder.load(text)

    assert found.mail.templates == folder.path / "mine"
    assert found.smtp.path == folder.path / "out"
    assert found.rank.model == str(folder.path / "model")
    assert found.database.url == f"sqlite:///{folder.path}/data/d.db?timeout=5"
    assert found.sources[0].url == (folder.path / "saved pages/a.html").as_uri()


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://u:p@h:5432/d", "postgresql://u:p@h:5432/d", "postgres://u:p@h:5432/d"],
)
def test_postgresql_gets_the_driver_that_we_have(folder: Folder, url: str) -> None:
    found = folder.load(folder.with_keys("database", f'url = "{url}"'))

    assert found.database.url == "postgresql+psycopg://u:p@h:5432/d"


def test_a_file_saved_by_a_windows_editor_is_read(folder: Folder) -> None:
    folder.file.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())

    assert load_settings(folder.file, {}).site.url == "https://digest.example.org"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("7d", timedelta(days=7)),
        ("0.5 s", timedelta(milliseconds=500)),
    ],
)
def test_durations_are_a_number_and_a_unit(text: str, span: timedelta) -> None:
    assert parse_duration(text) == span


@given(st.integers(0, 10**7))
@settings(deadline=None)
def test_a_written_duration_reads_back(seconds: int) -> None:
    span = timedelta(seconds=seconds)

    assert parse_duration(write_duration(span)) == span


@pytest.mark.parametrize(
    "text", ["", "1", "h", "-1h", "1h30m", "1w", "1e3s", "∞d", "9" * 400 + "d"]
)
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a number and a unit|longer than any"):
        parse_duration(text)


def test_toml_own_time_is_an_hour_of_the_day(folder: Folder) -> None:
    assert folder.load(folder.with_keys("defaults", "send_at = 06:15:00")).defaults.send_at == time(
        6, 15
    )


def test_nothing_can_be_changed_afterwards(folder: Folder) -> None:
    found = folder.load(MINIMAL)

    with pytest.raises(ValueError, match="frozen"):
        found.smtp.port = 1  # type: ignore[misc]


def test_a_further_kind_comes_by_entry_point(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[digest.sources]\nzines = plugin:Zines\n")
    monkeypatch.syspath_prepend(tmp_path)

    found = folder.load(MINIMAL + '[[source]]\nname = "z"\nkind = "zines"\n')

    assert found.sources[0].kind == "zines"


# where it is read from


def test_the_argument_goes_before_the_variable_and_that_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "config"):
        (tmp_path / f"{name}.toml").write_text(
            MINIMAL.replace("[site]", f'[site]\nname = "{name}"')
        )
    monkeypatch.chdir(tmp_path)
    environ = {"DIGEST_CONFIG": str(tmp_path / "b.toml")}

    assert load_settings(tmp_path / "a.toml", environ).site.name == "a"
    assert load_settings(None, environ).site.name == "b"
    assert load_settings(None, {}).site.name == "config"


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="digest init") as caught:
        load_settings(tmp_path / "config.toml", {})

    assert str(tmp_path / "config.toml") in str(caught.value)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_settings(tmp_path, {})


def test_every_key_can_come_from_the_environment(folder: Folder) -> None:
    found = folder.load(
        MINIMAL + '[[source]]\nname = "My Feed"\nkind = "feed"\nurl = "https://a.example/f"\n',
        DIGEST_SITE__NAME="From outside",
        DIGEST_SMTP__PORT="2525",
        DIGEST_SMTP__TIMEOUT_S="2.5",
        DIGEST_MAIL__FROM="x@example.org",
        DIGEST_EDITION__SEND_EMPTY="true",
        DIGEST_EDITION__MIN_SCORE="0.25",
        DIGEST_WEB__TRUSTED_PROXIES="10.0.0.0/8, ::1",
        DIGEST_DEFAULTS__SEND_AT="6:30",
        DIGEST_SOURCE__MY_FEED__EVERY="2h",
        DIGEST_SOURCE__MY_FEED__LIMIT="5",
        DIGEST_SOURCE__MY_FEED__CATEGORIES="a,b",
        DIGEST_DATABASE__URL="",
        DIGEST_TEST_PG_URL="anything",
        HOME="/root",
    )

    assert found.site.name == "From outside"
    assert (found.smtp.port, found.smtp.timeout_s) == (2525, 2.5)
    assert found.mail.from_address == "x@example.org"
    assert (found.edition.send_empty, found.edition.min_score) == (True, 0.25)
    assert found.web.trusted_proxies == ("10.0.0.0/8", "::1")
    assert found.defaults.send_at == time(6, 30)
    assert found.sources[0].every == timedelta(hours=2)
    assert (found.sources[0].limit, found.sources[0].categories) == (5, ("a", "b"))
    assert found.database.url.endswith("/digest.db")


def test_every_key_of_every_section_is_coerced_to_its_type(folder: Folder) -> None:
    """A key whose type the environment cannot give would be refused as text."""
    folder.load(FILLED)
    shown = describe(load_settings(folder.file, {}))
    for section in SECTIONS:
        for key in keys_of(section):
            if section in LISTS or key.endswith("_file") or key in ("secret_key", "url"):
                continue
            value = shown[section][key]
            if value in (None, "•••"):
                continue
            text = ",".join(value) if isinstance(value, list) else str(value)
            name = f"DIGEST_{section}__{key}".upper()
            again = describe(load_settings(folder.file, {name: text or " "}))
            assert again[section][key] == value


def test_what_is_wrong_in_the_environment_is_told_by_its_name(folder: Folder) -> None:
    problems = folder.problems(
        MINIMAL,
        DIGEST_SMTP__PORT="many",
        DIGEST_SMTP__PROT="25",
        DIGEST_SMPT__PORT="25",
        DIGEST_DEBUG="1",
        DIGEST_SOURCE__NONE__EVERY="1h",
        DIGEST_EDITION__SEND_EMPTY="perhaps",
    )

    assert problems == [
        (
            "DIGEST_DEBUG: is no setting, they are named DIGEST_SECTION__KEY; known are site, database,"
            " smtp, mail, bounces, edition, rank, web, defaults, source, topic (environment)"
        ),
        (
            "DIGEST_SMPT__PORT: is no setting, they are named DIGEST_SECTION__KEY;"
            ' did you mean "smtp"? (environment)'
        ),
        'DIGEST_SMTP__PROT: is not a key of [smtp]; did you mean "port"? (environment)',
        (
            "DIGEST_SOURCE__NONE__EVERY: names no [[source]] of the file;"
            " write DIGEST_SOURCE__NAME__KEY (environment)"
        ),
        'smtp.port: must be a whole number (found "many", from DIGEST_SMTP__PORT)',
        (
            "edition.send_empty: must be true or false, without quotes"
            ' (found "perhaps", from DIGEST_EDITION__SEND_EMPTY)'
        ),
    ]
