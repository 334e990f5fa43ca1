"""A host that serves large files, in parts or not, and breaks off when told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from digest.sample.loopback import Answer, Asked, LoopbackServer


class FileServer:
    """Serves `files` by path while the context is open, and remembers what was asked."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[Asked] = []
        #: False: always sends the whole file
        self.has_ranges = True
        #: for the next requests: hang up after so many bytes of the body
        self.cuts: list[int] = []
        #: for the next requests: answer like this instead
        self.instead: list[Answer | None] = []
        #: paths that lead elsewhere
        self.moved: dict[str, str] = {}
        self._lock = threading.Lock()
        self._server = LoopbackServer(self._respond)

    def __enter__(self) -> FileServer:
        self._server.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(None, None, None)

    @property
    def url(self) -> str:
        """Base address without a trailing slash."""
        return self._server.url

    @property
    def ranges(self) -> list[str | None]:
        """The Range header of each request, in order."""
        return [asked.headers.get("range") for asked in self.asked]

    def _respond(self, asked: Asked) -> Answer | None:
        with self._lock:
            self.asked.append(asked)
            if self.instead:
                return self.instead.pop(0)
            cut = self.cuts.pop(0) if self.cuts else None
        if asked.path in self.moved:
            return Answer(status=302, headers=(("Location", self.moved[asked.path]),))
        if asked.path not in self.files:
            return Answer(status=404, body=b"not here")
        return self._file(self.files[asked.path], asked.headers.get("range"), cut)

    def _file(self, content: bytes, wanted: str | None, cut: int | None) -> Answer:
        start = 0
        if wanted and self.has_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return Answer(status=416, body=b"no such part")
        body = content[start:]
        headers = [("Content-Length", str(len(body)))]
        if start:
            headers.append(("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}"))
        return Answer(
            status=206 if start else 200,
            content_type="application/octet-stream",
            body=_pieces(body if cut is None else body[:cut]),
            headers=tuple(headers),
        )


def _pieces(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), 16_384):
        yield body[start : start + 16_384]
