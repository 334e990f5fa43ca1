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
from digest.deliver.verdict import Answer, answer_of, later, refuse_late
from digest.errors import BadAddress, BadInput, TemplateError
from digest.mail import refuse_recipient
from digest.mail.dkim import DkimSigner
from digest.model import CONFIRM_WITHIN, Envelope, MessageKind, OutboxState, Sheet
from digest.store.claims import Claimed, Settlement

log = logging.getLogger(__name__)


class MessageMaker:
    """Makes messages. The same row always gives the same bytes, on every attempt."""

    def __init__(self, composer: Composer, signer: DkimSigner | None, rules: DeliveryRules) -> None:
        self._composer = composer
        self._signer = signer
        self._rules = rules

    def make(self, together: Sequence[Held], now: datetime) -> None:
        """Give these rows their messages, or how they end when there can be none.

        What the messages share is made once for all.
        """
        try:
            self._composer.prepare([one.sheet for one in together if one.sheet is not None])
        except TemplateError as error:
            # whose message it spoils is found out with that message
            log.warning("messages are made one by one: %s", error)
        for one in together:
            one.made = self._make(one, now)

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
        except TemplateError as error:
            # the operator's to mend; it was never on the wire, and others may still go
            ended = later(row, now, reason=f"template: {error}")
        return Answer(row=row, settlement=ended)

    def _compose(self, row: Claimed, sheet: Sheet | None) -> Envelope:
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
        return self._composer.edition(sheet, outbox_id=row.id, message_id=row.message_id)

    def _sign(self, envelope: Envelope, row: Claimed) -> Envelope:
        if self._signer is None:
            return envelope
        # by the row's own time: an attempt repeated hours later has the same bytes
        return replace(envelope, content=self._signer.sign(envelope.content, row.created_at))
