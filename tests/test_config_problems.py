"""Settings that cannot be used: all told at once, each with its place and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.config import load_settings
from digest.config.lines import find_lines
from digest.errors import ConfigError
from tests.config_folder import MINIMAL, Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


# what is refused, all at once


def test_all_problems_are_told_at_once_with_their_place(folder: Folder) -> None:
    text = """\
[site]
url = "ftp://d.example.org"
nmae = "x"
[smtp]
port = "587"
connections = 0
transport = "pigeon"
[sntp]
x = 1
[mail]
from = "no mail"
[edition]
send_empty = "yes"
min_score = 1.5
lookback_days = 7.5
[defaults]
zone = "Mars/Phobos"
send_at = "25:00"
cadence = "hourly"
[[source]]
name = "a"
kind = "arxiv"
every = "sometimes"
categories = "cs.LG"
[[source]]
name = "a"
kind = "axriv"
[[topic]]
slug = "Big One"
keywords = ["a", 3]
"""

    assert folder.problems(text) == [
        'source[2] "a".name: is the name of source[1] too; change one (found "a", line 26)',
        (
            "site.url: must be a whole URL, like https://digest.example.org"
            ' (found "ftp://d.example.org", line 2)'
        ),
        "site.secret_key: is missing; it has no default (line 1)",
        'site.nmae: is not a key of [site]; did you mean "name"? (line 3)',
        'smtp.transport: must be one of "smtp", "maildir", "folder" (found "pigeon", line 7)',
        'smtp.port: must be a whole number (found "587", line 5)',
        "smtp.connections: must be at least 1 (found 0, line 6)",
        (
            "mail.from: must be one mailbox, like: Trending Papers <digest@example.org>"
            ' (found "no mail", line 11)'
        ),
        "edition.min_score: must be at most 1 (found 1.5, line 14)",
        "edition.lookback_days: must be a whole number (found 7.5, line 15)",
        'edition.send_empty: must be true or false, without quotes (found "yes", line 13)',
        (
            "defaults.zone: 'Mars/Phobos' is not a time zone; use a name like Europe/Berlin,"
            ' America/New_York or UTC (found "Mars/Phobos", line 17)'
        ),
        (
            "defaults.send_at: '25:00' is not an hour of the day; 00:00 to 23:59"
            ' (found "25:00", line 18)'
        ),
        'defaults.cadence: must be one of "daily", "weekdays", "weekly" (found "hourly", line 19)',
        (
            'source[1] "a".every: must be a number and a unit, like "90s", "15m", "1h" or "7d"'
            ' (found "sometimes", line 23)'
        ),
        'source[1] "a".categories: must be a list, like ["…", "…"] (found "cs.LG", line 24)',
        (
            'source[2] "a".kind: must be one of "huggingface", "arxiv", "feed", "github-trending",'
            ' "hackernews", "reddit", "semantic-scholar", "page" (found "axriv", line 27)'
        ),
        (
            'topic[1] "Big One".slug: must be small letters, digits and single hyphens, like'
            ' language-models (found "Big One", line 29)'
        ),
        'topic[1] "Big One".keywords[2]: must be text in quotes (found 3, line 30)',
        'sntp: is not a section; did you mean "smtp"? (line 8)',
    ]


def test_the_text_of_the_error_names_the_file_and_the_count(folder: Folder) -> None:
    with pytest.raises(ConfigError) as caught:
        folder.load("")

    assert str(caught.value).startswith(f"{folder.file}: 3 problems\n  site.url: is missing")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[site\n", "line 1, column 6: Expected ']' at the end of a table declaration;"),
        ("[site]\nurl = https://x\n", "line 2, column 7: Invalid value;"),
        ('[site]\nname = "x', "Unterminated string;"),
    ],
)
def test_a_slip_in_toml_is_told_with_line_and_column(
    folder: Folder, text: str, problem: str
) -> None:
    assert problem in folder.problem(text)


def test_a_file_that_is_not_utf8_is_told_so(folder: Folder) -> None:
    folder.file.write_bytes(b'[site]\nname = "Caf\xe9"\n')

    with pytest.raises(ConfigError, match="not UTF-8"):
        load_settings(folder.file, {})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("site = 3\n", "site: must be a table, written [site]"),
        ("[source]\nname = 'x'\n", "source: must be written as [[source]], once for each"),
        ("topic = ['x']\n", "topic: must be written as [[topic]], once for each"),
        (
            "port = 3\n",
            "port: stands outside its section; put it below [smtp] or [bounces] or [web]",
        ),
    ],
)
def test_a_section_of_the_wrong_shape_is_told_so(folder: Folder, text: str, problem: str) -> None:
    assert any(found.startswith(problem) for found in folder.problems(text))


@pytest.mark.parametrize(
    ("section", "keys", "problem"),
    [
        ("site", 'name = "a\\nb"', "site.name: must be one line"),
        ("site", 'name = " "', "site.name: must not be empty"),
        ("site", 'operator_email = "Me <me@x.org>"', "site.operator_email: must be an address"),
        ("smtp", 'username = "u"\npassword = "p"\nsecurity = "none"', "smtp.username: must not be"),
        ("smtp", 'username = "u"', "smtp.password: is missing beside the username"),
        ("smtp", 'password = "p"', "smtp.password: is given without a username"),
        ("smtp", "port = 465", "smtp.port: 465 speaks TLS from the start"),
        ("smtp", 'port = 587\nsecurity = "tls"', "smtp.port: 587 begins unencrypted"),
        ("smtp", "port = 65536", "smtp.port: must be at most 65535"),
        ("smtp", "port = true", "smtp.port: must be a whole number"),
        ("smtp", "timeout_s = nan", "smtp.timeout_s: must be a number"),
        ("smtp", 'transport = "maildir"', "smtp.path: must name a folder when transport"),
        ("mail", 'dkim_domain = "e.org"', "mail.dkim_key_file: DKIM needs dkim_domain"),
        ("mail", 'bounce_domain = "b@e.org"', "mail.bounce_domain: must be a domain"),
        ("mail", 'templates = "none"', "mail.templates: there is no folder"),
        ("rank", 'model = "none"', 'rank.model: must be "auto", "lexical" or the folder'),
        ("rank", "diversity = -0.1", "rank.diversity: must be at least 0"),
        ("rank", "half_life_hours = 0", "rank.half_life_hours: must be more than 0"),
        ("web", 'trusted_proxies = ["here"]', "web.trusted_proxies[1]: must be an IP address"),
        ("web", 'admin_token = "short"', "web.admin_token: must have at least 8"),
        ("database", 'url = "mysql://x"', 'database.url: must begin with "sqlite:///"'),
        ("database", 'url = "sqlite://d.db"', "database.url: must have three slashes"),
        ("database", 'url = "sqlite://"', "database.url: must have three slashes"),
        ("database", 'url = "sqlite:///:memory:"', "database.url: must name a file"),
        ("database", 'url = "postgresql://h:x/d"', "database.url: must be like postgresql"),
        ("database", 'url = "postgresql://h"', "database.url: must end in a database name"),
        ("database", 'url = "postgresql+asyncpg://h/d"', "database.url: must use the psycopg"),
        ("defaults", 'zone = "Europe"', "defaults.zone: 'Europe' is not a time zone"),
        ("defaults", "send_at = 7", "defaults.send_at: must be an hour of the day"),
    ],
)
def test_an_impossible_value_is_refused(
    folder: Folder, section: str, keys: str, problem: str
) -> None:
    assert folder.problem(folder.with_keys(section, keys)).startswith(problem)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ('kind = "arxiv"', ".query: or categories must be given"),
        ('kind = "feed"', ".url: must be given"),
        ('kind = "page"', ".url: must be given"),
        ('kind = "feed"\nurl = "example.org/feed"', ".url: must be a whole URL"),
        ('kind = "feed"\nurl = "http://[x/feed"', ".url: must be a URL like"),
        ('kind = "huggingface"\nevery = "0s"', '.every: must be at least "1s"'),
        ('kind = "huggingface"\nlimit = 0', ".limit: must be at least 1"),
    ],
)
def test_an_impossible_source_is_refused(folder: Folder, keys: str, problem: str) -> None:
    found = folder.problem(f'{MINIMAL}[[source]]\nname = "s"\n{keys}\n')

    assert found.startswith(f'source[1] "s"{problem}')


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "nobody",
        "@example.org",
        "a@b@c",
        "a@example.org, b@example.org",
        "A <a@example.org>\\r\\nBcc: x@example.org",
        "a@exa mple.org",
        "a@-example.org",
        "ä@example.org",
        "a@bücher.example",
        f"{'a' * 65}@example.org",
        "Group: a@example.org;",
    ],
)
def test_a_from_line_that_is_no_mailbox_is_refused(folder: Folder, sender: str) -> None:
    text = MINIMAL.replace("Trending Papers <digest@example.org>", sender)

    assert folder.problem(text).startswith("mail.from: must ") or "longer than" in folder.problem(
        text
    )


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ('\\"Doe, Jane\\" <a@example.org>', "Doe, Jane"),
        ("Éditions du Soir <a@example.org>", "Éditions du Soir"),
        ("<a@example.org>", ""),
    ],
)
def test_names_in_the_from_line_are_read_as_mail_programs_do(
    folder: Folder, sender: str, name: str
) -> None:
    found = folder.load(MINIMAL.replace("Trending Papers <digest@example.org>", sender)).mail

    assert (found.from_name, found.from_address) == (name, "a@example.org")


@pytest.mark.parametrize(
    "url",
    ["digest.example.org", "https://", "https://d.e/?a=1", "https://u:p@d.e", "https://d.e:0/"],
)
def test_a_site_url_that_cannot_be_the_base_of_links_is_refused(folder: Folder, url: str) -> None:
    text = MINIMAL.replace("https://digest.example.org", url)

    assert folder.problem(text).startswith("site.url: must ")


# places in the file


@given(st.text(alphabet="ab[].=\" \n#'\\", max_size=200))
@settings(deadline=None)
def test_lines_are_found_in_any_text(text: str) -> None:
    assert all(line <= len(text.splitlines()) for line in find_lines(text).values())


def test_lines_are_right_beside_strings_that_look_like_settings() -> None:
    text = '''\
[site] # one
name = "x"
note = """
[smtp]
port = 1
"""
smtp.port = 2
"quoted key" = 3
[[source]]
a = 1
[[source]]
  a = 2
'''

    assert find_lines(text) == {
        ("site",): 1,
        ("site", "name"): 2,
        ("site", "note"): 3,
        ("site", "smtp", "port"): 7,
        ("site", "quoted key"): 8,
        ("source", 0): 9,
        ("source", 0, "a"): 10,
        ("source", 1): 11,
        ("source", 1, "a"): 12,
    }
