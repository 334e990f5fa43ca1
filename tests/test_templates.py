"""Templates: the operator's first, ours when theirs is broken."""

from __future__ import annotations

import logging
from dataclasses import fields
from pathlib import Path

import pytest

from digest import filters
from digest.compose.view import ItemView, LinkView, PageView
from digest.errors import TemplateError
from digest.model import Site
from digest.resources import data_path
from digest.templates import Templates
from tests.paths import REPO


def folder(root: Path, **files: str) -> Path:
    """A folder of templates; `email__x_txt` is email/x.txt."""
    for name, source in files.items():
        path = root / name.replace("__", "/").replace("_txt", ".txt").replace("_html", ".html")
        path.parent.mkdir(exist_ok=True)
        path.write_text(source)
    return root


CONTEXT = {"title": "A & B", "on": None, "picks": 1, "rising": 0}


def test_html_is_escaped_and_text_is_not(tmp_path: Path) -> None:
    templates = Templates(folder(tmp_path, email__a_html="{{ title }}", email__a_txt="{{ title }}"))

    assert templates.render("email/a.html", CONTEXT) == "A &amp; B"
    assert templates.render("email/a.txt", CONTEXT) == "A & B"


def test_an_operator_s_file_replaces_ours(tmp_path: Path) -> None:
    templates = Templates(folder(tmp_path, email__edition_txt="Mine: {{ title }}"))

    assert templates.render("email/edition.txt", CONTEXT) == "Mine: A & B"


def test_an_undefined_name_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    templates = Templates(folder(tmp_path, email__mine_txt="one\n{{ nothing }}"))

    with pytest.raises(TemplateError, match=r"mine\.txt:2"):
        templates.render("email/mine.txt", CONTEXT)


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{% if %}", 1),
        ("\n\n{{ nothing }}", 3),
        ("\n{{ title | no_such_filter }}", 2),
        ("{{ title + 1 }}", 1),
        ("\n{% include 'email/absent.txt' %}", 0),
        ("{{ picks / rising }}", 1),
    ],
)
def test_a_broken_replacement_is_named_and_ours_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, source: str, line: int
) -> None:
    templates = Templates(folder(tmp_path, **{"email__confirmation.subject_txt": source}))
    context = {**CONTEXT, "site": type("Site", (), {"name": "Trending Papers"})}

    with caplog.at_level(logging.WARNING):
        shown = templates.render("email/confirmation.subject.txt", context)

    assert shown == Templates().render("email/confirmation.subject.txt", context)
    place = str(tmp_path / "email/confirmation.subject.txt") + f":{line}:"
    assert (place if line else "email/absent.txt") in caplog.text


def test_a_broken_replacement_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    templates = Templates(folder(tmp_path, **{"email__confirmation.subject_txt": "{{ nothing }}"}))
    context = {"site": type("Site", (), {"name": "Trending Papers"})}

    for _ in range(3):
        templates.render("email/confirmation.subject.txt", context)

    assert len(caplog.records) == 1


def test_a_replacement_that_is_no_utf_8_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder(tmp_path, **{"email__confirmation.subject_txt": ""})
    (tmp_path / "email/confirmation.subject.txt").write_bytes(b"caf\xe9")
    context = {"site": type("Site", (), {"name": "Trending Papers"})}

    shown = Templates(tmp_path).render("email/confirmation.subject.txt", context)

    assert "Trending Papers" in shown
    assert "confirmation.subject.txt" in caplog.text


def test_a_template_that_nobody_has_is_an_error() -> None:
    with pytest.raises(TemplateError, match=r"email/absent\.txt"):
        Templates().render("email/absent.txt", {})


def test_css_moves_into_the_elements_after_rendering(tmp_path: Path) -> None:
    page = (
        "<html><head><style>td { color: red; }</style>"
        '<style data-css-inline="keep">@media print { td { color: black; } }</style></head><body>'
        "<table>{% for n in [1, 2] %}<tr><td>{{ n }}</td></tr>{% endfor %}</table></body></html>"
    )
    templates = Templates(folder(tmp_path, email__a_html=page))

    html = templates.inline(templates.render("email/a.html", {}))

    assert html.count('<td style="color: red;">') == 2
    assert "@media print" in html
    assert "td { color: red; }" not in html


def test_every_shipped_template_is_valid_and_lies_where_it_is_looked_for() -> None:
    templates = Templates()
    names = [p.relative_to(data_path("templates")) for p in data_path("templates").rglob("*.*")]

    assert {"email/edition.html", "email/edition.txt", "email/edition.subject.txt"} <= set(map(str, names))  # fmt: skip
    for name in names:
        templates.check(str(name))


def test_every_template_filter_and_name_is_documented() -> None:
    told = (REPO / "docs" / "templates.md").read_text(encoding="utf-8")

    files = {path.name for path in (data_path("templates") / "email").iterdir()}
    names = {field.name for view in (ItemView, PageView, LinkView, Site) for field in fields(view)}
    assert {n for n in files | names | set(filters.ALL) if f"`{n}" not in told} == set()
