"""`digest bounces`: from letters in a Maildir to what an operator sees and undoes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from digest.cli import run
from digest.mailbox.base import LETTERS_MAX
from digest.store import Store
from digest.store.migrate import migrate
from tests.bounce_samples import READER, sample
from tests.config_folder import MINIMAL
from tests.returning import World

AT = "2026-03-11T07:30:00Z"
SETTINGS = f"""
{MINIMAL}
[bounces]
kind = "maildir"
path = "Maildir"
"""


class Operator:
    """Somebody at a terminal, in a folder with a config.toml and a Maildir."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capture = capture
        (folder / "config.toml").write_text(SETTINGS, "utf-8")
        for name in ("new", "cur", "tmp"):
            (folder / "Maildir" / name).mkdir(parents=True)

    def run(self, *words: str, config: Path | None = None) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of one command."""
        code = run([*words, "--config", str(config or self.folder / "config.toml")])
        said = self._capture.readouterr()
        return code, said.out, said.err

    def ask(self, *words: str) -> Any:
        code, out, err = self.run(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def arrive(self, name: str, **changes: str) -> None:
        """A letter that comes into the Maildir."""
        count = len(list((self.folder / "Maildir" / "new").iterdir()))
        (self.folder / "Maildir" / "new" / f"{count}.{name}").write_bytes(sample(name, **changes))

    def bounce(self, name: str) -> None:
        """A letter about a real message to the reader, read at once."""
        self.run("subscribers", "add", READER, "--confirmed", "--at", AT)
        store = Store(f"sqlite:///{self.folder}/digest.db")
        migrate(store)
        _, message_id = World(store).send(1)
        store.close()
        self.arrive(name, message_id=message_id)
        self.run("bounces", "read", "--at", AT)


@pytest.fixture
def operator(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Operator:
    return Operator(tmp_path, capsys)


def test_reading_tells_what_came_of_it(operator: Operator) -> None:
    operator.run("subscribers", "add", READER, "--confirmed")
    for name in ("postfix_full", "vacation", "spam"):
        operator.arrive(name)

    told = operator.ask("bounces", "read")

    assert told == {
        "letters": 3,
        "kinds": {"automatic": 1, "soft": 1, "unknown": 1},
        "suppressed": 0,
        "unsubscribed": 0,
        "kept": 1,
    }


def test_reading_says_where_the_rest_is_kept(operator: Operator) -> None:
    operator.arrive("spam")

    code, out, err = operator.run("bounces", "read")

    assert (code, out) == (0, "letters: 1 unknown\naddresses: 0 suppressed, 0 unsubscribed\n")
    assert "not understood" in err and "1 letter, kept in digest-unknown" in err
    assert len(list((operator.folder / "Maildir" / ".digest-unknown" / "new").iterdir())) == 1


def test_a_mailbox_that_has_waited_for_long_is_read_to_its_end(operator: Operator) -> None:
    for number in range(LETTERS_MAX + 5):
        letter = operator.folder / "Maildir" / "new" / f"{number}.vacation"
        letter.write_bytes(b"Auto-Submitted: auto-replied\n\nI am away.")

    assert operator.ask("bounces", "read")["letters"] == LETTERS_MAX + 5


def test_what_came_back_is_listed(operator: Operator) -> None:
    operator.bounce("postfix_unknown_user")

    (bounce,) = operator.ask("bounces", "list")

    assert bounce.pop("diagnostic").startswith("smtp; 550 5.1.1")
    assert bounce == {
        "id": 1,
        "at": AT,
        "kind": "hard",
        "status": "5.1.1",
        "email": READER,
        "subscriber_status": "suppressed",
        "outbox_id": 1,
        "proven": True,
        "effect": "hard bounce",
        "forgiven_at": None,
    }
    assert operator.ask("bounces") == operator.ask("bounces", "list")
    assert operator.ask("bounces", "list", "--kind", "soft") == []
    assert len(operator.ask("bounces", "list", READER, "--kind", "hard", "--limit", "1")) == 1


def test_people_get_a_table(operator: Operator) -> None:
    empty = operator.run("bounces")
    operator.bounce("postfix_unknown_user")

    _, out, _ = operator.run("bounces", "list")

    assert empty == (0, "nothing came back\n", "")
    head, line = out.splitlines()
    assert head.split() == ["id", "read", "kind", "status", "address", "person", "effect"]
    assert line.split()[-5:] == ["5.1.1", READER, "suppressed", "hard", "bounce"]


def test_one_is_shown_with_its_evidence(operator: Operator) -> None:
    operator.bounce("qmail")

    _, out, _ = operator.run("bounces", "show", "1")
    told = operator.ask("bounces", "show", "1")

    assert "Sorry, no mailbox here by that name. (#5.1.1)" in out
    assert told["evidence"].startswith("Return-Path: <>\n")


def test_evidence_cannot_steer_the_terminal(operator: Operator) -> None:
    operator.bounce("postfix_full")
    letter = b"\x1b]0;gone\x07\x9b2J"
    store = Store(f"sqlite:///{operator.folder}/digest.db")
    with store.write() as tx:
        tx.exec_driver_sql("UPDATE bounce SET evidence = ?", (letter,))
    store.close()

    _, out, _ = operator.run("bounces", "show", "1")

    assert "\x1b" not in out and "\x9b" not in out and "]0;gone" in out


@pytest.mark.parametrize("whom", ["1", READER])
def test_it_is_undone_by_id_and_by_address(operator: Operator, whom: str) -> None:
    operator.bounce("postfix_unknown_user")

    told = operator.ask("bounces", "undo", whom, "--at", AT)

    assert told == {
        "lifted": "hard bounce",
        "forgiven": 1,
        "email": READER,
        "status": "confirmed",
        "next_edition_at": "2026-03-12T07:30:00Z",
    }
    assert operator.ask("subscribers", "show", READER)["status"] == "confirmed"
    _, out, _ = operator.run("bounces", "list")
    assert out.rstrip().endswith("hard bounce, undone")


@pytest.mark.parametrize("is_known", [True, False])
def test_an_address_is_suppressed_by_hand_and_that_is_undone(
    operator: Operator, is_known: bool
) -> None:
    if is_known:
        operator.run("subscribers", "add", READER, "--confirmed", "--at", AT)

    assert operator.ask("bounces", "suppress", READER, "--at", AT) == {"suppressed": "operator"}

    code, _, err = operator.run("subscribers", "add", READER, "--confirmed", "--at", AT)
    assert (code, "suppressed (operator)" in err) == (2, True)
    if is_known:
        assert operator.ask("subscribers", "show", READER)["status"] == "suppressed"
    assert operator.ask("bounces", "undo", READER, "--at", AT)["lifted"] == "operator"
    operator.run("subscribers", "add", READER, "--confirmed", "--at", AT)
    assert operator.ask("subscribers", "show", READER)["status"] == "confirmed"


def test_the_first_reason_of_a_suppression_stays(operator: Operator) -> None:
    operator.bounce("postfix_unknown_user")

    _, out, _ = operator.run("bounces", "suppress", READER)

    assert out == "suppressed: hard bounce\n"


def test_undoing_is_told_in_words(operator: Operator) -> None:
    operator.bounce("postfix_unknown_user")

    _, out, _ = operator.run("bounces", "undo", READER, "--at", AT)

    assert out == (
        "lifted: hard bounce; forgiven: 1 bounce\nconfirmed; next edition: 2026-03-12T07:30:00Z\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("bounces", "undo", READER), 1, "that address is not suppressed"),
        (("bounces", "undo", "nonsense"), 2, "that is not a mail address"),
        (("bounces", "show", "9"), 1, "there is no bounce 9"),
        (("bounces", "list", "--kind", "medium"), 2, "there is no kind 'medium' of bounce"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    operator: Operator, words: tuple[str, ...], code: int, said: str
) -> None:
    found, _, err = operator.run(*words)

    assert found == code
    assert err.startswith(f"digest: {said}") and err.count("\n") == 1


def test_options_stand_behind_the_command(operator: Operator) -> None:
    code = run(["bounces", "--json", "list"])

    assert code == 2


def test_reading_needs_a_mailbox_in_the_settings(operator: Operator) -> None:
    config = operator.folder / "other.toml"
    config.write_text(MINIMAL, "utf-8")

    code, _, err = operator.run("bounces", "read", config=config)

    assert code == 2
    assert "give kind and more under [bounces]" in err


def test_a_maildir_that_is_not_there_is_told(operator: Operator) -> None:
    (operator.folder / "Maildir" / "new").rmdir()

    code, _, err = operator.run("bounces", "read")

    assert code == 1
    assert "there is no Maildir at" in err
