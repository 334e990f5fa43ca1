"""From a claimed row to the message for the wire: composed, and signed when there is a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from digest.compose.composer import Composer, Question
from digest.errors import BadInput
from digest.mail.dkim import DkimSigner
from digest.model import CONFIRM_WITHIN, Envelope, MessageKind, Sheet
from digest.store.claims import Claimed


class MessageMaker:
    """Makes messages. The same row always gives the same bytes, on every attempt."""

    def __init__(self, composer: Composer, signer: DkimSigner | None) -> None:
        self._composer = composer
        self._signer = signer

    def prepare(self, sheets: Sequence[Sheet]) -> None:
        """Have what the messages of these editions share at hand, which saves time.

        Raises TemplateError.
        """
        self._composer.prepare(sheets)

    def make(self, row: Claimed, sheet: Sheet | None) -> Envelope:
        """The message of a row. Raises BadInput when none can be made of it, TemplateError when
        the templates are broken.
        """
        if row.kind is MessageKind.CONFIRMATION:
            envelope = self._composer.confirmation(
                Question(
                    subscriber_id=row.subscriber_id,
                    email=row.email,
                    made_at=row.created_at,
                    until=row.created_at + CONFIRM_WITHIN,
                ),
                outbox_id=row.id,
                message_id=row.message_id,
            )
        elif sheet is None:
            raise BadInput("its edition is gone")
        else:
            envelope = self._composer.edition(sheet, outbox_id=row.id, message_id=row.message_id)
        if self._signer is None:
            return envelope
        # by the row's own time: an attempt repeated hours later has the same bytes
        return replace(envelope, content=self._signer.sign(envelope.content, row.created_at))
