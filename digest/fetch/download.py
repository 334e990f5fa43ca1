"""Fetching one large file whose size and hash are known, in as many pieces as it takes.

What has come lies in FILE.partial until all of it is there and its hash is right; a broken
connection, a killed process or a full disk costs nothing of it. For `digest model pull`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from digest.errors import FetchError
from digest.fetch.failures import failure, host_of, refusal
from digest.fetch.fetcher import REDIRECTS, REDIRECTS_MAX, Fetcher, check_url, join_url

if TYPE_CHECKING:
    import httpx

#: without a byte for so long the connection counts as broken
STALL_S = 30.0
#: connections without anything new, one after the other, until we give up
_TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file that is known before it is fetched."""

    url: str
    #: bytes
    size: int
    #: hexadecimal
    sha256: str


#: told how many bytes are there, after each piece
Progress = Callable[[int], None]


def download(
    fetcher: Fetcher,
    wanted: Wanted,
    target: Path,
    *,
    progress: Progress = lambda there: None,
    stall_s: float = STALL_S,
) -> None:
    """Fetch the file to `target`, going on with what an earlier try has left.

    A broken connection is made again, where the last one ended if the server can do that. Raises
    FetchError when there is no way on, `permanent` when trying again will not help, and OSError
    when the disk takes no more; what has come is kept unless it is wrong.
    """
    partial = target.with_name(target.name + ".partial")
    with partial.open("ab") as file:
        _hold(file, wanted)
        if file.tell() > wanted.size:
            _start_over(file)
        _Download(fetcher, wanted, file, progress, stall_s).run()
        file.flush()
        os.fsync(file.fileno())
        if sha256_of(partial) != wanted.sha256:
            partial.unlink()
            raise FetchError(
                f"what {host_of(wanted.url)} serves is not the file that was expected: its hash is"
                " another, and nothing of it was kept",
                url=wanted.url,
                permanent=True,
            )
        partial.replace(target)


def sha256_of(path: Path) -> str:
    """The hash of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hold(file: IO[bytes], wanted: Wanted) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FetchError("another process is fetching this file already", url=wanted.url) from error


def _start_over(file: IO[bytes]) -> None:
    file.truncate(0)
    file.seek(0)


class _Download:
    """The tries to get what is missing."""

    def __init__(
        self,
        fetcher: Fetcher,
        wanted: Wanted,
        file: IO[bytes],
        progress: Progress,
        stall_s: float,
    ) -> None:
        self._fetcher = fetcher
        self._wanted = wanted
        self._file = file
        self._progress = progress
        self._stall_s = stall_s

    def run(self) -> None:
        """Ask until all is there; a try that brought something is followed by as many new ones."""
        self._progress(self._file.tell())
        left = _TRIES
        while self._file.tell() < self._wanted.size:
            before = self._file.tell()
            try:
                self._ask()
            except FetchError as error:
                left = _TRIES if self._file.tell() > before else left - 1
                if error.permanent or error.retry_after_s or not left:
                    raise

    def _ask(self) -> None:
        """One connection, over its redirects, for as much as it brings."""
        import httpx

        url = self._wanted.url
        client, deadline = self._fetcher.open()
        for _ in range(REDIRECTS_MAX + 1):
            check_url(url)
            self._fetcher.wait_turn(url, pause_s=1.0)
            deadline.start(self._stall_s)
            try:
                question = client.build_request("GET", url, headers=self._headers())
                with closing(client.send(question, stream=True)) as response:
                    location = response.headers.get("location")
                    if response.status_code not in REDIRECTS or not location:
                        self._take(url, response, lambda: deadline.start(self._stall_s))
                        return
                    url = join_url(url, location)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
                raise failure(error, url, self._stall_s) from error
        raise FetchError(
            f"{host_of(self._wanted.url)} sends us on more than {REDIRECTS_MAX} times",
            url=url,
            permanent=True,
        )

    def _headers(self) -> dict[str, str]:
        there = self._file.tell()
        # packed, a range of the file would be none of its bytes
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        return headers | ({"Range": f"bytes={there}-"} if there else {})

    def _take(self, url: str, response: httpx.Response, alive: Callable[[], None]) -> None:
        status, there = response.status_code, self._file.tell()
        if status == 416:
            # what we have is no beginning of what is there
            _start_over(self._file)
            raise FetchError(f"{host_of(url)} has no such part of the file", url=url)
        if status not in (200, 206):
            wish_s = self._fetcher.keep_wish(url, status, response.headers)
            raise refusal(status, url, wish_s)
        if status == 200 or not _begins_at(response, there):
            if status == 206:
                raise FetchError(
                    f"{host_of(url)} sends another part of the file than it was asked for",
                    url=url,
                    permanent=True,
                )
            # it cannot send a part, or will not: from the start
            _start_over(self._file)
        self._check_size(url, response)
        # as they come: what waits for a fuller piece is lost when the connection breaks
        for piece in response.iter_raw():
            alive()
            self._file.write(piece)
            self._file.flush()
            self._progress(min(self._file.tell(), self._wanted.size))
            self._check_length(url)
        if self._file.tell() < self._wanted.size:
            raise FetchError(f"{host_of(url)} broke off in the middle", url=url)

    def _check_size(self, url: str, response: httpx.Response) -> None:
        stated = response.headers.get("content-length", "")
        if stated.isdecimal() and int(stated) + self._file.tell() != self._wanted.size:
            self._refuse(url)

    def _check_length(self, url: str) -> None:
        if self._file.tell() > self._wanted.size:
            _start_over(self._file)
            self._refuse(url)

    def _refuse(self, url: str) -> None:
        raise FetchError(
            f"{host_of(url)} serves a file of another size than the {self._wanted.size:,} bytes"
            " that were expected (does this network want a login?)",
            url=url,
            permanent=True,
        )


def _begins_at(response: httpx.Response, there: int) -> bool:
    return bool(response.headers.get("content-range", "").startswith(f"bytes {there}-"))
