"""The outbox: every message with its state and reason, found by day, state, reader or words.

What has failed or waits can be sent again or cancelled, one by one, where it still stands as shown.
"""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from digest.addresses import parse_address
from digest.clock import parse_date
from digest.errors import BadInput
from digest.model import MessageKind, OutboxState
from digest.store.operating import (
    MessageLine,
    MessageSearch,
    cancel_message,
    find_messages,
    retry_message,
)
from digest.web.admin.session import Session, page
from digest.web.desk import Desk
from digest.web.forms import Form

_LINES = 50
_FIELDS = ("state", "kind", "day", "address", "words")
_DONE = {
    "retry": "Queued again.",
    "cancel": "Cancelled.",
    "not": "That message had moved on meanwhile, or its papers were sent since; nothing was done.",
}


def outbox_page(desk: Desk, request: Request, session: Session) -> Response:
    """The messages that a search means, newest first."""
    query = request.query_params
    typed = {name: query.get(name, "").strip()[:300] for name in _FIELDS}
    problem = ""
    lines: tuple[MessageLine, ...] = ()
    try:
        search = read_search(typed, query.get("before", ""))
        with desk.store.read() as tx:
            lines = find_messages(tx, search, limit=_LINES)
    except BadInput as error:
        problem = str(error)
    kept = {name: value for name, value in typed.items() if value}
    return page(
        desk,
        session,
        "outbox.html",
        "Outbox",
        nav="outbox",
        typed=typed,
        states=list(OutboxState),
        kinds=list(MessageKind),
        problem=problem,
        done=_DONE.get(query.get("done", ""), ""),
        lines=lines,
        query=urlencode(kept),
        more=urlencode(kept | {"before": lines[-1].id}) if len(lines) == _LINES else "",
    )


def read_search(typed: dict[str, str], before: str) -> MessageSearch:
    """What the fields of the search mean. Raises BadInput for a day or address that is none."""
    return MessageSearch(
        state=OutboxState(typed["state"]) if typed["state"] in tuple(OutboxState) else None,
        kind=MessageKind(typed["kind"]) if typed["kind"] in tuple(MessageKind) else None,
        day=parse_date(typed["day"]) if typed["day"] else None,
        address_key=parse_address(typed["address"]).key if typed["address"] else None,
        words=typed["words"],
        before=int(before) if before.isdecimal() and len(before) < 18 else None,
    )


def act(desk: Desk, request: Request, session: Session, form: Form) -> Response:
    """Send a message again, or cancel it."""
    message_id, wish = form.one("id"), form.one("do")
    do = {"retry": retry_message, "cancel": cancel_message}.get(wish)
    if do is None or not message_id.isdecimal() or len(message_id) > 18:
        raise BadInput("choose a message and what to do with it")
    with desk.store.write() as tx:
        is_done = do(tx, int(message_id), now=desk.app.now())
    query = f"{form.one('query')[:1000]}&" if form.one("query") else ""
    where = f"{desk.base}/admin/outbox?{query}done={wish if is_done else 'not'}"
    return RedirectResponse(where, status_code=303)
