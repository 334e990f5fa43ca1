"""Messages written to disk: whole or not at all, under names that do not change."""

from __future__ import annotations

import mailbox
import stat
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.mail import Transport, TransportOptions, build_transport, run_to_end
from digest.mail.files import eml_name
from digest.model import Fate
from tests.mail_runs import make_envelope, run_mail

CONTENT = b"Subject: Hello\r\n\r\nFirst line\r\n.dot\r\n"


def folder(path: Path) -> Transport:
    return build_transport(TransportOptions(kind="folder", path=path))


def maildir(path: Path) -> Transport:
    return build_transport(TransportOptions(kind="maildir", path=path))


def test_a_folder_gets_one_file_per_message_with_the_bytes_of_the_wire(tmp_path: Path) -> None:
    envelopes = [make_envelope(1, "ada@example.org", CONTENT), make_envelope(2, "bob@example.org")]

    run = run_to_end(run_mail(folder(tmp_path / "out"), envelopes))

    assert run.fates == {1: Fate.ACCEPTED, 2: Fate.ACCEPTED}
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["00000001-ada.eml", "00000002-bob.eml"]
    assert (tmp_path / "out" / "00000001-ada.eml").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("../../etc/passwd@example.org", "00000001-.._.._etc_passwd.eml"),
        ('"a/b c"@example.org', "00000001-_a_b_c_.eml"),
        ("Ünï@example.org", "00000001-_n_.eml"),
        ("x" * 64 + "@example.org", "00000001-" + "x" * 40 + ".eml"),
    ],
)
def test_a_file_name_never_leaves_the_folder(address: str, name: str) -> None:
    assert eml_name(make_envelope(1, address)) == name


def test_a_file_is_for_its_owner_only(tmp_path: Path) -> None:
    run_to_end(run_mail(folder(tmp_path), [make_envelope()]))

    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_writing_a_message_again_leaves_one_file(tmp_path: Path) -> None:
    run_to_end(run_mail(folder(tmp_path / "eml"), [make_envelope(), make_envelope()][:1]))
    run_to_end(run_mail(folder(tmp_path / "eml"), [make_envelope()]))
    run_to_end(run_mail(maildir(tmp_path / "md"), [make_envelope()]))
    run_to_end(run_mail(maildir(tmp_path / "md"), [make_envelope()]))

    assert len(list((tmp_path / "eml").iterdir())) == 1
    assert len(list((tmp_path / "md" / "new").iterdir())) == 1


def test_a_maildir_is_one_that_mail_programs_read(tmp_path: Path) -> None:
    run = run_to_end(run_mail(maildir(tmp_path / "md"), [make_envelope(1, content=CONTENT)]))

    assert run.fates == {1: Fate.ACCEPTED}
    (message,) = mailbox.Maildir(tmp_path / "md", create=False)
    assert message["Return-Path"] == "<bounce+1@example.net>"
    assert message["Delivered-To"] == "ada@example.org"
    assert message.get_payload() == "First line\n.dot\n"
    assert not list((tmp_path / "md" / "tmp").iterdir())


def test_a_path_that_is_a_file_stops_the_batch_with_advice(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    envelopes = [make_envelope(1), make_envelope(2)]

    run = run_to_end(run_mail(folder(tmp_path / "out"), envelopes))

    assert run.taken == [1]
    assert run.fates == {1: Fate.TEMPORARY}
    assert run.error is not None
    assert "choose another `path` under [smtp]" in str(run.error)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    # /dev/full answers every write with "no space left"; the half-written file is a link to it
    envelope = make_envelope(1)
    (tmp_path / f".{eml_name(envelope)}.part").symlink_to("/dev/full")

    run = run_to_end(run_mail(folder(tmp_path), [envelope, make_envelope(2)]))

    assert run.fates == {1: Fate.TEMPORARY}
    assert "the disk is full" in str(run.error)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["folder", "maildir"])
def test_an_address_with_a_line_break_is_refused_not_written(kind: str, tmp_path: Path) -> None:
    transport = build_transport(TransportOptions(kind=kind, path=tmp_path))  # type: ignore[arg-type]

    run = run_to_end(run_mail(transport, [make_envelope(1, "ada\nX: y@example.org")]))

    assert run.outcome(1).fate is Fate.PERMANENT
    assert run.outcome(1).status == "5.1.3"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["folder", "maildir"])
def test_writing_to_disk_needs_a_path(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"smtp\.path"):
        build_transport(TransportOptions(kind=kind))  # type: ignore[arg-type]
