"""How fast messages may leave: to one domain of readers, and from a new domain of ours. Pure.

A message whose turn has not come goes back into the outbox until it has, so that it holds up
nobody else. Times are parameters; used by run.py and desk.py.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, date, datetime, time, timedelta

from digest.model import Fate, Outcome

#: a domain that was left alone may get the messages of so much time at once: ticks are seconds
#: apart, and a pace kept to the message would waste what lies between them
BURST = timedelta(seconds=10)
#: a turn that nobody has taken for so long was another process's to take, or nobody's
_LOST_AFTER = timedelta(minutes=1)
#: refusals in a row, for being busy, after which a domain is left alone for a while
PATIENCE = 10
#: the beginnings of status codes that mean it (RFC 3463: the way there; 4.7.0 and 4.7.28 are what
#: Gmail says to too many). Greylisting is not: there each reader has to be tried
_BUSY = ("4.4.", "4.7.0", "4.7.28")
#: a message too big for the system: that is the message's matter
_TOO_BIG = "4.3.4"
_REST_FIRST = timedelta(minutes=1)
_REST_LONGEST = timedelta(minutes=30)

#: a message that could not be handed over in this time is given up
GIVE_UP_AFTER = timedelta(hours=20)
#: what a new sending domain may send on its first day; twice as much on each day after
WARM_UP_FIRST = 200
#: so many days; then there is no limit
WARM_UP_DAYS = 14


def warm_up_allowance(began_on: date, today: date) -> int | None:
    """How many messages may leave today; None when the warm-up is over.

    A day before it began counts as its first. Source: the ramps that large senders publish for
    new addresses differ, but all begin with some hundreds a day and about double.
    """
    days = max((today - began_on).days, 0)
    return WARM_UP_FIRST * 2**days if days < WARM_UP_DAYS else None


def next_midnight(now: datetime) -> datetime:
    """When the next day of the warm-up, and of the ledger, begins."""
    return datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


def too_late_at(made_at: datetime, began_on: date | None) -> datetime:
    """From when on nobody wants a message any more that was made then.

    One that a warm-up may have postponed to the next day has that whole day.
    """
    until = made_at + GIVE_UP_AFTER
    if began_on is None or warm_up_allowance(began_on, made_at.astimezone(UTC).date()) is None:
        return until
    return max(until, next_midnight(made_at) + timedelta(days=1))


class _Turns:
    """Turns that were given away and not yet taken, in order."""

    def __init__(self, now: datetime) -> None:
        self._open: OrderedDict[datetime, None] = OrderedDict()
        #: the last that was given away
        self.last = now

    def __contains__(self, turn: datetime) -> bool:
        return turn in self._open

    def give(self, turn: datetime) -> datetime:
        self._open[turn] = None
        self.last = turn
        return turn

    def take(self, turn: datetime) -> bool:
        """Whether that turn was given here."""
        return self._open.pop(turn, self) is None

    def are_open(self, now: datetime) -> bool:
        """Whether somebody is still to come. Who is late by much has left, or gone elsewhere."""
        while self._open and next(iter(self._open)) < now - _LOST_AFTER:
            self._open.popitem(last=False)
        return bool(self._open)


class _Domain:
    """What one domain of readers has had."""

    def __init__(self, now: datetime) -> None:
        #: when what has left would have left at exactly the pace
        self.spent_until = now
        #: for new messages
        self.promised = _Turns(now)
        #: for those whose turn had come and that could not leave: they come before all that are
        #: promised an earlier or a later one
        self.put_off = _Turns(now)
        self.refusals = 0
        self.rests = 0
        self.rests_until: datetime | None = None


class DomainPace:
    """The pace for each domain of readers; `per_minute` 0 sets none.

    A domain that says of one message after the other that it is busy is left alone for growing
    times, whatever the pace.
    """

    def __init__(self, per_minute: int) -> None:
        self._step = timedelta(minutes=1) / per_minute if per_minute else timedelta()
        self._domains: dict[str, _Domain] = {}

    def turn(
        self, domain: str, now: datetime, *, promised: datetime | None = None
    ) -> datetime | None:
        """None: a message to that domain may leave now, and is counted. Else when to ask again;
        no two new ones are given the same turn.

        First come, first served: `promised` is the turn of one that has been here before, or at
        another process. Those with earlier turns are to be asked about first.
        """
        known = self._known(domain, now)
        if known is None:
            if not self._step:
                return None
            known = self._domains[domain] = _Domain(now)
        free_at = max(known.spent_until - BURST, known.rests_until or now)
        if self._is_next(known, now, promised) and free_at <= now:
            known.spent_until = max(known.spent_until, now) + self._step
            return None
        if promised is None:
            return known.promised.give(max(known.promised.last + self._step, free_at))
        turn = max(known.put_off.last + self._step, free_at)
        while turn in known.promised:
            # it says by whom it was given
            turn += timedelta.resolution
        known.promised.last = max(known.promised.last, turn)
        return known.put_off.give(turn)

    def _is_next(self, known: _Domain, now: datetime, promised: datetime | None) -> bool:
        """Whether nobody is still to come who came before."""
        if promised is None:
            return not (known.put_off.are_open(now) or known.promised.are_open(now))
        known.promised.take(promised)
        if known.put_off.take(promised) or promised > known.put_off.last:
            return True
        return not known.put_off.are_open(now)

    def _known(self, domain: str, now: datetime) -> _Domain | None:
        """What is known of a domain; nothing, when the clock has been set back since."""
        known = self._domains.get(domain)
        if known is None:
            return None
        rests_until = known.rests_until or now
        if known.spent_until <= now + BURST + self._step and rests_until <= now + _REST_LONGEST:
            return known
        del self._domains[domain]
        return None

    def hear(self, domain: str, outcome: Outcome, now: datetime) -> None:
        """What became of a message to that domain."""
        if outcome.code is None or speaks_of_server(outcome):
            return  # nobody's answer, or the relay's about itself
        known = self._known(domain, now)
        if outcome.fate is not Fate.TEMPORARY or not (outcome.status or "").startswith(_BUSY):
            if known is not None:
                known.refusals = known.rests = 0
                if known.rests_until is not None:
                    # nobody has to wait for those who were told to stay away until then
                    known.rests_until = None
                    known.promised, known.put_off = _Turns(now), _Turns(now)
            return
        if known is None:
            known = self._domains[domain] = _Domain(now)
        known.refusals += 1
        is_resting = known.rests_until is not None and now < known.rests_until
        # after a rest, one refusal is enough: nothing has changed there
        if not is_resting and known.refusals >= (1 if known.rests else PATIENCE):
            known.rests_until = now + min(_REST_FIRST * 2**known.rests, _REST_LONGEST)
            known.rests = min(known.rests + 1, 10)
            known.refusals = 0


class ServerPatience:
    """Whether the relay still takes mail, by what it says of itself; for one run.

    Only so many such answers in a row, to whatever domains, are the relay's: one alone may be
    meant for one kind of message.
    """

    def __init__(self) -> None:
        self._refusals = 0
        #: the answer that was one too many
        self.last_straw: Outcome | None = None

    def hear(self, outcome: Outcome) -> None:
        """What became of a message."""
        if outcome.code is None:
            return
        self._refusals = self._refusals + 1 if speaks_of_server(outcome) else 0
        if self._refusals >= PATIENCE and self.last_straw is None:
            self.last_straw = outcome


def speaks_of_server(outcome: Outcome) -> bool:
    """Whether a relay puts a message off for what ails itself: 4.3.x, or a 421 that blames nobody.

    Source: RFC 3463, 3.4 (the mail system), and RFC 5321, 3.8 (421: service not available).
    """
    if outcome.fate is not Fate.TEMPORARY:
        return False
    if outcome.status is None:
        return outcome.code == 421
    return outcome.status.startswith("4.3.") and outcome.status != _TOO_BIG


def domain_of(address: str) -> str:
    """The domain of an address, as paces know it."""
    return address.rpartition("@")[2].lower()
