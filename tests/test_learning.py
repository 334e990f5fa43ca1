"""It learns: what readers press today changes tomorrow's edition, and for the better."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest

from digest.account import Accounts, Vote
from digest.edition import Editor
from digest.embed import Floats, Text, load_model
from digest.enrol import Defaults, Enrolment
from digest.model import Cadence, InterestKind, Subscriber
from digest.rank import Ranker, RankSettings
from digest.store import Store, people
from digest.store.people import Wish
from digest.tokens import Tokens
from tests.edition_pieces import editor
from tests.learning import READERS, Life, MakeRanker, live, recorded_days
from tests.paths import SHARED, needs_shared
from tests.store_pieces import DAY, NOW, add_person, item_of, merge, paper

MINILM = SHARED / "models" / "all-MiniLM-L6-v2-int8"
METHODS = ("A study of", "Faster", "On the limits of", "Benchmarking", "Learning")
SUBJECTS = ("robot grasping with two fingers", "protein structure from sequences")


def list_subjects(store: Store, first: int, now_days: int) -> None:
    """Ten new papers, five on each subject."""
    entries = [
        paper(
            f"2603.{first + 2 * n + at:05}",
            title=f"{method} {subject}",
            abstract=f"Neural networks for {subject}: {method.lower()} networks, part {first}.",
        )
        for n, method in enumerate(METHODS)
        for at, subject in enumerate(SUBJECTS)
    ]
    merge(store, *entries, now=NOW + now_days * DAY)


def tomorrow(made: Editor, person: Subscriber) -> list[str]:
    """The titles of tomorrow's picks that are new then."""
    edition, _ = made.preview(person, NOW + DAY + timedelta(hours=1))
    return [entry.wording.title for entry in edition.entries]


@pytest.fixture
def person(store: Store) -> Subscriber:
    list_subjects(store, 0, 0)
    list_subjects(store, 50, 1)
    wish = Wish(kind=InterestKind.TEXT, value="neural networks")
    with store.read() as tx:
        found = people.get_subscriber(tx, 1) if add_person(store, wishes=[wish]) else None
    assert found is not None
    return found


@pytest.fixture
def accounts(store: Store) -> Accounts:
    tokens = Tokens(("k" * 40,))
    defaults = Defaults(zone="UTC", send_at=NOW.time(), cadence=Cadence.DAILY, max_items=5)
    return Accounts(Enrolment(store, tokens, defaults, domain="example.org"), tokens)


@pytest.mark.parametrize("at", [0, 1])
def test_a_thumb_up_brings_more_of_it_tomorrow_and_a_thumb_down_less(
    store: Store, person: Subscriber, accounts: Accounts, at: int
) -> None:
    made = editor(store, rank=RankSettings(min_score=0.0, trend_weight=0.0, diversity=0.0))
    voted = item_of(store, f"arxiv:2603.{at:05}")

    def first_five() -> int:
        return sum(SUBJECTS[at] in title for title in tomorrow(made, person)[:5])

    untold = first_five()
    accounts.vote(person.id, voted.key, Vote.UP, now=NOW)
    liked = first_five()
    accounts.vote(person.id, voted.key, Vote.DOWN, now=NOW)
    disliked = first_five()

    assert disliked <= 1
    assert liked >= 4
    assert disliked < untold < liked


def by_words(background: Sequence[Text], settings: RankSettings) -> Ranker:
    return Ranker.lexical(background, settings)


def by_meaning() -> MakeRanker:
    """Rankers with the model of the recordings; each text is computed once."""
    pytest.importorskip("onnxruntime", reason="the extra `semantic` is not installed")
    model = load_model(MINILM)
    rows: dict[Text, Floats] = {}

    def embed(texts: Sequence[Text]) -> Floats:
        new = [text for text in dict.fromkeys(texts) if text not in rows]
        rows.update(zip(new, model.embed(new), strict=True))
        return np.array([rows[text] for text in texts], np.float32).reshape(len(texts), -1)

    return lambda background, settings: Ranker.semantic(background, embed, settings)


@pytest.mark.slow
# half a minute of computing, and longer where others compute too
@pytest.mark.timeout(600)
@needs_shared
@pytest.mark.parametrize("way", ["words", "meaning"])
def test_readers_who_press_get_more_of_what_they_like_and_ever_more(way: str) -> None:
    days = recorded_days("2026-02-02", 24)
    make_ranker = by_words if way == "words" else by_meaning()

    pressing = live(READERS, days, make_ranker, presses=True)
    silent = live(READERS, days, make_ranker, presses=False)

    assert shares(pressing, 6, 20) > 1.3 * shares(silent, 6, 20)
    assert shares(pressing, 6, 20) > 1.2 * shares(pressing, 0, 3)
    better = [p.share(0, 20) > s.share(0, 20) for p, s in zip(pressing, silent, strict=True)]
    assert sum(better) >= len(READERS) - 2, "nearly everybody is better off"


def shares(lives: Sequence[Life], start: int, end: int) -> float:
    """Of what could have been enjoyed, the share that was picked, mean over readers."""
    return sum(life.share(start, end) for life in lives) / len(lives)
