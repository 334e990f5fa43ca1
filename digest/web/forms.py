"""Reading forms: within limits of size, number and time, in UTF-8, and from our own pages only.

A form carries a signed token that is bound to the form and to what it is about (a subscriber, a
session); requests that a browser says come from another site are refused before that. No cookie is
needed, so public pages stay the same for everybody. Unsubscribing by one click skips both checks.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from urllib.parse import parse_qsl, urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from digest.errors import TokenError
from digest.tokens import Purpose, Tokens
from digest.web.refusals import foreign, garbled, stale_form, too_large, too_slow

FORM_BYTES_MAX = 256_000
FIELDS_MAX = 600
#: a whole form must arrive within that time, in seconds
FORM_WITHIN_S = 20.0
#: how long a page may be open before its form is sent
TOKEN_AGE_MAX = timedelta(days=7)
#: the hidden field
TOKEN_FIELD = "form"


class FormName(IntEnum):
    """The forms; a token for one is refused for every other. Numbers stay what they are."""

    SUBSCRIBE = 1
    CONFIRM = 2
    PREFERENCES = 3
    UNSUBSCRIBE = 4
    FEEDBACK = 5
    ADMIN_LOGIN = 6
    ADMIN = 7


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in the order sent."""

    fields: Mapping[str, Sequence[str]]

    def one(self, name: str, default: str = "") -> str:
        """The first value of a field."""
        values = self.fields.get(name)
        return values[0] if values else default

    def many(self, name: str) -> tuple[str, ...]:
        """All values of a field."""
        return tuple(self.fields.get(name, ()))

    def has(self, name: str) -> bool:
        return name in self.fields


async def read_form(request: Request) -> Form:
    """The form in a request's body, url-encoded or multipart. Raises Refused."""
    kind, _, _ = request.headers.get("content-type", "").partition(";")
    body = await _read_body(request)
    if kind.strip().lower() == "multipart/form-data":
        pairs = await _multipart(request.headers["content-type"], body)
    else:
        pairs = _urlencoded(body)
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


async def _read_body(request: Request) -> bytes:
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > FORM_BYTES_MAX:
        raise too_large()
    body = bytearray()
    try:
        with anyio.fail_after(FORM_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > FORM_BYTES_MAX:
                    raise too_large()
    except TimeoutError as error:
        raise too_slow() from error
    except ClientDisconnect as error:
        raise garbled() from error
    return bytes(body)


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except UnicodeError as error:
        raise garbled() from error
    except ValueError as error:
        raise too_large() from error


async def _multipart(content_type: str, body: bytes) -> list[tuple[str, str]]:
    # read as Latin-1, which keeps every byte, and decoded strictly here: the parser itself would
    # quietly take what is no UTF-8 for Latin-1
    plain = ";".join(p for p in content_type.split(";") if "charset" not in p.lower())
    headers = Headers({"content-type": f"{plain}; charset=latin-1"})

    async def chunks() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(headers, chunks(), max_files=0, max_fields=FIELDS_MAX)
    try:
        items = (await parser.parse()).multi_items()
        texts = [(name, value) for name, value in items if isinstance(value, str)]
        return [(_utf8(name), _utf8(value)) for name, value in texts]
    except MultiPartException as error:
        raise garbled() from error
    except UnicodeError as error:
        raise garbled() from error


def _utf8(text: str) -> str:
    return text.encode("latin-1").decode("utf-8")


def is_foreign(headers: Mapping[str, str], hosts: Sequence[str]) -> bool:
    """Whether a browser says that another site sent this request.

    `hosts` are ours, with their port where it is not the usual one. A request that says nothing
    of its origin does not come from a browser, so nobody's browser can have been abused.
    Source: fetch metadata, https://www.w3.org/TR/fetch-metadata/; Origin, RFC 6454.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() not in hosts


class FormTokens:
    """Makes and checks the tokens of forms."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def issue(self, form: FormName, bound_to: int, now: datetime) -> str:
        """A token for that form about that thing; the same for a whole UTC day."""
        return self._tokens.sign(Purpose.FORM, form, bound_to, now.date().toordinal())

    def check(self, form: FormName, bound_to: int, token: str, now: datetime) -> None:
        """Raise Refused unless `token` is for that form and thing, and not too old."""
        try:
            number, about, day = self._tokens.read(Purpose.FORM, token, count=3)
        except TokenError as error:
            raise stale_form() from error
        age_days = now.date().toordinal() - day
        if (number, about) != (form, bound_to) or not -1 <= age_days <= TOKEN_AGE_MAX.days:
            raise stale_form()


def refuse_foreign(request: Request, hosts: Sequence[str]) -> None:
    """Raise Refused when a browser says that another site sent this request."""
    if is_foreign(request.headers, hosts):
        raise foreign()
