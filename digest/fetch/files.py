"""Reading a saved page from disk, for sources whose url begins with file://."""

from __future__ import annotations

import mimetypes
import os
import stat
from urllib.parse import urlsplit
from urllib.request import url2pathname

from digest.errors import FetchError
from digest.fetch.answers import Answer, Validator
from digest.model import Request


def read_file(request: Request, bytes_max: int, validator: Validator | None = None) -> Answer:
    """The file that the request's file:// URL names; unchanged while its time and size are.

    Raises FetchError when it cannot be read, is larger than `bytes_max`, or is no plain file.
    """
    parts = urlsplit(request.url)
    path = url2pathname(parts.path)
    if parts.netloc not in ("", "localhost"):
        raise FetchError(
            f"a file on another machine ({parts.netloc}) cannot be read; write file:///path",
            url=request.url,
        )
    try:
        return _read(request.url, path, bytes_max, validator)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FetchError(
            f"{path} cannot be read: {reason}; check the source's url", url=request.url
        ) from error


def _read(url: str, path: str, bytes_max: int, known: Validator | None) -> Answer:
    # a pipe would block at open, so without waiting
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise ValueError("it is no plain file")
        seen = Validator(etag=f'"{facts.st_mtime_ns:x}-{facts.st_size:x}"')
        if seen == known:
            return Answer(
                url=url, status=304, body=b"", content_type="", unchanged=True, validator=seen
            )
        body = file.read(bytes_max + 1)
    if len(body) > bytes_max:
        raise ValueError(f"it is larger than {bytes_max:,} bytes")
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Answer(url=url, status=200, body=body, content_type=kind, validator=seen)
