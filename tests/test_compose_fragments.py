"""Messages put together from fragments are the same bytes as messages rendered whole."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.compose.letters import LetterWriter
from digest.compose.links import Links
from digest.compose.pages import Kind
from digest.compose.printer import Printer
from digest.errors import TemplateError
from digest.model import Edition, Entry, Reason, ReasonKind, Section
from digest.resources import data_path
from digest.templates import Templates
from tests.mail_pieces import SITE, TOKENS, composer, edition, entry, wording

TEMPLATES = Templates()
LINKS = Links(SITE.url, TOKENS)
WRITER = LetterWriter(SITE, LINKS, TEMPLATES)
PRINTER = Printer(SITE, TEMPLATES)

TEXTS = st.text(
    st.one_of(st.sampled_from("ab <>&\"'%=é\u00a0稀😀ש.\n$\\{}"), st.characters()), max_size=60
)


@st.composite
def entries(draw: st.DrawFn, section: Section, number: int) -> Entry:
    said = wording(
        draw(st.integers(1, 4)),
        title=draw(TEXTS),
        abstract=draw(TEXTS) * draw(st.sampled_from([1, 20])),
        authors=tuple(draw(st.lists(TEXTS, max_size=6))),
        organization=draw(st.none() | TEXTS),
        code_url=draw(st.sampled_from([None, "https://example.org/?a=1&b=%41", "nonsense"])),
    )
    reasons = tuple(
        Reason(kind=ReasonKind.TEXT, lead=draw(TEXTS), subject=draw(st.just("") | TEXTS))
        for _ in range(draw(st.integers(0, 8)))
    )
    return entry(
        number,
        section=section,
        said=said,
        reasons=reasons,
        votes=draw(st.none() | st.integers(0, 2000)),
        comments=draw(st.none() | st.integers(0, 2000)),
        stars=draw(st.none() | st.integers(0, 2000)),
    )


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    picks = [draw(entries(Section.PICK, n)) for n in range(1, draw(st.integers(1, 5)))]
    rising = [draw(entries(Section.RISING, n)) for n in range(1, draw(st.integers(1, 4)))]
    return edition(
        tuple(picks),
        tuple(rising),
        id=draw(st.integers(1, 2**40)),
        note=draw(st.none() | TEXTS),
        considered=draw(st.integers(0, 5000)),
        interests=draw(st.integers(0, 3)),
        local_on=draw(st.dates(date(2000, 1, 1))),
    )


def both(printer: Printer, kind: Kind, made: Edition, **options: Any) -> tuple[bytes, bytes]:
    letter = WRITER.write(made.sheet(), level=options.pop("level", 0), **options)
    return b"".join(printer.encode(kind, letter)), printer.encode_whole(kind, letter)


@pytest.mark.parametrize("kind", Kind)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(made=editions())
def test_fragments_and_whole_are_the_same_bytes(kind: Kind, made: Edition) -> None:
    assembled, whole = both(PRINTER, kind, made)

    assert assembled == whole


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("items_max", [None, 0, 1, 2])
def test_shortened_letters_are_the_same_bytes(kind: Kind, level: int, items_max: int) -> None:
    assembled, whole = both(PRINTER, kind, edition(4), level=level, items_max=items_max)

    assert assembled == whole


@pytest.mark.parametrize("kind", Kind)
def test_the_built_in_templates_are_assembled(kind: Kind) -> None:
    assert PRINTER._find_assembler(kind) is not None


class Counting(Templates):
    """Templates that count how often each is rendered."""

    def __init__(self, rendered: Counter[str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.rendered: Counter[str] = Counter() if rendered is None else rendered

    def wrapped(self, wrapper: Any) -> Counting:
        return Counting(self.rendered, wrapper=wrapper)

    def render(self, name: str, context: Any) -> str:
        self.rendered[name] += 1
        return super().render(name, context)

    def count(self, kind: Kind) -> int:
        return self.rendered[f"email/edition.{kind}"]


@pytest.mark.parametrize("kind", Kind)
def test_one_item_for_many_readers_is_rendered_once(kind: Kind) -> None:
    templates = Counting()
    printer = Printer(SITE, templates)
    both(printer, kind, edition(9))
    before = templates.count(kind)

    for reader in range(100):
        made = edition(9, subscriber_id=reader, id=1000 + reader)
        printer.encode(kind, WRITER.write(made.sheet(), level=0))

    assert templates.count(kind) == before


def test_a_changed_wording_is_told_anew() -> None:
    before = edition((entry(said=wording(abstract="It was so.")),))
    after = edition((entry(said=wording(abstract="It is so.")),))

    for made in (before, after, before):
        assembled, whole = both(PRINTER, Kind.HTML, made)
        assert assembled == whole


def override(folder: Path, name: str, old: str, new: str) -> Templates:
    """The built-in templates with one of them changed by an operator."""
    source = (data_path("templates") / "email" / name).read_text()
    assert old in source
    (folder / "email").mkdir()
    (folder / "email" / name).write_text(source.replace(old, new))
    return Templates(folder)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("_item.html", '<tr><td class="item" align="left">', '<tr><td class="item" align="left"><p>No. {{ item.position }}</p>'),
        ("edition.html", "<h1>", "<h1>{{ site.name }}: "),
        ("_item.txt", "Why: ", "Because of "),
        ("edition.txt", "{% for item in items %}", "{% for item in items %}\n* * *"),
        ("_style.html", ".why em { ", ".why em { letter-spacing: 1px; "),
        ("_style.html", "td.item { ", ".item { font-weight: 400; } td.item { "),
    ],
)  # fmt: skip
def test_an_operator_s_templates_are_assembled_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, old: str, new: str
) -> None:
    printer = Printer(SITE, override(tmp_path, name, old, new))

    for kind in Kind:
        assembled, whole = both(printer, kind, edition())
        assert assembled == whole
    assert "rendered whole" not in caplog.text


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("_item.html", '<td class="item" align="left">', '<td class="item" align="left">{{ loop.index }} '),
        ("_item.html", '<p class="links">', '<p class="links" title="{{ item.why }}">'),
        ("_item.txt", "Why: ", "Why {{ items | length }}: "),
        ("_item.txt", "Why: ", "Why on {{ page.on }}: "),
        ("_item.html", "{{ item.more_url }}", "{{ item.more_url | upper }}"),
        ("edition.html", "{% for item in items %}", "{% for item in items | reverse %}"),
        ("edition.txt", "{% for item in rising %}", "{% for item in items %}"),
        ("_style.html", "td.item { ", "tr + tr + tr td.item { color: #123456; } td.item { "),
    ],
)  # fmt: skip
def test_templates_that_cannot_be_cut_are_rendered_whole_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, old: str, new: str
) -> None:
    printer = Printer(SITE, override(tmp_path, name, old, new))

    with caplog.at_level(logging.WARNING):
        results = [both(printer, kind, edition()) for kind in Kind]

    assert all(assembled == whole for assembled, whole in results)
    assert "rendered whole" in caplog.text or "a template of yours is broken" in caplog.text


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(made=st.lists(editions(), min_size=1, max_size=4))
def test_items_made_together_are_the_same_bytes(made: list[Edition]) -> None:
    sheets = [one.sheet() for one in made]
    prepared, plain = composer(), composer()

    prepared.prepare(sheets)

    for number, sheet in enumerate(sheets, 1):
        named = {"outbox_id": number, "message_id": f"<{number}@example.org>"}
        assert prepared.edition(sheet, **named) == plain.edition(sheet, **named)


@pytest.mark.parametrize("kind", Kind)
def test_items_made_together_are_rendered_on_one_page(kind: Kind) -> None:
    templates = Counting()
    made = composer(templates=templates)
    sheets = [edition((entry(said=wording(title=f"Paper {n}")),)).sheet() for n in range(9)]
    made.prepare(sheets[:1])
    before = templates.count(kind)

    made.prepare(sheets)
    made.prepare(sheets)

    assert templates.count(kind) == before + 1


class Breaking(Counting):
    """Templates that are broken as long as there is something in `broken`."""

    def __init__(self, broken: list[str], rendered: Counter[str], **options: Any) -> None:
        super().__init__(rendered, **options)
        self.broken = broken

    def wrapped(self, wrapper: Any) -> Breaking:
        return Breaking(self.broken, self.rendered, wrapper=wrapper)

    def render(self, name: str, context: Any) -> str:
        if self.broken:
            raise TemplateError(f"{name}:1: {self.broken[0]}")
        return super().render(name, context)


@pytest.mark.parametrize("kind", Kind)
def test_items_whose_templates_were_broken_are_made_together_when_they_are_mended(
    kind: Kind,
) -> None:
    broken: list[str] = []
    templates = Breaking(broken, Counter())
    made = composer(templates=templates)
    sheets = [edition((entry(said=wording(title=f"Paper {n}")),)).sheet() for n in range(9)]
    made.prepare(sheets[:1])
    broken.append("unexpected end of template")
    with pytest.raises(TemplateError):
        made.prepare(sheets)
    broken.clear()
    before = templates.count(kind)

    made.prepare(sheets)

    assert templates.count(kind) == before + 1


_WORDS = st.sampled_from(
    (".", "From ", "x", "a word ", "5× ", "稀疏注意力", "=", "é" * 9, "long " * 9)
)
_SAID = st.lists(_WORDS, max_size=6).map("".join)
_WHY = st.lists(
    st.builds(Reason, kind=st.sampled_from(ReasonKind), lead=_SAID, subject=_SAID), max_size=6
)


_TREND = st.builds(Reason, kind=st.just(ReasonKind.TREND), lead=_SAID, subject=_SAID)


@settings(deadline=None, max_examples=300)
@given(reasons=_WHY, trend=st.none() | _TREND)
def test_a_why_line_of_parts_is_the_whole_line(reasons: list[Reason], trend: Reason | None) -> None:
    if trend is not None:
        reasons.append(trend)
    made = edition((entry(reasons=tuple(reasons)),))

    assembled, whole = both(PRINTER, Kind.TEXT, made)

    assert assembled == whole


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(made=editions(), reasons=_WHY)
def test_no_line_of_a_message_begins_with_a_dot(made: Edition, reasons: list[Reason]) -> None:
    dots = entry(reasons=tuple(reasons), said=wording(title=".\n.a", abstract=".b\n.c. .d\r\n..e"))
    made = replace(made, entries=(*made.entries, dots))

    message = composer().edition(made.sheet(), outbox_id=1, message_id="<.1@example.org>")

    assert message.is_plain
    assert b"\n." not in message.content
    assert not message.content.startswith(b".")
    assert message.content.endswith(b"\r\n")


def test_a_why_line_in_the_html_part_is_assembled_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = '<tr><td class="item" align="left">'
    templates = override(tmp_path, "_item.html", row, f"{row}<p>{{{{ item.why }}}}</p>")
    reasons = (Reason(kind=ReasonKind.TEXT, lead="<b> & 'so'", subject="a < b"),)

    with caplog.at_level(logging.WARNING):
        assembled, whole = both(
            Printer(SITE, templates), Kind.HTML, edition((entry(reasons=reasons),))
        )

    assert assembled == whole
    assert not caplog.records
