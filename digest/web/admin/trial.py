"""A test mail: an edition of what is trending, sent at once by the relay that the settings name.

It is no row of the outbox: it was due to nobody. How the relay answered is shown as it said it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from digest.addresses import parse_address
from digest.errors import BadInput, TransportError
from digest.mail import run_to_end
from digest.model import Cadence, Edition, Envelope, Fate, Outcome, Profile, Status, Subscriber
from digest.store.limits import Limit, allow
from digest.web.admin.session import Session, page
from digest.web.desk import Desk
from digest.web.forms import Form
from digest.web.refusals import too_often

PER_HOUR = Limit(times=10, within=timedelta(hours=1))


def trial_page(desk: Desk, request: Request, session: Session) -> Response:
    """To whom?"""
    return _page(desk, session, address=desk.settings.site.operator_email or "")


def send_trial(desk: Desk, request: Request, session: Session, form: Form) -> Response:
    """Send it and say what the relay answered."""
    now, typed = desk.app.now(), form.one("address").strip()
    try:
        address = parse_address(typed).text
    except BadInput as error:
        return _page(desk, session, address=typed, problem=str(error))
    with desk.store.write() as tx:
        if not allow(tx, "test mail", PER_HOUR, now=now):
            raise too_often(60)
    try:
        outcome = run_to_end(_send(desk, _message(desk, address, now)))
    except TransportError as error:
        return _page(desk, session, address=address, problem=str(error))
    answer = " ".join(str(p) for p in (outcome.code, outcome.status, outcome.text) if p)
    if outcome.fate is Fate.ACCEPTED:
        return _page(desk, session, address=address, done=f"The relay took it: {answer or 'yes'}")
    problem = f"{outcome.fate.value}: {answer or 'no answer'}"
    return _page(desk, session, address=address, problem=problem)


def _message(desk: Desk, address: str, now: datetime) -> Envelope:
    domain = desk.settings.mail.from_address.rpartition("@")[2]
    message_id = f"<test-{int(now.timestamp() * 1000)}@{domain}>"
    sheet = _edition(desk, address, now).sheet()
    return desk.app.composer.edition(sheet, outbox_id=0, message_id=message_id)


def _edition(desk: Desk, address: str, now: datetime) -> Edition:
    """What somebody without interests would get; its links lead to nobody."""
    defaults = desk.app.enrolment.defaults
    nobody = Subscriber(
        id=0,
        email=address,
        status=Status.CONFIRMED,
        zone=defaults.zone,
        send_at=defaults.send_at,
        cadence=Cadence.DAILY,
        max_items=defaults.max_items,
        created_at=now,
    )
    made, _ = desk.app.editor.edition_for(
        nobody, Profile(), desk.stand.pool(now), seen=set(), now=now
    )
    return made


async def _send(desk: Desk, message: Envelope) -> Outcome:
    """Hand over one message. Raises TransportError when none can be."""
    waiting = [message]
    heard: list[Outcome] = []

    async def take() -> Envelope | None:
        return waiting.pop() if waiting else None

    async def hear(outcomes: Sequence[Outcome]) -> None:
        heard.extend(outcomes)

    await desk.app.transport().run(take, hear)
    return heard[0]


def _page(
    desk: Desk, session: Session, *, address: str, problem: str = "", done: str = ""
) -> Response:
    smtp = desk.settings.smtp
    way = f"{smtp.host}:{smtp.port}, {smtp.security}" if smtp.transport == "smtp" else "a folder"
    return page(
        desk,
        session,
        "trial.html",
        "Test mail",
        nav="trial",
        status=400 if problem else 200,
        address=address,
        way=way,
        problems=(problem,) if problem else (),
        done=done,
    )
