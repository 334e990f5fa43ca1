"""The sample mail as a receiver sees it: made by the real composer, then broken on purpose."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from digest.app import App
from digest.check.message import checks, judge_from, judge_headers, judge_sample
from digest.check.runner import run_side_by_side
from digest.check.sample import NOBODY, SampleMail, sample_edition, unsubscribe_links
from digest.clock import FixedClock
from digest.errors import BadInput
from digest.mail.dkim import DkimSigner
from digest.model import Envelope
from digest.tokens import Purpose
from tests.check_pieces import levels, only, seen
from tests.config_folder import MINIMAL, Folder
from tests.mail_pieces import SITE, composer, receive

NOW = datetime(2026, 3, 12, 7, tzinfo=UTC)
MESSAGE_ID = "<check@digest.example.org>"


@cache
def mail(items: int = 12) -> Envelope:
    sheet = sample_edition(NOW, items=items).sheet()
    return composer().edition(sheet, outbox_id=2**40, message_id=MESSAGE_ID)


@cache
def key_pem() -> bytes:
    key = generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def without(name: str, envelope: Envelope) -> Envelope:
    """The mail without that header."""
    pattern = rf"^{name}:.*?\r\n(?![ \t])".encode()
    content, count = re.subn(pattern, b"", envelope.content, count=1, flags=re.M | re.S)
    assert count == 1
    return replace(envelope, content=content)


def changed(envelope: Envelope, before: bytes, after: bytes, count: int = -1) -> Envelope:
    assert before in envelope.content
    return replace(envelope, content=envelope.content.replace(before, after, count))


def sample(tmp_path: Path, keys: str = "", **sections: str) -> SampleMail:
    text = MINIMAL + keys + "".join(f"\n[{name}]\n{value}" for name, value in sections.items())
    return SampleMail(App(Folder(tmp_path).load(text), FixedClock(NOW)))


# -- the mail


def test_a_mail_of_ours_is_green() -> None:
    assert only(judge_sample(mail())).level == "green"
    assert only(judge_headers(mail())).level == "green"


@pytest.mark.parametrize("items", [1, 40, 100])
def test_a_mail_of_any_number_of_papers_is_green(items: int) -> None:
    assert levels([*judge_sample(mail(items)), *judge_headers(mail(items))]) == ["green"] * 2


def test_the_sizes_are_told() -> None:
    said = only(judge_sample(mail())).said
    total, html = (int(n.replace(",", "")) for n in re.findall(r"[\d,]+(?= bytes| of 90)", said))

    part = receive(mail().content).get_body(("html",))
    assert part is not None
    assert total == len(mail().content)
    assert html == len(part.get_payload())


def test_a_mail_that_gmail_cuts_off_is_red() -> None:
    large = changed(mail(), b"</body>", b"<p>=20</p>\r\n" * 9_000 + b"</body>")
    found = only(judge_sample(large))

    assert found.level == "red"
    assert "Gmail cuts off" in found.said


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"multipart/alternative", b"multipart/mixed"), (b"text/html", b"text/x-html")],
)
def test_a_mail_without_both_parts_is_red(before: bytes, after: bytes) -> None:
    found = only(judge_sample(changed(mail(), before, after)))

    assert (found.level, "text and an HTML part" in found.said) == ("red", True)


def test_templates_that_lost_the_unsubscribe_link_are_red() -> None:
    head, blank, body = mail().content.partition(b"\r\n\r\n")
    text, html = (body[: body.index(b"text/html")], body[body.index(b"text/html") :])

    def said(*parts: bytes) -> str:
        return only(judge_sample(replace(mail(), content=head + blank + b"".join(parts)))).said

    gone, gone_too = (part.replace(b"/unsubscribe", b"/x") for part in (text, html))
    assert "missing in the text part" in said(gone, html)
    assert "missing in the HTML part" in said(text, gone_too)
    assert "missing in the text and the HTML part" in said(gone, gone_too)


# -- headers


@pytest.mark.parametrize(
    "name",
    [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "List-Id",
        "List-Archive",
        "List-Help",
        "List-Owner",
        "List-Post",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "Feedback-ID",
        "MIME-Version",
    ],
)
def test_a_header_that_is_missing_is_red(name: str) -> None:
    found = only(judge_headers(without(name, mail())))

    assert (found.level, found.said) == ("red", f"a mail lacks {name}")


def test_without_one_click_headers_each_loss_is_told() -> None:
    said = [f.said for f in seen(judge_headers(without("List-Unsubscribe", mail())))]
    said_post = [f.said for f in seen(judge_headers(without("List-Unsubscribe-Post", mail())))]

    assert said[0] == "a mail lacks List-Unsubscribe"
    assert "is no https link" in said[1]
    assert said_post[0] == "a mail lacks List-Unsubscribe-Post"
    assert "does not say" in said_post[1]


def test_a_header_that_is_there_twice_is_red() -> None:
    twice = changed(mail(), b"List-Post: NO\r\n", b"List-Post: NO\r\n" * 2)

    assert only(judge_headers(twice)).said == "a mail has twice List-Post"


def test_a_site_without_https_has_no_unsubscribe_button() -> None:
    plain = composer(replace(SITE, url="http://digest.example.org"))
    made = plain.edition(sample_edition(NOW, items=3).sheet(), outbox_id=1, message_id=MESSAGE_ID)
    found = only(judge_headers(made))

    assert found.level == "red"
    assert "https" in found.advice
    assert levels(judge_headers(made, sends_mail=False)) == ["yellow"]


def test_other_words_than_one_click_are_red() -> None:
    wrong = changed(mail(), b"List-Unsubscribe=One-Click", b"List-Unsubscribe=one-click")

    assert "does not say" in only(judge_headers(wrong)).said


def test_a_line_that_no_server_takes_is_red() -> None:
    long = changed(mail(), b"List-Post: NO", b"List-Post: NO" + b"!" * 990)

    assert "1003 octets" in only(judge_headers(long)).said


@pytest.mark.parametrize("local", ["b" * 65, ""])
def test_an_envelope_sender_that_no_server_takes_is_red(local: str) -> None:
    found = only(judge_headers(replace(mail(), envelope_from=f"{local}@example.org")))

    assert found.level == "red"
    assert f"{len(local)} characters before the @" in found.said


def test_our_signature_covers_one_click() -> None:
    signed = DkimSigner("example.org", "s", key_pem()).sign(mail().content)
    found = only(judge_headers(replace(mail(), content=signed)))

    assert (found.level, found.said[-8:]) == ("green", ", signed")


def test_a_signature_that_leaves_one_click_out_is_red() -> None:
    signed = DkimSigner("example.org", "s", key_pem()).sign(mail().content)
    head, rest = signed.split(b"bh=", 1)
    less = re.sub(rb":\s*list-unsubscribe-post", b"", head)
    assert less != head
    found = only(judge_headers(replace(mail(), content=less + b"bh=" + rest)))

    assert found.level == "red"
    assert found.said.endswith("does not cover list-unsubscribe-post")


# -- the sample


def test_the_sample_is_nobody_s(tmp_path: Path) -> None:
    made = sample(tmp_path)

    (link,) = (one for one in unsubscribe_links(made.envelope.content) if one.startswith("https:"))
    token = link.rpartition("/")[2]
    tokens = made._app.tokens
    assert tokens.read(Purpose.UNSUBSCRIBE, token, count=1) == (NOBODY,)
    assert made.unsubscribe_link == link


def test_the_sample_is_made_once_and_by_the_settings(tmp_path: Path) -> None:
    made = sample(tmp_path, edition="max_items = 3\n")

    assert made.envelope is made.envelope
    assert made.size_bytes == len(made.envelope.content)
    assert receive(made.envelope.content)["Date"].datetime == NOW
    assert made.envelope.content.count(b"Part 3") >= 1
    assert made.envelope.content.count(b"Part 4") == 0


def test_the_sample_is_signed_when_there_is_a_key(tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_bytes(key_pem())
    keys = 'dkim_domain = "example.org"\ndkim_selector = "s"\ndkim_key_file = "dkim.pem"\n'

    content = sample(tmp_path, keys).envelope.content

    assert content.count(b"DKIM-Signature:") == 1
    assert b"d=example.org" in content


def test_a_key_that_cannot_be_used_does_not_hide_the_rest(tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_text("nothing")
    keys = 'dkim_domain = "example.org"\ndkim_selector = "s"\ndkim_key_file = "dkim.pem"\n'

    found = seen(run_side_by_side(list(checks(sample(tmp_path, keys)))))

    assert [(f.name, f.level.value) for f in found] == [
        ("mail.from", "green"),
        ("mail.sample", "green"),
        ("mail.headers", "red"),
    ]
    assert "this is no private key in PEM form" in found[-1].said


@pytest.mark.parametrize("name", ["edition.subject.txt", "confirmation.txt"])
def test_a_template_of_the_operator_that_is_broken_is_yellow_and_named(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "templates" / "email"
    folder.mkdir(parents=True)
    (folder / name).write_text("one\n{{ no_such_name }}")

    found = seen(run_side_by_side(list(checks(sample(tmp_path, 'templates = "templates"\n')))))

    assert [f.level.value for f in found] == ["green", "green", "yellow", "green"]
    assert f"{name}:2: 'no_such_name' is undefined" in found[2].said


def test_a_mail_that_cannot_be_made_is_red_wherever_it_is_needed(tmp_path: Path) -> None:
    text = MINIMAL.replace('url = "', f'url = "https://{"long." * 200}example.org" #')
    made = SampleMail(App(Folder(tmp_path).load(text), FixedClock(NOW)))

    found = seen(run_side_by_side(list(checks(made))))

    assert [f.level.value for f in found] == ["green", "red", "red"]
    assert "longer than 998 octets" in found[1].said
    assert made.size_bytes > 100_000
    with pytest.raises(BadInput):
        made.unsubscribe_link  # noqa: B018 - the reading is the test


# -- who it is from


def test_a_mail_provider_s_address_is_red(tmp_path: Path) -> None:
    text = MINIMAL.replace("digest@example.org", "me@gmail.com")
    made = SampleMail(App(Folder(tmp_path).load(text), FixedClock(NOW)))

    found = [f for f in run_side_by_side(list(checks(made))) if f.name == "mail.from"]

    assert only(found).level == "red"
    assert only([judge_from("example.org", is_freemail=False)]).level == "green"
