"""Transports that write messages to disk: a folder of .eml files, or a Maildir.

A file appears whole or not at all: it is written beside its place, flushed to the disk and
renamed. Names come from the outbox row and the message, never from a clock, so delivering the
same message twice leaves one file. Built by digest.mail.build_transport.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from digest.errors import TransportError
from digest.mail.addresses import refuse_addresses
from digest.mail.base import MayLeave, Report, Take, always
from digest.mail.outcomes import NOT_OURS, not_sent
from digest.model import Envelope, Fate, Outcome

_ADVICE = {
    errno.ENOSPC: "the disk is full; make room and start again",
    errno.EDQUOT: "the disk quota is used up; make room and start again",
    errno.EROFS: "the file system is read-only; choose another `path` under [smtp]",
    errno.EACCES: "no permission; let the user that runs digest write there",
    errno.EPERM: "no permission; let the user that runs digest write there",
    errno.ENOTDIR: "a part of the path is a file; choose another `path` under [smtp]",
    errno.EEXIST: "a file is in the way; choose another `path` under [smtp]",
}


class FileTransport:
    """Writes one file per message; `write` decides its name and its bytes."""

    def __init__(self, path: Path, write: Callable[[Path, Envelope], str]) -> None:
        self._path = path
        self._write = write

    async def run(self, take: Take, report: Report, may_leave: MayLeave = always) -> None:
        """Write every message that take() gives; see Transport.run."""
        while (envelope := await take()) is not None:
            if (refused := refuse_addresses(envelope)) is not None:
                await report((refused,))
                continue
            if not may_leave(envelope):
                await report((not_sent(envelope, NOT_OURS),))
                continue
            try:
                name = await asyncio.to_thread(self._write, self._path, envelope)
            except OSError as error:
                text = f"cannot write mail to {self._path}: {_advice(error)}"
                failed = Outcome(outbox_id=envelope.outbox_id, fate=Fate.TEMPORARY, text=text)
                await report((failed,))
                raise TransportError(text) from error
            text = f"written: {name}"
            await report((Outcome(outbox_id=envelope.outbox_id, fate=Fate.ACCEPTED, text=text),))


def write_eml(folder: Path, envelope: Envelope) -> str:
    """Write exactly the bytes that a relay would get; give the file's name."""
    name = eml_name(envelope)
    folder.mkdir(parents=True, exist_ok=True)
    _write_whole(folder / f".{name}.part", folder / name, envelope.content)
    return name


def write_maildir(maildir: Path, envelope: Envelope) -> str:
    """Deliver as a mail server would: LF line ends and a Return-Path; give the file's name."""
    for folder in ("tmp", "new", "cur"):
        (maildir / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    head = f"Return-Path: <{envelope.envelope_from}>\nDelivered-To: {envelope.envelope_to}\n"
    content = head.encode() + envelope.content.replace(b"\r\n", b"\n")
    name = f"{envelope.outbox_id:010d}.{hashlib.sha256(content).hexdigest()[:16]}.digest"
    _write_whole(maildir / "tmp" / name, maildir / "new" / name, content)
    return name


def eml_name(envelope: Envelope) -> str:
    """The name of a message's .eml file: its outbox id and whom it is for, without the domain."""
    local = envelope.envelope_to.rpartition("@")[0].lower()
    return f"{envelope.outbox_id:08d}-{re.sub(r'[^a-z0-9._+-]+', '_', local)[:40]}.eml"


def _write_whole(part: Path, whole: Path, content: bytes) -> None:
    """Write `content` to `whole` by way of `part`; a failure leaves neither."""
    try:
        # the mail carries personal links: nobody else on the machine may read it
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(whole)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
    _sync_folder(whole.parent)


def _sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _advice(error: OSError) -> str:
    known = _ADVICE.get(error.errno or 0)
    return known or f"{error.strerror or error}; check the disk and `path` under [smtp]"
