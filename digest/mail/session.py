"""The mail transactions of one connection, once it is ready: replies in, bytes and outcomes out.

No sockets and no clock. With PIPELINING (RFC 2920) the MAIL, RCPT and DATA of a message leave
together with the end of the one before it, so a message costs one round trip; without it they go
one by one. Every reply is matched to its command by order. digest/mail/connection.py moves the
bytes and calls `lose` when the connection ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum

from digest.errors import ParseError
from digest.mail.capabilities import (
    Capabilities,
    mail_command,
    rcpt_command,
    refuse_message,
    wire_content,
)
from digest.mail.outcomes import in_doubt, judge, not_sent
from digest.mail.replies import Reply
from digest.model import Envelope, Outcome

#: ends a message; a piece of its own, so that its writing can be noticed
END = b".\r\n"
#: ends a message that nobody is to get, and clears whatever the server made of it
_END_OF_NOTHING = b".\r\nRSET\r\n"

#: the two ends disagree about where they are: that is no verdict on the message
_BAD_SEQUENCE = 503
#: OpenSMTPD says it to MAIL after 100 messages, and goes on saying it: a new connection will do
_TOO_MANY = "4.5.3"


class Step(Enum):
    """What a reply answers."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    CONTENT = "the message"
    RESET = "RSET"  #: to be answered before the next MAIL, where nothing may be pipelined
    NOTHING = "RSET or nothing"  #: an answer that changes nothing: to RSET, or to an empty message
    QUIT = "QUIT"


class Delivery:
    """One message on its way through one connection."""

    __slots__ = ("envelope", "has_credit", "has_mail", "is_ready", "refusal", "tries")

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        #: connections that were lost after its commands had left, before it was handed over
        self.tries = 0
        #: counted among the messages in doubt, see Session.may_send
        self.has_credit = False
        self.restart()

    def restart(self) -> None:
        """Forget what an earlier connection said."""
        #: MAIL was taken, so a transaction is open
        self.has_mail = False
        #: DATA was answered 354 and the content may go
        self.is_ready = False
        #: the first refusal among its commands
        self.refusal: Reply | None = None


class Session:
    """What was asked and not yet answered, and what to send next.

    `may_send` is asked before a message's content goes out; when it says no, `resume` is to be
    called once it would say yes.
    """

    def __init__(self, capabilities: Capabilities, may_send: Callable[[Delivery], bool]) -> None:
        self._capabilities = capabilities
        self._may_send = may_send
        self._expected: deque[tuple[Step, Delivery | None]] = deque()
        #: offered, not begun
        self._held: deque[Delivery] = deque()
        #: its commands are out, its content is not
        self._announced: Delivery | None = None
        #: its content is out, the answer is not here
        self._sending: Delivery | None = None
        self._must_reset = False
        #: the end of the content being sent has left; the caller says so
        self.is_handed_over = False
        #: messages that were answered on this connection; a lost one with none has achieved nothing
        self.answered = 0
        #: bytes to send, in order; the caller empties it
        self.out: list[bytes] = []
        #: what became of messages; the caller empties it
        self.settled: list[tuple[Delivery, Outcome]] = []
        #: a 421, after which the server closes, or the like; nothing more may be sent
        self.farewell: Reply | None = None
        self.has_quit = False

    @property
    def load(self) -> int:
        """How many messages it has and has not settled; two keep it busy."""
        return len(self._held) + (self._announced is not None) + (self._sending is not None)

    @property
    def leaving(self) -> Delivery | None:
        """The message whose content is being sent and whose end has not left."""
        return None if self.is_handed_over else self._sending

    @property
    def awaited(self) -> Step | None:
        """What the next reply will answer; None when nothing was asked."""
        return self._expected[0][0] if self._expected else None

    def offer(self, delivery: Delivery) -> None:
        """Take on a message."""
        refused = refuse_message(delivery.envelope, self._capabilities)
        if refused is not None:
            self.settled.append((delivery, refused))
            return
        delivery.restart()
        self._held.append(delivery)
        self._advance()

    def resume(self) -> None:
        """Go on after `may_send` said no."""
        self._advance()

    def quit(self) -> None:
        """Say goodbye; only when nothing is under way."""
        self.has_quit = True
        self.out.append(b"QUIT\r\n")
        self._expected.append((Step.QUIT, None))

    def receive(self, reply: Reply) -> None:
        """Take the next reply. Raises ParseError when it cannot be an answer to what was asked."""
        if self.farewell is not None:
            return
        if not self._expected:
            if reply.code != 421:
                raise ParseError(f"the server answers what was not asked: {reply}")
            self.farewell = reply
            return
        step, delivery = self._expected.popleft()
        if reply.code == 421:
            self._part(step, delivery, reply)
        elif delivery is None:
            pass
        elif step is Step.RESET:
            self._begin(delivery)
        elif step is Step.CONTENT:
            self._take_verdict(delivery, reply)
        elif step is Step.DATA:
            self._take_data(delivery, reply)
        else:
            self._take_command(step, delivery, reply)
        self._advance()

    def lose(self, reason: str) -> list[Delivery]:
        """The connection is gone: settle what is decided, and give back what never left."""
        if (sending := self._sending) is not None:
            doubt = in_doubt(sending.envelope, reason)
            safe = not_sent(sending.envelope, f"{reason}, while the message was being sent")
            self.settled.append((sending, doubt if self.is_handed_over else safe))
        if self._announced is not None:
            # of those that are held nothing has left: the loss says nothing about them
            self._announced.tries += 1
        returned = []
        for delivery in (self._announced, *self._held):
            if delivery is not None and delivery.refusal is not None:
                self._settle(delivery, delivery.refusal)
            elif delivery is not None:
                returned.append(delivery)
        self._announced = self._sending = None
        self._held.clear()
        self._expected.clear()
        return returned

    def _advance(self) -> None:
        """Send whatever may be sent now."""
        if self.farewell is not None:
            return
        announced = self._announced
        if announced is not None and announced.is_ready and self._sending is None:
            if not self._may_send(announced):
                return
            self._announced, self._sending = None, announced
            self.is_handed_over = False
            self.out += (wire_content(announced.envelope), END)
            self._expected.append((Step.CONTENT, announced))
        if self._held and self._announced is None:
            if self._sending is None or self._capabilities.pipelining:
                self._announce(self._held.popleft())

    def _announce(self, delivery: Delivery) -> None:
        """Send the commands of a message, or the first of them."""
        self._announced = delivery
        if self._must_reset:
            self._must_reset = False
            if not self._capabilities.pipelining:
                self._ask(b"RSET\r\n", Step.RESET, delivery)
                return
            self._ask(b"RSET\r\n", Step.NOTHING, None)
        self._begin(delivery)

    def _begin(self, delivery: Delivery) -> None:
        self._ask(mail_command(delivery.envelope, self._capabilities), Step.MAIL, delivery)
        if self._capabilities.pipelining:
            self._ask(rcpt_command(delivery.envelope), Step.RCPT, delivery)
            self._ask(b"DATA\r\n", Step.DATA, delivery)

    def _ask(self, command: bytes, step: Step, delivery: Delivery | None) -> None:
        self.out.append(command)
        self._expected.append((step, delivery))

    def _take_command(self, step: Step, delivery: Delivery, reply: Reply) -> None:
        """The answer to MAIL or RCPT."""
        if step is Step.MAIL and self.answered and reply.status == _TOO_MANY:
            # so many messages and no more by one connection; this one never left
            self.farewell = reply
            return
        if reply.is_positive:
            delivery.has_mail = True
        elif delivery.refusal is None:
            if reply.code < 400 or reply.code == _BAD_SEQUENCE:
                raise ParseError(f"the server answers {step.value} with {reply}")
            delivery.refusal = reply
        if self._capabilities.pipelining:
            return
        if delivery.refusal is not None:
            self._refuse(delivery, delivery.refusal)
        elif step is Step.MAIL:
            self._ask(rcpt_command(delivery.envelope), Step.RCPT, delivery)
        else:
            self._ask(b"DATA\r\n", Step.DATA, delivery)

    def _take_data(self, delivery: Delivery, reply: Reply) -> None:
        if (reply.code < 400 and reply.code != 354) or (
            reply.code == _BAD_SEQUENCE and delivery.refusal is None
        ):
            raise ParseError(f"the server answers DATA with {reply}")
        if reply.code != 354:
            self._refuse(delivery, delivery.refusal or reply)
        elif delivery.refusal is None:
            delivery.is_ready = True
        else:
            # RFC 2920 §3.1: DATA was taken though nobody is to get the message; end it at once
            self._ask(_END_OF_NOTHING, Step.NOTHING, None)
            self._expected.append((Step.NOTHING, None))
            delivery.has_mail = False
            self._refuse(delivery, delivery.refusal)

    def _take_verdict(self, delivery: Delivery, reply: Reply) -> None:
        """The answer to the whole message."""
        if 300 <= reply.code < 400 or (reply.is_positive and not self.is_handed_over):
            raise ParseError(f"the server answers the message too early, or with {reply}")
        self._sending = None
        self._settle(delivery, reply)

    def _refuse(self, delivery: Delivery, refusal: Reply) -> None:
        self._announced = None
        # without RSET the next MAIL would be a second one in an open transaction
        self._must_reset = delivery.has_mail
        self._settle(delivery, refusal)

    def _settle(self, delivery: Delivery, reply: Reply) -> None:
        self.answered += 1
        self.settled.append((delivery, judge(delivery.envelope, reply)))

    def _part(self, step: Step, delivery: Delivery | None, reply: Reply) -> None:
        """The server closes. A message that it had in full is answered, the others never left."""
        self.farewell = reply
        if step is Step.CONTENT and delivery is not None:
            self._sending = None
            self.settled.append((delivery, judge(delivery.envelope, reply)))
