"""What a relay says it can do, and what that means for one message: its commands, or a refusal.

Pure functions on the EHLO answer and the envelope; digest/mail/session.py sends what they give.
"""

from __future__ import annotations

from dataclasses import dataclass

from digest.mail.addresses import refuse_addresses
from digest.mail.bytescan import holds_pair
from digest.mail.replies import Reply
from digest.model import Envelope, Fate, Outcome

_LF, _DOT = b"\n."


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The extensions that a server offers to us (RFC 5321 §4.1.1.1)."""

    pipelining: bool = False
    eight_bit_mime: bool = False
    smtputf8: bool = False
    starttls: bool = False
    #: MAIL may tell how large the message is
    size: bool = False
    #: largest message in octets; None: no limit known
    size_max: int | None = None
    #: login mechanisms, upper case
    auth: frozenset[str] = frozenset()


def parse_ehlo(reply: Reply) -> Capabilities:
    """Read an EHLO answer; what we do not know is passed over."""
    words: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        # "AUTH=PLAIN LOGIN" is how some old servers say it
        keyword, *rest = line.decode("ascii", "replace").upper().replace("=", " ").split() or [""]
        words.setdefault(keyword, []).extend(rest)
    limit = words.get("SIZE", [""])[:1] or [""]
    return Capabilities(
        pipelining="PIPELINING" in words,
        eight_bit_mime="8BITMIME" in words,
        smtputf8="SMTPUTF8" in words,
        starttls="STARTTLS" in words,
        size="SIZE" in words,
        # RFC 1870 §4: zero means that no limit is in force
        size_max=(int(limit[0]) or None) if limit[0].isdecimal() else None,
        auth=frozenset(words.get("AUTH", ())),
    )


def refuse_message(envelope: Envelope, capabilities: Capabilities) -> Outcome | None:
    """PERMANENT when this relay cannot carry the message; None when it can.

    Source: RFC 3463 and RFC 6531 §3.5 for the status codes.
    """
    if (refused := refuse_addresses(envelope)) is not None:
        return refused
    size, limit = len(envelope.content), capabilities.size_max
    if limit is not None and size > limit:
        return _refusal(envelope, "5.3.4", f"{size} bytes are more than the relay takes ({limit})")
    if _needs_smtputf8(envelope) and not capabilities.smtputf8:
        text = "the address needs SMTPUTF8, which the relay does not offer"
        return _refusal(envelope, "5.6.7", text)
    if not capabilities.eight_bit_mime and not _is_seven_bit(envelope):
        text = "the message has 8-bit bytes and the relay does not offer 8BITMIME"
        return _refusal(envelope, "5.6.3", text)
    return None


def mail_command(envelope: Envelope, capabilities: Capabilities) -> bytes:
    """MAIL with the parameters that this message needs and this relay knows."""
    line = f"MAIL FROM:<{envelope.envelope_from}>"
    if capabilities.size:
        line += f" SIZE={len(envelope.content)}"
    if capabilities.eight_bit_mime and not _is_seven_bit(envelope):
        line += " BODY=8BITMIME"
    if _needs_smtputf8(envelope):
        line += " SMTPUTF8"
    return f"{line}\r\n".encode()


def rcpt_command(envelope: Envelope) -> bytes:
    """RCPT for the one recipient."""
    return f"RCPT TO:<{envelope.envelope_to}>\r\n".encode()


def wire_content(envelope: Envelope) -> bytes:
    """The content as it goes over the wire after DATA, without the final dot."""
    return envelope.content if envelope.is_plain else stuff_dots(envelope.content)


def stuff_dots(content: bytes) -> bytes:
    """Any content with its dots doubled (RFC 5321 §4.5.2), and ended like a line.

    A dot after a bare LF is doubled too: some servers take LF alone for a line end, and such a
    dot would end the message for them and start commands of someone else's making.
    """
    if holds_pair(content, _LF, _DOT):
        content = content.replace(b"\n.", b"\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content if content.endswith(b"\r\n") or not content else content + b"\r\n"


def _is_seven_bit(envelope: Envelope) -> bool:
    return envelope.is_plain or envelope.content.isascii()


def _needs_smtputf8(envelope: Envelope) -> bool:
    return (
        envelope.needs_smtputf8
        or not envelope.envelope_to.isascii()
        or not envelope.envelope_from.isascii()
    )


def _refusal(envelope: Envelope, status: str, text: str) -> Outcome:
    return Outcome(outbox_id=envelope.outbox_id, fate=Fate.PERMANENT, status=status, text=text)
