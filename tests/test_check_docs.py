"""docs/check.md and the program know the same findings."""

from __future__ import annotations

import ast
import re
from http import HTTPStatus

import pytest
import typer

from digest.check.findings import NAMES, Finding, Level
from digest.cli import app
from tests.check_pieces import PAGE, is_documented, rows
from tests.paths import REPO

#: every text in the code that findings are made of, a line each
_TEXTS = "\n".join(
    [
        *(
            " ".join(node.value.split())
            for folder in ("check", "mail", "fetch", "store", ".")
            for path in sorted((REPO / "digest" / folder).glob("*.py"))
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ),
        *(status.phrase for status in HTTPStatus),
    ]
)


def _seams(piece: str) -> int:
    """From how many texts of the code a piece is put together, less one; 99 when it is not."""
    words, seams = piece.split(), -1
    while words:
        seams += 1
        sizes = range(len(words), 0, -1)
        size = next((n for n in sizes if " ".join(words[:n]).strip(",;:") in _TEXTS), 0)
        if not size:
            return 99
        words = words[size:]
    return seams


def test_every_name_has_a_section_in_the_order_of_the_program() -> None:
    assert list(rows()) == ["any check", *NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_every_section_explains_what_is_good_and_what_is_not(name: str) -> None:
    known = {level for level, _ in rows()[name]}

    assert Level.GREEN in known
    if name not in ("database.writable", "bounces.mailbox"):  # their failures are the database's
        assert known & {Level.YELLOW, Level.RED}


@pytest.mark.parametrize("name", NAMES)
def test_what_the_page_quotes_is_said_by_the_program(name: str) -> None:
    for _, said in rows()[name]:
        for piece in re.split(r"…|\b\d[\d,]*\b", said):
            assert _seams(piece) <= 2, (name, said)


def test_a_finding_that_the_page_does_not_know_would_be_noticed() -> None:
    known = Finding(
        name="dns.spf", level=Level.RED, said="x has 2 SPF records, which makes all of them invalid"
    )
    other = Finding(name="dns.spf", level=Level.RED, said="x has 2 SPF records")
    milder = Finding(name="dns.spf", level=Level.GREEN, said=known.said)

    assert is_documented(known)
    assert not is_documented(other)
    assert not is_documented(milder)


def test_every_option_is_on_the_page() -> None:
    command = typer.main.get_command(app).commands["check"]  # type: ignore[attr-defined]  # a group
    options = {name for option in command.params for name in option.opts}

    assert options >= {"--json", "--offline", "--nameserver", "--at"}
    assert all(
        f"`{name}" in PAGE or f"digest check {name}" in PAGE for name in options - {"--config"}
    )


def test_every_link_leads_to_a_page() -> None:
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+\.md[^)]*)\)", PAGE)}

    assert links and all((REPO / "docs" / link).is_file() for link in links)
