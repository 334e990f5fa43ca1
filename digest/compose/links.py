"""Every link that a mail or feed carries, and the addresses that lead back: made here only.

A link names people and editions by signed tokens (digest/tokens.py), never by address. The web
reads the same tokens: the numbers in each are documented with its method.
"""

from __future__ import annotations

from datetime import date, datetime
from urllib.parse import quote

from digest.tokens import Purpose, Tokens


class Links:
    """Links below one site's URL."""

    def __init__(self, site_url: str, tokens: Tokens) -> None:
        self.home = site_url.rstrip("/")
        self._tokens = tokens

    def unsubscribe(self, subscriber_id: int) -> str:
        """Page and one-click target (RFC 8058). Token: UNSUBSCRIBE [subscriber_id]."""
        return self._signed("unsubscribe", Purpose.UNSUBSCRIBE, subscriber_id)

    def preferences(self, subscriber_id: int) -> str:
        """Token: PREFERENCES [subscriber_id]."""
        return self._signed("preferences", Purpose.PREFERENCES, subscriber_id)

    def feedback(self, subscriber_id: int, edition_id: int) -> str:
        """Base of an edition's votes. Token: FEEDBACK [subscriber_id, edition_id]."""
        return self._signed("feedback", Purpose.FEEDBACK, subscriber_id, edition_id)

    def edition(self, edition_id: int) -> str:
        """The mail as a page. Token: EDITION [edition_id]."""
        return self._signed("edition", Purpose.EDITION, edition_id)

    def confirm(self, subscriber_id: int, until: datetime) -> str:
        """Token: CONFIRM [subscriber_id], good until that moment."""
        token = self._tokens.sign_until(Purpose.CONFIRM, until, subscriber_id)
        return f"{self.home}/confirm/{token}"

    def paper(self, key: str) -> str:
        """An item's page; `key` is the item's key, e.g. "arxiv:2401.01234"."""
        return f"{self.home}/paper/{quote(key, safe=':')}"

    def day(self, on: date) -> str:
        """The listing of a date."""
        return f"{self.home}/day/{on.isoformat()}"

    def bounce_address(self, outbox_id: int, domain: str) -> str:
        """Envelope sender of one message: `bounce+TOKEN@domain`. Token: BOUNCE [outbox_id].

        The local part stays within 64 octets for every 64-bit id.
        """
        return f"bounce+{self._tokens.sign(Purpose.BOUNCE, outbox_id)}@{domain}"

    def unsubscribe_address(self, unsubscribe_link: str, domain: str) -> str:
        """Where a mail ends a subscription: `unsub+TOKEN@domain`, the token of the link."""
        return f"unsub+{unsubscribe_link.rpartition('/')[2]}@{domain}"

    def _signed(self, page: str, purpose: Purpose, *numbers: int) -> str:
        return f"{self.home}/{page}/{self._tokens.sign(purpose, *numbers)}"


def vote_query(position: int, vote: str) -> str:
    """What follows a feedback link: the pick's position and "up" or "down"."""
    return f"?pick={position}&vote={vote}"
