"""docs/delivery.md says what can become of a message: every state, every reason, every number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import select

from digest import edition
from digest.compose.composer import Composer
from digest.compose.links import Links
from digest.deliver import GROUP, LEASE, DeliveryRules, pauses, verdict
from digest.deliver.desk import Held
from digest.deliver.making import MessageMaker
from digest.errors import StoreDamaged, TemplateError
from digest.model import Fate, MessageKind, OutboxState, Outcome, Sheet, Status
from digest.store import Store, claims, people
from digest.store.schema import outbox as rows
from tests.deliver_pieces import TEMPLATES, World
from tests.mail_pieces import SITE, TOKENS
from tests.outbox_pieces import claim
from tests.paths import REPO
from tests.store_pieces import NOW

TOLD = (REPO / "docs" / "delivery.md").read_text("utf-8")
REASONS = TOLD.partition("## Reasons")[2]


def is_told(reason: str) -> bool:
    """Whether the table has it; what varies stands behind its colon."""
    kind, colon, _ = reason.partition(": ")
    return f"`{reason}`" in REASONS or (
        bool(colon) and re.search(rf"`{re.escape(kind)}: (CODE|…)`", REASONS) is not None
    )


@pytest.mark.parametrize("state", OutboxState)
def test_every_state_has_its_line(state: OutboxState) -> None:
    assert f"\n| `{state}` |" in TOLD.partition("## What an answer")[0]


def claimed(attempts: int) -> claims.Claimed:
    return claims.Claimed(
        id=1,
        kind=MessageKind.EDITION,
        subscriber_id=1,
        email="ann@example.org",
        edition_id=1,
        message_id="<1@example.org>",
        attempts=attempts,
        created_at=NOW,
        first_tried_at=NOW,
    )


@pytest.mark.parametrize("fate", Fate)
@pytest.mark.parametrize("code", [None, 250, 451, 550])
@pytest.mark.parametrize("status", [None, "4.2.1", "5.2.2", "5.7.1"])
@pytest.mark.parametrize("resend", [True, False])
@pytest.mark.parametrize("hours", [0, 21])
def test_every_reason_of_a_settlement_is_told(
    fate: Fate, code: int | None, status: str | None, resend: bool, hours: int
) -> None:
    outcome = Outcome(outbox_id=1, fate=fate, code=code, status=status)

    settled = verdict.decide(outcome, claimed(2), NOW + timedelta(hours=hours), resend=resend)

    assert settled.reason is None or is_told(settled.reason)


@pytest.mark.parametrize(
    "reason", [verdict._LATE, verdict._LATE_IN_WARM_UP, verdict._GAVE_UP, claims._DIED]
)
def test_the_reasons_of_what_was_not_tried_are_told(reason: str) -> None:
    assert is_told(reason)


@pytest.mark.parametrize("kind", [TemplateError, StoreDamaged, ZeroDivisionError])
def test_the_reasons_of_what_could_not_be_made_are_told(kind: type[Exception]) -> None:
    class Spoilt(Composer):
        def prepare(self, sheets: Sequence[Sheet]) -> None:
            raise kind("its edition cannot be read back")

    row = claimed(1)
    held = Held(row=row, sheet=None, good_until=0)
    composer = Spoilt(SITE, Links(SITE.url, TOKENS), TEMPLATES)
    MessageMaker(composer, None, DeliveryRules(resend=True)).make([held], NOW)

    assert isinstance(held.made, verdict.Answer)
    assert is_told(str(held.made.settlement.reason))


@pytest.mark.parametrize("reason", [edition._MISSED, edition._NOTHING, edition._PAUSED])
def test_the_reasons_to_send_nothing_are_told(reason: str) -> None:
    assert is_told(reason)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (MessageKind.EDITION, Status.UNSUBSCRIBED),
        (MessageKind.EDITION, Status.PENDING),
        (MessageKind.EDITION, Status.SUPPRESSED),
        (MessageKind.CONFIRMATION, Status.CONFIRMED),
    ],
)
def test_the_reasons_of_the_last_look_are_told(
    sqlite_store: Store, kind: MessageKind, status: Status
) -> None:
    World(sqlite_store).queue_editions(1)
    with sqlite_store.write() as tx:
        people.change_subscriber(tx, 1, status=status)
        tx.execute(rows.update().values(kind=kind))

    assert claim(sqlite_store) == []

    with sqlite_store.read() as tx:
        assert is_told(tx.execute(select(rows.c.reason)).scalar_one())


def test_every_reason_to_cancel_is_told() -> None:
    sources = [(REPO / "digest" / name).read_text() for name in ("enrol.py", "account.py")]
    operating = (REPO / "digest" / "store" / "operating.py").read_text()
    given = [r for s in sources for r in re.findall(r'cancel_waiting\([^)]*reason="([^"]+)"', s)]
    given += re.findall(r'reason="([^"]+)"', operating)

    assert len(given) >= 5
    assert [reason for reason in given if not is_told(reason)] == []


def test_the_numbers_are_those_of_the_program() -> None:
    minutes = [5 * 2**n for n in range(4)]

    assert f"groups of at most {GROUP}." in TOLD
    assert f"takes up to {DeliveryRules(resend=True).claims_max} messages" in TOLD
    assert timedelta(minutes=1) == LEASE
    assert "within a minute" in TOLD
    assert timedelta(hours=20) == verdict.GIVE_UP_AFTER
    assert [verdict._RETRY_FIRST * 2**n // timedelta(minutes=1) for n in range(4)] == minutes
    assert "after {} minutes, then {}, {}, {} … up to 3 hours".format(*minutes) in TOLD
    assert timedelta(hours=3) == verdict._RETRY_MAX
    assert (pauses._FIRST, pauses._LONGEST) == (timedelta(minutes=1), timedelta(minutes=30))
