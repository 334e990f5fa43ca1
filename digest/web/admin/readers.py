"""Readers and what came back from them: looking up, ending, suppressing, lifting, erasing."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest.addresses import parse_address
from digest.errors import BadInput, NotFound
from digest.model import Status, Subscriber
from digest.store import people
from digest.store.bounces import latest_bounces
from digest.store.mine import past_editions
from digest.store.operating import find_readers, latest_suppressions, messages_to
from digest.web.admin.session import Session, page
from digest.web.desk import Desk
from digest.web.forms import Form

_LINES = 50
_BOUNCES = 100
_DONE = {
    "unsubscribe": "Unsubscribed; what waited is cancelled.",
    "suppress": "Suppressed: nothing goes there any more.",
    "lift": "Lifted; the reader stands where it stood before.",
    "erase": "Erased.",
}


def readers_page(desk: Desk, request: Request, session: Session) -> Response:
    """Readers, newest first."""
    query = request.query_params
    status, begins = query.get("status", ""), query.get("begins", "").strip()[:254]
    before = query.get("before", "")
    with desk.store.read() as tx:
        found = find_readers(
            tx,
            status=Status(status) if status in tuple(Status) else None,
            begins=begins,
            before=int(before) if before.isdecimal() and len(before) < 18 else None,
            limit=_LINES,
        )
        counts = people.count_subscribers(tx)
    kept = {name: value for name, value in (("status", status), ("begins", begins)) if value}
    return page(
        desk,
        session,
        "readers.html",
        "Readers",
        nav="readers",
        readers=found,
        chosen=status,
        begins=begins,
        counts={s: counts.get(s, 0) for s in Status},
        done=_DONE.get(query.get("done", ""), ""),
        more=urlencode(kept | {"before": found[-1].id}) if len(found) == _LINES else "",
    )


def reader_page(desk: Desk, request: Request, session: Session) -> Response:
    """One reader."""
    reader = _reader(desk, request)
    key = parse_address(reader.email).key
    with desk.store.read() as tx:
        wishes = people.wishes_of(tx, [reader.id]).get(reader.id, [])
        consents = people.consents_of(tx, reader.id)
        messages = messages_to(tx, reader.id, limit=_LINES)
        editions = past_editions(tx, reader.id, limit=_LINES)
        suppression = people.suppression_of(tx, key)
        returned = latest_bounces(tx, address_key=key)
    return page(
        desk,
        session,
        "reader.html",
        reader.email,
        nav="readers",
        reader=reader,
        wishes=wishes,
        consents=consents,
        messages=messages,
        editions=[(e, desk.below(desk.links.edition(e.id))) for e in editions],
        suppression=suppression,
        bounces=returned,
        done=_DONE.get(request.query_params.get("done", ""), ""),
    )


def _reader(desk: Desk, request: Request) -> Subscriber:
    return desk.accounts.find(request.path_params["id"])


def act(desk: Desk, request: Request, session: Session, form: Form) -> Response:
    """What the operator does with one reader."""
    reader = _reader(desk, request)
    actions: dict[str, Callable[[Desk, Subscriber], None]] = {
        "unsubscribe": _unsubscribe,
        "suppress": _suppress,
        "lift": _lift,
        "erase": _erase,
    }
    wish = form.one("do")
    if wish not in actions:
        raise BadInput("choose what to do")
    if wish == "erase" and form.one("sure") != "yes":
        raise BadInput("tick the box to say that this person is to be erased")
    actions[wish](desk, reader)
    where = "/admin/readers" if wish == "erase" else f"/admin/readers/{reader.id}"
    return RedirectResponse(f"{desk.base}{where}?done={wish}", status_code=303)


def _unsubscribe(desk: Desk, reader: Subscriber) -> None:
    desk.app.enrolment.unsubscribe(reader.id, now=desk.app.now(), source="operator")


def _suppress(desk: Desk, reader: Subscriber) -> None:
    desk.app.returns.suppress(reader.email, desk.app.now())


def _lift(desk: Desk, reader: Subscriber) -> None:
    desk.app.returns.undo(reader.email, desk.app.now())


def _erase(desk: Desk, reader: Subscriber) -> None:
    desk.app.enrolment.erase(reader.id, now=desk.app.now())


# --- bounces and suppressions


def returns_page(desk: Desk, request: Request, session: Session) -> Response:
    """What came back, and who must not be mailed."""
    with desk.store.read() as tx:
        returned = latest_bounces(tx, limit=_BOUNCES)
        suppressed = latest_suppressions(tx, limit=_BOUNCES)
    done = {"lift": "Lifted.", "suppress": "Suppressed."}
    return page(
        desk,
        session,
        "returns.html",
        "Bounces",
        nav="returns",
        bounces=returned,
        suppressed=suppressed,
        done=done.get(request.query_params.get("done", ""), ""),
    )


def act_on_address(desk: Desk, request: Request, session: Session, form: Form) -> Response:
    """Suppress an address, or lift that."""
    address, wish = form.one("address").strip(), form.one("do")
    now = desk.app.now()
    if wish == "lift":
        desk.app.returns.undo(address, now)
    elif wish == "suppress":
        desk.app.returns.suppress(address, now)
    else:
        raise NotFound("choose what to do")
    return RedirectResponse(f"{desk.base}/admin/returns?done={wish}", status_code=303)
