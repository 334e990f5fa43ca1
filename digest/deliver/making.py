"""From claimed rows to messages for the wire: composed, and signed when there is a key.

Called by run.py, for several rows at once.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from digest.compose.composer import Composer, Question
from digest.deliver.desk import Held
from digest.deliver.rules import DeliveryRules
from digest.deliver.verdict import Answer, answer_of, later, refuse_late, why_spoilt
from digest.errors import BadAddress, BadInput, StoreDamaged, TemplateError
from digest.mail import refuse_recipient
from digest.mail.dkim import DkimSigner
from digest.model import CONFIRM_WITHIN, Envelope, MessageKind, OutboxState, Sheet
from digest.store.claims import Claimed, Settlement

log = logging.getLogger(__name__)


class MessageMaker:
    """Makes the messages of one run. The same row always gives the same bytes, on every attempt."""

    def __init__(self, composer: Composer, signer: DkimSigner | None, rules: DeliveryRules) -> None:
        self._composer = composer
        self._signer = signer
        self._rules = rules
        #: what has spoilt messages in this run, and was told
        self._told: set[tuple[int, str]] = set()

    def make(self, together: Sequence[Held], now: datetime) -> None:
        """Give these rows their messages, or how they end when there can be none.

        What the messages share is made once for all. What goes wrong with several is tried again
        with each alone; with whom it goes wrong then is put off, and nobody else.
        """
        error = self._try(together, now)
        if error is None:
            return
        why = why_spoilt(error)
        if len(together) == 1:
            (held,) = together
            held.made = Answer(row=held.row, settlement=later(held.row, now, reason=why))
            self._tell_once(logging.ERROR, why, f"message {held.row.id} waits", error)
            return
        self._tell_once(logging.WARNING, why, "messages are made one by one")
        for one in together:
            if one.made is None:
                self.make([one], now)

    def _try(self, together: Sequence[Held], now: datetime) -> Exception | None:
        """Make messages; what went wrong, None when nothing did.

        A mistake of ours can be anything. Uncaught it would end the run, its message would be the
        first of the next run too, and nobody behind it would ever get mail.
        """
        try:
            self._composer.prepare([one.sheet for one in together if isinstance(one.sheet, Sheet)])
            for one in together:
                one.made = self._make(one, now)
        except Exception as error:  # one message's trouble must not become everybody's
            return error
        return None

    def _tell_once(self, level: int, why: str, what: str, error: Exception | None = None) -> None:
        """Tell the operator of the first of all that fail likewise."""
        if (level, why) not in self._told:
            self._told.add((level, why))
            # a template's error names its own place
            traced = None if isinstance(error, TemplateError) else error
            log.log(level, "%s: %s", what, why, exc_info=traced)

    def _make(self, held: Held, now: datetime) -> Envelope | Answer:
        """The message of a row, or how it ends when there can be none."""
        row = held.row
        try:
            refuse_late(row, now, warm_up_from=self._rules.warm_up_from)
            return self._sign(self._compose(row, held.sheet), row)
        except BadAddress as error:
            # as a transport would say it
            refused = refuse_recipient(row.id, str(error))
            return answer_of(refused, row, now, resend=self._rules.resend)
        except BadInput as error:
            ended = Settlement(id=row.id, state=OutboxState.FAILED, reason=str(error))
            return Answer(row=row, settlement=ended)

    def _compose(self, row: Claimed, sheet: Sheet | StoreDamaged | None) -> Envelope:
        if row.kind is MessageKind.CONFIRMATION:
            question = Question(
                subscriber_id=row.subscriber_id,
                email=row.email,
                made_at=row.created_at,
                until=row.created_at + CONFIRM_WITHIN,
            )
            return self._composer.confirmation(
                question, outbox_id=row.id, message_id=row.message_id
            )
        if sheet is None:
            raise BadInput("its edition is gone")
        if isinstance(sheet, StoreDamaged):
            raise sheet
        return self._composer.edition(sheet, outbox_id=row.id, message_id=row.message_id)

    def _sign(self, envelope: Envelope, row: Claimed) -> Envelope:
        if self._signer is None:
            return envelope
        # by the row's own time: an attempt repeated hours later has the same bytes
        return replace(envelope, content=self._signer.sign(envelope.content, row.created_at))
